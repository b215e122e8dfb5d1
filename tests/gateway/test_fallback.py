"""A failing replica or candidate is the gateway's trouble, not the user's, until the first byte has left."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from runner.events.arms import summaries
from runner.events.lake import Lake
from tests.doubles.stub_engine import RunningStub, stub_engine
from tests.gateway.running import (
    BASELINE,
    CANDIDATE,
    QUESTION,
    SERVED,
    RunningGateway,
    gateway,
    table,
)
from tests.waiting import until

FAULTS = ("500", "503", "disconnect", "before_first_byte", "model_not_found", "hang")


@pytest.fixture
def patient(engine: RunningStub, tmp_path: Path) -> Iterator[RunningGateway]:
    """A gateway whose candidate has all traffic."""
    with gateway(tmp_path, limits={"first_byte_timeout_s": 0.3, "total_timeout_s": 10}) as running:
        running.put(table(engine.url, weight=1.0))
        yield running


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_invariant_9_a_failing_candidate_falls_back_to_the_baseline(
    patient: RunningGateway, engine: RunningStub, fault: str, stream: bool
) -> None:
    engine.control(fault=fault, only_model=CANDIDATE.served)
    answer = patient.ask(stream=stream)
    assert answer.status_code == 200
    assert answer.headers["x-loop-arm"] == "baseline"
    assert BASELINE.served in answer.text
    (event,) = patient.events()
    assert event["loop.fell_back"] is True
    assert (event["loop.arm"], event["loop.arm.assigned"]) == ("baseline", "candidate")
    assert (event["loop.outcome"], event["loop.version"]) == ("ok", "chat-v1.0")


def test_invariant_9_no_request_fails_while_the_candidate_fails_for_good(
    patient: RunningGateway, engine: RunningStub
) -> None:
    engine.control(fault="500", only_model=CANDIDATE.served)
    with httpx.Client(base_url=patient.url) as client:
        statuses = [client.post("/v1/chat/completions", json=QUESTION).status_code for _ in range(30)]
    assert statuses == [200] * 30
    # after a few failures the candidate rests, so that users do not wait for it every time
    assert engine.generations().count(CANDIDATE.served) < 10
    assert patient.state()["replicas"][engine.url]["healthy"] is True


def test_the_error_rate_of_a_dead_candidate_is_one_though_no_user_saw_it_fail(
    patient: RunningGateway, engine: RunningStub
) -> None:
    engine.control(fault="500", only_model=CANDIDATE.served)
    for number in range(6):
        assert patient.ask(user=f"u-{number}").status_code == 200
    engine.control(fault="500", only_model=None)
    assert patient.ask().status_code == 502
    with Lake(patient.state_dir / "lake", patient.state_dir / "events") as lake:
        baseline, candidate = summaries(lake.requests())
    assert (candidate.arm, candidate.version) == ("candidate", "chat-v1.1")
    assert (candidate.requests, candidate.errors, candidate.fell_back, candidate.error_rate) == (7, 7, 6, 1.0)
    assert (baseline.requests, baseline.errors, baseline.error_rate) == (0, 0, None)
    assert baseline.output_tokens > 0
    assert candidate.output_tokens == 0


def test_a_candidate_without_a_replica_falls_back(tmp_path: Path) -> None:
    with stub_engine(adapters=(BASELINE.served,)) as engine, gateway(tmp_path) as running:
        whole = table(engine.url, weight=1.0)
        replicas = {BASELINE.served: (engine.url,)}
        running.put(type(whole)(whole.generation, "", whole.routes, (), replicas))
        assert running.ask().headers["x-loop-arm"] == "baseline"


@pytest.mark.parametrize("fault", FAULTS)
def test_another_replica_answers_for_a_failing_one(engine: RunningStub, tmp_path: Path, fault: str) -> None:
    limits = {"first_byte_timeout_s": 0.3, "total_timeout_s": 10}
    with stub_engine(adapters=SERVED) as other, gateway(tmp_path, limits=limits) as running:
        running.put(table(engine.url, other.url))
        engine.control(fault=fault)
        assert [running.ask().status_code for _ in range(4)] == [200] * 4
        assert {e["loop.replica"] for e in running.events()} == {other.url}
        assert not any(e["loop.fell_back"] for e in running.events())


def test_a_replica_that_died_is_left_out_and_taken_back_when_it_returns(
    engine: RunningStub, tmp_path: Path
) -> None:
    with stub_engine(adapters=SERVED) as other, gateway(tmp_path) as running:
        running.put(table(engine.url, other.url))
        engine.control(health="500")
        until(lambda: running.state()["replicas"][engine.url]["healthy"] is False, "seen as down")
        engine.state.calls.clear()
        assert [running.ask().status_code for _ in range(5)] == [200] * 5
        assert engine.generations() == []
        engine.control(health="ok")
        until(lambda: running.state()["replicas"][engine.url]["healthy"] is True, "seen as up again")


def test_the_least_loaded_replica_is_chosen(engine: RunningStub, tmp_path: Path) -> None:
    with stub_engine(adapters=SERVED) as other, gateway(tmp_path) as running:
        running.put(table(engine.url, other.url))
        engine.control(delay_s=2)
        busy = threading.Thread(target=running.ask)
        busy.start()
        until(lambda: engine.state.in_flight == 1, "the first replica is busy")
        assert [running.ask().status_code for _ in range(3)] == [200] * 3
        assert len(other.generations()) == 3
        busy.join()


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("500", 502, "engine_error"),
        ("503", 503, "engine_overloaded"),
        ("disconnect", 503, "replica_unreachable"),
        ("hang", 504, "first_byte_timeout"),
        ("model_not_found", 503, "adapter_missing"),
    ],
)
def test_where_nothing_answers_the_error_says_why_and_is_an_event(
    patient: RunningGateway, engine: RunningStub, fault: str, status: int, code: str
) -> None:
    engine.control(fault=fault)
    answer = patient.ask()
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    (event,) = patient.events()
    assert (event["loop.outcome"], event["error.type"]) == ("error", code)
    assert event["loop.attempts"] == 2
    assert (event["loop.arm.assigned"], event["loop.version.assigned"]) == ("candidate", "chat-v1.1")
    assert event["loop.adapter.digest.assigned"] == CANDIDATE.digest
    assert (event["loop.arm"], event["loop.version"]) == ("baseline", "chat-v1.0")
    assert event["loop.adapter.digest"] == BASELINE.digest
    assert event["loop.replica"] == engine.url
    assert event["loop.fell_back"] is False
    labels = f'arm="baseline",outcome="error",status="{status}",version="chat-v1.0"'
    assert f"loop_gateway_requests_total{{{labels}}} 1.0" in httpx.get(f"{patient.admin}/metrics").text


def test_a_stream_that_breaks_ends_with_an_error_event_and_is_logged_as_one(
    served: RunningGateway, engine: RunningStub
) -> None:
    engine.control(fault="mid_stream")
    answer = served.ask(stream=True)
    *chunks, last = [line for line in answer.text.split("\n\n") if line]
    assert chunks
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "stream_broken"
    (event,) = served.events()
    assert (event["loop.outcome"], event["error.type"]) == ("error", "stream_broken")


def test_the_engines_own_4xx_is_no_reason_to_try_elsewhere(
    patient: RunningGateway, engine: RunningStub
) -> None:
    answer = patient.ask(temperature=9)
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert len(engine.generations()) == 1
    assert patient.events()[0]["loop.attempts"] == 1


FAILURES = {
    "500": "engine_error",
    "503": "engine_overloaded",
    "disconnect": "replica_unreachable",
    "before_first_byte": "replica_unreachable",
    "model_not_found": "adapter_missing",
    "hang": "first_byte_timeout",
}


def test_every_fault_has_its_failure() -> None:
    assert FAILURES.keys() == set(FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_log_keeps_why_the_assigned_arm_failed_also_where_another_answered(
    patient: RunningGateway, engine: RunningStub, fault: str
) -> None:
    engine.control(fault=fault, only_model=CANDIDATE.served)
    assert patient.ask().status_code == 200
    (event,) = patient.events()
    assert (event["loop.outcome"], event["error.type"]) == ("ok", "")
    assert event["loop.arm.failure"] == FAILURES[fault]


def test_an_arm_that_rests_keeps_the_failure_that_laid_it_to_rest(
    patient: RunningGateway, engine: RunningStub
) -> None:
    engine.control(fault="500", only_model=CANDIDATE.served)
    for _ in range(6):
        assert patient.ask().status_code == 200
    events = patient.events()
    assert {event["loop.attempts"] for event in events} == {1, 2}, "it rests after some"
    assert {event["loop.arm.failure"] for event in events} == {"engine_error"}


def test_an_arm_that_answered_on_another_of_its_replicas_has_not_failed(
    engine: RunningStub, tmp_path: Path
) -> None:
    with stub_engine(adapters=SERVED) as other, gateway(tmp_path) as running:
        running.put(table(engine.url, other.url, weight=1.0))
        engine.control(fault="500")
        assert [running.ask().headers["x-loop-arm"] for _ in range(3)] == ["candidate"] * 3
        events = running.events()
    assert max(event["loop.attempts"] for event in events) == 2
    assert {event["loop.arm.failure"] for event in events} == {""}


@pytest.mark.parametrize(
    ("model", "failure"), [(CANDIDATE.served, "stream_broken"), (BASELINE.served, "engine_error")]
)
def test_a_stream_that_breaks_counts_against_the_arm_that_was_assigned_if_it_gave_it(
    patient: RunningGateway, engine: RunningStub, model: str, failure: str
) -> None:
    if model == BASELINE.served:
        engine.control(fault="500", only_model=CANDIDATE.served)
        for _ in range(3):
            patient.ask()
    engine.control(fault="mid_stream", only_model=model)
    assert "stream_broken" in patient.ask(stream=True).text
    event = patient.events()[-1]
    assert (event["loop.arm.assigned"], event["loop.arm.failure"]) == ("candidate", failure)
    assert event["error.type"] == "stream_broken"


def test_what_the_client_did_is_no_failure_of_an_arm(patient: RunningGateway, engine: RunningStub) -> None:
    assert patient.ask(temperature=9).status_code == 400
    engine.control(delay_s=30.0)
    patient.leave(lambda: engine.state.in_flight == 1)
    until(lambda: len(patient.events()) == 2, "both are logged")
    assert {event["loop.arm.failure"] for event in patient.events()} == {""}
