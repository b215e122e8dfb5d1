"""Sums over any hours, arm and segment are those of the rows that belong there."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runner.signals.readings.tally import ALL, Arm, Tallies
from tests.signals.readings.cubes import cube, row

rows = st.lists(
    st.builds(
        row,
        st.sampled_from(("error", "latency")),
        st.integers(1, 9),
        st.integers(0, 9),
        hour=st.integers(0, 5),
        arm=st.sampled_from(("", "baseline", "candidate")),
        version=st.sampled_from(("", "v1", "v2")),
        segment=st.sampled_from(("public", "beta")),
        bucket=st.one_of(st.none(), st.integers(-3, 3)),
        peak=st.one_of(st.none(), st.floats(0, 10)),
    ),
    max_size=12,
)


def belongs(one: dict[str, Any], arm: Arm, segment: str) -> bool:
    of_arm = not arm.name or one["arm"] == arm.name or (not one["arm"] and one["version"])
    of_version = not arm.version or one["version"] == arm.version
    return bool(of_arm and of_version and (not segment or one["segment"] == segment))


@given(
    rows,
    st.integers(0, 6),
    st.integers(0, 6),
    st.sampled_from((ALL, Arm("candidate", "v2"), Arm("baseline"))),
)
def test_a_window_sums_exactly_its_rows(
    found: list[dict[str, Any]], since: int, until: int, arm: Arm
) -> None:
    for segment in ("", "beta"):
        wanted = [
            one
            for one in found
            if one["measure"] == "latency" and since <= one["hour"] < until and belongs(one, arm, segment)
        ]
        tally = Tallies.of(cube(*found)).only(arm, segment).over("latency", since, until)
        assert tally.n == sum(one["n"] for one in wanted)
        assert tally.total == sum(one["total"] for one in wanted)
        assert tally.peak == max((one["peak"] for one in wanted if one["peak"] is not None), default=None)
        buckets: Counter[int] = Counter()
        for one in wanted:
            if one["bucket"] is not None:
                buckets[one["bucket"]] += one["n"]
        assert dict(zip(tally.buckets.tolist(), tally.counts.tolist(), strict=True)) == dict(buckets)


def test_what_has_no_arm_belongs_to_every_arm_its_version_served() -> None:
    votes = Tallies.of(cube(row("win", 10, 6, arm="", version="v2"), row("win", 4, 1, arm="", version="v3")))
    assert votes.only(Arm("candidate", "v2")).over("win", 0, 1).n == 10
    assert votes.only(Arm("baseline", "v1")).over("win", 0, 1).n == 0


def test_arms_are_told_baseline_first_and_the_nameless_not_at_all() -> None:
    found = Tallies.of(
        cube(
            row("error", 1, arm="pinned", version="v9"),
            row("error", 1, arm="candidate", version="v2"),
            row("error", 1),
            row("error", 1, arm="", version=""),
        )
    )
    assert found.arms() == (Arm("baseline", "v1"), Arm("candidate", "v2"), Arm("pinned", "v9"))


def test_an_empty_cube_has_nothing_to_say() -> None:
    nothing = Tallies.of(cube())
    assert nothing.over("error", 0, 100).n == 0
    assert nothing.measures == frozenset()
