"""What makes one pair fit: alike or not, valid or not, and what several people say of the same two answers."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.feedback.labels import resolve
from runner.feedback.preferences.leakage import Guarded, HeldOut, Suite, is_drawn
from runner.feedback.preferences.likeness import Neighbours, fold, leaders, likeness
from runner.feedback.preferences.pairs import Origin, Pair, Why, faults
from runner.feedback.preferences.reviews import Reviews
from runner.feedback.preferences.validity import is_cut_off, is_error, sentences
from runner.feedback.preferences.votes import judged
from tests.feedback.collected_worlds import agreed, asks, ballot, policy

WORDS = st.sampled_from(
    [
        "who",
        "what",
        "sells",
        "books",
        "Books,",
        "shop?",
        "10:00",
        "11:00",
        "9",
        "열두",
        "달러",
        "<NAME_1>",
        "<NAME_2>",
        "!",
        "é",
    ]
)
TEXTS = st.lists(WORDS, max_size=7).map(" ".join)
GOOD, BAD = "Yes, within thirty days.", "Sorry, I can only help with the bookshop."


@given(TEXTS, TEXTS)
def test_likeness_is_symmetric_between_0_and_1_and_1_for_what_folds_to_the_same(one, other):
    assert likeness(one, other) == likeness(other, one)
    assert 0.0 <= likeness(one, other) <= 1.0
    assert likeness(one, one.upper() + " !") == 1.0


@given(TEXTS, TEXTS)
def test_likeness_is_the_cosine_of_runs_of_three_characters(one, other):
    counts = [
        Counter(text[i : i + 3] for i in range(len(text) - 2))
        for text in (f" {fold(t)} " for t in (one, other))
    ]
    if not all(counts):
        return
    product = sum(counts[0][run] * counts[1][run] for run in counts[0])
    cosine = product / math.prod(math.sqrt(sum(n * n for n in each.values())) for each in counts)
    assert likeness(one, other) == pytest.approx(cosine) or likeness(one, other) == pytest.approx(
        0.6 * cosine
    )


@settings(max_examples=60)
@given(st.lists(TEXTS, max_size=12), TEXTS, st.sampled_from([0.3, 0.7, 0.9, 1.0]))
def test_the_search_for_neighbours_finds_what_comparing_all_would_find(texts, asked, floor):
    by_hand = {fold(text) for text in texts if likeness(text, asked) >= floor}
    assert {match.text for match in Neighbours(texts, floor).of(asked)} == by_hand


@settings(max_examples=60)
@given(st.lists(TEXTS, max_size=12), st.sampled_from([0.5, 0.9]))
def test_every_text_is_near_its_leader_and_no_two_leaders_are_near_each_other(texts, floor):
    found = leaders(texts, floor)
    assert set(found) == set(map(fold, texts))
    assert all(likeness(text, leader) >= floor for text, leader in found.items())
    heads = sorted(set(found.values()))
    assert all(likeness(one, other) < floor for i, one in enumerate(heads) for other in heads[:i])


def test_another_number_is_another_text_and_a_pseudonym_is_not():
    assert likeness("We are open from 10:00 to 18:00.", "We are open from 10:00 to 19:00.") < 0.8
    assert likeness("I am <NAME_1>, are you open?", "I am <NAME_3>, are you open?") == 1.0


@pytest.mark.parametrize(
    ("chosen", "rejected", "expected"),
    [
        (GOOD, BAD, ()),
        (GOOD, "", (Why.EMPTY,)),
        ("   ", BAD, (Why.EMPTY,)),
        ("Y", BAD, (Why.SHORT, Why.LENGTH)),
        ('{"error": {"code": 503}}', GOOD, (Why.ERROR_TEXT,)),
        (GOOD, "502 Bad Gateway", (Why.ERROR_TEXT,)),
        ("It stands on the", BAD, (Why.CUT_OFF,)),
        (GOOD, GOOD.lower(), (Why.ALIKE,)),
        ("Yes.", BAD * 3, (Why.LENGTH,)),
        ("It costs \N{REPLACEMENT CHARACTER}9.00.", BAD, (Why.GARBLED,)),
        ("It costs\x1b[2J nine dollars.", BAD, (Why.GARBLED,)),
        ("It costs nine dollars.\n\tTwo are left.", "It costs \N{REPLACEMENT CHARACTER}.", ()),
    ],
)
def test_each_criterion_refuses_what_it_is_for(chosen, rejected, expected):
    assert faults(_pair(chosen, rejected), policy().pairs) == expected


def test_the_lengths_of_the_policy_decide_at_their_edge():
    quality = policy(pairs={"length_ratio": 0.5, "min_characters": 10}).pairs
    assert faults(_pair("a" * 21, "b" * 40), quality) == ()
    assert faults(_pair("a" * 20, "b" * 40), quality) == (Why.LENGTH,)
    assert faults(_pair("a" * 11, "b" * 11), quality) == ()
    assert faults(_pair("a" * 11, "b" * 10), quality) == (Why.SHORT,)


def test_more_detail_is_asked_for_only_where_the_policy_requires_it():
    pair = _pair(GOOD, "Sorry. I can only help with the bookshop.")
    assert faults(pair, policy().pairs) == ()
    assert faults(pair, policy(pairs={"more_detailed": "required"}).pairs) == (Why.LESS_DETAILED,)


@pytest.mark.parametrize(
    "whole",
    ["$9.00.", "Mirel Oakhart", "10 am", "Shelf H1.", "네, 열두 권 있습니다", "See (page 3)", "`code`"],
)
def test_a_short_answer_without_a_full_stop_is_whole(whole):
    assert not is_cut_off(whole)
    assert not is_error(whole)


@pytest.mark.parametrize("broken", ["See ```python\nx = 1", "The price of", "Yes, because", "Books (", "a,"])
def test_what_visibly_broke_off_is_cut_off(broken):
    assert is_cut_off(broken)


def test_sentences_are_counted_by_their_ends_and_decimals_end_none():
    assert [
        sentences(text) for text in ("", "It is 9.50.", "One. Two!", "한 권. 두 권 있어요", "a\nb\n\nc")
    ] == [0, 1, 2, 2, 3]


def test_several_people_make_one_pair_whatever_side_and_comparison_they_saw():
    votes = [
        ballot("v1", left=GOOD, right=BAD, choice="left"),
        ballot("v2", left=BAD, right=GOOD, choice="right", comparison="another"),
        ballot(
            "v3", left=GOOD.upper(), right=BAD, choice="left", question="which SHELF holds the velvet compass"
        ),
    ]
    found = judged(votes, policy(), _reviews())
    (pair,) = found.pairs
    assert (pair.votes, pair.chosen, pair.sources) == (3, GOOD, ("v1", "v2", "v3"))
    assert found.dropped == ()


@settings(max_examples=60)
@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 4))
def test_a_pair_needs_a_clear_majority_of_all_who_judged(ones, others, ties):
    says = ["left"] * ones + ["right"] * others + ["tie"] * ties
    votes = [ballot(f"v{i}", left=GOOD, right=BAD, choice=choice) for i, choice in enumerate(says)]
    found = judged(votes, policy(), _reviews())
    best, total = max(ones, others), len(says)
    reasons = Counter(why for each in found.dropped for why in each.reasons)
    if best and best >= 0.66 * total:
        assert [pair.votes for pair in found.pairs] == [best]
        assert found.pairs[0].chosen == (GOOD if ones > others else BAD)
        assert reasons == ({Why.OUTVOTED: total - best} if total > best else {})
    else:
        assert found.pairs == ()
        assert reasons == ({Why.CONTRADICTORY: total} if best else {Why.TIE: ties} if ties else {})


def test_a_person_who_judges_the_same_answers_again_counts_once_with_the_latest():
    votes = [
        ballot("v1", left=GOOD, right=BAD, choice="left", user="ann", at_us=1),
        ballot("v2", left=GOOD, right=BAD, choice="right", user="ann", at_us=2),
    ]
    found = judged(votes, policy(), _reviews())
    assert [(pair.chosen, pair.sources) for pair in found.pairs] == [(BAD, ("v2",))]
    assert [(each.item, each.reasons) for each in found.dropped] == [("v1", (Why.REPEATED,))]


def test_votes_against_what_reviewers_settled_are_not_used():
    vote = ballot("v1", left=GOOD, right=BAD, choice="left")
    said = {value: judged([vote], policy(), _reviews(vote, value)).pairs for value in ("left", "right")}
    assert sorted(map(len, said.values())) == [0, 1]


def test_an_answer_that_the_engine_stopped_at_its_limit_is_cut_off():
    vote = ballot("v1", left=GOOD, right=BAD)
    stopped = replace(vote.right, sampling={"finish_reason": "length"})
    (pair,) = judged([replace(vote, right=stopped)], policy(), _reviews()).pairs
    assert faults(pair, policy().pairs) == (Why.CUT_OFF,)


SUITE = Suite("bookshop-ood", {"q1": "Is Ada Lind's order ready for her to collect?"})


@pytest.mark.parametrize(
    "asked",
    [
        "Is Ada Lind's order ready for her to collect?",
        "is ada lind's order ready for her to collect",
        "Is Ada Lind's order raedy for her to collect?",
        "Is <NAME_2>'s order ready for her to collect?",
        "Hello, I hope you are well! Is Ada Lind's order ready for her to collect? Thank you so much.",
        "order ready for her to collect",
    ],
)
def test_a_question_of_a_suite_is_found_as_written_masked_mistyped_and_within_others(asked):
    guarded = Guarded([SUITE], 0.9, lambda text: text.replace("Ada Lind", "<NAME_1>"))
    leak = guarded.leak(asks(asked))
    assert leak is not None
    assert (leak.suite, leak.question) == ("bookshop-ood", "q1")


def test_a_suite_is_looked_for_in_everything_that_a_user_said():
    talked = (*asks(SUITE.questions["q1"]), {"role": "assistant", "content": "Yes."}, *asks("And mine?"))
    guarded = Guarded([SUITE], 0.9, str)
    assert guarded.leak(talked) is not None
    assert guarded.leak(asks("Do you order books for schools?")) is None
    assert Guarded([], 0.9, str).leak(talked) is None


def test_the_draw_of_held_out_questions_keeps_about_its_share_and_depends_on_nothing_else():
    texts = [f"Question number {n}, please?" for n in range(2000)]
    drawn = {text for text in texts if is_drawn(text, 0.1)}
    assert 150 < len(drawn) < 250
    assert drawn <= {text for text in texts if is_drawn(text.upper(), 0.2)}
    assert not any(is_drawn(text, 0.0) for text in texts)


def test_what_is_nearly_a_held_out_question_is_held_out_too():
    kept = next(
        text for n in range(99) if is_drawn(text := f"Where do you keep the blue map {n * 'o'}?", 0.2)
    )
    held = HeldOut([asks(kept)], 0.2, 0.9)
    assert held.holds(asks(kept + " Pls"))
    assert not held.holds(asks("Something else altogether?"))


def _pair(chosen, rejected):
    return Pair("p", asks("A question?"), chosen, rejected, "factual", "en", Origin.VOTE, ("v",), 0)


def _reviews(vote=None, value=""):
    labels = agreed(vote.comparison, "preference", value) if vote else ()
    return Reviews(resolve(labels, policy().agreement), (), (vote,) if vote else ())
