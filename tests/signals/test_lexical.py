"""The lexical embedder reads spelling: the same on every machine, forgiving of typos and endings, in any language."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.signals.lexical import Lexical

LEXICAL = Lexical()


def alike(first: str, second: str) -> float:
    rows = LEXICAL.embed([first, second])
    return float(rows[0] @ rows[1])


@given(st.lists(st.text(max_size=40), max_size=6))
def test_any_text_gets_a_row_of_length_one_or_zero(texts: list[str]) -> None:
    lengths = np.linalg.norm(LEXICAL.embed(texts), axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))


@given(st.lists(st.text(max_size=40), min_size=1, max_size=6))
def test_a_text_is_read_the_same_whatever_stands_around_it(texts: list[str]) -> None:
    assert np.array_equal(LEXICAL.embed(texts)[-1], LEXICAL.embed(texts[-1:])[0])


def test_a_batch_boundary_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"order number {number}" for number in range(10)]
    whole = LEXICAL.embed(texts)
    monkeypatch.setattr("runner.signals.lexical._BATCH", 3)
    assert np.array_equal(LEXICAL.embed(texts), whole)


@pytest.mark.parametrize(
    ("said", "again", "else_"),
    [
        ("where is my parcel", "wheer is my parcle", "do you sell gift cards"),
        ("배송은 언제 도착하나요", "배송이 언제 도착해요", "환불 규정을 알려 주세요"),
        ("मेरा पार्सल कहाँ है", "पार्सल कहाँ है मेरा", "आपका पता क्या है"),
        ("我的包裹在哪里", "我的包裹现在在哪里", "可以退货吗"),
    ],
    ids=["English", "Korean", "Hindi", "Chinese"],
)
def test_a_question_in_other_spelling_stays_nearer_than_another_question(
    said: str, again: str, else_: str
) -> None:
    assert alike(said, again) > alike(said, else_) + 0.2


def test_case_spaces_and_compatible_forms_make_no_difference() -> None:
    assert alike("My  PARCEL’s late", "my parcel's ｌａｔｅ") == pytest.approx(1.0, abs=1e-6)


def test_a_word_said_ten_times_does_not_count_ten_times() -> None:
    assert alike("late parcel", "late " * 10 + "parcel") > 0.7


def test_signs_keep_unlike_texts_near_zero() -> None:
    letters = np.random.default_rng(4).choice(list("abcdefghijklmnopqrstuvwxyz"), size=(200, 60))
    rows = LEXICAL.embed(["".join(row) for row in letters])
    between = (rows @ rows.T)[np.triu_indices(200, 1)]
    assert abs(between.mean()) < 0.1


def test_two_processes_with_other_hash_seeds_agree() -> None:
    program = (
        "from runner.signals.lexical import Lexical; print(Lexical().embed(['Grüße, 안녕']).tobytes().hex())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_the_rule_behind_a_digest_has_not_changed() -> None:
    """A change of the vectors must change `_VERSION`; then, and only then, these numbers."""
    row = Lexical(16).embed(["parcel"])[0]
    assert Lexical(16).digest == "lexical-1-16"
    assert row == pytest.approx(FROZEN, abs=1e-6)


FROZEN = [0.0, 0.0, 0.2, -0.2, -0.2, 0.0, -0.2, -0.2, -0.2, -0.2, 0.8, 0.0, 0.0, -0.2, 0.0, -0.2]
