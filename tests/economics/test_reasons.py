"""The rule that turns reasons into a decision, over every combination of verdicts there is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from runner.economics.reasons import BARS, CALLS, NEEDS, OVERRIDDEN, Choice, Reason, Verdict, choose

ORDER = (Verdict.AGAINST, Verdict.UNKNOWN, Verdict.FOR)


@pytest.fixture(scope="module")
def trained() -> np.ndarray:
    """Whether a round is trained, by the verdict of each reason: one axis of three for each."""
    found = [
        choose(dict(zip(Reason, verdicts, strict=True))).choice is Choice.RETRAIN
        for verdicts in product(ORDER, repeat=len(Reason))
    ]
    return np.array(found).reshape((3,) * len(Reason))


def test_a_verdict_that_gets_worse_never_turns_a_round_left_out_into_one_that_is_trained(trained):
    for axis, reason in enumerate(Reason):
        worse = np.diff(trained.astype(int), axis=axis)
        assert (worse >= 0).all(), reason


def test_every_reason_can_decide(trained):
    for axis, reason in enumerate(Reason):
        assert np.diff(trained.astype(int), axis=axis).any(), reason


def test_a_round_needs_every_need_shown_no_bar_shown_and_one_call(trained):
    verdicts = dict(zip(Reason, np.indices(trained.shape, dtype=np.int8), strict=True))
    against, for_ = ORDER.index(Verdict.AGAINST), ORDER.index(Verdict.FOR)
    signalled = verdicts[Reason.SIGNALS] == for_
    needed = np.all([verdicts[each] == for_ for each in NEEDS], axis=0)
    called = np.any([verdicts[each] == for_ for each in CALLS], axis=0)
    barred = np.any(
        [(verdicts[each] == against) & ~(signalled & (each in OVERRIDDEN)) for each in BARS], axis=0
    )
    assert (trained == (needed & called & ~barred)).all()


def test_needs_bars_and_calls_are_all_reasons_and_share_none():
    assert sorted([*NEEDS, *BARS, *CALLS]) == sorted(Reason)


def test_what_is_not_known_alone_trains_nothing():
    assert choose(dict.fromkeys(Reason, Verdict.UNKNOWN)).choice is Choice.SKIP


def test_the_reasons_that_decided_are_named_each_and_no_other():
    verdicts = dict.fromkeys(Reason, Verdict.FOR)
    assert choose(verdicts).by == (Reason.CALENDAR, Reason.SIGNALS)
    verdicts |= {Reason.FREEZE: Verdict.AGAINST, Reason.BUDGET: Verdict.UNKNOWN, Reason.GAIN: Verdict.UNKNOWN}
    assert set(choose(verdicts).by) == {Reason.FREEZE, Reason.BUDGET}


def test_a_reason_that_nobody_looked_at_is_refused():
    with pytest.raises(KeyError):
        choose({Reason.CALENDAR: Verdict.FOR})
