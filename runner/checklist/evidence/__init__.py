"""Gathering what the points are held against: thin, each part from one place, and each with a limit on its time.

Called by `loop checklist`. It changes nothing, and decides nothing: what cannot be had is `Unknown` with the reason.
"""

from runner.checklist.evidence.gather import gather

__all__ = ["gather"]
