"""A snapshot holds everything that was collected, once, as a row or among what was rejected."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.feedback.collected import Collected
from runner.feedback.preferences.leakage import Suite, is_drawn
from runner.feedback.preferences.likeness import likeness
from runner.feedback.preferences.pairs import Use, Why
from runner.feedback.records import Task
from runner.feedback.snapshot import build
from tests.feedback.collected_worlds import (
    ANSWERS,
    QUESTIONS,
    SUITE_QUESTION,
    agreed,
    ballot,
    collected,
    policy,
    record,
    synthetic,
    worlds,
)

SUITES = (Suite("bookshop-ood", {"q1": SUITE_QUESTION}),)
RIGHT, REFUSAL = ANSWERS[3], ANSWERS[2]


@settings(max_examples=120)
@given(worlds(), st.sampled_from([0.0, 0.3]))
def test_everything_collected_ends_in_one_row_or_is_rejected_once(world, held_out):
    made = build(world, policy(cases={"share": held_out}), SUITES)
    assert _ends(made) == _uses(world, made)


@settings(max_examples=40)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_what_was_collected_makes_no_difference(world, random):
    parts = {name: list(getattr(world, name) or ()) for name in ("records", "ballots", "labels", "synthetic")}
    for part in parts.values():
        random.shuffle(part)
    shuffled = Collected(**{name: tuple(part) for name, part in parts.items()})
    assert _content(build(shuffled, policy(), SUITES)) == _content(build(world, policy(), SUITES))


@settings(max_examples=60)
@given(worlds(), st.sampled_from([0.0, 0.2, 0.34, 0.5, 0.9]))
def test_synthetic_pairs_never_exceed_their_share_in_any_category(world, share):
    made = build(world, policy(augmentation={"max_share": share}), SUITES)
    by_category = Counter(row["category"] for row in made.preferences)
    for category, count in by_category.items():
        own = sum(row["synthetic"] for row in made.preferences if row["category"] == category)
        assert own <= share * count + 1e-9
    assert sum(row["synthetic"] for row in made.preferences) <= share * len(made.preferences) + 1e-9


@settings(max_examples=60)
@given(worlds())
def test_no_row_asks_what_a_suite_or_a_case_asks(world):
    made = build(world, policy(cases={"share": 0.4}), SUITES)
    asked = [row["question"] for row in made.corrections]
    asked += [row["prompt"][-1]["content"] for row in (*made.preferences, *made.thumbs)]
    for question in asked:
        assert likeness(question, SUITE_QUESTION) < 0.9
        assert not is_drawn(question, 0.4)
        assert all(likeness(question, case["question"]) < 0.9 for case in made.cases)
    assert all(is_drawn(case["question"], 0.4) for case in made.cases)


def test_a_vote_becomes_a_pair_that_names_it():
    made = build(collected(ballot("vote-1")), policy(), ())
    (row,) = made.preferences
    assert row["sources"] == ["vote-1"]
    assert row["chosen"] == [{"role": "assistant", "content": RIGHT}]
    assert row["rejected"] == [{"role": "assistant", "content": REFUSAL}]
    assert (row["votes"], row["synthetic"], row["origin"]) == (1, False, "vote")
    assert "user-vote-1" not in orjson.dumps(row).decode()


def test_an_untrusted_correction_waits_for_reviewers():
    corrected = record("a", correction=RIGHT)
    assert _why(build(collected(corrected), policy(), ()), corrected.id) == {Why.UNREVIEWED}
    reviewed = build(collected(corrected, *agreed(corrected.id, "correction", "good")), policy(), ())
    assert [row["accepted"] for row in reviewed.corrections] == ["reviewed"]
    assert [row["origin"] for row in reviewed.preferences] == ["correction"]


def test_what_reviewers_called_bad_is_not_used_as_good_whoever_wrote_it():
    corrected = record("a", correction=RIGHT, group="internal")
    vote = ballot("vote-1")
    labels = agreed(corrected.id, "correction", "bad")
    made = build(collected(corrected, vote, *labels), policy(), ())
    assert made.corrections == ()
    assert made.preferences == ()
    assert _why(made, corrected.id) == _why(made, vote.id) == {Why.REVIEWED_OTHERWISE}


def test_labels_below_the_floor_of_agreement_are_not_used():
    corrected = record("a", correction=RIGHT)
    labels = agreed(corrected.id, "correction", "good")
    odd = [
        replace(each, value="bad" if each.value == "good" else "good")
        if each.user == "two" and each.item != corrected.id
        else each
        for each in labels
    ]
    made = build(collected(corrected, *odd), policy(), ())
    assert not made.settled.usable(Task.CORRECTION)
    assert _why(made, corrected.id) == {Why.UNREVIEWED}


def test_a_reviewer_who_calls_a_refusal_wrong_and_writes_the_answer_makes_a_row():
    refused = record("a")
    made = build(collected(refused, *agreed(refused.id, "answer", "bad", RIGHT)), policy(), ())
    assert [(row["answer"], row["accepted"]) for row in made.corrections] == [(RIGHT, "reviewer")]
    assert [row["label"] for row in made.thumbs] == [False]


def test_a_refusal_of_which_nobody_said_anything_waits():
    refused = record("a")
    assert _why(build(collected(refused), policy(), ()), refused.id) == {Why.NOTHING_SAID}


def test_the_latest_of_two_equally_trusted_corrections_stays():
    older = record("a", correction=ANSWERS[0], group="internal", at_us=1)
    newer = record("b", correction=RIGHT, group="internal", at_us=2)
    made = build(collected(older, newer), policy(), ())
    assert [(row["answer"], row["sources"]) for row in made.corrections] == [(RIGHT, [newer.id])]
    assert _why(made, older.id) == {Why.REPLACED}


def test_a_question_that_is_drawn_becomes_a_case_and_nothing_else():
    question = next(text for text in QUESTIONS if is_drawn(text, 0.3))
    corrected = record("a", question, correction=RIGHT, group="internal", thumbs=-1)
    made = build(collected(corrected, ballot("vote-1", question)), policy(cases={"share": 0.3}), ())
    assert [(row["question"], row["answer"]) for row in made.cases] == [(question, RIGHT)]
    assert (made.preferences, made.corrections, made.thumbs) == ((), (), ())
    assert _why(made, "vote-1") == {Why.HELD_OUT}


def test_a_synthetic_pair_goes_with_what_it_was_made_from():
    real = [
        ballot(f"vote-{i}", question=text)
        for i, text in enumerate(("Alpha one?", "Bravo two?", "Gamma six?"))
    ]
    pair = synthetic("made-1", sources=("vote-0",))
    share = {"max_share": 0.5}
    assert _why(build(collected(*real, made=[pair]), policy(augmentation=share), ()), "made-1") == set()
    forgotten = build(collected(*real[1:], made=[pair]), policy(augmentation=share), ())
    assert _why(forgotten, "made-1") == {Why.PARENT}


def test_synthetic_pairs_without_real_ones_are_all_too_many():
    made = build(collected(made=[synthetic("made-1")]), policy(), ())
    assert _why(made, "made-1") == {Why.SYNTHETIC_SHARE}


def _uses(world, made):
    """Everything that has to end somewhere."""
    uses = Counter((Use.PREFERENCE, each.id) for each in world.ballots)
    uses.update((Use.PREFERENCE, line["id"]) for line in world.synthetic or ())
    for each in (*world.records, *world.ballots):
        if each.correction is not None:
            uses[Use.CORRECTION, each.id] += 1
    ends = _ends(made)
    for each in world.records:
        judged = (Use.THUMB, each.id) in ends
        liked = each.thumbs is not None or each.rating in (1, 5)
        assert judged or not liked, "what was liked or disliked is used or rejected"
        if judged:
            uses[Use.THUMB, each.id] += 1
        elif each.correction is None:
            uses[Use.RECORD, each.id] += 1
    accepted = [item for row in made.corrections for item in row["sources"]]
    uses.update((Use.CORRECTION_PAIR, item) for item in accepted)
    uses.update(use for use in ends if use[0] is Use.REVIEW)
    return uses


def _ends(made):
    ends = Counter((each.use, each.item) for each in made.rejected)
    for row in made.preferences:
        if row["origin"] == "synthetic":
            ends[Use.PREFERENCE, row["id"]] += 1
        else:
            use = Use.PREFERENCE if row["origin"] == "vote" else Use.CORRECTION_PAIR
            ends.update((use, item) for item in row["sources"])
    for row in (*made.corrections, *made.cases):
        ends.update((Use.REVIEW if "/" in item else Use.CORRECTION, item) for item in row["sources"])
    for row in made.thumbs:
        ends.update((Use.THUMB, item) for item in row["sources"])
    return ends


def _content(made):
    rows = (made.preferences, made.corrections, made.thumbs, made.cases)
    return [orjson.dumps(each) for each in rows], made.rejected, made.checks


def _why(made, item):
    return {why for each in made.rejected if each.item == item for why in each.reasons}
