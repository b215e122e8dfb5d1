"""Git as the source of the desired state, and where automatic changes are written down.

Only this package runs `git`. `repository`, `tree` and `history` read; `commit` makes commits without touching
index or working tree; `landing` gives them to a branch; `follow` moves a checkout along; `forge` and `notify`
talk to people. What is a person's and not yet committed or pushed is never lost.
"""
