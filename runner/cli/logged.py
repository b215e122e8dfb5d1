"""What `backtest`, `experiments`, `shadow` and `explain` share: the events that an environment has logged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from runner.events.schema import Kind
from runner.reconcile.state import StatePaths

Events = dict[Kind, list[dict[str, Any]]]
NAMED = 3


def read_events(root: Path, environment: str, *kinds: Kind) -> Events:
    """Return all events of these kinds, fields without a value left out. Raises LoopError, OSError.

    Damaged lines are told on standard error and left out.
    """
    paths = StatePaths(root, environment)
    if not paths.lake.is_dir() and not paths.events.is_dir():
        return {kind: [] for kind in kinds}
    from runner.events.lake import Lake

    with Lake(paths.lake, paths.events) as lake:
        found = {kind: _rows(lake, kind) for kind in kinds}
        for damage in lake.damaged[:NAMED]:
            click.echo(f"warning: left out: {damage}", err=True)
        if len(lake.damaged) > NAMED:
            click.echo(f"warning: and {len(lake.damaged) - NAMED} more damaged lines", err=True)
    return found


def _rows(lake: Any, kind: Kind) -> list[dict[str, Any]]:
    rows = lake.table(kind).to_pyarrow().to_pylist()
    return [{name: value for name, value in row.items() if value is not None} for row in rows]
