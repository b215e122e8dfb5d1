"""What is written down of each answer, and that the same words are scored once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from runner.signals.cube.annotate import Annotator, alike, annotate, word_pairs
from runner.signals.cube.rows import ANNOTATIONS, PAIR_BUCKETS, PAIRS_KEPT


def batch(*said: tuple[str, str]) -> pa.Table:
    n = len(said)
    return pa.table(
        {
            "event_id": [f"e{number}" for number in range(n)],
            "time_us": list(range(n)),
            "asked": [json.dumps([{"role": "user", "content": question}]) for question, _ in said],
            "said": [json.dumps([{"role": "assistant", "content": answer}]) for _, answer in said],
            "arm": ["baseline"] * n,
            "version": ["v1"] * n,
            "segment": ["public"] * n,
            "sound": [True] * n,
        }
    )


def test_without_detectors_only_what_needs_none_is_known() -> None:
    table = annotate(batch(("hello", "good morning to you")), Annotator("none"))
    assert table.schema.equals(ANNOTATIONS)
    (row,) = table.to_pylist()
    unknown = {name for name, value in row.items() if value is None}
    assert unknown == {"refusal", "refused", "answerable", "topic", "fine_topic", "novelty"}
    assert (row["language"], row["answer_language"], row["answer_chars"], len(row["pairs"])) == (
        "en",
        "en",
        19,
        3,
    )


def test_the_same_words_are_scored_once_and_every_answer_gets_its_own_score() -> None:
    seen: list[tuple[str, str]] = []

    def refusal(
        questions: Sequence[str], answers: Sequence[str]
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        seen.extend(zip(questions, answers, strict=True))
        return np.array([float(answer == "no") for answer in answers])

    table = annotate(
        batch(("a", "no"), ("b", "yes"), ("a", "no"), ("b", "no")), Annotator("d", refusal=refusal)
    )
    assert seen == [("a", "no"), ("b", "yes"), ("b", "no")]
    assert table["refused"].to_pylist() == [True, False, True, True]


def test_a_refusal_is_what_reaches_the_threshold() -> None:
    detector = Annotator(
        "d", refusal=lambda _questions, answers: np.array([0.7] * len(answers)), refusal_threshold=0.7
    )
    assert annotate(batch(("a", "b")), detector)["refused"].to_pylist() == [True]


def test_nothing_said_is_nothing_scored() -> None:
    assert annotate(batch(), Annotator("d")).num_rows == 0
    assert len(alike([], [], lambda first, second: np.zeros(len(first)))) == 0


def test_messages_that_are_no_messages_have_no_words() -> None:
    table = batch(("a", "b")).set_column(3, "said", pa.array(["not JSON"]))
    (row,) = annotate(table, Annotator("d")).to_pylist()
    assert (row["answer_chars"], row["answer_language"], row["pairs"]) == (0, "none", [])


@given(st.lists(st.sampled_from(["Ann", "ann", "bob", "책"]), max_size=40))
def test_pairs_of_words_are_few_and_spread_over_the_text(words: list[str]) -> None:
    found = word_pairs(", ".join(words))
    assert len(found) == min(PAIRS_KEPT, max(0, len(words) - 1))
    assert all(0 <= bucket < PAIR_BUCKETS for bucket in found)
    of_pair = {pair: word_pairs(" ".join(pair))[0] for pair in pairwise(words)}
    assert set(found) <= set(of_pair.values())
    if found:
        assert found[0] == of_pair[words[0], words[1]]
