"""Readings of a moment: for whom there is one, what follows from it, and which way it went."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.signals.reading import Direction, Holds, Level, Reading
from runner.signals.readings import measure
from runner.signals.readings.estimates import Estimate
from runner.signals.readings.measure import Known, Measured, Places
from runner.signals.readings.tally import ALL, Tallies
from runner.spec.files import DirectoryFiles
from runner.spec.load import Spec, load_or_raise
from runner.spec.metric import METRICS
from tests.signals.readings.cubes import cube, row

NOW_HOUR = 1000
NOW = NOW_HOUR * 3600.0 + 1800.0


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load_or_raise(DirectoryFiles(Path()))


def taken(spec: Spec, *rows: dict[str, object], known: Known | None = None) -> tuple[Reading, ...]:
    tallies = Tallies.of(cube(*rows))
    measured = Measured(tallies, spec.policies.cost, "v1")
    return measure.readings(spec.policies.signals, measured, known or Known(), Places.found(tallies), NOW)


def one(readings: tuple[Reading, ...], metric: str, arm: str = "", segment: str = "") -> Reading:
    found = [each for each in readings if (each.metric, each.arm, each.segment) == (metric, arm, segment)]
    assert len(found) == 1
    return found[0]


def test_every_signal_of_the_policy_has_a_reading_even_where_nothing_was_logged(spec: Spec) -> None:
    readings = taken(spec)
    assert [each.metric for each in readings] == list(spec.policies.signals.signals)
    assert {each.level for each in readings} == {Level.UNMEASURED}


def test_a_threshold_is_passed_when_the_whole_interval_has_passed_it(spec: Spec) -> None:
    little = taken(spec, row("error", 30, 2, hour=NOW_HOUR))
    much = taken(spec, row("error", 3000, 200, hour=NOW_HOUR))
    none = taken(spec, row("error", 30_000, 60, hour=NOW_HOUR))
    assert [one(each, "error_rate").level for each in (little, much, none)] == [
        Level.UNSURE,
        Level.WARN,
        Level.FINE,
    ]
    assert one(much, "error_rate").conditions == (("warn", Holds.YES),)


def test_the_gravest_consequence_that_is_certain_is_the_level(spec: Spec) -> None:
    readings = taken(spec, row("refusal", 5000, 2000, hour=NOW_HOUR))
    found = one(readings, "refusal_rate")
    assert found.level is Level.RETRAIN
    assert dict(found.conditions) == {"warn": Holds.YES, "retrain": Holds.YES}


def test_a_candidate_is_compared_with_the_baseline_and_the_baseline_with_nobody(spec: Spec) -> None:
    readings = taken(
        spec,
        row("refusal", 20_000, 1000, hour=NOW_HOUR),
        row("refusal", 5000, 600, hour=NOW_HOUR, arm="candidate", version="v2"),
    )
    assert one(readings, "refusal_rate", "candidate").level is Level.WARN
    assert one(readings, "refusal_rate", "baseline").level is Level.FINE
    assert one(readings, "refusal_rate").level is Level.FINE


def test_a_version_that_served_in_two_arms_has_its_win_rate_told_once(spec: Spec) -> None:
    readings = taken(
        spec,
        row("error", 100, hour=NOW_HOUR),
        row("error", 100, hour=NOW_HOUR, version="v2"),
        row("error", 100, hour=NOW_HOUR, arm="candidate", version="v2"),
        row("win", 160, 49, hour=NOW_HOUR, arm="", version="v2"),
    )
    own = [(each.arm, each.version, each.n) for each in readings if each.metric == "win_rate" and each.n]
    assert own == [("", "", 160), ("candidate", "v2", 160)]


def test_groups_are_told_apart_where_there_are_several(spec: Spec) -> None:
    rows = [row("error", 100, hour=NOW_HOUR, segment=segment) for segment in ("public", "beta")]
    readings = taken(spec, *rows)
    assert one(readings, "error_rate").n == 200
    assert one(readings, "error_rate", segment="beta").n == 100


def test_what_is_outside_the_window_does_not_count(spec: Spec) -> None:
    window = int(spec.policies.signals.signals["error_rate"].window / 3600)
    readings = taken(
        spec,
        row("error", 7, hour=NOW_HOUR),
        row("error", 100, hour=NOW_HOUR - window - 1),
        row("error", 100, hour=NOW_HOUR + 1),
    )
    assert one(readings, "error_rate").n == 7


def test_a_value_that_left_its_old_interval_is_rising_or_falling(spec: Spec) -> None:
    def went(before: int, after: int, n: int = 5000) -> Direction:
        rows = [row("error", n, after, hour=NOW_HOUR), row("error", n, before, hour=NOW_HOUR - 2)]
        return one(taken(spec, *rows), "error_rate").trend.direction

    assert went(50, 500) is Direction.RISING
    assert went(500, 50) is Direction.FALLING
    assert went(100, 101) is Direction.STEADY
    assert (
        one(taken(spec, row("error", 10, hour=NOW_HOUR)), "error_rate").trend.direction is Direction.UNKNOWN
    )


def test_what_no_sum_gives_joins_from_outside(spec: Spec) -> None:
    known = Known({("input_drift", ALL): Estimate(0.3, 0.2, 0.4, 900)})
    found = one(taken(spec, known=known), "input_drift")
    assert found.value == 0.3
    assert dict(found.conditions) == {"warn": Holds.YES, "hold": Holds.YES, "retrain": Holds.NO}


def test_steps_of_the_window_add_up_to_it(spec: Spec) -> None:
    rows = [row("refusal", 10, 1, hour=NOW_HOUR - back) for back in range(24)]
    found = one(taken(spec, *rows), "refusal_rate")
    assert sum(point.n for point in found.points) == found.n == 240
    assert [point.at for point in found.points] == sorted(point.at for point in found.points)


def test_every_metric_of_the_shipped_policy_can_be_measured(spec: Spec) -> None:
    outside = {"input_drift", "input_shift", "forgetting"}
    measured = Measured(Tallies.of(cube()), spec.policies.cost, "v1")
    for metric in METRICS:
        if metric in spec.policies.signals.signals and metric not in outside:
            assert measured.estimate(metric, measure.Place(), 0, 10) is not None
