"""Evidence for conditions joined by OR and AND, from the evidence for each.

All numbers are natural logarithms of e-values, either numbers or arrays over worlds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from runner.stats.grid import Floats


def either(log_es: Sequence[ArrayLike], weights: Sequence[float] | None = None) -> Floats:
    """Return the evidence that at least one holds: the weighted average of e-values, evenly where no weights.

    Valid under "none of them holds". Weights are scaled to sum 1. ValueError where there is nothing to average,
    where a weight is negative or where all are 0.
    """
    if not log_es:
        raise ValueError("nothing to average")
    shares = np.full(len(log_es), 1.0 / len(log_es)) if weights is None else np.asarray(weights, np.float64)
    if len(shares) != len(log_es) or shares.min() < 0.0 or shares.sum() <= 0.0:
        raise ValueError(f"{len(log_es)} weights of at least 0, not all 0, are expected, not {weights}")
    with np.errstate(divide="ignore"):  # weight 0 leaves a term out
        logs = np.log(shares / shares.sum())
    terms = [np.asarray(one, dtype=np.float64) + log for one, log in zip(log_es, logs, strict=True)]
    return np.asarray(np.logaddexp.reduce(np.broadcast_arrays(*terms), axis=0))


def both(log_es: Sequence[ArrayLike]) -> Floats:
    """Return the evidence that all hold: the least of them. Valid as soon as one does not hold.

    ValueError where there is nothing to compare.
    """
    if not log_es:
        raise ValueError("nothing to compare")
    return np.asarray(
        np.minimum.reduce(np.broadcast_arrays(*(np.asarray(one, np.float64) for one in log_es)))
    )
