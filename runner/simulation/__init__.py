"""The small world and its users, which the repository ships as its running example. No torch, no network."""
