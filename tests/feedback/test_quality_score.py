"""The quality score counts what speaks for and against a preference itself, and nothing else."""

from __future__ import annotations

import pytest

from runner.feedback.preferences.pairs import Use, Why
from runner.feedback.quality_score import POOR, score


def rejected(*reasons: Why, use: Use = Use.PREFERENCE) -> dict[str, object]:
    return {"use": use.value, "reasons": [each.value for each in reasons]}


@pytest.mark.parametrize("why", list(Why))
def test_a_preference_counts_as_poor_for_what_it_is_and_not_for_what_it_is_not_used_for(why):
    assert score({"vote": 3}, [rejected(why)]).n == (4 if why in POOR else 3)


def test_several_reasons_make_one_poor_preference():
    found = score({"vote": 2, "correction": 2}, [rejected(Why.LEAKED, Why.ALIKE, Why.SHORT)])
    assert (found.good, found.n, found.value, found.of_five) == (4, 5, 0.8, pytest.approx(4.2))
    assert found.low < 0.8 < found.high


def test_what_a_program_made_and_what_is_no_preference_is_not_counted():
    assert score({"synthetic": 50}, [rejected(Why.ALIKE, use=Use.THUMB)]).n == 0


def test_without_preferences_there_is_no_score():
    found = score({}, [])
    assert (found.value, found.of_five, found.low, found.high) == (None, None, 0.0, 1.0)


@pytest.mark.parametrize(("good", "poor", "of_five"), [(0, 7, 1.0), (7, 0, 5.0), (5, 5, 3.0)])
def test_from_one_to_five(good, poor, of_five):
    assert score({"vote": good}, [rejected(Why.ALIKE)] * poor).of_five == of_five
