"""What a thousand requests cost: running costs by the hour, borne by whoever kept the engine busy."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.signals.readings.money import per_thousand
from runner.signals.readings.tally import Arm, Tallies
from runner.spec.cost import CostPolicy
from runner.spec.files import DirectoryFiles
from runner.spec.load import load_or_raise
from tests.signals.readings.cubes import cube, row

CANDIDATE = Arm("candidate", "v2")


@pytest.fixture(scope="module")
def policy() -> CostPolicy:
    """$300 a month, which is 730 hours."""
    return load_or_raise(DirectoryFiles(Path())).policies.cost


def day(requests: int, busy_s: float, **also: str) -> list[dict[str, object]]:
    return [
        one
        for hour in range(24)
        for one in (
            row("error", requests, hour=hour, **also),
            row("latency", requests, busy_s, hour=hour, bucket=0, **also),
        )
    ]


def test_fixed_costs_fall_on_the_requests_there_were(policy: CostPolicy) -> None:
    whole = Tallies.of(cube(*day(100, 50.0)))
    assert per_thousand(policy, whole, whole, 0, 24).value == pytest.approx(300 / 730 / 100 * 1000)


def test_an_arm_bears_the_time_it_kept_the_engine_busy(policy: CostPolicy) -> None:
    whole = Tallies.of(cube(*day(100, 50.0), *day(100, 150.0, arm="candidate", version="v2")))
    cheap = per_thousand(policy, whole.only(Arm("baseline", "v1")), whole, 0, 24)
    dear = per_thousand(policy, whole.only(CANDIDATE), whole, 0, 24)
    assert dear.value == pytest.approx(3 * cheap.value)
    both = per_thousand(policy, whole, whole, 0, 24)
    assert both.value == pytest.approx((cheap.value + dear.value) / 2)


def test_hours_before_the_first_request_cost_nothing(policy: CostPolicy) -> None:
    whole = Tallies.of(cube(*day(100, 50.0)))
    assert per_thousand(policy, whole, whole, -1000, 24) == per_thousand(policy, whole, whole, 0, 24)


def test_invariant_12_without_requests_there_is_no_cost_of_one(policy: CostPolicy) -> None:
    nothing = Tallies.of(cube())
    assert per_thousand(policy, nothing, nothing, 0, 24).value is None
