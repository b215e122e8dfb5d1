"""Git as the source of the desired state: commits, their files and what changed between them.

Only this package runs `git`. It reads and fetches; it never writes to the working tree or to a branch.
"""
