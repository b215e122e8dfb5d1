"""`loop data`: from the event log to data that one may train on."""

from __future__ import annotations

import click

from runner.cli.commands import Commands

COMMANDS: dict[str, tuple[str, str]] = {
    "progress": (
        "Look",
        "how collecting goes: this week's feedback against the plan, and when there is enough",
    ),
    "check": ("Look", "check every data set against what its file expects, with a page to read"),
    "lineage": ("Look", "the way of one pair, from the vote to the adapter trained on it"),
    "curate": ("Make", "collect, make the snapshot, check it and declare it: all in one go"),
    "propose": ("Make", "one pull request that takes the data sets as they stand here into Git"),
    "collect": ("Make", "take what is worth learning from out of the event log, masked"),
    "snapshot": ("Make", "labels, checks and data sets from what was collected; what `dvc repro` runs"),
    "augment": ("Make", "synthetic pairs beside real ones, within the policy's share"),
}
EXAMPLES = """\b
Examples:
  loop data progress               47 of 300 this week; what to ask for next
  loop data curate                 from the log to a checked snapshot, in one command
  loop data check                  expectations of every data set
  loop data lineage pair-3f2a      where a pair comes from, and what was trained on it
"""


@click.group(cls=Commands, table=COMMANDS, prefix="data_", epilog=EXAMPLES)
def command() -> None:
    """Feedback to data sets: collected, masked, checked, versioned by DVC."""
