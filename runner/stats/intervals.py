"""Intervals that cover the truth at all times at once, so that people may look whenever they like.

Reports and verdicts show them beside a value; no decision to roll back is taken from them. With probability at
least 1 - alpha an interval never excludes the true value, over the whole life of a rollout.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, expit

from runner.stats.boundaries import normal_bound, normal_rho
from runner.stats.grid import Floats

_ROUNDS = 100  # of Newton's method, which needs about 10; far more only in theory
_MOST_LOG = 700.0  # its exponential is still a number
_PRIOR = 0.5
_LEAST_SUM = 1e-9  # less is nothing: the end would be 0 to any number of digits
_PRIOR_LOG_BETA = float(betaln(_PRIOR, _PRIOR))


def mean_interval(k: ArrayLike, n: ArrayLike, alpha: float) -> tuple[Floats, Floats]:
    """Return the lower and upper ends for the mean of `n` outcomes in [0, 1] with sum `k`, each of shape (...).

    Exact: the mixture of likelihood ratios under Jeffreys' prior (Ville; Robbins). `k` need not be whole, since
    the bound holds for any outcomes in [0, 1]. (0, 1) without data.
    """
    some, all_ = np.broadcast_arrays(np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64))
    return _lower_end(some, all_, alpha), np.asarray(1.0 - _lower_end(all_ - some, all_, alpha))


def mean_evidence(k: ArrayLike, n: ArrayLike, mean: float) -> Floats:
    """Return the e-values against `mean`, in (0, 1), that `mean_interval` is made of: 1/alpha at its ends."""
    logs = _log_e(np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64), mean)
    return np.asarray(np.exp(np.minimum(logs, _MOST_LOG)))


def quantile_interval(
    values: ArrayLike, counts: ArrayLike | None, q: float, alpha: float
) -> tuple[float, float]:
    """Return the lower and upper ends for the quantile `q` of a histogram: distinct values of shape (V,) and how
    often each occurred (once each without counts).

    Exact for any distribution, also with ties (Howard and Ramdas, 2022). An end is infinite where the data
    cannot bound it yet.
    """
    x = np.asarray(values, dtype=np.float64)
    times = np.ones(x.shape) if counts is None else np.asarray(counts, dtype=np.float64)
    order = np.argsort(x, kind="stable")
    below = np.concatenate(([0.0], np.cumsum(times[order])))  # below[i]: observations before the i-th value
    edges = np.concatenate(([-np.inf], x[order], [np.inf]))
    n = float(below[-1])
    possible = _log_e(below, n, q) < -np.log(alpha)
    first = int(np.argmax(possible | (below >= q * n)))
    last = below.size - 1 - int(np.argmax((possible | (below <= q * n))[::-1]))
    return float(edges[first]), float(edges[last + 1])


def unbounded_mean_interval(
    total: ArrayLike, squares: ArrayLike, n: ArrayLike, alpha: float, n_opt: float = 500.0
) -> tuple[Floats, Floats]:
    """Return the lower and upper ends for the mean of `n` values with any range (tokens, seconds), shape (...).

    `total` is their sum and `squares` the sum of their squares. Approximate: it holds for large n, as the central
    limit theorem does (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, 2024), narrowest about `n_opt` values.
    Infinite below two values and where all are equal, because nothing is known of their spread.
    """
    sums, squared, seen = (np.asarray(one, dtype=np.float64) for one in (total, squares, n))
    count = np.maximum(seen, 2.0)
    mean = sums / np.maximum(seen, 1.0)
    spread = squared - sums * mean
    known = (seen >= 2.0) & (spread > 1e-12 * squared)
    variance = np.where(known, spread, 1.0) / (count - 1.0)
    half = np.where(known, normal_bound(count, alpha, normal_rho(n_opt, alpha)) / count, np.inf)
    half = half * np.sqrt(variance)
    return np.asarray(mean - half), np.asarray(mean + half)


def _log_e(k: Floats, n: Floats | float, p: float) -> Floats:
    """Return the log e-value of `k` in `n` against the mean `p` (0 < p < 1), both sides."""
    mixed = betaln(k + _PRIOR, n - k + _PRIOR) - _PRIOR_LOG_BETA
    return np.asarray(mixed - k * np.log(p) - (n - k) * np.log1p(-p))


def _lower_end(k: Floats, n: Floats, alpha: float) -> Floats:
    """Return where the e-value of `_log_e` falls to 1/alpha, left of k/n; 0 where k is 0.

    As a function of the log odds z of p, log E - ln(1/alpha) = c - k z + n ln(1 + exp z) is convex. So Newton's
    method, begun left of the root where the last term is dropped, rises to it and never passes it.
    """
    some = k > _LEAST_SUM
    safe_k = np.where(some, k, 1.0)
    safe_n = np.where(some, n, 1.0)
    constant = betaln(safe_k + _PRIOR, safe_n - safe_k + _PRIOR) - _PRIOR_LOG_BETA + np.log(alpha)
    z = constant / safe_k
    for _ in range(_ROUNDS):
        value = constant - safe_k * z + safe_n * np.logaddexp(0.0, z)
        step = value / (safe_k - safe_n * expit(z))
        z = z + step
        if not np.any(np.abs(step) > 1e-12 * (1.0 + np.abs(z))):
            break
    return np.where(some, expit(z), 0.0)
