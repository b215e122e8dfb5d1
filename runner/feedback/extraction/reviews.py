"""Labels of reviewers, from events: of several of one person on one item and task the latest counts.

Called by `extract` with rows of the lake. Events may come in any order and more than once. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.feedback.records import Label, Task


@dataclass(frozen=True, slots=True)
class Reviews:
    """What was read: labels by time, events that are no label, and labels that a later one made void."""

    labels: tuple[Label, ...]
    broken: int = 0
    replaced: int = 0


def read(rows: Iterable[Mapping[str, Any]]) -> Reviews:
    """Return the labels of label events; raises nothing. Of two at one moment the larger id is the later."""
    found: dict[str, Label] = {}
    broken = 0
    for row in rows:
        label = _label(row)
        if label is None:
            broken += 1
        else:
            found[label.id] = label
    latest: dict[tuple[str, str, Task, bool], Label] = {}
    for label in sorted(found.values(), key=_when):
        latest[label.user, label.item, label.task, label.final] = label  # a last word is no vote
    return Reviews(tuple(sorted(latest.values(), key=_when)), broken, len(found) - len(latest))


def _when(label: Label) -> tuple[int, str]:
    return label.at_us, label.id


def _label(row: Mapping[str, Any]) -> Label | None:
    value, task = row.get("loop.label.value"), row.get("loop.label.task")
    if task not in list(Task) or value not in Task(task).values or not row.get("loop.item"):
        return None
    return Label(
        id=row["event.id"],
        item=row["loop.item"],
        task=Task(task),
        value=value,
        user=row["loop.user"],
        at_us=row["event.time"],
        final=bool(row.get("loop.label.final")),
        correction=row.get("loop.label.correction"),
        comment=row.get("loop.label.comment"),
    )
