"""The command `loop`: arguments in, calls down, text out.

One module a command, imported only when that command runs, so that `loop --help` stays instant.
Nothing is decided here.
"""
