"""One file that a command writes where somebody asks for it: a page, a picture."""

from __future__ import annotations

import os
from pathlib import Path

import click


def demand_folder(ctx: click.Context, path: Path | None) -> None:
    """Refuse a file whose folder is not there, before the work is done. Raises click.UsageError."""
    if path is not None and not path.absolute().parent.is_dir():
        raise click.UsageError(
            f"there is no folder '{path.absolute().parent}' to write {path.name} into", ctx
        )


def write_page(path: Path, text: str) -> None:
    """Replace a file and say so; a reader sees the old or the new one. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
    click.echo(f"written: {path}", err=True)
