"""Promotions wait while they are stopped; going back and healing never do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from runner.errors import TerminalError
from runner.reconcile.actions import HoldReason
from runner.reconcile.desired import Desired
from runner.reconcile.freeze import Window, in_force, spans
from runner.reconcile.plan import Plan
from runner.spec.environment import Freeze
from tests.economics.situations import SPEC
from tests.reconcile.simulated import Simulation, desired

ALWAYS = Window("UTC", "1970-01-01T00:00", "2100-01-01T00:00", "the sale")
STOPS = [{"suspended": True}, {"freezes": (ALWAYS,)}]
REASONS = {HoldReason.SUSPENDED, HoldReason.FROZEN}


def arms(s: Simulation) -> tuple[str, str | None, float]:
    (route,) = s.table().routes
    split = route.split
    return route.baseline.name, split.candidate.name if split else None, split.weight if split else 0.0


def settle(s: Simulation, wanted: Desired) -> tuple[tuple[str, str | None, float], Plan]:
    planned = s.settle(wanted)
    return arms(s), planned


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize(
    ("forward", "kept"),
    [
        (desired("v1", "v0", "v2", weight=0.5, revision="r2"), ("v1", "v2", 0.05)),
        (desired("v1", "v0", "v3", revision="r2"), ("v1", None, 0.0)),
        (desired("v2", "v1", revision="r2"), ("v1", "v2", 0.05)),
        (desired("v2", "v1", "v3", revision="r2"), ("v1", None, 0.0)),
    ],
)
def test_a_step_forward_waits_and_says_so(
    stop: dict[str, object], forward: Desired, kept: tuple[str, str | None, float]
) -> None:
    s = Simulation.of(2)
    s.settle(desired("v1", "v0", "v2", weight=0.05))
    now, planned = settle(s, replace(forward, **stop))  # type: ignore[arg-type]
    assert now == kept
    assert {hold.reason for hold in planned.holds} & REASONS
    assert settle(s, forward)[0] != kept, "it goes forward once promotions go on"


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize(
    ("back", "end"),
    [
        (desired("v1", "v0", "v2", weight=0.05, revision="r2"), ("v1", "v2", 0.05)),
        (desired("v1", "v0", revision="r2"), ("v1", None, 0.0)),
        (desired("v0", revision="r2"), ("v0", None, 0.0)),
    ],
)
def test_a_step_back_never_waits(
    stop: dict[str, object], back: Desired, end: tuple[str, str | None, float]
) -> None:
    s = Simulation.of(2)
    s.settle(desired("v1", "v0", "v2", weight=0.5))
    now, planned = settle(s, replace(back, **stop))  # type: ignore[arg-type]
    assert now == end
    assert not {hold.reason for hold in planned.holds} & REASONS


def test_going_forward_again_after_a_rollback_is_a_promotion() -> None:
    s = Simulation.of()
    s.settle(desired("v1", "v0"))
    s.settle(desired("v2", "v1", revision="r2"))
    s.settle(desired("v1", "v2", revision="r3", suspended=True))
    assert settle(s, desired("v2", "v1", revision="r4", suspended=True))[0] == ("v1", None, 0.0)


@pytest.mark.parametrize("stop", STOPS)
def test_healing_goes_on_while_promotions_are_stopped(stop: dict[str, object]) -> None:
    wanted = desired("v1", "v0", "v2", weight=0.5)
    s = Simulation.of(1)
    s.settle(wanted)
    s.replicas["http://r0"].restart()
    s.gateways["http://g0"].table = replace(s.table(), routes=())
    now, planned = settle(s, replace(wanted, **stop))  # type: ignore[arg-type]
    assert now == ("v1", "v2", 0.5)
    assert planned.in_sync


def test_a_candidate_that_was_not_proven_before_the_freeze_waits_for_its_end() -> None:
    s = Simulation.of(1, 1)
    s.settle(desired("v1", "v0"))
    s.replicas["http://r0"].no_ops.add(desired("v2").baseline.served)
    s.settle(desired("v1", "v0", "v2", revision="r2"))
    s.replicas["http://r0"].no_ops.clear()
    s.replicas["http://r0"].restart()
    now, planned = settle(s, desired("v1", "v0", "v2", revision="r2", suspended=True))
    assert now == ("v1", None, 0.0)
    assert HoldReason.SUSPENDED in {hold.reason for hold in planned.holds}


def test_the_first_deployment_needs_nothing_to_go_back_to() -> None:
    s = Simulation.of()
    assert settle(s, desired("v1", "v0", suspended=True))[0] == ("v1", None, 0.0)


def test_a_held_promotion_keeps_the_old_baseline_loaded_also_after_a_restart() -> None:
    s = Simulation.of()
    s.settle(desired("v1", "v0"))
    s.replicas["http://r0"].restart()
    now, _ = settle(s, desired("v3", "v2", revision="r2", suspended=True))
    assert now == ("v1", None, 0.0)
    assert desired("v1").baseline.served in s.replicas["http://r0"].adapters


def test_a_window_that_cannot_be_computed_holds_promotions_and_lets_healing_go_on() -> None:
    broken = (Window("Mars/Olympus", "friday 16:00", "monday 09:00", ""),)
    s = Simulation.of()
    s.settle(desired("v1", "v0"))
    s.replicas["http://r0"].restart()
    now, planned = settle(s, desired("v2", "v1", revision="r2", freezes=broken))
    assert now == ("v1", None, 0.0)
    assert "unknown time zone 'Mars/Olympus'" in "".join(hold.text for hold in planned.holds)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("now", "frozen"),
    [
        ("2026-11-20T06:59", False),  # Friday 15:59 in Seoul
        ("2026-11-20T07:00", True),
        ("2026-11-22T12:00", True),  # Sunday
        ("2026-11-22T23:59", True),  # Monday 08:59 in Seoul
        ("2026-11-23T00:00", False),
        ("2026-11-25T00:00", False),
    ],
)
def test_a_weekly_window_holds_in_its_own_zone_and_over_the_end_of_the_week(now: str, frozen: bool) -> None:
    window = Window("Asia/Seoul", "friday 16:00", "monday 09:00", "weekend")
    assert (in_force((window,), at(now)) is window) is frozen


@pytest.mark.parametrize(("now", "frozen"), [("2026-12-20T04:59", False), ("2026-12-20T05:00", True)])
def test_a_dated_window_begins_at_local_time(now: str, frozen: bool) -> None:
    window = Window("America/New_York", "2026-12-20T00:00", "2027-01-03T00:00", "holidays")
    assert (in_force((window,), at(now)) is window) is frozen


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        ("friday 16:00", "monday 09:00"),
        ("monday 00:00", "tuesday 00:00"),
        ("2026-11-20T00:00", "2026-11-24T12:00"),
    ],
)
def test_the_spans_of_a_window_are_when_it_holds(begins: str, ends: str) -> None:
    window = Window("America/New_York", begins, ends, "quiet")
    freeze = Freeze.model_validate({"zone": window.zone, "from": begins, "to": ends, "reason": "quiet"})
    environment = SPEC.loop.environments["production"].model_copy(update={"freeze": (freeze,)})
    since, until = at("2026-10-28T00:00"), at("2026-12-01T00:00")  # clocks are set on 1 November
    found = list(spans(environment, since, until))
    assert all(each == window for each, _, _ in found)
    for hour in range(int((until - since) / 3600)):
        now = since + 3600.0 * hour
        assert any(start <= now < end for _, start, end in found) is (in_force((window,), now) is not None)


@pytest.mark.parametrize(
    "window",
    [
        Window("Mars/Olympus", "friday 16:00", "monday 09:00", ""),
        Window("UTC", "friday 16:00", "2026-12-20T00:00", ""),
        Window("UTC", "freitag 16:00", "monday 09:00", ""),
    ],
)
def test_a_window_that_cannot_be_computed_refuses(window: Window) -> None:
    with pytest.raises(TerminalError):
        in_force((window,), 0.0)
