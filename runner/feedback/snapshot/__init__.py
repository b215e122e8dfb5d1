"""Snapshots: what was collected, made into data sets with an account of how, and the way back from a row to its votes.

`build` decides and is pure, `write` puts the files in place, `read` gives the account, `lineage` follows one row.
"""

from runner.feedback.snapshot.build import Snapshot, build
from runner.feedback.snapshot.files import FOLDER, read, write
from runner.feedback.snapshot.provenance import Origins, Provenance

__all__ = ["FOLDER", "Origins", "Provenance", "Snapshot", "build", "read", "write"]
