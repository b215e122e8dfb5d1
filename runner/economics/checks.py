"""What one check of a diagnosis says: a figure with its interval, the limit it is held to, and what to change.

Verdicts are those of gates: PASS and FAIL where the whole interval says so, INCONCLUSIVE between the two and without
data; then `fix` says what would supply the figure. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from runner.economics.records import ALPHA
from runner.signals.readings.estimates import Estimate
from runner.spec.model import GateVerdict
from runner.stats.intervals import mean_interval


class Unit(StrEnum):
    """What a figure is measured in."""

    SHARE = "share"
    COUNT = "count"
    NATS = "nats"
    SECONDS = "seconds"
    TIMES = "times"
    PLAIN = "plain"


class Limit(StrEnum):
    """On which side of its limit a figure should be."""

    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True, slots=True)
class Check:
    """One check and how it came out. `low` and `high` are equal where nothing was sampled, None where not known."""

    name: str
    verdict: GateVerdict
    meaning: str
    unit: Unit
    value: float | None
    low: float | None
    high: float | None
    n: int
    side: Limit
    limit: float
    fix: str
    """What to change where it failed, or what would supply the figure; empty where it passed."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a figure is held to, and what to do where it fails or is missing."""

    name: str
    meaning: str
    unit: Unit
    side: Limit
    limit: float
    cure: str
    supply: str


def held(rule: Rule, found: Estimate | None) -> Check:
    """Return the check of a figure; None is no data."""
    if found is None or found.value is None:
        return _check(rule, GateVerdict.INCONCLUSIVE, Estimate(None, None, None, 0), rule.supply)
    low = float("-inf") if found.low is None else found.low
    high = float("inf") if found.high is None else found.high
    kept, passed = (low >= rule.limit, high < rule.limit)
    if rule.side is Limit.AT_MOST:
        kept, passed = (high <= rule.limit, low > rule.limit)
    if kept:
        return _check(rule, GateVerdict.PASS, found, "")
    if passed:
        return _check(rule, GateVerdict.FAIL, found, rule.cure)
    return _check(rule, GateVerdict.INCONCLUSIVE, found, f"more data decide it; if it is so: {rule.cure}")


def worst(verdicts: Iterable[GateVerdict]) -> GateVerdict:
    """Return the verdict on all of them: of no verdict at all INCONCLUSIVE."""
    found = set(verdicts)
    order = (GateVerdict.ERROR, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE)
    return next(
        (each for each in order if each in found), GateVerdict.PASS if found else GateVerdict.INCONCLUSIVE
    )


def share(k: float, n: int) -> Estimate | None:
    """Return a share with an interval that holds however often one looks; None of nothing."""
    if not n:
        return None
    low, high = mean_interval(k, n, ALPHA)
    return Estimate(k / n, float(low), float(high), n)


def fact(value: float | None, n: int = 1) -> Estimate | None:
    """Return a figure that was counted rather than sampled; None where it is not known."""
    return None if value is None else Estimate(value, value, value, n)


def _check(rule: Rule, verdict: GateVerdict, found: Estimate, fix: str) -> Check:
    return Check(
        rule.name,
        verdict,
        rule.meaning,
        rule.unit,
        found.value,
        found.low,
        found.high,
        found.n,
        rule.side,
        rule.limit,
        fix,
    )
