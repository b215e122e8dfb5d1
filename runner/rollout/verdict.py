"""What was found out about a rollout, and what follows: frozen values that plan, reports and commits read.

`assess` makes them. Nothing here computes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """What the data say about one condition of a rollout."""

    PASS = "PASS"  # noqa: S105 - a verdict
    """Certified not to hold: the candidate keeps the limit."""
    FAIL = "FAIL"
    """Proven to hold: the candidate goes back."""
    INCONCLUSIVE = "INCONCLUSIVE"
    """No proof either way, or no data."""
    ERROR = "ERROR"
    """It cannot be decided; the text says why."""


class Step(StrEnum):
    """What follows for the rollout now."""

    ADVANCE = "advance"
    CONCLUDE = "conclude"
    """It stands in the last stage and has proven itself: it becomes the baseline."""
    HOLD = "hold"
    ROLL_BACK = "roll back"


class Because(StrEnum):
    """Why that step and no other."""

    PROVEN = "a condition is proven"
    INCONCLUSIVE_END = "the stage's time is over without proof, and its policy goes back then"
    CERTIFIED = "every limit is kept, with certainty"
    TOO_EARLY = "the stage's least duration has not passed"
    NO_PROOF = "no proof either way yet"
    MISMATCH = "users are not split as declared, so that arms cannot be compared"
    PULL_REQUEST = "certified; a person merges the step"
    UNKNOWN = "the evidence cannot be read"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval, which holds at all times at once; None where there is no data.

    In the metric's own unit: shares from 0 to 1, seconds, ratings from 1 to 5, tokens. `n` counts sessions (or
    answers with feedback), `k` those with the bad outcome where the metric is a share.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    k: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What the data say about one comparison of one condition.

    `text` is the comparison as written; `evidence` the e-value against the candidate, `certainty` the e-value
    (or interval's verdict) for its health; `needed` about how many more candidate sessions decide it.
    """

    condition: str
    text: str
    metric: str
    verdict: Verdict
    candidate: Estimate
    baseline: Estimate | None
    evidence: float
    certainty: float
    needed: int | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """How users were split, against how they should have been; `evidence` is an e-value."""

    candidate: int
    baseline: int
    expected: float
    evidence: float
    found: bool


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything known about a rollout at one moment, and the step that follows; `next_stage` is None in the last one.

    `evidence` is the e-value of the whole rollout against the candidate and `threshold` what rolls it back
    (1/alpha); `condition` names the one that weighs most. `elapsed` and `remaining` (of the stage's least
    duration) are in seconds; `needed` is about how many more candidate sessions the slowest finding wants and
    `hours` how long that takes at the present rate, None where nobody knows.
    """

    rollout_id: str
    candidate: str
    baseline: str
    stage: str
    next_stage: str | None
    weight: float
    step: Step
    because: Because
    at: float
    since: float
    elapsed: float
    remaining: float
    evidence: float
    threshold: float
    condition: str
    findings: tuple[Finding, ...] = ()
    mismatch: Mismatch | None = None
    sessions: int = 0
    needed: int | None = None
    hours: float | None = None
    extended: bool = False
    notes: tuple[str, ...] = field(default=())
