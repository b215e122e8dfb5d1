"""Labels by several people: who judges which item next, how far they agree, and what their labels come to.

Items are made of what was collected (`items`), given to so many people as the policy says without showing them each
other's labels (`queue`), measured for agreement (`agreement`) and settled by majority or by a last word (`resolution`).
The console, `loop labels` and the snapshot start from here, so that all of them count the same labels. Pure: no
files, no clock, no network.
"""

from runner.feedback.labels.agreement import TaskAgreement
from runner.feedback.labels.items import Item, independent, items
from runner.feedback.labels.resolution import Resolved, Settled, Unsettled, resolve

__all__ = ["Item", "Resolved", "Settled", "TaskAgreement", "Unsettled", "independent", "items", "resolve"]
