"""Questions are sorted as the reference was, what is unlike it stands apart, and an artefact kept sorts the same."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from runner.errors import TerminalError
from runner.signals.drift.topics import LANDMARKS, Topics, affordable, fit, key_of
from runner.signals.lexical import Lexical

SUBJECTS = {
    "card": "my card was stolen lost blocked and I need a new card",
    "transfer": "transfer money abroad to another bank account pending transfer",
    "book": "which novel should I read next by this author",
    "weather": "will it rain tomorrow in the mountains weather forecast",
}


def asked(subject: str, many: int, seed: int) -> list[str]:
    rng = random.Random(f"{subject}{seed}")
    words = SUBJECTS[subject].split()
    return [f"{subject} " + " ".join(rng.sample(words, 4)) for _ in range(many)]


REFERENCE = [
    text for at, subject in enumerate(("card", "transfer", "book")) for text in asked(subject, 40, at)
]
EMBEDDER = Lexical(256)
TOPICS = fit(REFERENCE, EMBEDDER)


def assigned(topics: Topics, texts: list[str]) -> list[int]:
    return topics.assign(EMBEDDER.embed(texts)).coarse.tolist()


def test_there_are_as_many_topics_as_the_reference_has_twenties() -> None:
    assert [affordable(n, 20) for n in (40, 140, 380, 10_000)] == [3, 8, 20, 20]
    assert len(TOPICS.coarse_counts) == len(TOPICS.fine_counts) == len(TOPICS.examples) == 7
    assert TOPICS.coarse_counts.sum() == TOPICS.fine_counts.sum() == len(REFERENCE)


def test_questions_of_one_subject_share_topics_that_other_subjects_do_not_have() -> None:
    card, book = (set(assigned(TOPICS, asked(each, 30, 9))) - {TOPICS.unlike} for each in ("card", "book"))
    assert card and book and not card & book


def test_a_new_subject_is_unlike_the_reference() -> None:
    share = np.mean(np.array(assigned(TOPICS, asked("weather", 60, 1))) == TOPICS.unlike)
    usual = np.mean(np.array(assigned(TOPICS, asked("card", 60, 1))) == TOPICS.unlike)
    assert share > 0.9 and usual < 0.25


def test_where_questions_repeat_themselves_any_other_wording_is_unlike() -> None:
    topics = fit([*["cheap flights"] * 30, *["train to berlin"] * 30], EMBEDDER)
    assert topics.coarse_counts[-1] == 0
    known, other = assigned(topics, ["cheap flights", "ferry timetable"])
    assert known != topics.unlike and other == topics.unlike


def test_the_reference_is_sorted_as_if_it_were_new_and_a_landmark_is_not_its_own_neighbour() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2400, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)

    class Table:
        digest, size = "table", 16

        def embed(self, texts: list[str]) -> np.ndarray:
            return rows[[int(text) for text in texts]]

    topics = fit([str(each) for each in range(1200)], Table(), 4, 8)
    assert len(topics.landmarks) == LANDMARKS
    fresh = topics.assign(rows[1200:])
    known = topics.coarse_counts / 1200
    assert known[-1] == pytest.approx(0.05, abs=0.02)
    assert np.mean(fresh.coarse == topics.unlike) == pytest.approx(known[-1], abs=0.02)


def test_a_kept_artefact_sorts_as_the_one_just_fitted() -> None:
    texts = [text for subject in SUBJECTS for text in asked(subject, 20, 5)]
    kept = Topics.from_json(json.loads(json.dumps(TOPICS.to_json())))
    assert assigned(kept, texts) == assigned(TOPICS, texts)
    assert kept.to_json() == TOPICS.to_json()


def test_the_order_of_the_reference_makes_no_difference_and_its_content_does() -> None:
    shuffled = random.Random(1).sample(REFERENCE, len(REFERENCE))
    assert fit(shuffled, EMBEDDER).to_json() == TOPICS.to_json()
    assert key_of(shuffled, EMBEDDER, 20, 77) == TOPICS.key
    others = [
        key_of(REFERENCE[1:], EMBEDDER, 20, 77),
        key_of(REFERENCE, Lexical(128), 20, 77),
        key_of(REFERENCE, EMBEDDER, 19, 77),
        key_of(REFERENCE, EMBEDDER, 20, 76),
    ]
    assert len({TOPICS.key, *others}) == 5


def test_no_questions_have_no_topics() -> None:
    assert assigned(TOPICS, []) == []


def test_a_reference_too_small_is_refused_with_what_is_needed() -> None:
    with pytest.raises(TerminalError, match="39 questions is too small") as caught:
        fit(REFERENCE[:39], EMBEDDER)
    assert "at least 40" in str(caught.value) and "reference data set" in str(caught.value)
