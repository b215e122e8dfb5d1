"""Each two versions that met: whose win rate it is, over which votes, and how long their answers were."""

from __future__ import annotations

import pytest

from runner.feedback.standings.figures import Rules, Verdict
from runner.feedback.standings.pairings import pairings
from tests.feedback.arenas import answer, ballot, decided

RULES = Rules("v1")


def test_votes_of_each_two_versions_are_one_pairing_against_the_baseline_first():
    cast = [
        *decided("v2", "v1", won=30, lost=10, ties=4),
        *decided("v0", "v2", won=3, lost=5, start=100),
        *decided("v0", "v1", won=1, lost=1, start=200),
    ]
    found = pairings(cast, RULES)
    assert [(each.version, each.against, each.wins.n, each.wins.k) for each in found] == [
        ("v0", "v1", 2, 1.0),
        ("v2", "v1", 44, 32.0),
        ("v2", "v0", 8, 5.0),
    ]
    assert found[1].wins.low < 32 / 44 < found[1].wins.high


def test_the_baseline_wins_what_the_other_loses():
    cast = decided("v2", "v1", won=40, lost=60)
    (one,), (other,) = pairings(cast, RULES), pairings(cast, Rules("v2"))
    assert one.wins.value == pytest.approx(1 - (other.wins.value or 0))


def test_votes_on_two_answers_of_one_version_and_uncounted_ones_are_none():
    assert pairings([ballot(1, "v1", "v1"), ballot(2, "v1", "v2", counted=False)], RULES) == ()
    assert pairings([], RULES) == ()


def test_lengths_are_those_of_the_answers_that_met_and_none_without_texts():
    cast = [
        ballot(1, answer("v2", "a", 150), answer("v1", "b", 120)),
        ballot(2, answer("v1", "c", 80), answer("v2", "d", 250)),
    ]
    (found,) = pairings(cast, RULES)
    assert found.lengths == (200.0, 100.0)
    assert found.wins.verdict is Verdict.NOT_TOLD_APART
    (without,) = pairings([ballot(1, answer("v2", "a", 0), answer("v1", "b", 0))], RULES)
    assert without.lengths is None
