"""`loop arena`: what came of comparing answers side by side."""

from __future__ import annotations

import click

from runner.cli.commands import Commands

COMMANDS: dict[str, tuple[str, str]] = {
    "standings": ("Look", "strengths, win rates, biases and raters, from the votes"),
    "simulate": ("Try", "have simulated customers of the bookshop compare and vote"),
}
EXAMPLES = """\b
Examples:
  loop arena standings                    the last 30 days of production
  loop arena standings --html arena.html  the same as a page with plots
  loop arena simulate --votes 100         votes to try it with, where nobody has voted
"""


@click.group(cls=Commands, table=COMMANDS, prefix="arena_", epilog=EXAMPLES)
def command() -> None:
    """Blind comparisons of versions. `loop console` opens the arena; here is what its votes say."""
