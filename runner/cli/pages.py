"""One file that a command writes where somebody asks for it: a page, a picture, a calendar, samples.

It is never a file that Git tracks: what people wrote and reviewed is not replaced by what a command makes.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from runner.cli.repository import in_words
from runner.errors import terminal


def demand_target(ctx: click.Context, path: Path | None) -> None:
    """Refuse a file that cannot or must not be written, before the work is done.

    Raises click.UsageError where its folder is not there, it is a directory, or Git tracks it.
    """
    if path is None:
        return
    if not path.absolute().parent.is_dir():
        raise click.UsageError(
            f"there is no folder '{path.absolute().parent}' to write {path.name} into", ctx
        )
    if path.is_dir():
        raise click.UsageError(f"'{path}' is a directory: name a file", ctx)
    if _is_tracked(path.absolute()):
        raise click.UsageError(f"'{path}' is tracked by Git and would be replaced: name another file", ctx)


def write_page(path: Path, text: str, note: str = "") -> None:
    """Replace a file and say so, with a note; a reader sees the old or the new one. Raises TerminalError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise terminal(
            f"{path} cannot be written", in_words(error), fix="name a file that you may write"
        ) from error
    click.echo(f"written: {path}{note}", err=True)


def _is_tracked(path: Path) -> bool:
    """Return whether a file is in the index of the repository it lies in, if it lies in one."""
    from runner.git.command import Git

    listed = Git(path.parent).run("--literal-pathspecs", "ls-files", "--error-unmatch", "--", path.name)
    return listed.status == 0
