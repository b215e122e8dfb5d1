"""From the event lake to records, ballots and labels worth looking at, each once, masked, with why it was taken.

`runner.cli.data_collect` calls `extract` and writes what it returns by `runner.feedback.collected`. DuckDB joins and
ranks (Ibis expressions that name no backend), Python reads the texts that are left. It asks no network and writes
nothing; what differs between deployments (detectors, masking, whom to forget) comes in through `Ports`.
"""

from runner.feedback.extraction.extract import Found, extract
from runner.feedback.extraction.rules import Ports, Rules, Scrubbed, Scrubber, Window

__all__ = ["Found", "Ports", "Rules", "Scrubbed", "Scrubber", "Window", "extract"]
