"""One generated file: printed, written where somebody asks for it, or compared with what it should be."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.repository import in_words
from runner.errors import Diagnostic, Location, TerminalError, terminal

write_option = click.option(
    "--write",
    "target",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Write it there instead of printing.",
)
check_option = click.option(
    "--check",
    "compared",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Only compare that file with what it should be.",
)


def finish(ctx: click.Context, text: str, target: Path | None, compared: Path | None) -> int:
    """Print, write or compare `text`. Raises TerminalError where a file is outdated, or cannot be read or written."""
    if target is not None and compared is not None:
        raise click.UsageError("say one of --write and --check", ctx)
    if target is not None:
        _write(target, text)
    elif compared is not None:
        _compare(ctx, compared, text)
    else:
        click.echo(text, nl=False)
    return 0


def _write(target: Path, text: str) -> None:
    try:
        if target.is_file() and target.read_text(encoding="utf-8") == text:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise terminal(
            f"{target} cannot be written", in_words(error), fix="give a file that you may write"
        ) from None
    click.echo(f"wrote {target}")


def _compare(ctx: click.Context, compared: Path, text: str) -> None:
    try:
        found = compared.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise terminal(
            f"{compared} cannot be read",
            in_words(error),
            fix=f"write it: `{ctx.command_path} --write {compared}`",
        ) from None
    if found != text:
        lines = zip(found.splitlines(), text.splitlines(), strict=False)
        line = next((number for number, (old, new) in enumerate(lines, 1) if old != new), 0)
        raise TerminalError(
            Diagnostic(
                "the file is not what the policy makes of it",
                location=Location(str(compared), line),
                fix=f"write it anew: `{ctx.command_path} --write {compared}`",
            )
        )
    click.echo(f"fresh: {compared}")
