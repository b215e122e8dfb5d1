"""An experiment gives each of its users one version, says so in the log, and fails no request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.events.arms import summaries
from runner.events.lake import Lake
from runner.serving.assignment import takes_part, version_of
from runner.serving.routes import Experiment
from tests.doubles.stub_engine import RunningStub, stub_engine
from tests.gateway.running import BASELINE, CANDIDATE, OTHER, RunningGateway, gateway, table
from tests.gateway.test_fallback import FAULTS

TONE = Experiment("id-of-tone", "tone", (CANDIDATE, OTHER), (0.5, 0.5))
ALONE = replace(TONE, versions=(OTHER,), weights=(1.0,))
USERS = [f"user-{number}" for number in range(12)]


def identity(user: str) -> str:
    """Return how the gateway knows a user without a key."""
    return f"anonymous\0{user}"


@pytest.fixture
def patient(engine: RunningStub, tmp_path: Path) -> Iterator[RunningGateway]:
    with gateway(tmp_path, limits={"first_byte_timeout_s": 0.3, "total_timeout_s": 10}) as running:
        running.put(table(engine.url, experiments=(ALONE,)))
        yield running


def test_participants_get_their_version_and_stand_outside_the_rollout(
    engine: RunningStub, tmp_path: Path
) -> None:
    half = replace(TONE, share=0.5)
    with gateway(tmp_path) as running:
        running.put(table(engine.url, weight=1.0, experiments=(half,)))
        for user in USERS:
            for _ in range(2):
                answer = running.ask(user=user)
                inside = takes_part(half, identity(user), "public")
                wanted = version_of(half, identity(user)) if inside else CANDIDATE
                assert answer.headers["x-loop-version"] == wanted.name
                assert answer.headers["x-loop-arm"] == ("experiment" if inside else "candidate")
        events = running.events()
    inside_events = [e for e in events if e["loop.arm"] == "experiment"]
    outside = [e for e in events if e["loop.arm"] == "candidate"]
    assert inside_events and outside and len(inside_events) + len(outside) == 2 * len(USERS)
    fields = ("loop.arm.assigned", "loop.experiment", "loop.rollout", "loop.weight", "loop.arm.always")
    assert {tuple(e[f] for f in fields) for e in inside_events} == {
        ("experiment", "id-of-tone", "", 0.0, False)
    }
    assert {tuple(e[f] for f in fields) for e in outside} == {("candidate", "", "trial-1", 1.0, False)}
    assert {e["loop.version.assigned"] for e in inside_events} == {CANDIDATE.name, OTHER.name}


def test_a_group_that_always_gets_the_candidate_does_so_before_any_experiment(
    engine: RunningStub, tmp_path: Path
) -> None:
    with gateway(tmp_path) as running:
        running.put(table(engine.url, weight=0.05, groups=("public",), experiments=(ALONE,)))
        assert running.ask().headers["x-loop-version"] == CANDIDATE.name
        (event,) = running.events()
    assert event["loop.arm.always"] is True
    assert (event["loop.arm"], event["loop.experiment"]) == ("candidate", "")
    assert (event["loop.rollout"], event["loop.weight"]) == ("trial-1", 0.05)


def test_groups_outside_an_experiment_take_no_part(engine: RunningStub, tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        running.put(table(engine.url, experiments=(replace(ALONE, groups=("beta",)),)))
        assert running.ask().headers["x-loop-arm"] == "baseline"
        assert running.events()[0]["loop.experiment"] == ""


def test_a_pinned_request_takes_part_in_nothing(patient: RunningGateway) -> None:
    assert patient.ask(model=BASELINE.name).headers["x-loop-arm"] == "pinned"
    (event,) = patient.events()
    assert (event["loop.experiment"], event["loop.rollout"], event["loop.arm.always"]) == ("", "", False)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_invariant_9_a_failing_version_of_an_experiment_falls_back_to_the_baseline(
    patient: RunningGateway, engine: RunningStub, fault: str, stream: bool
) -> None:
    engine.control(fault=fault, only_model=OTHER.served)
    answer = patient.ask(stream=stream)
    assert answer.status_code == 200
    assert answer.headers["x-loop-arm"] == "baseline"
    assert BASELINE.served in answer.text and OTHER.served not in answer.text
    (event,) = patient.events()
    assert (event["loop.arm"], event["loop.arm.assigned"]) == ("baseline", "experiment")
    assert (event["loop.version"], event["loop.version.assigned"]) == (BASELINE.name, OTHER.name)
    assert (event["loop.outcome"], event["loop.fell_back"]) == ("ok", True)
    assert event["loop.experiment"] == "id-of-tone" and event["loop.arm.failure"]


@pytest.mark.parametrize("replicas", ["a dead one", "none"])
def test_invariant_9_a_version_that_no_replica_serves_falls_back_to_the_baseline(
    tmp_path: Path, replicas: str
) -> None:
    with stub_engine(adapters=(BASELINE.served,)) as engine, gateway(tmp_path) as running:
        there = {BASELINE.served: (engine.url,)}
        if replicas == "a dead one":
            there[OTHER.served] = ("http://127.0.0.1:9",)
        running.put(replace(table(experiments=(ALONE,)), replicas=there))
        answers = [running.ask() for _ in range(4)]
        assert [answer.headers["x-loop-arm"] for answer in answers] == ["baseline"] * 4
        failures = {event["loop.arm.failure"] for event in running.events()}
    assert failures == {"replica_unreachable" if replicas == "a dead one" else "no_replica"}


def test_where_an_experiment_tries_the_baseline_itself_there_is_nothing_to_fall_back_to(
    engine: RunningStub, tmp_path: Path
) -> None:
    itself = replace(TONE, versions=(BASELINE,), weights=(1.0,))
    with gateway(tmp_path) as running:
        running.put(table(engine.url, experiments=(itself,)))
        assert running.ask().headers["x-loop-arm"] == "experiment"
        engine.control(fault="500")
        assert [running.ask().status_code for _ in range(5)] == [502] * 5
        engine.control(fault="none")
        assert running.ask().status_code == 200, "it is tried although it failed again and again"
        assert {event["loop.attempts"] for event in running.events()} == {1}


def test_the_summary_tells_the_versions_of_an_experiment_apart(engine: RunningStub, tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        running.put(table(engine.url, experiments=(TONE,)))
        for user in USERS:
            running.ask(user=user)
        with Lake(tmp_path / "lake", tmp_path / "events") as lake:
            rows = summaries(lake.requests())
    assert {(row.arm, row.version) for row in rows} == {("experiment", v.name) for v in (CANDIDATE, OTHER)}
    assert sum(row.requests for row in rows) == len(USERS)
