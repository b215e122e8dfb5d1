"""What a check of a whole set found: a verdict with its figures, the limit it was held to, and who or what is named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What the data say about a limit of the policy."""

    PASS = "PASS"  # noqa: S105 - a verdict
    """It is kept, with certainty."""
    FAIL = "FAIL"
    """It is passed, with certainty."""
    INCONCLUSIVE = "INCONCLUSIVE"
    """Too little data to say so, or none."""


class Check(StrEnum):
    """The checks of a set; what each holds a set to stands in `policies/collection.yaml` under `sets`."""

    CLEAR_WINNERS = "clear_winners"
    SIDE = "side_share"
    LONGER = "longer_share"
    LENGTH_GAIN = "max_length_gain"
    RATER = "rater_share"
    QUESTION = "question_share"
    COVERAGE = "category_coverage"
    SYNTHETIC = "max_share"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of a set. `low` and `high` bound the value with confidence 95%, at every look; equal if exact."""

    check: Check
    verdict: Verdict
    value: float | None
    """None where there is nothing to measure."""
    low: float | None
    high: float | None
    limit: float
    n: int
    """Votes, pairs or categories it was measured on."""
    names: tuple[str, ...] = ()
    """What stands out: categories that are thin, the question that is asked most."""


def overall(findings: Iterable[Finding]) -> Verdict:
    """Return the verdict on a set: that of the worst check; without checks nothing is known."""
    found = {finding.verdict for finding in findings}
    if Verdict.FAIL in found:
        return Verdict.FAIL
    return Verdict.PASS if found == {Verdict.PASS} else Verdict.INCONCLUSIVE


def at_most(value: float, limit: float) -> Verdict:
    """Return the verdict on an exact value that may be as large as a limit."""
    return Verdict.PASS if value <= limit else Verdict.FAIL


def interval_at_most(low: float, high: float, limit: float) -> Verdict:
    """Return the verdict on a value between two ends that may be as large as a limit."""
    if low > limit:
        return Verdict.FAIL
    return Verdict.PASS if high <= limit else Verdict.INCONCLUSIVE
