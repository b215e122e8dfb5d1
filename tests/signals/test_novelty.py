"""Novelty tells what a reference set does not hold, with a threshold that no example from outside was needed for."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
import pytest

from runner.errors import TerminalError
from runner.signals.embedder import Vectors
from runner.signals.lexical import Lexical
from runner.signals.novelty import Novelty

SUBJECTS = ("delivery", "refund", "opening hours", "gift card", "second-hand book", "reading group")
ASKED = (
    "how long does {} take", "what about {} please", "i have a question on {}", "tell me more about {}",
    "who can help me with {}", "is there a fee for {}", "{} is not what i expected", "where do i find {}",
    "can i change my {}", "why was {} refused", "do you offer {} on sundays", "{} again, it did not work",
)  # fmt: skip
OUTSIDE = (
    "what is the weather like tomorrow", "translate good morning into dutch", "who won the football match",
    "write a poem on autumn leaves", "solve this equation for x", "play some jazz", "turn off the kitchen light",
)  # fmt: skip


class World(NamedTuple):
    """Questions around `subjects` directions of a space, and others that point elsewhere."""

    reference: Vectors
    labels: list[str]
    inside: Vectors
    outside: Vectors


def world(seed: int = 0, each: int = 40, subjects: int = 10, size: int = 48) -> World:
    draw = np.random.default_rng(seed)
    centres = draw.normal(size=(subjects, size))

    def around(points: np.ndarray, times: int) -> Vectors:
        rows = np.repeat(points, times, axis=0) + 0.7 * draw.normal(size=(len(points) * times, size))
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    labels = [f"subject {number}" for number in range(subjects) for _ in range(each)]
    others = draw.normal(size=(30, size))
    return World(around(centres, each), labels, around(centres, 50), around(others, 5))


@pytest.mark.parametrize("labelled", [True, False], ids=["with intents", "without intents"])
def test_questions_from_outside_score_higher_and_are_told_at_the_stated_false_alarm_rate(
    labelled: bool,
) -> None:
    seen = world()
    novelty = Novelty.fit(seen.reference, seen.labels if labelled else None)
    inside, outside = novelty.scores(seen.inside), novelty.scores(seen.outside)
    assert (outside[:, None] > inside[None, :]).mean() > 0.98
    assert novelty.novel(seen.inside).mean() < 0.10
    assert novelty.novel(seen.outside).mean() > 0.85


def test_the_threshold_holds_its_rate_over_many_reference_sets() -> None:
    rates = [
        Novelty.fit(seen.reference, seen.labels).novel(seen.inside).mean()
        for seen in (world(seed, each=12, subjects=5, size=16) for seed in range(12))
    ]
    assert 0.02 < np.mean(rates) < 0.09


def test_a_higher_false_alarm_rate_lowers_the_threshold_and_changes_no_score() -> None:
    seen = world()
    strict = Novelty.fit(seen.reference, seen.labels, false_alarms=0.01)
    loose = Novelty.fit(seen.reference, seen.labels, false_alarms=0.2)
    assert loose.threshold < strict.threshold
    assert np.array_equal(loose.scores(seen.outside), strict.scores(seen.outside))


def test_it_works_on_spelling_alone() -> None:
    lexical = Lexical(256)
    reference = [asked.format(subject) for subject in SUBJECTS for asked in ASKED]
    novelty = Novelty.fit(lexical.embed(reference), space=lexical.digest)
    said = [f"hello, {asked.format(subject)}" for subject in SUBJECTS for asked in ASKED[::4]]
    assert np.median(novelty.scores(lexical.embed(OUTSIDE))) > np.quantile(
        novelty.scores(lexical.embed(said)), 0.9
    )
    assert novelty.novel(lexical.embed(OUTSIDE)).mean() > 0.7
    assert novelty.space == lexical.digest


def test_a_question_without_words_is_out_of_scope() -> None:
    seen = world()
    assert Novelty.fit(seen.reference, seen.labels).novel(np.zeros((1, 48), dtype=np.float32)).all()


def test_questions_said_twice_change_nothing() -> None:
    seen = world()
    once = Novelty.fit(seen.reference, seen.labels)
    twice = Novelty.fit(np.concatenate([seen.reference, seen.reference]), [*seen.labels, *seen.labels])
    assert once.digest == twice.digest


def test_a_score_does_not_depend_on_the_company() -> None:
    seen = world()
    novelty = Novelty.fit(seen.reference, seen.labels)
    alone = np.concatenate([novelty.scores(row[None]) for row in seen.inside[:20]])
    assert alone == pytest.approx(novelty.scores(seen.inside)[:20], abs=1e-5)
    assert novelty.scores(seen.inside[:0]).shape == (0,)


def test_what_was_saved_scores_the_same_and_has_the_same_digest() -> None:
    seen = world()
    novelty = Novelty.fit(seen.reference, seen.labels, space="some-embedder")
    file = io.BytesIO()
    np.savez(file, **novelty.state())
    file.seek(0)
    with np.load(file) as state:
        again = Novelty.from_state(state)
    assert again.digest == novelty.digest
    assert again.space == "some-embedder"
    assert np.array_equal(again.scores(seen.outside), novelty.scores(seen.outside))
    assert np.array_equal(again.novel(seen.outside), novelty.novel(seen.outside))


def test_another_reference_has_another_digest() -> None:
    first, second = (Novelty.fit(seen.reference, seen.labels) for seen in (world(1), world(2)))
    assert first.digest != second.digest


@pytest.mark.parametrize(
    "labels",
    [["one"] * 400, ["one"] * 399 + ["two"], ["one"] * 200 + ["two"] * 200, [str(n) for n in range(400)]],
)
def test_labels_that_say_little_are_no_obstacle(labels: list[str]) -> None:
    seen = world()
    novelty = Novelty.fit(seen.reference, labels)
    assert np.isfinite(novelty.scores(seen.inside)).all()
    assert np.isfinite(novelty.threshold)


def test_too_small_a_reference_is_said_and_nothing_is_guessed() -> None:
    with pytest.raises(TerminalError, match="too small"):
        Novelty.fit(np.ones((200, 8), dtype=np.float32))
