"""What a weekly report is made of: what was measured, and what else was found out for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.economics.agenda import Agenda
from runner.economics.decide import Decision
from runner.feedback.progress import Progress
from runner.feedback.quality_score import Score
from runner.feedback.snapshot import Provenance
from runner.feedback.standings.figures import Rate
from runner.feedback.standings.pairings import Pairing
from runner.report.document import Section
from runner.signals.reading import Snapshot
from runner.signals.readings.collapse import Sign
from runner.signals.readings.estimates import Estimate
from runner.spec.signals import SignalPolicy


@dataclass(frozen=True, slots=True)
class Tails:
    """Requests at both ends of a distribution, to have such examples in the next training set."""

    metric: str
    low: tuple[str, ...]
    high: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Raters:
    """Who gives feedback: how many users, and the share of it that the most eager one gave (None without any)."""

    users: int
    most: float | None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two versions that a report compares, by name."""

    candidate: str
    baseline: str

    @property
    def words(self) -> str:
        """Both, as a title names them."""
        return f"{self.candidate} beside {self.baseline}"


@dataclass(frozen=True, slots=True)
class Week:
    """A figure over seven days that began at `at`, seconds since 1970."""

    at: float
    found: Estimate


@dataclass(frozen=True, slots=True)
class Collected:
    """How collecting preferences goes."""

    progress: Progress
    weeks: tuple[tuple[float, int], ...]
    """When each of the last weeks began, and its preference pairs; the oldest first."""
    rows: int | None
    """Pairs that one may train on, in the last snapshot; None where there is none here."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How good what was collected is."""

    clear: Rate
    """Share of the window's votes that name a winner."""
    account: Provenance | None
    """Of the last snapshot; None where there is none here."""
    score: Score | None
    """Of its preferences; None where what it rejected is not here."""


@dataclass(frozen=True, slots=True)
class Stand:
    """What an environment declares now; "" where there is no candidate."""

    environment: str
    baseline: str
    candidate: str
    stage: str


@dataclass(frozen=True, slots=True)
class Happening:
    """One step of a rollout, at a time (seconds since 1970).

    `commit` is its short name and `address` where it is shown; "" where Git has none, or no host is known.
    """

    at: float
    environment: str
    version: str
    what: str
    because: str
    by: str
    commit: str
    address: str
    is_rollback: bool
    by_person: bool = False
    """Whether somebody decided on a rollback, and no condition of the policy."""


@dataclass(frozen=True, slots=True)
class Rollouts:
    """Where the environments stand, and what became of versions in the window, oldest first."""

    stands: tuple[Stand, ...]
    steps: tuple[Happening, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What is told beside the signals; None where it is not known, and why in `missing`, by the field's name."""

    collected: Collected | None = None
    pairings: tuple[Pairing, ...] | None = None
    """Of the window's votes."""
    quality: Quality | None = None
    rollouts: Rollouts | None = None
    decision: Decision | None = None
    """What `loop decide` says now."""
    agenda: Agenda | None = None
    cost: Section | None = None
    missing: Mapping[str, str] = field(default_factory=dict)

    def why_not(self, part: str) -> str:
        """Return why a part is not known, as a sentence."""
        return f"Not known: {self.missing[part]}." if part in self.missing else "Not known: nobody looked."


@dataclass(frozen=True, slots=True)
class Material:
    """What a report is made of; `window` in seconds."""

    name: str
    snapshot: Snapshot
    window: float
    policy: SignalPolicy
    signs: tuple[Sign, ...] = ()
    raters: Raters = Raters(0, None)
    tails: tuple[Tails, ...] = ()
    weeks: Mapping[str, tuple[Week, ...]] = field(default_factory=dict)
    """Metric of a goal -> its last weeks, the oldest first."""
    told: Told = Told()
    pair: Pair | None = None
    """Which versions are compared; None where no candidate was on trial."""
