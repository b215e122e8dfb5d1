"""Evidence that the candidate is worse than the baseline that serves at the same time.

The ledger of a rollout calls it for limits relative to the baseline. Each request reached the candidate with a
known probability `pi`; given the outcome, the arm it came from is the random part. So the rhythm of the day, an
outage of both arms and a changing `pi` cannot pretend a difference (the e-variable of Turner and Gruenwald with a
random arm; events alone: Lindon and Malek). An event is the bad outcome everywhere here. Every function returns
what a batch is worth, natural logarithms of shape (..., 5); `Mixture` keeps the sum.

Pairs are `(k, n)`: events and observations of one arm, each of shape (...), like `pi` and `rate`. `rate` is the
baseline's share of events in EARLIER batches (`baseline_rate`); it sets how well the test is aimed, never whether
it is valid, as long as the batch itself is not part of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from runner.stats.grid import LOG_ODDS, ODDS, SHIFTS, Column, Floats, column

_LEAST_KEPT = 0.02  # of the chance of no event: keeps a bet finite where a large odds ratio leaves none

Tally = tuple[ArrayLike, ArrayLike]
"""Events and observations of one arm."""


class _Bets(NamedTuple):
    """Factors of one observation by arm and outcome, each of shape (..., 5)."""

    candidate_event: Floats
    candidate_none: Floats
    baseline_event: Floats
    baseline_none: Floats


def baseline_rate(k: ArrayLike, n: ArrayLike) -> Floats:
    """Return the share of events to expect after `k` in `n` observations: drawn towards 1% while there are few."""
    return (np.asarray(k, dtype=np.float64) + 0.5) / (np.asarray(n, dtype=np.float64) + 50.0)


def increments(pi: ArrayLike, candidate: Tally, baseline: Tally, rate: ArrayLike) -> Floats:
    """Return a batch's worth against "the candidate's share of events is at most the baseline's"."""
    pi, rate = column(pi), column(rate)
    k_c, n_c, k_b, n_b = map(column, (*candidate, *baseline))
    none = _odds_without_event(rate)
    at_event = k_c * LOG_ODDS - (k_c + k_b) * np.log1p(pi * SHIFTS)
    calm_c, calm_b = n_c - k_c, n_b - k_b
    return np.asarray(at_event + calm_c * np.log(none) - (calm_c + calm_b) * np.log1p(pi * (none - 1.0)))


def increments_events(pi: ArrayLike, k_c: ArrayLike, k_b: ArrayLike, ratio: float = 1.0) -> Floats:
    """Return a batch's worth against "the candidate's rate of events is at most `ratio` times the baseline's".

    Only events count, `k_c` of the candidate and `k_b` of the baseline, so rates need not be shares.
    """
    pi, k_c, k_b = column(pi), column(k_c), column(k_b)
    shift = np.log1p(pi * (ratio * ODDS - 1.0)) - np.log1p(pi * (ratio - 1.0))
    return np.asarray(k_c * LOG_ODDS - (k_c + k_b) * shift)


def increments_scores(
    pi: ArrayLike, values: ArrayLike, candidate_counts: ArrayLike, baseline_counts: ArrayLike, rate: ArrayLike
) -> Floats:
    """Return a batch's worth where an outcome is any badness in [0, 1]: against "the candidate's mean is at most
    the baseline's".

    An observation x counts as an event with weight x and as none with weight 1 - x, inside the factor: what a
    coin that turns x into 0 or 1 would earn on average, so it is valid wherever the test of events is.
    `values`: shape (V,); counts: shape (..., V). ValueError where a value lies outside [0, 1].
    """
    pi, rate = column(pi), column(rate)
    none = _odds_without_event(rate)
    return _of_scores(_bets(pi, ODDS, none), values, candidate_counts, baseline_counts)


def increments_thinned(pi: ArrayLike, f: float, candidate: Tally, baseline: Tally, rate: ArrayLike) -> Floats:
    """Return a batch's worth against "good outcomes of the candidate are at least `f` (0 < f <= 1) times as
    frequent as the baseline's".

    Events are the bad outcomes, as everywhere. Each good outcome of the baseline counts as good with weight `f`
    and as an event with the rest, averaged inside the factor.
    """
    bets = _thinned(column(pi), f, column(rate))
    k_c, n_c, k_b, n_b = map(column, (*candidate, *baseline))
    return np.asarray(
        k_c * np.log(bets.candidate_event)
        + (n_c - k_c) * np.log(bets.candidate_none)
        + k_b * np.log(bets.baseline_event)
        + (n_b - k_b) * np.log(bets.baseline_none)
    )


def increments_thinned_scores(  # noqa: PLR0913, PLR0917 - the arguments of increments_scores and the factor
    pi: ArrayLike,
    f: float,
    values: ArrayLike,
    candidate_counts: ArrayLike,
    baseline_counts: ArrayLike,
    rate: ArrayLike,
) -> Floats:
    """Return a batch's worth against "the candidate's mean goodness is at least `f` times the baseline's".

    `values` are badness in [0, 1], one minus goodness; shapes and errors as in `increments_scores`.
    """
    return _of_scores(_thinned(column(pi), f, column(rate)), values, candidate_counts, baseline_counts)


def _odds_without_event(rate: Column) -> Floats:
    """Return how the odds of the arm shift at an observation without event.

    Never above 1: there the bet would also win from a candidate that is better (at rates near 1 alone).
    """
    return np.minimum(np.maximum(1.0 - ODDS * rate, _LEAST_KEPT) / (1.0 - rate), 1.0)


def _bets(pi: Column, event: Floats, none: Floats) -> _Bets:
    """Return the factors for odds of the arm that shift by `event` and `none`."""
    at_event, at_none = 1.0 + pi * (event - 1.0), 1.0 + pi * (none - 1.0)
    return _Bets(event / at_event, none / at_none, 1.0 / at_event, 1.0 / at_none)


def _thinned(pi: Column, f: float, rate: Column) -> _Bets:
    if not 0.0 < f <= 1.0:
        raise ValueError(f"a factor above 0 and at most 1 is expected, not {f}")
    thinned = 1.0 - f * (1.0 - rate)
    spread = 1.0 + thinned * SHIFTS
    bets = _bets(pi, ODDS / spread, 1.0 / spread)
    mixed = f * bets.baseline_none + (1.0 - f) * bets.baseline_event
    return bets._replace(baseline_none=mixed)


def _of_scores(bets: _Bets, values: ArrayLike, candidate: ArrayLike, baseline: ArrayLike) -> Floats:
    x = np.asarray(values, dtype=np.float64)
    if x.size and not (x.min() >= 0.0 and x.max() <= 1.0):
        raise ValueError(f"values from 0 to 1 are expected, not {x.min()} to {x.max()}")
    x = x[:, None]
    event_c, none_c, event_b, none_b = (factor[..., None, :] for factor in bets)
    worth_c = np.log(none_c + x * (event_c - none_c))
    worth_b = np.log(none_b + x * (event_b - none_b))
    return np.asarray((column(candidate) * worth_c + column(baseline) * worth_b).sum(axis=-2))
