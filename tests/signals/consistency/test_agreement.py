"""Mean pairwise similarity of sampled answers, by words, by an embedder, or by a matrix from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.signals.consistency.agreement import agreement, embedded, lexical
from runner.signals.embedder import Vectors

KNOWN = {"a": (1.0, 0.0), "b": (0.6, 0.8), "c": (-1.0, 0.0), "": (0.0, 0.0)}


class OneHot:
    """An embedder of three known texts, and one that points the other way."""

    digest, size = "one-hot", 2

    def embed(self, texts: Sequence[str]) -> Vectors:
        return np.array([KNOWN[text] for text in texts], dtype=np.float32)


@given(st.lists(st.text(max_size=30), min_size=2, max_size=5))
@settings(max_examples=80, deadline=None)
def test_lexical_similarity_is_symmetric_within_0_and_1_and_1_for_equal_texts(answers: list[str]) -> None:
    matrix = lexical(answers)
    for one, row in enumerate(matrix):
        assert row[one] == 1.0
        for other, value in enumerate(row):
            assert 0.0 <= value <= 1.0 and value == pytest.approx(matrix[other][one])
    assert 0.0 <= agreement(answers, lexical) <= 1.0
    assert agreement([answers[0]] * 3, lexical) == 1.0


@pytest.mark.parametrize(
    ("same", "other"),
    [
        (("We open at 11 am.", "11 am."), ("We open at 11 am.", "We open at 10 am.")),
        (("It costs $12.50.", "$12.5."), ("It costs $12.50.", "It costs $15.20.")),
        (("By Mirel Oakhart.", "It was Mirel Oakhart."), ("By Mirel Oakhart.", "By Jun Paletta.")),
    ],
)
def test_another_number_or_name_weighs_more_than_other_words_around_it(
    same: tuple[str, str], other: tuple[str, str]
) -> None:
    assert agreement(same, lexical) > agreement(other, lexical)


def test_yes_and_no_do_not_agree() -> None:
    assert agreement(["Yes.", "No."], lexical) == 0.0
    assert agreement(["네.", "아니요."], lexical) == 0.0


def test_an_embedder_compares_by_its_cosine_and_never_below_0() -> None:
    assert agreement(["a", "b"], embedded(OneHot())) == pytest.approx(0.6)
    assert agreement(["a", "c"], embedded(OneHot())) == 0.0
    assert agreement(["", ""], embedded(OneHot())) == 1.0  # equal, though nothing is to be read
    assert agreement(["a", "a", "b"], embedded(OneHot())) == pytest.approx((1.0 + 0.6 + 0.6) / 3)


@pytest.mark.parametrize("matrix", [[[1.0]], [[1.0, 1.5], [1.5, 1.0]], [[1.0, 0.5], [float("nan"), 1.0]]])
def test_a_matrix_that_is_none_is_refused(matrix: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"matrix|similarity"):
        agreement(["a", "b"], lambda _: matrix)


def test_one_answer_has_nobody_to_agree_with() -> None:
    with pytest.raises(ValueError, match="two answers"):
        agreement(["a"], lexical)
