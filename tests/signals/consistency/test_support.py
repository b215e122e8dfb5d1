"""Sentences beside samples: what all say alike is consistent, what each says differently is not."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.signals.consistency.support import examine
from runner.signals.consistency.words import MOST

SHORT = [
    "11 am.",
    "$23.25.",
    "Yes, 2 copies.",
    "Mirel Oakhart.",
    "Closed.",
    "오전 11시입니다.",
    "네, 2권 있습니다.",
]
TEXTS = st.text(alphabet=string.ascii_letters + string.digits + " .,가나다라", max_size=60)


@pytest.mark.parametrize("answer", SHORT)
def test_a_short_answer_that_every_sample_repeats_is_wholly_consistent(answer: str) -> None:
    found = examine(answer, [answer] * 5)
    assert found.consistency == 1.0
    assert found.inconsistency == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("answer", "others"),
    [
        ("11 am.", ["9 am.", "10 am.", "12 pm.", "8 am.", "7 pm."]),
        ("Mirel Oakhart.", ["Jun Park.", "Ada Voss.", "Tilo Brandt.", "Pell Quist.", "Sara Venn."]),
        ("오전 11시입니다.", ["오후 2시입니다.", "오전 9시입니다.", "오후 8시입니다.", "오전 10시입니다."]),
    ],
)
def test_a_short_answer_that_no_sample_repeats_is_less_consistent_than_one_that_all_do(
    answer: str, others: list[str]
) -> None:
    alone, repeated = examine(answer, others), examine(answer, [answer] * len(others))
    assert alone.inconsistency > 0.3 > repeated.inconsistency
    assert alone.consistency < 0.75 < repeated.consistency


def test_an_invented_year_and_place_make_their_sentence_worse_than_its_neighbour() -> None:
    samples = [
        f"Ada Kim was a Korean painter. She was born in {year} in {town}."
        for year, town in ((1901, "Busan"), (1913, "Daegu"), (1922, "Incheon"), (1897, "Suwon"))
    ]
    said, made_up = examine("Ada Kim was a Korean painter. She was born in 1931 in Jeju.", samples).sentences
    assert made_up.inconsistency > said.inconsistency + 0.05
    assert set(made_up.missing) == {"1931", "jeju"} and said.missing == ()


def test_the_more_samples_hold_a_claim_the_more_consistent_it_is() -> None:
    answer, other = "The shop opened in 1987.", "The shop opened in 2003."
    found = [examine(answer, [answer] * held + [other] * (6 - held)).sentences[0].claims for held in range(7)]
    assert found == sorted(found, reverse=True) and len(set(found)) == 7


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.lists(TEXTS, min_size=2, max_size=6), st.randoms())
def test_every_part_lies_between_0_and_1_and_the_order_of_samples_says_nothing(
    answer: str, samples: list[str], rng: object
) -> None:
    found = examine(answer, samples)
    assert 0.0 <= found.consistency <= 1.0 and -1e-9 <= found.inconsistency <= 1.0 + 1e-9
    for each in found.sentences:
        assert all(
            -1e-9 <= part <= 1.0 + 1e-9 for part in (each.claims, each.uncovered, each.passage, each.dispute)
        )
    rng.shuffle(samples)  # type: ignore[attr-defined]
    again = examine(answer, samples)
    assert again.inconsistency == pytest.approx(found.inconsistency)


def test_an_answer_without_words_is_judged_by_its_samples_alone() -> None:
    assert examine("", ["yes", "no"]).inconsistency == 1.0
    assert examine("...", ["...", "..."]).inconsistency == 0.0


def test_one_sample_cannot_agree() -> None:
    with pytest.raises(ValueError, match="two samples"):
        examine("11 am.", ["11 am."])


@pytest.mark.parametrize("unit", ["I. ", "Ab. ", "Bob x1. "])
def test_an_answer_and_samples_of_a_megabyte_come_to_an_end(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    found = examine(text, [text, f"{text}x"])
    assert 1 <= len(found.sentences) <= MOST
