"""Evidence that is written down, read back, fed in another order, or fed what it has seen before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from runner.errors import TerminalError
from runner.events.schema import Kind
from runner.rollout.compile import compile
from runner.rollout.ledger import Ledger
from runner.signals.detection import Detection
from runner.spec.rollout import RolloutPolicy
from tests.rollout.streams import HEALTHY, ROLLOUT, START, Event, Manner, Trial, policy, request, shuffled

SHIPPED = Path(__file__).parents[2] / "policies" / "rollout.yaml"


@pytest.fixture(scope="module")
def shipped() -> RolloutPolicy:
    return RolloutPolicy.model_validate(yaml.safe_load(SHIPPED.read_text(encoding="utf-8")))


def batches(
    given: RolloutPolicy, hours: int, candidate: Manner = HEALTHY
) -> list[tuple[float, dict[Kind, list[Event]]]]:
    """Return hourly batches of events, with the hour's end."""
    source = Trial(given, per_hour=200)
    found = []
    for hour in range(hours):
        source.now = START + hour * 3600
        until = source.now + 3600
        requests, votes, contents = source._batch(until, {"candidate": candidate, "baseline": HEALTHY})
        found.append((until, {Kind.REQUEST: requests, Kind.CONTENT: contents, Kind.FEEDBACK: votes}))
    return found


def feed(ledger: Ledger, hour: tuple[float, dict[Kind, list[Event]]], seed: int | None = None) -> None:
    now, kinds = hour
    for kind, events in kinds.items():
        ledger.absorb(kind, events if seed is None else list(shuffled(events, seed)))
    ledger.tick(now)


def test_a_ledger_read_back_equals_one_that_never_stopped(shipped: RolloutPolicy) -> None:
    tests = compile(shipped)
    steady, stopped = Ledger(tests, ROLLOUT), Ledger(tests, ROLLOUT)
    for at, hour in enumerate(batches(shipped, 8)):
        if at == 5:
            for ledger in (steady, stopped):
                ledger.enter("small")
        stopped = Ledger.from_json(tests, json.loads(json.dumps(stopped.to_json())))
        feed(steady, hour)
        feed(stopped, hour)
        assert stopped.log_e() == steady.log_e()
    assert stopped.to_json() == steady.to_json() and steady.sessions > 20


def test_the_order_of_arrival_within_a_batch_changes_nothing(shipped: RolloutPolicy) -> None:
    tests = compile(shipped)
    one, other = Ledger(tests, ROLLOUT), Ledger(tests, ROLLOUT)
    for at, hour in enumerate(batches(shipped, 6, Manner(errors=0.05))):
        feed(one, hour)
        feed(other, hour, seed=at)
    assert one.to_json() == other.to_json()


def test_events_that_come_again_change_nothing(shipped: RolloutPolicy) -> None:
    tests = compile(shipped)
    ledger = Ledger(tests, ROLLOUT)
    hours = batches(shipped, 3)
    for hour in hours:
        feed(ledger, hour)
    before = ledger.to_json()
    for _, kinds in hours:
        for kind, events in kinds.items():
            ledger.absorb(kind, events)
    assert ledger.to_json() == before


def test_a_long_backlog_says_the_same_as_a_calm_stream() -> None:
    """Bets are aimed by the past of the backlog, piece by piece, so a late look is as sharp as many."""
    given = policy("limit: error_rate > baseline * 1.5")
    hours = batches(given, 30, Manner(errors=0.04))
    calm, late = Ledger(compile(given), ROLLOUT), Ledger(compile(given), ROLLOUT)
    for hour in hours:
        feed(calm, hour)
    late.absorb(Kind.REQUEST, [event for _, kinds in hours for event in kinds[Kind.REQUEST]])
    late.tick(hours[-1][0])
    assert calm.latched is not None and late.latched is not None


def test_evidence_of_another_policy_is_refused() -> None:
    ledger = Ledger(compile(policy("e: error_rate > 5%")), ROLLOUT)
    with pytest.raises(TerminalError, match="another policy"):
        Ledger.from_json(compile(policy("e: error_rate > 4%")), ledger.to_json())


@pytest.mark.parametrize("broken", [None, 3, {}, {"tests": ""}, []])
def test_what_is_no_ledger_is_refused_in_words(broken: object) -> None:
    with pytest.raises(TerminalError):
        Ledger.from_json(compile(policy("e: error_rate > 5%")), broken)


def test_an_unknown_stage_is_refused() -> None:
    with pytest.raises(TerminalError, match="'quarter' is none of"):
        Ledger(compile(policy("e: error_rate > 5%")), ROLLOUT).enter("quarter")


def test_events_of_other_rollouts_leave_no_trace() -> None:
    ledger = Ledger(compile(policy("e: error_rate > 5%")), ROLLOUT)
    before = ledger.to_json()
    ledger.absorb(Kind.REQUEST, [request(1, "ann", "candidate", START, **{"loop.rollout": "r-0"})])
    ledger.absorb(Kind.PROBE, [{"event.id": "p"}])
    assert ledger.to_json() == before


CHANGED = (Detection(refusal_threshold=0.7), Detection(keywords=("no idea",)))


@pytest.mark.parametrize("changed", CHANGED)
def test_evidence_of_another_detection_is_not_taken_over_where_a_condition_asks_for_it(
    changed: Detection,
) -> None:
    asking, other = (compile(policy(line)) for line in ("r: refusal_rate > 15%", "e: error_rate > 5%"))
    kept = Ledger(asking, ROLLOUT).to_json()
    assert Ledger.from_json(asking, kept).to_json() == kept
    with pytest.raises(TerminalError, match="another policy"):
        Ledger.from_json(asking, kept, changed)
    kept = Ledger(other, ROLLOUT).to_json()
    assert Ledger.from_json(other, kept, changed).to_json() == kept
