"""What `backtest`, `experiments`, `shadow`, `explain` and `signals sample` share: what an environment has logged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from runner.events.schema import Kind
from runner.reconcile.state import StatePaths

Events = dict[Kind, list[dict[str, Any]]]
NAMED = 3


def read_events(root: Path, environment: str, *kinds: Kind, since_us: int | None = None) -> Events:
    """Return all events of these kinds, fields without a value left out. Raises LoopError, OSError.

    With `since_us` (microseconds since 1970) only those that are as new or newer, and older files are not read.
    Damaged lines are told on standard error and left out.
    """
    paths = StatePaths(root, environment)
    if not paths.lake.is_dir() and not paths.events.is_dir():
        return {kind: [] for kind in kinds}
    from runner.events.lake import Lake

    with Lake(paths.lake, paths.events) as lake:
        found = {kind: _rows(lake, kind, since_us) for kind in kinds}
        for damage in lake.damaged[:NAMED]:
            click.echo(f"warning: left out: {damage}", err=True)
        if len(lake.damaged) > NAMED:
            click.echo(f"warning: and {len(lake.damaged) - NAMED} more damaged lines", err=True)
    return found


def _rows(lake: Any, kind: Kind, since_us: int | None) -> list[dict[str, Any]]:
    rows = lake.table(kind, since_us, repeats_since_us=since_us).to_pyarrow().to_pylist()
    return [{name: value for name, value in row.items() if value is not None} for row in rows]
