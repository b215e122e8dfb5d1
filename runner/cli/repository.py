"""What commands share: where the repository is, its spec, and the options `--environment` and `--json`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runner.errors import terminal

if TYPE_CHECKING:
    from runner.spec.environment import Environment
    from runner.spec.load import Spec

Function = TypeVar("Function", bound=Callable[..., Any])
DEFAULT_ENVIRONMENT = "production"

environment_option = click.option(
    "-e",
    "--environment",
    default=DEFAULT_ENVIRONMENT,
    show_default=True,
    envvar="LOOP_ENVIRONMENT",
    help="Environment of loop.yaml.",
)
working_tree_option = click.option(
    "--working-tree", is_flag=True, help="Take the files as they are now, not the commit that is checked out."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def find_root(ctx: click.Context) -> Path:
    """Return the repository's root: what `--root` says, else the nearest folder upwards with loop.yaml.

    Raises TerminalError where there is none.
    """
    given: Path | None = ctx.find_root().obj
    start = (given or Path.cwd()).resolve()
    for folder in [start] if given else [start, *start.parents]:
        if (folder / "loop.yaml").exists():
            return folder
    raise terminal(
        "there is no loop.yaml here",
        f"looked in {start}" + ("" if given else " and every folder above it"),
        fix="change into the repository, or name it: `loop --root DIR ...`",
    )


def read_spec(root: Path) -> Spec:
    """Return the spec of the working tree. Raises TerminalError with everything that is wrong."""
    from runner.spec.files import DirectoryFiles
    from runner.spec.load import load_or_raise

    return load_or_raise(DirectoryFiles(root))


def pick_environment(spec: Spec, name: str) -> Environment:
    """Return one environment of the spec. Raises TerminalError naming those that exist."""
    try:
        return spec.loop.environments[name]
    except KeyError:
        known = ", ".join(spec.loop.environments)
        raise terminal(f"there is no environment '{name}' in loop.yaml", f"known: {known}") from None


def known_environment(root: Path, name: str) -> None:
    """Return where `name` has run here, or is in loop.yaml. Raises TerminalError naming those that exist.

    A deployment that runs can be looked at also while loop.yaml is being edited and is not valid.
    """
    state = root / ".loop"
    if not state.is_dir() or name not in [entry.name for entry in state.iterdir()]:
        pick_environment(read_spec(root), name)


def in_words(error: Exception) -> str:
    """Return what went wrong with a file, without the number and the path that Python adds."""
    return (
        error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
    ) or "unknown"


def coloured() -> bool:
    """Whether standard output takes colour: a terminal, and nobody set NO_COLOR."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
