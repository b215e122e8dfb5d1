"""Pages for people: what they look at in a browser. Each serves what it is given and decides nothing."""
