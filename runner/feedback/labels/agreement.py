"""How far the people agree who judged the same items, task by task, and who of them is often alone.

Chance is taken out of every coefficient. Krippendorff's alpha decides what may be used, since it takes any number of
people and missing labels; Cohen's and Fleiss' kappas stand beside it. Only blind votes count, a last word does not. A
task whose labels are all alike has no coefficient: agreement cannot be told from chance, so that it is not used. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np

from runner.errors import TerminalError
from runner.feedback.labels.opinions import Key, Opinions, majority
from runner.feedback.records import Task
from runner.spec.collection import Agreement as Policy
from runner.stats.agreement import Agreement, Verdict, agreement, alpha, cohen, fleiss

SEED = 20261121
"""Of the bootstrap: the same labels give the same interval."""
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people over the `items` that both judged; `kappa` is None where they only ever said one thing."""

    one: str
    other: str
    kappa: float | None
    items: int


@dataclass(frozen=True, slots=True)
class Reviewer:
    """One person's labels of a task beside those of the others.

    `alone` counts the items on which they said something else than more than half of the others, of `beside` on which
    two others or more had such a majority. `alpha_without` is the agreement of all the others, None without any.
    """

    user: str
    labels: int
    alone: int
    beside: int
    alpha_without: float | None

    @property
    def minority(self) -> float | None:
        """Share of items on which the others thought otherwise, None where no others had a majority."""
        return self.alone / self.beside if self.beside else None


@dataclass(frozen=True, slots=True)
class TaskAgreement:
    """Agreement on one task; `items` were judged by two people or more."""

    task: Task
    items: int
    labels: int
    verdict: Verdict
    reason: str
    """Why it may be used or not, with the figures."""
    krippendorff: Agreement | None
    fleiss: float | None
    pairs: tuple[Pair, ...]
    reviewers: tuple[Reviewer, ...]
    """Those who are alone most often come first."""

    @property
    def usable(self) -> bool:
        """Whether its labels may be used."""
        return self.verdict is not Verdict.NOT

    @property
    def cohen(self) -> float | None:
        """The mean of the pairs' kappas, each pair weighing as much as it has items; None where none has one."""
        known = [(pair.kappa, pair.items) for pair in self.pairs if pair.kappa is not None]
        return sum(kappa * n for kappa, n in known) / sum(n for _, n in known) if known else None


def agreements(said: Mapping[Key, Opinions], policy: Policy) -> dict[Task, TaskAgreement]:
    """Return the agreement on every task that somebody has judged an item of."""
    rows: defaultdict[Task, list[dict[str, str]]] = defaultdict(list)
    for (_, task), each in sorted(said.items()):
        if each.votes:
            rows[task].append({label.user: label.value for label in each.votes})
    return {task: _of_task(task, rows[task], policy) for task in Task if task in rows}


def _of_task(task: Task, rows: Sequence[Mapping[str, str]], policy: Policy) -> TaskAgreement:
    people = sorted({user for row in rows for user in row})
    shared = [row for row in rows if len(row) > 1]
    table = _table(shared, people)
    found, why = None, ""
    try:
        found = agreement(table, np.random.default_rng(SEED))
    except TerminalError as error:
        why = error.diagnostics[0].summary
    verdict, reason = _verdict(found, why, policy)
    return TaskAgreement(
        task=task,
        items=len(shared),
        labels=sum(map(len, rows)),
        verdict=verdict,
        reason=reason,
        krippendorff=found,
        fleiss=_or_none(lambda: fleiss(table)),
        pairs=_pairs(shared, people),
        reviewers=_reviewers(rows, people),
    )


def _verdict(found: Agreement | None, why: str, policy: Policy) -> tuple[Verdict, str]:
    if found is None:
        return Verdict.NOT, why
    told = f"alpha {found.alpha:.3f} [{found.low:.3f} to {found.high:.3f}]"
    if found.alpha < policy.floor:
        return Verdict.NOT, f"{told} is below the floor of {policy.floor:g}"
    if found.alpha < policy.reliable:
        return Verdict.TENTATIVE, f"{told} is above the floor of {policy.floor:g}, below {policy.reliable:g}"
    return Verdict.USE, f"{told} is {policy.reliable:g} or more"


def _pairs(rows: Sequence[Mapping[str, str]], people: Sequence[str]) -> tuple[Pair, ...]:
    """Return all pairs of people who share an item."""
    columns: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        for one, other in combinations(sorted(row), 2):
            columns[one, other].append((row[one], row[other]))
    return tuple(
        Pair(one, other, _kappa(columns[one, other]), len(columns[one, other]))
        for one, other in combinations(people, 2)
        if (one, other) in columns
    )


def _kappa(both: Sequence[tuple[str, str]]) -> float | None:
    mine, yours = zip(*both, strict=True)
    return _or_none(lambda: cohen(mine, yours))


def _reviewers(rows: Sequence[Mapping[str, str]], people: Sequence[str]) -> tuple[Reviewer, ...]:
    found = [_reviewer(user, rows, people) for user in people]
    return tuple(sorted(found, key=lambda each: (-(each.minority or 0.0), each.user)))


def _reviewer(user: str, rows: Sequence[Mapping[str, str]], people: Sequence[str]) -> Reviewer:
    own = [row for row in rows if user in row]
    alone = beside = 0
    for row in own:
        others = Counter(value for name, value in row.items() if name != user)
        common = majority(others)
        if others.total() > 1 and common is not None:
            beside += 1
            alone += row[user] != common
    rest = [name for name in people if name != user]
    without = _or_none(lambda: alpha(_table(rows, rest)))
    return Reviewer(user, len(own), alone, beside, without)


def _table(rows: Sequence[Mapping[str, str]], people: Sequence[str]) -> list[list[str | None]]:
    """Return items x people, None where somebody has not judged an item."""
    return [[row.get(user) for user in people] for row in rows]


def _or_none(measure: Callable[[], _Value]) -> _Value | None:
    """Return a figure, None where the labels do not allow one."""
    try:
        return measure()
    except TerminalError:
        return None
