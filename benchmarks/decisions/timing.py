"""What one look costs: the time in which a runner takes a batch of one signal into account."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import log

from runner.stats import label, mean
from runner.stats.grid import Floats
from runner.stats.mixture import Mixture

ROUNDS, WARM_UP = 5_000, 200


@dataclass(frozen=True, slots=True)
class Look:
    """Medians of many, in microseconds: the batch's worth, the bets, log E and its comparison with the bound."""

    absolute_us: float
    relative_us: float


def measure() -> Look:
    """Time an update of P1 and one of P2, as they are in a runner: one world, plain numbers."""
    return Look(
        _median_us(lambda: mean.increments(0.05, 1, BATCH_C)),
        _median_us(lambda: label.increments(0.05, (1, BATCH_C), (3, 400), label.baseline_rate(70, 9_000))),
    )


BATCH_C = 20


def _median_us(worth: Callable[[], Floats]) -> float:
    bound = log(100.0)
    taken = []
    mixture = Mixture.start(5)
    for _ in range(WARM_UP + ROUNDS):
        begin = time.perf_counter()
        mixture = mixture.bet(worth(), BATCH_C)
        over = mixture.log_e >= bound
        taken.append(time.perf_counter() - begin)
        if over:
            mixture = Mixture.start(5)
    return round(1e6 * statistics.median(taken[WARM_UP:]), 2)
