"""What only a whole set of pairs shows: bias that is certain fails, bias that may be chance is inconclusive."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.feedback.preferences.findings import Check, Verdict, overall
from runner.feedback.preferences.pairs import Origin, Pair
from runner.feedback.preferences.sets import findings
from runner.feedback.preferences.synthetic import within_share
from tests.feedback.collected_worlds import CATEGORIES, asks, ballot, policy

LONG, SHORT = "It stands on the third shelf beside the window.", "On shelf three."


@pytest.mark.parametrize(
    ("left", "right", "ties", "check", "verdict"),
    [
        (150, 150, 0, Check.CLEAR_WINNERS, Verdict.PASS),
        (50, 50, 200, Check.CLEAR_WINNERS, Verdict.FAIL),
        (4, 4, 2, Check.CLEAR_WINNERS, Verdict.INCONCLUSIVE),
        (0, 0, 0, Check.CLEAR_WINNERS, Verdict.INCONCLUSIVE),
        (300, 300, 0, Check.SIDE, Verdict.PASS),
        (290, 10, 0, Check.SIDE, Verdict.FAIL),
        (10, 290, 0, Check.SIDE, Verdict.FAIL),
        (7, 3, 0, Check.SIDE, Verdict.INCONCLUSIVE),
        (0, 0, 50, Check.SIDE, Verdict.INCONCLUSIVE),
    ],
)
def test_votes_are_held_to_clear_winners_and_equal_sides(left, right, ties, check, verdict):
    says = ["left"] * left + ["right"] * right + ["tie"] * ties
    votes = [ballot(f"v{i}", choice=choice) for i, choice in enumerate(says)]
    found = _found(check, (), votes)
    assert (found.verdict, found.n) == (verdict, left + right + (ties if check is Check.CLEAR_WINNERS else 0))
    assert found.value is None or found.low <= found.value <= found.high


def test_a_tie_between_two_answers_that_are_the_same_says_nothing_of_clear_winners():
    same = [ballot(f"s{i}", choice="tie", left="Shelf F3.", right=" Shelf F3.") for i in range(100)]
    votes = [ballot(f"v{i}", choice="left") for i in range(150)]
    found = _found(Check.CLEAR_WINNERS, (), [*same, *votes])
    assert (found.verdict, found.n, found.value) == (Verdict.PASS, 150, 1.0)


@pytest.mark.parametrize(
    ("longer", "shorter", "share", "gain"),
    [
        (300, 0, Verdict.FAIL, Verdict.INCONCLUSIVE),
        (150, 150, Verdict.PASS, Verdict.PASS),
        (7, 3, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
        (0, 0, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
    ],
)
def test_a_set_in_which_length_wins_is_told(longer, shorter, share, gain):
    pairs = [_pair(i, LONG, SHORT) for i in range(longer)]
    pairs += [_pair(longer + i, SHORT, LONG) for i in range(shorter)]
    assert _found(Check.LONGER, pairs).verdict is share
    assert _found(Check.LENGTH_GAIN, pairs).verdict is gain


def test_chosen_answers_that_are_three_times_as_long_fail():
    pairs = [_pair(i, "a" * (300 + i % 7), "b" * 100) for i in range(200)]
    found = _found(Check.LENGTH_GAIN, pairs)
    assert found.verdict is Verdict.FAIL
    assert found.low <= found.value <= found.high
    assert found.value == pytest.approx(3.03, abs=0.01)


def test_one_person_may_have_a_part_of_the_votes_and_no_more():
    pairs = [_pair(i, LONG, SHORT, raters=(user,)) for i, user in enumerate("aaaabbbccc")]
    assert _found(Check.RATER, pairs).verdict is Verdict.PASS
    found = _found(Check.RATER, pairs[:9])
    assert (found.verdict, found.value) == (Verdict.FAIL, 4 / 9)
    assert found.names == (), "nobody is named"


def test_one_question_asked_in_nearly_the_same_words_is_one():
    pairs = [_pair(i, LONG, SHORT, prompt=asks(f"Where is the poetry{'!' * i}")) for i in range(3)]
    pairs += [_pair(9 + i, LONG, SHORT) for i in range(7)]
    found = _found(Check.QUESTION, pairs)
    assert (found.verdict, found.value, found.names) == (Verdict.FAIL, 0.3, ("where is the poetry",))
    assert _found(Check.QUESTION, pairs[2:]).verdict is Verdict.PASS


def test_a_category_needs_half_of_its_declared_part():
    pairs = [_pair(i, LONG, SHORT, category=CATEGORIES[i >= 75]) for i in range(100)]
    assert _found(Check.COVERAGE, pairs).verdict is Verdict.PASS
    found = _found(Check.COVERAGE, pairs[:99])
    assert (found.verdict, found.value, found.names) == (Verdict.FAIL, 0.5, ("creative",))
    synthetic = [_pair(100, LONG, SHORT, category="creative", origin=Origin.SYNTHETIC)]
    assert _found(Check.COVERAGE, pairs[:99] + synthetic).verdict is Verdict.FAIL, (
        "synthetic pairs cover nothing"
    )


def test_without_data_nothing_passes():
    found = findings((), (), policy())
    assert {each.verdict for each in found} == {Verdict.INCONCLUSIVE}
    assert [each.check for each in found] == list(Check)


@given(st.lists(st.sampled_from(list(Verdict))))
def test_a_set_passes_where_every_check_passes_and_fails_where_one_fails(verdicts):
    template = findings((), (), policy())[0]
    found = [type(template)(template.check, verdict, 0.0, 0.0, 0.0, 0.0, 1) for verdict in verdicts]
    expected = (
        Verdict.FAIL
        if Verdict.FAIL in verdicts
        else Verdict.PASS
        if verdicts and Verdict.INCONCLUSIVE not in verdicts
        else Verdict.INCONCLUSIVE
    )
    assert overall(found) is expected


@given(
    st.lists(st.tuples(st.sampled_from(CATEGORIES), st.booleans()), max_size=40),
    st.integers(0, 99),
)
def test_as_many_synthetic_pairs_stay_as_the_share_allows_and_no_more(kinds, percent):
    pairs = [
        _pair(i, LONG, SHORT, category=category, origin=Origin.SYNTHETIC if made else Origin.VOTE)
        for i, (category, made) in enumerate(kinds)
    ]
    kept, over = within_share(pairs, percent / 100)
    assert sorted(pair.id for pair in (*kept, *(pair for pair, _ in over))) == sorted(
        pair.id for pair in pairs
    )
    share = Fraction(percent, 100)
    for category in {pair.category for pair in pairs}:
        own = [pair for pair in kept if pair.category == category]
        made = sum(pair.synthetic for pair in own)
        assert made <= share * len(own)
        if any(pair.category == category for pair, _ in over):
            assert made + 1 > share * (len(own) + 1), "one more would have been too many"


def _pair(number, chosen, rejected, **other):
    words = (
        "maps",
        "novels",
        "atlas",
        "herons",
        "tea",
        "opera",
        "glass",
        "algebra",
        "juniper",
        "ferries",
        "ink",
    )
    question = f"{words[number % 11]} {words[number // 11 % 11]} {words[number // 121 % 11]} {number}?"
    facts = {
        "prompt": asks(question),
        "category": "factual",
        "origin": Origin.VOTE,
        "raters": (f"u{number}",),
    }
    facts |= {"id": f"p{number}", "language": "en", "sources": (f"v{number}",), "at_us": 0, **other}
    return Pair(chosen=chosen, rejected=rejected, **facts)


def _found(check, pairs, votes=()):
    return next(each for each in findings(pairs, votes, policy()) if each.check is check)
