"""What the data say about each comparison of the conditions in force: a verdict, figures, and what is missing.

`assess` calls it with the ledger. A comparison is certified healthy where a test that was turned round says so
(constants), or where the candidate's interval lies on the good side of the baseline's but for the policy's margin
(comparisons of arms). No data is never health. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, isfinite, log

import numpy as np

from runner.rollout.compile import AllOf, AnyOf, ConditionTest, Leaf, Node, Shown, Side, Test, leaves
from runner.rollout.evidence import Evidence, Sum
from runner.rollout.ledger import MOST, Ledger
from runner.rollout.processes import direction, limit_of, native, opposite
from runner.rollout.verdict import Estimate, Finding, Verdict
from runner.signals.outcomes import Count
from runner.spec.metric import METRICS
from runner.spec.quantity import Dimension
from runner.spec.rollout import Decision
from runner.stats import effort, intervals, mean
from runner.stats.grid import ODDS_RATIOS, Floats
from runner.stats.quantiles import Sketch

_DOUBLINGS = 12
"""How often the present data are doubled at most when it is foretold how many are enough."""
_EXPECTED = 10.0
"""As many sessions that keep the limit with ease are supposed where few have been seen."""
NOTHING = Estimate(None, None, None, 0)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the ledger: the policy's decision, whether arms can be compared now, and why not."""

    ledger: Ledger
    decision: Decision
    blind: bool
    alone: bool
    """Whether every user is on the candidate, so that nothing is left to compare with."""

    @property
    def level(self) -> float:
        """The chance that one interval ever misses: two of them make a certainty of 1/advance_evidence."""
        return 1 / (2 * self.decision.advance_evidence)


def findings(look: Look, condition: ConditionTest) -> tuple[Finding, ...]:
    """Return a finding for each comparison of a condition, in the order of its text."""
    failed = _failed(look.ledger, condition)
    return tuple(_finding(look, condition, shown, failed) for shown in condition.comparisons)


def healthy(node: Node, verdicts: dict[Leaf, Verdict]) -> bool:
    """Return whether it is certified that a node does not hold: of an AND one part is enough."""
    match node:
        case Leaf():
            return verdicts[node] is Verdict.PASS
        case AllOf(parts):
            return any(healthy(part, verdicts) for part in parts)
        case AnyOf(parts):
            return all(healthy(part, verdicts) for part in parts)


def _failed(ledger: Ledger, condition: ConditionTest) -> frozenset[Leaf]:
    """Return the leaves of the terms that are proven: those that alone are enough, else the weightiest."""
    parts = {term: ledger.part(term) for term in condition.terms}
    proven = [term for term, part in parts.items() if part >= ledger.bound]
    latched = ledger.latched
    if not proven and latched is not None and latched.condition == condition.name:
        proven = [max(parts, key=lambda term: parts[term])]
    return frozenset(each for term in proven for each in leaves(term))


def _finding(look: Look, condition: ConditionTest, shown: Shown, failed: frozenset[Leaf]) -> Finding:
    leaf = shown.leaf
    if leaf.test is Test.UNMEASURED:
        note = f"no answer carries '{leaf.metric}', so no stage can be decided on it"
        return Finding(
            condition.name, shown.text, leaf.metric, Verdict.ERROR, NOTHING, None, 0.0, 0.0, None, note
        )
    evidence = look.ledger.evidence[leaf]
    certain = _certainty(look, evidence)
    verdict = Verdict.INCONCLUSIVE
    if leaf in failed:
        verdict = Verdict.FAIL
    elif certain >= look.decision.advance_evidence:
        verdict = Verdict.PASS
    undecided = verdict is Verdict.INCONCLUSIVE
    how = _told_by(evidence) if verdict is Verdict.FAIL else Count.FIRST
    return Finding(
        condition=condition.name,
        text=shown.text,
        metric=leaf.metric,
        verdict=verdict,
        candidate=estimate(evidence, "drawn" if leaf.relative else "candidate", look.level, how),
        baseline=estimate(evidence, "baseline", look.level, how) if leaf.relative else None,
        evidence=exp(min(MOST, evidence.log_e)),
        certainty=certain,
        needed=_needed(look, condition, evidence) if undecided else None,
        note=_note(look, evidence, how),
    )


def _told_by(evidence: Evidence) -> Count:
    """Return the way of counting that proves the claim, whose figures are then shown."""
    first, closed = evidence.processes[Count.FIRST], evidence.processes[Count.CLOSED]
    late = closed.log_e > first.log_e and evidence.leaf.level is None
    return Count.CLOSED if late else Count.FIRST


def _note(look: Look, evidence: Evidence, how: Count) -> str:
    """Return what the figures do not say."""
    leaf = evidence.leaf
    if how is Count.CLOSED:
        return "the mean of whole sessions, which shows it more plainly than their first requests"
    if leaf.relative and look.blind:
        return "users are not split as declared, so that arms cannot be compared"
    if leaf.relative and look.alone:
        return "no user is left on the baseline, so there is nothing to compare with; absolute limits decide"
    if METRICS[leaf.metric].dimension is Dimension.COUNT:
        return "decided on the median, since a mean without an upper bound cannot be tested"
    return ""


def estimate(evidence: Evidence, who: str, alpha: float, how: Count = Count.FIRST) -> Estimate:
    """Return the figure of one arm with its interval, in the metric's unit."""
    leaf = evidence.leaf
    if leaf.level is not None:
        return _quantile(evidence.whole.sketches[who], leaf.level, alpha)
    sums = evidence.whole.sums[how][who]
    if not sums.n:
        return NOTHING
    low, high = (float(end) for end in intervals.mean_interval(sums.k, sums.n, alpha))
    share = METRICS[leaf.metric].dimension is Dimension.RATIO
    return Estimate(
        native(leaf, sums.k / sums.n),
        native(leaf, low),
        native(leaf, high),
        int(sums.n),
        sums.k if share else None,
    )


def _quantile(sketch: Sketch, q: float, alpha: float) -> Estimate:
    if not sketch.n:
        return NOTHING
    low, high = _ends(sketch, q, alpha)
    return Estimate(
        sketch.quantile(q),
        max(0.0, low) if isfinite(low) else None,
        high if isfinite(high) else None,
        sketch.n,
    )


def _ends(sketch: Sketch, q: float, alpha: float) -> tuple[float, float]:
    values, counts = sketch.histogram()
    return intervals.quantile_interval(values, counts, q, alpha) if sketch.n else (-inf, inf)


def _certainty(look: Look, evidence: Evidence) -> float:
    """Return the evidence that the limit is kept; for a comparison of arms 0 or what an advance needs.

    All of it from this stage alone. Whole sessions must not show the contrary in their mean: certainty comes from
    first values.
    """
    leaf = evidence.leaf
    if evidence.certainty is not None:
        certain = exp(min(MOST, float(evidence.certainty.mixture.log_e)))
        kept = evidence.stage.sums[Count.FIRST]["candidate"].n and _keeps_limit(
            leaf, evidence.stage.sums[Count.CLOSED]["candidate"]
        )
        return certain if kept else min(certain, 1.0)
    if look.blind or look.alone:
        return 0.0
    kept = bool(_gap(look, evidence, np.ones(1))[0] <= 0.0) and _keeps_factor(look, evidence)
    return look.decision.advance_evidence if kept else 0.0


def _keeps_limit(leaf: Leaf, sums: Sum) -> bool:
    if sums.mean is None:
        return True
    m0 = limit_of(leaf)[1]
    return sums.mean <= m0 if leaf.side is Side.ABOVE else sums.mean >= m0


def _keeps_factor(look: Look, evidence: Evidence) -> bool:
    """Whether whole sessions, in the mean, keep a bound relative to the baseline, margin included."""
    sums = evidence.stage.sums[Count.CLOSED]
    candidate, baseline = sums["drawn"].mean, sums["baseline"].mean
    if candidate is None or baseline is None:
        return True
    bound = (evidence.leaf.factor or 1.0) * baseline
    if evidence.leaf.side is Side.ABOVE:
        return candidate <= bound + look.decision.margin
    return candidate >= bound - look.decision.margin


def _gap(look: Look, evidence: Evidence, times: Floats) -> Floats:
    """Return by how much the candidate's interval misses the good side, with `times` the present data: shape (T,).

    At most 0 is certified. In points: shares, ratings from 0 to 1, the share beyond the baseline's quantile.
    """
    leaf, margin, alpha = evidence.leaf, look.decision.margin, look.level
    if leaf.level is not None:
        return np.array([_quantile_gap(look, evidence, float(each)) for each in times])
    sums = evidence.stage.sums[Count.FIRST]
    candidate, baseline = sums["drawn"], sums["baseline"]
    if not candidate.n or not baseline.n:
        return np.full(times.shape, inf)
    k = np.stack((candidate.k * times, baseline.k * times))
    n = np.stack((candidate.n * times, baseline.n * times))
    low, high = intervals.mean_interval(k, n, alpha)
    factor = leaf.factor or 1.0
    gap = high[0] - factor * low[1] if leaf.side is Side.ABOVE else factor * high[1] - low[0]
    return np.asarray(gap - margin)


def _quantile_gap(look: Look, evidence: Evidence, times: float) -> float:
    """The same for a quantile: how much more of the candidate lies beyond the baseline's than should."""
    leaf, alpha = evidence.leaf, look.level
    candidate, baseline = evidence.stage.sketches["drawn"], evidence.stage.sketches["baseline"]
    if not candidate.n or not baseline.n or leaf.level is None:
        return inf
    values, counts = baseline.histogram()
    ends = intervals.quantile_interval(values, counts * times, leaf.level, alpha)
    edge = ends[0] if leaf.side is Side.ABOVE else ends[1]
    if not isfinite(edge):
        return inf
    beyond = candidate.share_above(edge * (leaf.factor or 1.0)) or 0.0
    n = candidate.n * times
    low, high = intervals.mean_interval(beyond * n, n, alpha)
    allowed = 1.0 - leaf.level
    return float(high - allowed if leaf.side is Side.ABOVE else allowed - low) - look.decision.margin


def _needed(look: Look, condition: ConditionTest, evidence: Evidence) -> int | None:
    """Return about how many more candidate sessions decide a comparison; None where nobody knows.

    Counted in sessions that carry the metric, then by how many of all sessions do.
    """
    if evidence.certainty is not None:
        found = _needed_of_limit(look, condition, evidence)
        seen = evidence.stage.sums[Count.FIRST]["candidate"].n
    else:
        if look.blind or look.alone:
            return None
        stage = evidence.stage
        seen = float(stage.sketches["drawn"].n if evidence.leaf.level else stage.sums[Count.FIRST]["drawn"].n)
        found = _needed_of_intervals(look, evidence, seen)
    if found is None or not seen:
        return found
    return round(found * max(1.0, look.ledger.sessions_here / seen))


def _needed_of_limit(look: Look, condition: ConditionTest, evidence: Evidence) -> int | None:
    """Return the lesser of what proves the claim and what certifies its opposite, as the candidate seems to be."""
    leaf, certainty = evidence.leaf, evidence.certainty
    if certainty is None:
        return None
    m0 = limit_of(leaf)[1]
    way = direction(leaf)
    ease = m0 / 8 if leaf.side is Side.ABOVE else m0 + (1 - m0) * 0.75
    sums = evidence.stage.sums[Count.FIRST]["candidate"]
    p = (sums.k + ease * _EXPECTED) / (sums.n + _EXPECTED)
    weight = 1 / (2 * len(look.ledger.tests.conditions) * len(condition.terms))
    process = evidence.processes[Count.FIRST].mixtures[0]
    ways = (
        (certainty.mixture, opposite(way), log(look.decision.advance_evidence)),
        (process, way, look.ledger.bound - log(weight)),
    )
    found = []
    for mixture, toward, bound in ways:
        binary = mixture.logs.shape[-1] == len(ODDS_RATIOS)
        drift = mean.increments(m0, p, 1.0, toward) if binary else mean.increments_of(m0, [p], None, toward)
        found.append(effort.needed(mixture, drift, bound))
    return min((each for each in found if each is not None), default=None)


def _needed_of_intervals(look: Look, evidence: Evidence, seen: float) -> int | None:
    """Return how many more sessions like those seen certify a comparison of arms."""
    if not seen:
        return None
    steps_of_two = 1 if evidence.leaf.level is not None else 4
    times = 2.0 ** (np.arange(1, _DOUBLINGS * steps_of_two + 1) / steps_of_two)
    enough = np.flatnonzero(_gap(look, evidence, times) <= 0.0)
    return max(1, round(seen * (float(times[enough[0]]) - 1.0))) if enough.size else None
