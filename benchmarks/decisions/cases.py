"""What is simulated: every row of both tables, with the figures that the design of this project measured before.

A row is plain data plus a function that makes the rule anew, so that it can be run in another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from math import log

import numpy as np

from benchmarks.decisions import naive, policy
from benchmarks.decisions.evidence import ALPHA, Absolute, AnyOf, Proof, Relative, SessionMean
from benchmarks.decisions.naive import Flagger, Looking
from benchmarks.decisions.trials import Phase, Rule
from benchmarks.decisions.worlds import (
    DISSATISFIED,
    ERROR,
    LEVELS,
    RAMP,
    SPREAD,
    Course,
    Latencies,
    NoTraffic,
    OneArm,
    Sessions,
    Signal,
    TwoArms,
    World,
    share_above,
)
from runner.stats.quantiles import Sketch


class Kind(StrEnum):
    """Whose rule it is."""

    OURS = "ours"
    NAIVE = "naive"
    FLAGGER = "flagger"


@dataclass(frozen=True)
class Healthy:
    """A healthy candidate: every rollback is false. `design` is the probability measured before, if there is one."""

    key: str
    world: World
    make: Callable[[], Rule]
    kind: Kind
    design: float | None = None
    phases: Sequence[Phase] = ()


@dataclass(frozen=True)
class Bad:
    """A bad candidate. `design` is median, 95th percentile and mean of the requests it served, as known."""

    key: str
    world: World
    make: Callable[[], Rule]
    bound: float | None
    design: tuple[float | None, float | None, float | None] = (None, None, None)
    change: int = 0
    goal: bool = True
    """Whether the goal for delays is about it."""


PI = 0.05
PAST = 5_000
"""Requests of the baseline before the rollout, from which its latency quantiles are known."""


def kl(p: float, q: float) -> float:
    """Return the divergence of a coin p from a coin q, in natural logarithms."""
    return p * log(p / q) + (1.0 - p) * log((1.0 - p) / (1.0 - q))


def bound_absolute(limit: float, rate: float) -> float:
    """Return the least mean number of requests in which a share above a limit can be proven (Wald)."""
    return log(1.0 / ALPHA) / kl(rate, limit)


def bound_relative(candidate: float, baseline: float, pi: float = PI) -> float:
    """Return the same for two arms: what the arm's label tells, per request of the candidate."""
    shift = (candidate / baseline, (1.0 - candidate) / (1.0 - baseline))
    event, none = (pi * r / (pi * r + 1.0 - pi) for r in shift)
    of_candidate = candidate * log(event / pi) + (1.0 - candidate) * log(none / pi)
    of_baseline = baseline * log((1.0 - event) / (1.0 - pi)) + (1.0 - baseline) * log(
        (1.0 - none) / (1.0 - pi)
    )
    return log(1.0 / ALPHA) / (of_candidate + (1.0 - pi) / pi * of_baseline)


NOBODY = NoTraffic(tuple(policy.HEALTHY))
SATISFIED = TwoArms({DISSATISFIED: Signal(0.2, 0.2)})
NORMAL = TwoArms(policy.HEALTHY)
POLICY_LOOKS = 50_000
"""Looks at the whole policy: it keeps six mixtures where the other rows keep one."""

PHASES = ((1_000, 40), (10_000, 15), (100_000, 4))
"""Until which look how many times more replicates take part: most false rollbacks come early."""


def phases(looks: int, replicates: int) -> tuple[Phase, ...]:
    """Return the phases of a trial of which `replicates` go on to the end."""
    early = (Phase(until, many * replicates) for until, many in PHASES if until < looks)
    return (*early, Phase(looks, replicates))


def two(course: Course = Course.CONSTANT, ramp: Sequence[float] = (PI,), rate: float = 0.01) -> TwoArms:
    """Return two arms that are equally good."""
    return TwoArms({ERROR: Signal(rate, rate, course=course)}, ramp)


def healthy(looks: int, replicates: int, naive_looks: int) -> list[Healthy]:
    """Return the rows of the table of false rollbacks."""
    long, short = phases(looks, replicates), (Phase(naive_looks, 2 * replicates),)
    whole = phases(min(looks, POLICY_LOOKS), replicates)
    return [
        *(replace(row, phases=long) for row in _ours()),
        Healthy(
            "P2 without traffic", NOBODY, _proof_of_relative, Kind.OURS, phases=(Phase(naive_looks, 10),)
        ),
        Healthy("the whole shipped policy", NORMAL, _whole_policy, Kind.OURS, phases=whole),
        *(replace(row, phases=short) for row in (*_naive(naive_looks), *_flagger())),
    ]


def _ours() -> Iterator[Healthy]:
    known: float | None
    for limit, known in ((0.01, 0.0072), (0.05, 0.0080)):
        make = partial(_proof_of_absolute, limit)
        yield Healthy(f"P1 at the limit of {limit:.0%}", OneArm(limit), make, Kind.OURS, known)
    for key, world, known in (
        ("P2 5/95, constant", two(), 0.006),
        ("P2 5/95, daily rhythm", two(Course.RHYTHM), 0.005),
        ("P2 5/95, shared outages", two(Course.OUTAGES), 0.005),
        ("P2 ramp 5/20/50, doubling", two(Course.DOUBLING, RAMP), 0.007),
    ):
        yield Healthy(key, world, _proof_of_relative, Kind.OURS, known)
    yield Healthy(
        "P1 per session, ICC .2",
        Sessions(0.05, 0.2),
        lambda: Proof(SessionMean(limit=0.05)),
        Kind.OURS,
        0.008,
    )


def _naive(looks: int) -> Iterator[Healthy]:
    for rate, known in ((0.01, 0.012), (0.03, 0.24), (0.04, 0.53)):
        yield _looking(f"rate > 5%, n >= 50, true {rate:.0%}", OneArm(rate), naive.above(0.05), 50, known)
    for least, known in ((50, 0.57), (500, 0.22)):
        yield _looking(f"errors > 1.5x, n >= {least}", two(), naive.more_often(1.5), least, known)
    for least, known in ((50, 0.99), (500, 0.97)):
        yield _looking(f"mean < baseline, n >= {least}", SATISFIED, naive.less_satisfied(1.0), least, known)
    for least in (1, 50, 500):
        yield _looking(f"should_rollback, n >= {least}", NORMAL, naive.SHOULD_ROLLBACK, least)
    yield _looking("should_rollback without traffic", NOBODY, naive.SHOULD_ROLLBACK, 50)
    for level, known in ((0.05, 0.4), (0.01, 0.13)):
        judge = naive.binomial(0.05, level, looks)
        yield _looking(f"binomial at {level}, at the limit", OneArm(0.05), judge, 1, known)
    yield _looking("pooled test, ramp, doubling", two(Course.DOUBLING, RAMP), naive.pooled(0.01), 1, 1.0)
    make = partial(_proof_of_absolute, 0.05)
    yield Healthy("P1 per request, ICC .2", Sessions(0.05, 0.2), make, Kind.NAIVE, 0.165)


def _looking(key: str, world: World, judge: naive.Judge, least: int, known: float | None = None) -> Healthy:
    return Healthy(key, world, partial(Looking, judge, least), Kind.NAIVE, known)


def _flagger() -> Iterator[Healthy]:
    for key, world, judge in (
        ("Flagger: errors > 1.5x", two(), naive.more_often(1.5)),
        ("Flagger: mean < baseline", SATISFIED, naive.less_satisfied(1.0)),
        ("Flagger: should_rollback", NORMAL, naive.SHOULD_ROLLBACK),
        ("Flagger without traffic", NOBODY, naive.SHOULD_ROLLBACK),
    ):
        # A window of 50 looks: at 5% of 20 requests a look, 50 of the candidate.
        yield Healthy(key, world, partial(Flagger, judge, window=50), Kind.FLAGGER, 1.0)


def _proof_of_absolute(limit: float, restart: bool = True) -> Rule:
    return Proof(Absolute(limit=limit, restart=restart))


def _proof_of_relative() -> Rule:
    return Proof(Relative())


def _whole_policy() -> Rule:
    return Proof(policy.shipped())


def bad() -> list[Bad]:
    """Return the rows of the table of delays."""
    late = OneArm(0.003, change=20_000, late=0.05)
    late_two = TwoArms({ERROR: Signal(0.01, 0.05, change=20_000)})
    return [
        *(
            _absolute(*row)
            for row in (
                (0.01, 0.05, (145, 356, 159)),
                (0.01, 0.02, (1374, 3391, 1525)),
                (0.05, 0.10, (265, 630, 292)),
            )
        ),
        *(
            _two_arms(*row)
            for row in (
                ("errors", 0.01, 0.05, (166, 393, 183)),
                ("errors", 0.01, 0.02, (1412, 3552, 1602)),
                ("dissatisfied", 0.20, 0.28, (324, 773, 363)),
            )
        ),
        *(
            Bad(
                f"p99 > 2000 ms when it is {ms}",
                OneArm(share),
                partial(_proof_of_absolute, 0.01),
                bound_absolute(0.01, share),
                (known, None, None),
            )
            for ms, known in ((2500, 750), (3000, 150))
            for share in (share_above(ms / 2000, 0.99),)
        ),
        *(
            Bad(
                f"p99 {factor}x the baseline's",
                _slower(factor),
                _slower_than_baseline,
                None,
                (known, None, None),
            )
            for factor, known in ((1.2, 357), (1.5, 88), (2.0, 46))
        ),
        Bad(
            "change at 20,000 to 5%",
            late,
            partial(_proof_of_absolute, 0.01),
            bound_absolute(0.01, 0.05),
            (601, None, None),
            20_000,
            goal=False,
        ),
        Bad(
            "the same without restart",
            late,
            partial(_proof_of_absolute, 0.01, restart=False),
            bound_absolute(0.01, 0.05),
            (4974, None, None),
            20_000,
            goal=False,
        ),
        Bad(
            "the same in two arms, from 1%",
            late_two,
            _proof_of_relative,
            bound_relative(0.05, 0.01),
            change=20_000,
            goal=False,
        ),
        Bad(
            "two arms 1% -> 5%, whole policy",
            TwoArms({**policy.HEALTHY, ERROR: Signal(0.01, 0.05)}),
            _whole_policy,
            bound_relative(0.05, 0.01),
            goal=False,
        ),
        Bad(
            "satisfaction .80 -> .72, whole policy",
            TwoArms({**policy.HEALTHY, DISSATISFIED: Signal(0.2, 0.28)}),
            _whole_policy,
            bound_relative(0.28, 0.2),
            goal=False,
        ),
    ]


def _absolute(limit: float, rate: float, known: tuple[float, float, float]) -> Bad:
    make = partial(_proof_of_absolute, limit)
    return Bad(
        f"{limit:.0%} -> {rate:.0%} against {limit:.0%}",
        OneArm(rate),
        make,
        bound_absolute(limit, rate),
        known,
    )


def _two_arms(what: str, baseline: float, candidate: float, known: tuple[float, float, float]) -> Bad:
    world = TwoArms({ERROR: Signal(baseline, candidate)})
    key = f"two arms, {what} {baseline:.0%} -> {candidate:.0%}"
    return Bad(key, world, _proof_of_relative, bound_relative(candidate, baseline), known)


def _slower(factor: float) -> Latencies:
    """Return the world in which the baseline's quantiles come from the runner's own sketch of its past."""
    past = Sketch()
    past.add(np.random.default_rng(17).lognormal(0.0, SPREAD, PAST))
    found = [past.quantile(level) for level in LEVELS]
    return Latencies(factor, tuple(value for value in found if value is not None))


def _slower_than_baseline() -> Rule:
    return Proof(AnyOf([Relative(signal=f"above p{100 * level:.0f}") for level in LEVELS]))
