"""What a decision rests on, gathered: frozen figures of data, past rounds, signals and the environment.

The command line gathers them from files and the event log, `decide` reads them. What is not known is None, never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from runner.signals.reading import Snapshot
from runner.signals.readings.estimates import Estimate
from runner.spec.cadence import CadencePolicy
from runner.spec.cost import CostPolicy
from runner.spec.model import TrainingType
from runner.spec.signals import SignalPolicy


@dataclass(frozen=True, slots=True)
class Pool:
    """A data set that a recipe could train on now.

    `rows` are there in all and `fresh` of them were in no data set that a version was trained on; both None where that
    is not known. `least` is what its own file asks for. `flags` are what the command must say beside the recipe.
    """

    recipe: str
    type: TrainingType
    dataset: str
    hash: str | None
    rows: int | None
    fresh: int | None
    least: int
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PastRound:
    """One version that was trained: `seconds` it took and its win rate against its parent, None where not known.

    `parent` is None for one trained from the base model: it is paid for, and no round of the calendar. `stopped` says
    in words what stopped it: a rollback, or a gate that it failed; empty where nothing did.
    """

    name: str
    type: TrainingType
    parent: str | None
    dataset: str
    dataset_hash: str
    trained: date
    seconds: float | None
    win: Estimate | None
    stopped: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong with a data set; `certain` where training would not or should not take it."""

    dataset: str
    says: str
    certain: bool
    fix: str


@dataclass(frozen=True, slots=True)
class Policies:
    """The rules of the desired state that decide."""

    cadence: CadencePolicy
    cost: CostPolicy
    signals: SignalPolicy


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything known at `at`, seconds since 1970, of one environment whose trusted version is `baseline`."""

    environment: str
    at: float
    policies: Policies
    baseline: str
    pools: tuple[Pool, ...]
    rounds: tuple[PastRound, ...]
    """Every version that was trained here."""
    signals: Snapshot | None
    """None where nothing was measured."""
    clear: Estimate | None
    """Share of votes that name a winner."""
    prefers: Estimate | None
    """Share of pairs, held out of its own training, that the baseline orders as people do."""
    troubles: tuple[Trouble, ...]
    closed: str
    """Why nothing is promoted now (freeze, suspension); empty where it is open."""
    under_way: str
    """Which version is on its way to users already; empty where none is."""

    @property
    def since_supervised(self) -> tuple[PastRound, ...]:
        """The rounds of preference training that led to the baseline since the last other one, the oldest first."""
        return tuple(reversed(_back(self.rounds, self.baseline)))

    @property
    def last(self) -> PastRound | None:
        """The last round: the newest version that was trained from another; None where there was none."""
        own = [each for each in self.rounds if each.parent is not None]
        return max(own, key=lambda each: (each.trained, each.name), default=None)


def _back(rounds: Sequence[PastRound], version: str) -> list[PastRound]:
    by_name = {each.name: each for each in rounds}
    found: list[PastRound] = []
    at: str | None = version
    while at in by_name and by_name[at].type is not TrainingType.SFT and by_name[at] not in found:
        found.append(by_name[at])
        at = by_name[at].parent
    return found
