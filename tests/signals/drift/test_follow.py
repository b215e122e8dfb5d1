"""The follower proves a change once, keeps its time, shows what changed, and survives being stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from runner.signals.drift.follow import LONGEST, SHOWN, Follower, Question, Window
from runner.signals.drift.shift import Shift
from runner.signals.drift.topics import Topics

HOUR, DAY, WEEK = 3600.0, 86_400.0, 604_800.0
START = 2_800 * WEEK
USUAL = np.array([0.3, 0.25, 0.2, 0.15, 0.1])
SHIFTED = np.array([0.05, 0.1, 0.15, 0.2, 0.5])


def topics(key: str = "a", fine: int = 8) -> Topics:
    none = np.zeros((4, 2), np.float32)
    counts = (2000 * USUAL).astype(np.int64)
    examples = tuple((f"reference question {each}",) for each in range(5))
    return Topics(key, none, none, none, 0.5, counts, np.full(fine, 2000 // fine, np.int64), examples)


def asked(many: int, mix: np.ndarray, begin: float = START, seed: int = 0) -> list[Question]:
    rng = np.random.default_rng(seed)
    return [
        Question(
            begin + 60.0 * at,
            f"q{seed}-{at:05d}",
            f"about {topic} no. {at % 7}",
            int(topic),
            int(rng.integers(8)),
        )
        for at, topic in enumerate(rng.choice(5, many, p=mix), 1)
    ]


def window(
    questions: Sequence[Question], at: float, seconds: float = WEEK, shift: Shift | None = None
) -> Window:
    inside = [each for each in questions if at - seconds < each.at <= at]
    counts = (
        np.bincount([getattr(each, name) for each in inside], minlength=size)
        for name, size in (("topic", 5), ("fine", 8))
    )
    return Window(at, seconds, *counts, shift)


def test_normal_questions_raise_nothing() -> None:
    follower, questions = Follower(topics(), 0.01, START), asked(1500, USUAL)
    follower.feed(questions)
    drift = follower.drift(window(questions, START + WEEK))
    assert (drift.alarm, drift.alarmed_at, drift.note) == ("", None, "")
    assert drift.divergence == pytest.approx(0.0, abs=0.02) and drift.e_value < 100 and drift.n == 1500


def test_a_change_is_proven_at_a_question_and_stays_proven() -> None:
    normal, changed = asked(300, USUAL), asked(300, SHIFTED, START + DAY, 1)
    follower = Follower(topics(), 0.01, START)
    follower.feed([*normal, *changed])
    proven = follower.alarmed_at
    assert proven is not None and START + DAY < proven < START + DAY + 80 * 60.0
    follower.feed(asked(3000, USUAL, START + 2 * DAY, 2))
    assert follower.alarmed_at == proven


def test_a_band_needs_a_window_that_is_far_and_large_enough() -> None:
    follower, changed = Follower(topics(), 0.01, START), asked(600, SHIFTED)
    follower.feed(changed)
    whole = follower.drift(window(changed, START + WEEK))
    few = follower.drift(window(changed, START + HOUR, HOUR))
    assert whole.alarm == "drift" and whole.low is not None and whole.low > 0.5
    assert (few.alarm, few.divergence) == ("", None) and few.note.startswith("insufficient: 60 of 80")


def test_a_proven_change_that_is_small_is_told_and_holds_nothing() -> None:
    mix = np.array([0.24, 0.25, 0.2, 0.15, 0.16])
    follower, questions = Follower(topics(), 0.01, START), asked(4000, mix)
    follower.feed(questions)
    drift = follower.drift(window(questions, START + WEEK))
    assert drift.alarmed_at is not None and drift.alarm == "" and "has changed" in drift.note


def test_topics_that_grew_and_shrank_are_shown_with_what_was_asked() -> None:
    follower, questions = Follower(topics(), 0.01, START), asked(600, SHIFTED)
    follower.feed(questions)
    drift = follower.drift(window(questions, START + WEEK, shift=Shift(0.3, 0.001)))
    assert (drift.grown[0].number, drift.shrunk[0].number) == (4, 0)
    assert drift.grown[0].share == pytest.approx(0.5, abs=0.06) and drift.grown[0].reference == 0.1
    assert 0 < len(drift.grown[0].questions) <= SHOWN and drift.grown[0].questions[0].startswith("about 4")
    assert (drift.shift, drift.shift_p) == (0.3, 0.001)


def test_what_nobody_asked_in_the_window_is_shown_by_reference_questions() -> None:
    follower = Follower(topics(), 0.01, START)
    none_of_first = np.array([0, 0.4, 0.3, 0.2, 0.1])
    questions = asked(300, none_of_first)
    follower.feed(questions)
    assert follower.drift(window(questions, START + WEEK)).shrunk[0].questions == ("reference question 0",)


def test_each_question_counts_once_in_order_of_time() -> None:
    questions = asked(200, SHIFTED)
    straight, disordered = Follower(topics(), 0.01, START), Follower(topics(), 0.01, START)
    assert straight.feed(questions) == 200
    assert disordered.feed([*questions[120::-1], *questions[:50]]) == 121
    assert disordered.feed(questions) == 79
    assert disordered.feed(questions) == 0 and disordered.to_json() == straight.to_json()


def test_stopped_anywhere_and_read_back_it_goes_on_as_if_it_had_not_been() -> None:
    questions = [*asked(333, USUAL), *asked(200, SHIFTED, START + DAY, 1)]
    whole, parted = Follower(topics(), 0.01, START), Follower(topics(), 0.01, START)
    whole.feed(questions)
    for begin in range(0, len(questions), 37):
        parted.feed(questions[begin : begin + 37])
        parted = Follower.resume(topics(), 0.01, json.loads(json.dumps(parted.to_json())), 0.0)
    assert parted.to_json() == whole.to_json() and parted.alarmed_at is not None


def test_another_reference_or_alpha_begins_anew() -> None:
    follower = Follower(topics(), 0.01, START)
    follower.feed(asked(100, SHIFTED))
    state = follower.to_json()
    assert Follower.resume(topics("b"), 0.01, state, START + DAY).n == 0
    assert Follower.resume(topics(), 0.05, state, START + DAY).since == START + DAY
    assert Follower.resume(topics(), 0.01, None, START).n == 0
    with pytest.raises(ValueError, match="other topics"):
        Follower.from_json(topics("b"), state)
    with pytest.raises(ValueError, match="numbers of topics"):
        Follower.from_json(topics(fine=12), state)


def test_weeks_are_told_with_the_evidence_of_their_time() -> None:
    first, second = asked(2000, USUAL), asked(500, SHIFTED, START + WEEK, 1)
    follower = Follower(topics(), 0.01, START)
    follower.feed([*first, *second])
    ends = (START + 2 * WEEK, START + WEEK)
    weeks = follower.history([window([*first, *second], end) for end in ends])
    assert [each.at for each in weeks] == [START + WEEK, START + 2 * WEEK]
    assert [each.alarm for each in weeks] == ["", "drift"] and weeks[0].alarmed_at is None
    assert weeks[0].e_value < 100 <= weeks[1].e_value


def test_nothing_asked_is_insufficient() -> None:
    drift = Follower(topics(), 0.01, START).drift(window([], START + WEEK))
    assert (drift.n, drift.divergence, drift.grown, drift.e_value) == (0, None, (), pytest.approx(1.0))


def test_long_questions_are_cut_and_empty_ones_not_shown() -> None:
    follower = Follower(topics(), 0.01, START)
    follower.feed([Question(START + 1, "a", "x" * 999, 1, 1), Question(START + 2, "b", "  ", 1, 1)])
    (_, shown), *others = follower.to_json()["examples"]
    assert [len(text) for _, text in shown] == [LONGEST] and not others


def test_a_reference_without_finer_topics_is_followed_by_its_topics_alone() -> None:
    follower = Follower(topics(fine=5), 0.01, START)
    follower.feed([Question(START + 1, "a", "q", 1, 1)])
    assert len(follower.to_json()["exchanges"]) == 1
