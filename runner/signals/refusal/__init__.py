"""Answers that refuse: `rules`, a fitted `detector`, and whether refusing was right (`questions`)."""
