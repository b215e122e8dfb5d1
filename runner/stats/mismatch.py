"""Evidence that users are not split between arms as declared (sample ratio mismatch).

While it fires, comparisons of two arms mean nothing: their probability of the candidate is not what they assume.
The test of Lindon and Malek (2022), a Dirichlet mixture of multinomials.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from runner.stats.grid import Floats


def log_e(counts: ArrayLike, shares: ArrayLike, concentration: float = 100.0) -> Floats:
    """Return the log e-value of users per arm, `counts` of shape (..., K), against their declared `shares`.

    `shares` (shape (..., K)) sum to 1; a user in an arm of share 0 is proof. `concentration` says how small a
    deviation is looked for. Where the split changed, add the results of each period.
    """
    n, pi = np.broadcast_arrays(np.asarray(counts, np.float64), np.asarray(shares, np.float64))
    used = pi > 0.0
    pi = np.where(used, pi, 1.0)
    prior = concentration * pi
    terms = np.where(used, gammaln(prior + n) - gammaln(prior) - n * np.log(pi), 0.0).sum(axis=-1)
    total = n.sum(axis=-1)
    evidence = gammaln(concentration) - gammaln(concentration + total) + terms
    return np.asarray(np.where(np.any(~used & (n > 0.0), axis=-1), np.inf, evidence))
