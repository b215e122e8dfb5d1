"""`policies/cadence.yaml`: how often a version is trained, when what is done, and when a round is skipped."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from runner.spec.base import Name, Section, Text
from runner.spec.condition import Condition
from runner.spec.quantity import Duration, Money, Ratio


class Frequency(StrEnum):
    """How often."""

    WEEKLY = "weekly"
    BI_WEEKLY = "bi-weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"


class PhaseName(StrEnum):
    """How grown-up the product is."""

    STARTUP = "startup"
    GROWTH = "growth"
    MATURE = "mature"


class Phase(Section):
    """The rhythm of a phase."""

    frequency: Frequency
    """How often a round is due."""
    min_samples: Annotated[int, Field(ge=1)]
    """Preference pairs that a round needs."""
    reason: Text
    """Why this rhythm."""


class Work(Section):
    """One piece of a cycle."""

    name: Name
    """What it is called in the calendar."""
    starts: Duration
    """Time from the cycle's first day, such as `14d`."""
    lasts: Annotated[Duration, Field(gt=0)]
    """How long it takes."""
    work: Text
    """What is done."""


class Cycle(Section):
    """A cycle that comes again."""

    anchor: date
    """First day of any one of its rounds; the others follow from it by whole months or quarters."""
    work: Annotated[tuple[Work, ...], Field(min_length=1)]
    """What is done, in order."""


class Skip(Section):
    """Reasons to leave a round out, beside too little data and a freeze window, which always are."""

    unneeded_if: Condition | None = None
    """Nothing has changed enough to train for."""
    min_expected_gain: Ratio = 0.0
    """Least gain in win rate over one half that the data at hand let one expect."""
    budget_per_quarter: Money | None = None
    """Most that training may cost in a quarter; no limit where absent."""
    max_rounds: Annotated[int, Field(ge=1)] | None = None
    """Rounds of preference training after which more diverse data, or supervised training, comes first."""


class CadencePolicy(Section):
    """When the next version is due."""

    phase: PhaseName
    """The phase now."""
    phases: dict[PhaseName, Phase]
    """The rhythm of every phase."""
    monthly: Cycle
    """The month of a round of preference training."""
    quarterly: Cycle
    """The quarter of a production cycle."""
    skip: Skip = Field(default_factory=Skip)
    """When a round is left out."""
