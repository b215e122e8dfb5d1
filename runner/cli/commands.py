"""A group of commands that imports each command's module only when it is used.

`loop` is one, and so is every command that has commands of its own. It decides nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

Table = Mapping[str, tuple[str, str]]
"""Name -> the section it is listed in, and its line there."""


class Commands(click.Group):
    """A group by a table; the command `name` is `command` of the module `runner.cli.PREFIXname`."""

    def __init__(self, *args: Any, table: Table, prefix: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table, self.prefix = table, prefix

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command."""
        if cmd_name not in self.table:
            return None
        module = importlib.import_module(f"runner.cli.{self.prefix}{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with a suggestion for a name that is close to a known one."""
        if args and args[0] not in self.table and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], self.table, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(self.table)}"
            raise click.UsageError(f"there is no command '{args[0]}'{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands by purpose, without importing any."""
        for group in dict.fromkeys(group for group, _ in self.table.values()):
            rows = [(name, text) for name, (of, text) in self.table.items() if of == group]
            with formatter.section(group):
                formatter.write_dl(rows)
