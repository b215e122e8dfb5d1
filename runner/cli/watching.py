"""What `signals`, `drift`, `report` and `monitor` share: measuring one environment, and the option `--window`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.repository import pick_environment

if TYPE_CHECKING:
    from runner.spec.load import Spec
    from runner.watch.watch import Watch


def watch(root: Path, spec: Spec, environment: str) -> Watch:
    """Return the measuring of an environment. Raises TerminalError where loop.yaml has none of that name."""
    from runner.embedding import chosen
    from runner.reconcile.state import StatePaths
    from runner.watch.watch import Places, Watch

    pick_environment(spec, environment)
    paths = StatePaths(root, environment)
    places = Places(root, paths.signals, paths.lake, paths.events)
    embedder = chosen(spec.policies.signals.embedder)
    return Watch(places, spec, environment, embedder, lambda text: click.echo(text, err=True))


LONGEST_S = 100 * 86_400.0
"""Measurements are kept so long."""


def seconds(ctx: click.Context, window: str | None, examples: str = "10m, 24h or 7d") -> float | None:
    """Return a window of time in seconds, None where none was given."""
    if window is None:
        return None
    from pydantic import TypeAdapter, ValidationError

    from runner.spec.quantity import Duration

    try:
        found: float = TypeAdapter(Duration).validate_python(window)
    except ValidationError as error:
        raise click.UsageError(f"'{window}' is no length of time: say {examples}", ctx) from error
    if found <= 0:
        raise click.UsageError(f"'{window}' is no time at all: say {examples}", ctx)
    return found


def measured_window(ctx: click.Context, window: str | None) -> float | None:
    """Return a window in seconds that measurements are kept for, None where none was given."""
    found = seconds(ctx, window)
    if found is not None and found > LONGEST_S:
        raise click.UsageError(f"measurements are kept for {LONGEST_S / 86_400:.0f} days, not {window}", ctx)
    return found
