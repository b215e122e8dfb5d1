"""The win rate at equal length, against worlds in which it is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import pytest

from runner.evaluation.preference.figures import CONTROLLED, Decided, figures
from runner.evaluation.results import Measured

Lengths = Callable[[Random], tuple[int, int]]


def longer_and_shorter(rng: Random) -> tuple[int, int]:
    return rng.randrange(20, 200), rng.randrange(10, 120)


def world(
    strength: float, length: float, lengths: Lengths = longer_and_shorter, n: int = 400
) -> list[Decided]:
    """Return questions whose judge has log odds of `strength`, and `length` for an answer e times as long."""
    rng, found = Random(7), []
    for _ in range(n):
        own, other = lengths(rng)
        odds = strength + length * math.log((1 + own) / (1 + other))
        found.append(Decided("a" * own, "b" * other, float(rng.random() < 1 / (1 + math.exp(-odds)))))
    return found


def measured(found: list[Decided], metric: str) -> Measured:
    return next(each for each in figures(found, 0.05) if each.metric == metric)


def test_what_length_alone_wins_is_taken_out() -> None:
    found = world(0.0, 2.0)
    plain, controlled = measured(found, "win_rate"), measured(found, CONTROLLED)
    assert plain.low is not None and plain.low > 0.6
    assert controlled.low is not None and controlled.high is not None
    assert controlled.low < 0.5 < controlled.high


def test_what_is_better_at_any_length_stays() -> None:
    controlled = measured(world(1.5, 0.0), CONTROLLED)
    assert controlled.low is not None and controlled.high is not None
    assert 0.5 < controlled.low < 1 / (1 + math.exp(-1.5)) < controlled.high


@pytest.mark.parametrize(
    "lengths",
    [lambda rng: (rng.randrange(60, 90), 20), lambda rng: (20, rng.randrange(60, 90)), lambda _: (20, 20)],
)
def test_where_lengths_never_cross_nothing_is_made_up(lengths: Lengths) -> None:
    assert measured(world(0.5, 0.0, lengths), CONTROLLED).value is None


def test_ties_alone_prove_no_equality() -> None:
    rng = Random(1)
    tied = [
        Decided("a" * own, "b" * other, 0.5) for own, other in (longer_and_shorter(rng) for _ in range(100))
    ]
    found = measured(tied, CONTROLLED)
    assert (found.value, found.low) == (None, None) and "decided 0" in found.about


def test_undecided_questions_widen_both_win_rates() -> None:
    found = world(0.5, 0.5, n=200)
    some = [
        Decided(each.answer, each.parent_answer, None) if at % 20 == 0 else each
        for at, each in enumerate(found)
    ]
    for metric in ("win_rate", CONTROLLED):
        whole, part = (
            measured([each for each in some if each.score is not None], metric),
            measured(some, metric),
        )
        assert part.value == whole.value and part.n == whole.n
        assert part.low is not None and whole.low is not None and part.low < whole.low
        assert part.high is not None and whole.high is not None and part.high > whole.high


def test_nothing_decided_has_no_value() -> None:
    for found in ([], [Decided("a", "b", None)] * 40):
        assert all(each.value is None for each in figures(found, 0.05) if each.metric.startswith("win_rate"))
