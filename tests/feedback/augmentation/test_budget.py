from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.feedback.augmentation.budget import limited, most, room
from runner.feedback.preferences.pairs import Origin
from runner.feedback.preferences.synthetic import within_share
from tests.feedback.augmentation.made_up import pair

shares = st.integers(0, 99).map(lambda percent: percent / 100)
counts = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 200), max_size=4)


def holds(synthetic: int, real: int, share: float) -> bool:
    return synthetic <= Fraction(str(share)) * (real + synthetic)


@given(st.integers(0, 10_000), shares)
def test_one_pair_more_than_the_most_would_be_too_many(real: int, share: float) -> None:
    found = most(real, share)

    assert holds(found, real, share)
    assert not holds(found + 1, real, share)


@pytest.mark.parametrize(("real", "allowed"), [(0, 0), (3, 0), (4, 1), (80, 20), (100, 25)])
def test_a_fifth_of_the_whole_is_a_quarter_of_the_real_ones(real: int, allowed: int) -> None:
    assert most(real, 0.2) == allowed


@given(counts, counts, shares)
def test_whoever_fills_the_room_keeps_the_share_in_each_category_and_in_the_whole(real, made, share) -> None:
    free = room(real, made, share)

    assert set(free) == set(real)
    for category, more in free.items():
        assert not more or holds(made.get(category, 0) + more, real[category], share)
    total = sum(free.values())
    assert not total or holds(sum(made.values()) + total, sum(real.values()), share)


@given(counts, shares)
def test_the_whole_room_is_there_where_nothing_was_made(real, share) -> None:
    assert room(real, {}, share) == {category: most(count, share) for category, count in real.items()}


@given(st.integers(0, 30), shares)
def test_the_snapshot_leaves_out_nothing_of_what_there_was_room_for(real: int, share: float) -> None:
    made = [
        pair(1000 + number, origin=Origin.SYNTHETIC)
        for number in range(room({"factual_qa": real}, {}, share)["factual_qa"])
    ]

    _, left_out = within_share([*map(pair, range(real)), *made], share)

    assert left_out == []


@given(counts, st.integers(0, 300))
def test_a_limit_is_shared_out_and_never_passed(free, limit: int) -> None:
    found = limited(free, limit)

    assert sum(found.values()) == min(limit, sum(free.values()))
    assert all(found[category] <= free[category] for category in free)
    short = [found[category] for category in free if found[category] < free[category]]
    assert not short or max(found.values()) - min(short) <= 1
