"""Which of several versions is better for which users: an A/B test read from the event log.

Called by `loop experiments` and by reports. Versions are compared pairwise on outcomes of the same time, by the
label test of `stats.label`; all comparisons together are held to one error rate (e-BH), so that looking at many
segments finds no winner by luck, and looking often finds none either. Where users are not split as declared,
nothing is compared. Computation only: events in, values out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from runner.rollout.participants import BEST, WORST, Design, Session, read
from runner.rollout.verdict import Estimate
from runner.signals.detection import SHIPPED, Detection
from runner.stats import intervals, label, logic, mismatch, multiple
from runner.stats.grid import ODDS, Floats
from runner.stats.mixture import Mixture

Event = Mapping[str, Any]

__all__ = [
    "Answer",
    "Comparison",
    "Design",
    "Figure",
    "Metric",
    "Result",
    "Rules",
    "Segment",
    "Session",
    "Split",
    "evaluate",
]

EVERYBODY = "everybody"
"""The segment of all groups together."""
QUANTILES = (0.9, 0.95, 0.99)
"""Of the past latencies of the version compared with: slower is what lies above them more often."""
_FIRST_BATCH = 50
_FLAT = 1e-5
"""Growth of the logarithm a session below which a difference is too small to foretell anything."""
_MOST = 700.0
"""The greatest logarithm whose exponential a float holds."""


class Metric(StrEnum):
    """What is compared."""

    ERRORS = "error_rate"
    LATENCY = "latency_p95"
    SATISFACTION = "satisfaction"
    REFUSALS = "refusal_rate"


class Answer(StrEnum):
    """What the data say about two versions."""

    FIRST = "the first is better"
    SECOND = "the second is better"
    NONE = "no answer yet"
    WITHHELD = "withheld"
    """Users are not split as declared, so that nothing can be said."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Error rates of the answers and of the mismatch test, the silence (s) that ends a session, and what refuses."""

    alpha: float = 0.01
    mismatch_alpha: float = 0.001
    session_gap: float = 1800.0
    detection: Detection = SHIPPED


@dataclass(frozen=True, slots=True)
class Figure:
    """What one version showed; in the metric's unit (share, seconds, rating)."""

    version: str
    metric: Metric
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions in one metric: e-values that the first, or the second, is worse, and what they come to.

    `needed` is about how many more sessions of the segment decide it at the measured difference; None where it
    is decided, withheld, or nothing can be foretold.
    """

    metric: Metric
    first: str
    second: str
    first_worse: float
    second_worse: float
    answer: Answer
    needed: int | None


@dataclass(frozen=True, slots=True)
class Split:
    """Unique users of each version, and the e-value against the declared shares."""

    users: tuple[int, ...]
    evidence: float
    found: bool


@dataclass(frozen=True, slots=True)
class Segment:
    """What was found among the users of one group, or of all."""

    name: str
    sessions: int
    split: Split
    figures: tuple[Figure, ...]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """An experiment's state: `hypotheses` is how many claims share the error rate `alpha`."""

    design: Design
    alpha: float
    hypotheses: int
    segments: tuple[Segment, ...]


def evaluate(
    design: Design,
    requests: Iterable[Event],
    feedback: Iterable[Event],
    contents: Iterable[Event],
    rules: Rules = Rules(),
) -> Result:
    """Return what the events say of an experiment. Events may come in any order, each once.

    Raises TerminalError where the model that tells refusals cannot be used.
    """
    sessions = read(design, requests, feedback, contents, rules.session_gap, detection=rules.detection)
    parts = list(_segments(sessions))
    weighed = [_weigh(design, name, rows, rules) for name, rows in parts]
    pairs = math.comb(len(design.versions), 2)
    hypotheses = 2 * pairs * len(Metric) * max(1, len(parts))
    return Result(
        design, rules.alpha, hypotheses, tuple(_answered(weighed, parts, design, hypotheses, rules))
    )


def _segments(sessions: Sequence[Session]) -> Iterator[tuple[str, list[Session]]]:
    """Yield all users together, then each group where there are several."""
    yield EVERYBODY, list(sessions)
    groups = sorted({session.group for session in sessions})
    if len(groups) > 1:
        for group in groups:
            yield group, [session for session in sessions if session.group == group]


def _weigh(design: Design, name: str, sessions: list[Session], rules: Rules) -> Segment:
    """Return a segment with its evidence; what it comes to is said when all segments are weighed."""
    split = _split(design, sessions, rules.mismatch_alpha)
    figures = tuple(
        Figure(version, metric, _estimate(metric, _values(metric, sessions, version), rules.alpha))
        for metric in Metric
        for version in design.versions
    )
    comparisons = tuple(
        _comparison(design, metric, first, second, sessions)
        for metric in Metric
        for first, second in itertools.combinations(range(len(design.versions)), 2)
    )
    return Segment(name, len(sessions), split, figures, comparisons)


def _split(design: Design, sessions: Iterable[Session], alpha: float) -> Split:
    first: dict[str, str] = {}
    for session in sessions:
        first.setdefault(session.user, session.version)
    users = tuple(sum(version == each for version in first.values()) for each in design.versions)
    log_e = float(mismatch.log_e(users, design.weights)) if first else 0.0
    return Split(users, _e(log_e), log_e >= math.log(1.0 / alpha))


def _values(metric: Metric, sessions: Iterable[Session], version: str) -> Floats:
    found = (_value(metric, session) for session in sessions if session.version == version)
    return np.array([value for value in found if value is not None], dtype=np.float64)


def _value(metric: Metric, session: Session) -> float | None:
    """Return what is compared: badness from 0 to 1, for latencies seconds."""
    match metric:
        case Metric.ERRORS:
            return float(session.error)
        case Metric.LATENCY:
            return session.latency
        case Metric.SATISFACTION:
            return session.badness
        case Metric.REFUSALS:
            return None if session.refused is None else float(session.refused)


def _estimate(metric: Metric, values: Floats, alpha: float) -> Estimate:
    n = len(values)
    if not n:
        return Estimate(None, None, None, 0)
    if metric is Metric.LATENCY:
        low, high = intervals.quantile_interval(values, None, 0.95, alpha)
        value = float(np.quantile(values, 0.95, method="inverted_cdf"))
        return Estimate(value, max(low, 0.0), high if math.isfinite(high) else None, n)
    k = float(values.sum())
    low, high = map(float, intervals.mean_interval(k, n, alpha))
    if metric is Metric.SATISFACTION:
        return Estimate(_rating(k / n), _rating(high), _rating(low), n)
    return Estimate(k / n, low, high, n, k)


def _rating(badness: float) -> float:
    return BEST - badness * (BEST - WORST)


def _comparison(
    design: Design, metric: Metric, first: int, second: int, sessions: Iterable[Session]
) -> Comparison:
    one, other = design.versions[first], design.versions[second]
    rows = [
        (session.version == one, value)
        for session in sessions
        if session.version in (one, other) and (value := _value(metric, session)) is not None
    ]
    mine = np.array([is_one for is_one, _ in rows], dtype=bool)
    values = np.array([value for _, value in rows], dtype=np.float64)
    pi = design.weights[first] / (design.weights[first] + design.weights[second])
    test = _log_e_slower if metric is Metric.LATENCY else _log_e_worse
    worse = _e(test(pi, mine, values)), _e(test(1.0 - pi, ~mine, values))
    return Comparison(metric, one, other, *worse, Answer.NONE, None)


def _log_e_worse(pi: float, tested: np.ndarray[Any, Any], values: Floats) -> float:
    """Return the evidence that `tested` sessions have more badness than the others, of the same time."""
    if not len(values):
        return 0.0
    kinds, which = np.unique(values, return_inverse=True)
    total = np.zeros(len(ODDS))
    for begin, end in _batches(len(values)):
        past = values[:begin][~tested[:begin]]
        rate = label.baseline_rate(past.sum(), len(past))
        now, ours = which[begin:end], tested[begin:end]
        counts = [np.bincount(now[arm], minlength=len(kinds)) for arm in (ours, ~ours)]
        total = total + label.increments_scores(pi, kinds, counts[0], counts[1], rate)
    return _mixed(total)


def _log_e_slower(pi: float, tested: np.ndarray[Any, Any], values: Floats) -> float:
    """Return the evidence that `tested` sessions lie above past quantiles of the others more often than these."""
    totals = np.zeros((len(QUANTILES), len(ODDS)))
    rate = 1.0 - np.array(QUANTILES)
    for begin, end in _batches(len(values)):
        past = values[:begin][~tested[:begin]]
        if len(past) < _FIRST_BATCH:
            continue
        limits = np.quantile(past, QUANTILES)[:, None]
        now, ours = values[begin:end], tested[begin:end]
        over = now[None, :] > limits
        arms = [(over[:, arm].sum(axis=1), arm.sum()) for arm in (ours, ~ours)]
        totals = totals + label.increments(pi, arms[0], arms[1], rate)
    return float(logic.either([_mixed(each) for each in totals]))


def _mixed(total: Floats) -> float:
    """Return the evidence of bets that never restart, from what each of them won over all batches."""
    return float(Mixture.start(len(total), restart=False).bet(total, 0).log_e)


def _batches(n: int) -> Iterator[tuple[int, int]]:
    """Yield ranges that grow by a fifth of what came before: what is learnt from the past stays of the past."""
    begin = 0
    while begin < n:
        end = min(n, begin + max(_FIRST_BATCH, begin // 5))
        yield begin, end
        begin = end


def _answered(
    weighed: Sequence[Segment],
    parts: Sequence[tuple[str, list[Session]]],
    design: Design,
    hypotheses: int,
    rules: Rules,
) -> Iterator[Segment]:
    """Yield the segments with answers, all claims held to one error rate; those withheld still count as claims."""
    claims = [
        0.0 if segment.split.found else worse
        for segment in weighed
        for each in segment.comparisons
        for worse in (each.first_worse, each.second_worse)
    ]
    rejected = {int(index) for index in multiple.e_bh(claims, rules.alpha)}
    bound = hypotheses / (rules.alpha * (len(rejected) + 1))
    number = itertools.count()
    for segment, (_, sessions) in zip(weighed, parts, strict=True):
        answers = []
        for each in segment.comparisons:
            first_worse, second_worse = next(number) in rejected, next(number) in rejected
            answer = _answer(segment.split.found, first_worse, second_worse)
            needed = _needed(design, each, sessions, bound) if answer is Answer.NONE else None
            answers.append(replace(each, answer=answer, needed=needed))
        yield replace(segment, comparisons=tuple(answers))


def _answer(withheld: bool, first_worse: bool, second_worse: bool) -> Answer:
    if withheld:
        return Answer.WITHHELD
    if first_worse == second_worse:  # both only where they differ in opposite ways at different times
        return Answer.NONE
    return Answer.SECOND if first_worse else Answer.FIRST


def _needed(design: Design, comparison: Comparison, sessions: Sequence[Session], bound: float) -> int | None:
    """Return about how many more sessions of the segment decide it, at the difference measured so far."""
    metric, (one, other) = comparison.metric, (comparison.first, comparison.second)
    weight = dict(zip(design.versions, design.weights, strict=True))
    pi = weight[one] / (weight[one] + weight[other])
    values = {version: _values(metric, sessions, version) for version in (one, other)}
    if min(map(len, values.values())) < _FIRST_BATCH:
        return None
    growth = (
        (comparison.first_worse, _growth(metric, pi, values[one], values[other])),
        (comparison.second_worse, _growth(metric, 1.0 - pi, values[other], values[one])),
    )
    missing = [
        (math.log(bound) - math.log(evidence)) / each
        for evidence, each in growth
        if evidence > 0.0 and each > _FLAT
    ]
    share = sum(map(len, values.values())) / len(sessions)
    return math.ceil(min(missing) / share) if missing else None


def _growth(metric: Metric, pi: float, tested: Floats, others: Floats) -> float:
    """Return by how much the evidence grows with every session of the two, if they go on as they are."""
    if metric is Metric.LATENCY:
        limits = np.quantile(others, QUANTILES)[:, None]
        bad, usual = (tested > limits).mean(axis=1), (others > limits).mean(axis=1)
    else:
        bad, usual = tested.mean(), others.mean()
    rate = label.baseline_rate(usual * len(others), len(others))
    grown = label.increments(pi, (pi * bad, pi), ((1.0 - pi) * usual, 1.0 - pi), rate)
    return float(grown.max())


def _e(log_e: float) -> float:
    """Return an e-value that JSON can hold."""
    return math.exp(min(log_e, _MOST))
