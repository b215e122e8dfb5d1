"""Which of two versions is preferred: asked of a judge, counted from people's votes, or told by the right answers.

`win_rate` in `suite` is the way in, for `loop evaluate`. A judge decides nothing before `calibration` has shown that it
says what people say; the figures, length held equal among them, are in `figures`.
"""
