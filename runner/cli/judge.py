"""`loop judge`: the judge of policies/evaluation.yaml."""

from __future__ import annotations

import click

from runner.cli.commands import Commands

COMMANDS: dict[str, tuple[str, str]] = {
    "calibrate": ("Learn", "put the judge to pairs that people voted on"),
}
EXAMPLES = """\b
Examples:
  loop judge calibrate           ask the judge anew, and keep what comes of it
  loop judge calibrate --json    the same for programs
"""


@click.group(cls=Commands, table=COMMANDS, prefix="judge_", epilog=EXAMPLES)
def command() -> None:
    """The model that says which of two answers is better, and whether it says what people say."""
