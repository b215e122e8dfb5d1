"""How far the review of what was collected is, task by task; what `loop labels` shows. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runner.feedback.labels.agreement import TaskAgreement
from runner.feedback.labels.items import Item, independent
from runner.feedback.labels.opinions import NOBODY, opinions
from runner.feedback.labels.queue import State, state
from runner.feedback.labels.resolution import By, Resolved, Settled, Unsettled, resolve, resolved
from runner.feedback.records import Label, Task
from runner.spec.collection import Agreement


@dataclass(frozen=True, slots=True)
class TaskOverview:
    """One task's items; `agreement` is None where nobody has judged one."""

    task: Task
    items: int
    by_majority: int
    by_final: int
    waiting: int
    disputed: tuple[str, ...]
    """Items that wait for a last word."""
    agreement: TaskAgreement | None

    @property
    def settled(self) -> int:
        """Items that have a value, whether or not the task's agreement lets it be used."""
        return self.by_majority + self.by_final


@dataclass(frozen=True, slots=True)
class Overview:
    """All tasks that have items; `unknown` labels are about items that were not collected, and count nowhere."""

    tasks: tuple[TaskOverview, ...]
    unknown: int


@dataclass(frozen=True, slots=True)
class Detail:
    """One item of one task with everything that was said of it, by time."""

    item: Item
    labels: tuple[Label, ...]
    outcome: Resolved | Unsettled


def overview(items: Sequence[Item], labels: Iterable[Label], policy: Agreement) -> Overview:
    """Return how far the review is."""
    known = {item.key for item in items}
    every = independent(labels, items)
    own = [label for label in every if (label.item, label.task) in known]
    settled = resolve(own, policy)
    tasks = (
        _of_task(task, [item for item in items if item.task is task], own, settled)
        for task in Task
        if any(item.task is task for item in items)
    )
    return Overview(tuple(tasks), len(every) - len(own))


def detail(
    items: Sequence[Item], labels: Iterable[Label], policy: Agreement, name: str
) -> tuple[Detail, ...]:
    """Return what was said of an item in each of its tasks; empty where there is no item of that id."""
    every = independent(labels, items)
    settled = resolve(every, policy)
    return tuple(
        Detail(
            item,
            tuple(sorted((one for one in every if (one.item, one.task) == item.key), key=_when)),
            settled.of(*item.key),
        )
        for item in items
        if item.id == name
    )


def _of_task(task: Task, items: Sequence[Item], labels: Sequence[Label], settled: Settled) -> TaskOverview:
    said = opinions(label for label in labels if label.task is task)
    states = {item.id: state(said.get(item.key, NOBODY), settled.raters) for item in items}
    ends = Counter(
        found.by
        for item in items
        if isinstance(found := resolved(said.get(item.key, NOBODY), settled.raters), Resolved)
    )
    return TaskOverview(
        task=task,
        items=len(items),
        by_majority=ends[By.MAJORITY],
        by_final=ends[By.FINAL],
        waiting=sum(each is State.WAITING for each in states.values()),
        disputed=tuple(name for name, each in states.items() if each is State.DISPUTED),
        agreement=settled.agreement.get(task),
    )


def _when(label: Label) -> tuple[int, str]:
    return label.at_us, label.id
