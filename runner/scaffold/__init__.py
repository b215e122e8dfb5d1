"""A new repository for one's own model: which files it begins with, and putting them there as a whole or not at all.

Called by `loop init`. Texts are made from what was chosen (`choices`), so that two equal choices make equal files; what
is the same for everybody is taken from the checkout of Loop that runs, not copied. Asks no engine and pushes nothing.
"""
