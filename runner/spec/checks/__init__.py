"""Checks between files: each module takes everything parsed and yields what does not fit together.

Called by `runner.spec.lint` alone. A file that is broken itself is absent here, so it is told of once.
"""
