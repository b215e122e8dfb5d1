"""What a whole set of pairs has to meet, where every single pair may be fit: bias that only the set shows.

Shares that stand for how people judge (clear winners, sides, length) come with an interval that holds however often one
looks, since a snapshot is taken again and again while data come in; a limit is kept or passed only where the whole
interval says so. Shares that are facts of this set (one person's part, one question's, categories, synthetic pairs) are
exact. Pure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from runner.feedback.preferences.findings import (
    Check,
    Finding,
    Verdict,
    at_most,
    interval_at_most,
)
from runner.feedback.preferences.likeness import fold, leaders
from runner.feedback.preferences.pairs import Pair, talk
from runner.feedback.records import Ballot, Choice
from runner.spec.collection import CollectionPolicy
from runner.stats.intervals import mean_interval, unbounded_mean_interval

ALPHA = 0.05
PART = 0.5
"""A category has its part from so much of its declared share on."""
_SHOWN = 60


def findings(
    pairs: Sequence[Pair], ballots: Sequence[Ballot], policy: CollectionPolicy
) -> tuple[Finding, ...]:
    """Return every check of the pairs that are to be trained on; `ballots` are the votes that were counted."""
    return (
        _clear_winners(ballots, policy),
        _sides(ballots, policy),
        _longer(pairs, policy),
        _length_gain(pairs, policy),
        _raters(pairs, policy),
        _questions(pairs, policy),
        _coverage(pairs, policy),
        _synthetic(pairs, policy),
    )


def _clear_winners(ballots: Sequence[Ballot], policy: CollectionPolicy) -> Finding:
    """How often somebody named a side, of votes on two different texts: nobody can prefer one of two same ones."""
    told = [ballot for ballot in ballots if ballot.left.text.strip() != ballot.right.text.strip()]
    clear = sum(ballot.chosen is not None for ballot in told)
    low, high = _interval(clear, len(told))
    limit = policy.sets.clear_winners
    verdict = interval_at_most(1 - high, 1 - low, 1 - limit)
    return _share(Check.CLEAR_WINNERS, verdict, (clear, len(told)), limit)


def _sides(ballots: Sequence[Ballot], policy: CollectionPolicy) -> Finding:
    """The larger of the two sides' shares; sides are random, so that each should win as often."""
    named = [ballot.choice for ballot in ballots if ballot.chosen is not None]
    side, larger = max(
        ((side, named.count(side)) for side in (Choice.LEFT, Choice.RIGHT)), key=lambda each: each[1]
    )
    low, high = _interval(larger, len(named))
    limit = policy.sets.side_share
    verdict = interval_at_most(low, max(high, 1 - low), limit)
    return _share(Check.SIDE, verdict, (larger, len(named)), limit, (side.value,) if named else ())


def _longer(pairs: Sequence[Pair], policy: CollectionPolicy) -> Finding:
    """How often the longer answer won, an equal length counting half; training on that teaches length."""
    won = sum(_won(pair) for pair in pairs)
    verdict = interval_at_most(*_interval(won, len(pairs)), policy.sets.longer_share)
    return _share(Check.LONGER, verdict, (won, len(pairs)), policy.sets.longer_share)


def _length_gain(pairs: Sequence[Pair], policy: CollectionPolicy) -> Finding:
    """The geometric mean of how many times longer the chosen answer is."""
    limit, n = policy.sets.max_length_gain, len(pairs)
    if not pairs:
        return Finding(Check.LENGTH_GAIN, Verdict.INCONCLUSIVE, None, None, None, limit, 0)
    gains = np.array([math.log(len(pair.chosen) / len(pair.rejected)) for pair in pairs])
    ends = unbounded_mean_interval(gains.sum(), (gains**2).sum(), n, ALPHA)
    low, high = (float(end) for end in ends)
    verdict = interval_at_most(low, high, math.log(limit))
    value = math.exp(gains.mean())
    return Finding(Check.LENGTH_GAIN, verdict, value, _times(low), _times(high), limit, n)


def _raters(pairs: Sequence[Pair], policy: CollectionPolicy) -> Finding:
    """The largest part of the votes behind the pairs that comes from one person, who is not named."""
    votes = Counter(user for pair in pairs for user in pair.raters)
    return _largest(Check.RATER, votes, votes.total(), policy.sets.rater_share, named=False)


def _questions(pairs: Sequence[Pair], policy: CollectionPolicy) -> Finding:
    """The largest part of the pairs that has one question, or one nearly the same."""
    same = leaders((talk(pair.prompt) for pair in pairs), policy.sets.near_duplicate)
    counts = Counter(same[fold(talk(pair.prompt))] for pair in pairs)
    return _largest(Check.QUESTION, counts, len(pairs), policy.sets.question_share, named=True)


def _coverage(pairs: Sequence[Pair], policy: CollectionPolicy) -> Finding:
    """The share of categories that have at least half of the part that the policy declares for them."""
    counts = Counter(pair.category for pair in pairs if not pair.synthetic)
    limit, total = policy.sets.category_coverage, counts.total()
    thin = tuple(
        name for name, category in policy.categories.items() if counts[name] < PART * category.share * total
    )
    value = 1 - len(thin) / len(policy.categories)
    if not total:
        return Finding(
            Check.COVERAGE, Verdict.INCONCLUSIVE, None, None, None, limit, 0, tuple(policy.categories)
        )
    verdict = Verdict.PASS if value >= limit else Verdict.FAIL
    return Finding(Check.COVERAGE, verdict, value, value, value, limit, len(policy.categories), thin)


def _synthetic(pairs: Sequence[Pair], policy: CollectionPolicy) -> Finding:
    """The largest share of synthetic pairs in a category, or in the whole."""
    limit = policy.augmentation.max_share
    if not pairs:
        return Finding(Check.SYNTHETIC, Verdict.INCONCLUSIVE, None, None, None, limit, 0)
    all_, made = (
        Counter(pair.category for pair in pairs),
        Counter(pair.category for pair in pairs if pair.synthetic),
    )
    shares = {name: made[name] / count for name, count in sorted(all_.items())}
    name, value = max(shares.items(), key=lambda each: each[1])
    names = (name,) if made else ()
    return Finding(Check.SYNTHETIC, at_most(value, limit), value, value, value, limit, len(pairs), names)


def _largest(check: Check, counts: Mapping[str, int], total: int, limit: float, *, named: bool) -> Finding:
    if not total:
        return Finding(check, Verdict.INCONCLUSIVE, None, None, None, limit, 0)
    name, count = max(sorted(counts.items()), key=lambda each: each[1])
    value = count / total
    return Finding(
        check, at_most(value, limit), value, value, value, limit, total, (name[:_SHOWN],) if named else ()
    )


def _share(
    check: Check, verdict: Verdict, counted: tuple[float, int], limit: float, names: tuple[str, ...] = ()
) -> Finding:
    part, whole = counted
    if not whole:
        return Finding(check, Verdict.INCONCLUSIVE, None, None, None, limit, 0)
    return Finding(check, verdict, part / whole, *_interval(part, whole), limit, whole, names)


def _won(pair: Pair) -> float:
    return 0.5 + 0.5 * (len(pair.chosen) > len(pair.rejected)) - 0.5 * (len(pair.chosen) < len(pair.rejected))


def _interval(k: float, n: int) -> tuple[float, float]:
    low, high = mean_interval(k, n, ALPHA)
    return float(low), float(high)


def _times(log: float) -> float | None:
    """Return a ratio, None where its logarithm is not bounded yet."""
    return math.exp(log) if math.isfinite(log) else None
