"""Which of many hypotheses to reject at once, so that few of those rejected are true.

Reports over segments and suites call it. The e-values may depend on each other in any way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def e_bh(es: Sequence[float], alpha: float) -> list[int]:
    """Return the places of rejected hypotheses, ascending: a share of at most `alpha` of them is true, on average.

    `es` are e-values, not logarithms; infinity is allowed. Benjamini and Hochberg's procedure for e-values (Wang
    and Ramdas, 2022): the k largest, for the greatest k whose k-th largest reaches K / (k alpha).
    """
    e = np.asarray(es, dtype=np.float64)
    order = np.argsort(-e, kind="stable")
    ranks = np.arange(1, e.size + 1)
    enough = np.flatnonzero(e[order] * ranks * alpha >= e.size)
    return sorted(order[: enough[-1] + 1].tolist()) if enough.size else []
