"""A shadow gets copies of what was answered, and nobody who asks can tell that it is there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from runner.events.lake import Lake
from runner.events.schema import Kind
from runner.events.writer import OsDisk
from runner.serving.assignment import is_copied
from runner.serving.gateway.shadow import WAITING, WORKERS
from runner.serving.routes import Shadow
from tests.doubles.stub_engine import RunningStub, stub_engine
from tests.gateway.running import (
    BASELINE,
    CANDIDATE,
    OTHER,
    QUESTION,
    SERVED,
    RunningGateway,
    gateway,
    table,
)
from tests.waiting import until

SHORT = {"total_timeout_s": 1.5}
"""Ends a copy that hangs; long enough for any answer that does not."""
FAULTS = ("500", "503", "disconnect", "before_first_byte", "model_not_found", "mid_stream")


@pytest.fixture
def shadowed(engine: RunningStub, tmp_path: Path) -> Iterator[RunningGateway]:
    """A gateway whose alias is copied to a shadow, every request of it."""
    with gateway(tmp_path) as running:
        running.put(table(engine.url, shadow=Shadow(OTHER)))
        yield running


def copies(running: RunningGateway, count: int) -> list[dict[str, Any]]:
    """Wait for the events of so many copies, and return them."""
    until(lambda: len(running.events(Kind.SHADOW)) >= count, f"{count} copies are noted")
    return running.events(Kind.SHADOW)


def asked(engine: RunningStub, served: str) -> list[dict[str, Any]]:
    return [body for body in engine.state.bodies if body["model"] == served]


@pytest.mark.parametrize("stream", [False, True])
def test_the_copy_is_the_same_request_in_one_piece_and_its_answer_an_event(
    shadowed: RunningGateway, engine: RunningStub, stream: bool
) -> None:
    options = {"stream_options": {"include_usage": True}} if stream else {}
    answer = shadowed.ask(stream=stream, temperature=0, max_tokens=9, seed=3, user="ann", **options)
    assert BASELINE.served in answer.text and OTHER.served not in answer.text
    (copy,) = copies(shadowed, 1)
    (request,) = shadowed.events()
    (body,) = asked(engine, OTHER.served)
    wanted = QUESTION | {"temperature": 0, "max_tokens": 9, "seed": 3, "user": "ann", "stream": False}
    assert body == wanted | {"model": OTHER.served}
    assert copy["loop.request.id"] == request["loop.request.id"] == answer.headers["x-request-id"]
    assert copy["gen_ai.response.id"] == request["gen_ai.response.id"]
    assert (copy["loop.version"], copy["loop.adapter.digest"]) == (OTHER.name, OTHER.digest)
    assert (copy["loop.outcome"], copy["error.type"], copy["loop.replica"]) == ("ok", "", engine.url)
    assert copy["loop.same"] is False and OTHER.served in copy["gen_ai.output.messages"]
    assert copy["gen_ai.usage.output_tokens"] > 0 and copy["loop.latency_ms"] > 0
    assert 'loop_gateway_shadow_total{outcome="ok"} 1.0' in httpx.get(f"{shadowed.admin}/metrics").text


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_is_word_for_word_the_users_is_the_same(
    shadowed: RunningGateway, engine: RunningStub, stream: bool
) -> None:
    engine.control(no_op_adapters=(BASELINE.served, OTHER.served))
    shadowed.ask(stream=stream)
    assert copies(shadowed, 1)[0]["loop.same"] is True


def test_text_completions_are_copied_too(shadowed: RunningGateway, engine: RunningStub) -> None:
    httpx.post(f"{shadowed.url}/v1/completions", json={"model": "chat", "prompt": "harbour", "max_tokens": 4})
    (copy,) = copies(shadowed, 1)
    assert copy["loop.outcome"] == "ok"
    assert json.loads(copy["gen_ai.output.messages"])[0]["role"] == "assistant"


def test_the_share_is_drawn_by_the_requests_id(engine: RunningStub, tmp_path: Path) -> None:
    half = Shadow(OTHER, 0.5)
    with gateway(tmp_path) as running:
        running.put(table(engine.url, shadow=half))
        names = [f"request-{number}" for number in range(40)]
        for name in names:
            running.ask(headers={"x-request-id": name})
        wanted = {name for name in names if is_copied(half, name)}
        found = {event["loop.request.id"] for event in copies(running, len(wanted))}
    assert found == wanted and 10 < len(found) < 30


def test_pinned_and_failed_requests_and_what_the_shadow_answered_itself_are_not_copied(
    engine: RunningStub, tmp_path: Path
) -> None:
    with gateway(tmp_path) as running:
        running.put(table(engine.url, weight=0.0, groups=("own",), shadow=Shadow(BASELINE)))
        running.ask()
        running.put(table(engine.url, generation=2, shadow=Shadow(OTHER)))
        running.ask(model=BASELINE.name)
        running.ask(temperature=9)
        running.ask(model="nobody")
        engine.control(fault="500", times=1)
        assert running.ask().status_code == 502
        assert running.ask(headers={"x-request-id": "the-one-copied"}).status_code == 200
        (copy,) = copies(running, 1)
    assert copy["loop.request.id"] == "the-one-copied"
    assert [body["model"] for body in asked(engine, OTHER.served)] == [OTHER.served]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_shadow_that_fails_is_noted_and_leaves_no_mark_on_its_replica(
    shadowed: RunningGateway, engine: RunningStub, fault: str
) -> None:
    engine.control(fault=fault, only_model=OTHER.served)
    answers = [shadowed.ask() for _ in range(6)]
    events = copies(shadowed, 6)
    assert [answer.status_code for answer in answers] == [200] * 6
    assert {event["loop.outcome"] for event in events} == {"error"}
    assert all(event["error.type"] and event["loop.replica"] == engine.url for event in events)
    assert shadowed.state()["replicas"][engine.url]["healthy"] is True
    assert {(e["loop.outcome"], e["loop.attempts"], e["loop.arm.failure"]) for e in shadowed.events()} == {
        ("ok", 1, "")
    }


def test_a_version_that_fails_as_shadow_is_not_laid_to_rest_as_candidate(
    engine: RunningStub, tmp_path: Path
) -> None:
    with gateway(tmp_path) as running:
        running.put(table(engine.url, shadow=Shadow(CANDIDATE)))
        engine.control(fault="model_not_found", only_model=CANDIDATE.served)
        running.ask()
        copies(running, 1)
        engine.control(fault="none")
        running.put(table(engine.url, generation=2, weight=1.0))
        assert running.ask().headers["x-loop-arm"] == "candidate"


def test_a_shadow_whose_only_replica_is_dead_takes_no_replica_from_users(
    engine: RunningStub, tmp_path: Path
) -> None:
    with stub_engine(adapters=SERVED) as other, gateway(tmp_path, health_interval_s=600) as running:
        whole = table(engine.url, other.url, shadow=Shadow(OTHER))
        running.put(whole)
        other.control(fault="disconnect", only_model=OTHER.served)
        engine.control(fault="disconnect", only_model=OTHER.served)
        assert [running.ask().status_code for _ in range(8)] == [200] * 8
        copies(running, 8)
        assert {replica["healthy"] for replica in running.state()["replicas"].values()} == {True}


def test_a_shadow_that_hangs_holds_a_few_places_and_the_rest_is_dropped(
    shadowed: RunningGateway, engine: RunningStub
) -> None:
    engine.control(fault="hang", only_model=OTHER.served)
    more = 5
    with httpx.Client(base_url=shadowed.url) as client:
        for number in range(WORKERS + WAITING + more):
            assert client.post("/v1/chat/completions", json=QUESTION).status_code == 200
            # until all workers are busy nothing waits
            if number < WORKERS:
                until(lambda: len(asked(engine, OTHER.served)) > number, "a worker took it")  # noqa: B023
    assert len(asked(engine, OTHER.served)) == WORKERS
    events = copies(shadowed, more)
    assert Counter((e["loop.outcome"], e["error.type"]) for e in events) == {
        ("dropped", "too_many_waiting"): more
    }
    text = httpx.get(f"{shadowed.admin}/metrics").text
    assert f'loop_gateway_shadow_total{{outcome="dropped"}} {more}.0' in text


def test_copies_that_wait_for_a_shadow_that_was_withdrawn_are_dropped(
    engine: RunningStub, tmp_path: Path
) -> None:
    with gateway(tmp_path, limits=SHORT) as running:
        running.put(table(engine.url, shadow=Shadow(OTHER)))
        engine.control(fault="hang", only_model=OTHER.served)
        for _ in range(WORKERS):
            running.ask()
        running.ask(headers={"x-request-id": "the-one-waiting"})
        without = table(engine.url, generation=2)
        running.put(replace(without, replicas={BASELINE.served: (engine.url,)}))
        found = {e["loop.request.id"]: e for e in copies(running, WORKERS + 1)}
    waiting = found.pop("the-one-waiting")
    assert (waiting["loop.outcome"], waiting["error.type"]) == ("dropped", "no_replica")
    assert {(e["loop.outcome"], e["error.type"]) for e in found.values()} == {("error", "first_byte_timeout")}
    assert len(asked(engine, OTHER.served)) == WORKERS


def test_invariant_11_a_copys_answer_is_masked_with_the_placeholders_of_its_question(
    engine: RunningStub, tmp_path: Path
) -> None:
    secrets = ("kim@example.com", "lee@example.com")
    question = f"{secrets[0]} asked for a book of the harbour that {secrets[1]} has"
    with gateway(tmp_path) as running:
        running.put(table(engine.url, shadow=Shadow(OTHER)))
        running.ask(messages=[{"role": "user", "content": question}])
        (copy,) = copies(running, 1)
        (content,) = running.events(Kind.CONTENT)
    on_disk = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()).decode()
    assert not [secret for secret in secrets if secret in on_disk]
    for kept in (content, copy):  # the stub answers with the last words alone
        assert "<EMAIL_2> has" in kept["gen_ai.output.messages"]
        assert "<EMAIL_1>" not in kept["gen_ai.output.messages"]


@pytest.mark.parametrize(("content", "shown"), [("off", False), ("raw", True)])
def test_the_policy_decides_whether_a_copys_answer_is_kept(
    engine: RunningStub, tmp_path: Path, content: str, shown: bool
) -> None:
    with gateway(tmp_path, content=content) as running:
        running.put(table(engine.url, shadow=Shadow(OTHER)))
        running.ask(messages=[{"role": "user", "content": "kim@example.com"}])
        (copy,) = copies(running, 1)
    assert ("kim@example.com" in copy.get("gen_ai.output.messages", "")) is shown
    assert copy["loop.same"] is False


class NoCopies(OsDisk):
    """A disk that takes no event of a copy while `full`."""

    full = True
    refused = 0

    def write(self, descriptor: int, data: bytes) -> int:
        if self.full and b'-shadow"' in data:
            self.refused += 1
            raise OSError(28, "No space left on device")
        return super().write(descriptor, data)


def test_a_log_that_takes_no_copy_ends_no_worker(engine: RunningStub, tmp_path: Path) -> None:
    disk = NoCopies()
    with gateway(tmp_path, disk=disk, limits=SHORT) as running:
        running.put(table(engine.url, shadow=Shadow(OTHER)))
        engine.control(fault="hang", only_model=OTHER.served)
        assert [running.ask().status_code for _ in range(WORKERS)] == [200] * WORKERS
        until(lambda: disk.refused == WORKERS, "every worker met the full disk")
        disk.full = False
        engine.control(fault="none")
        until(lambda: running.ask().status_code == 200, "answers again")
        assert copies(running, 1)[0]["loop.outcome"] == "ok"


def test_the_lake_has_a_table_of_copies(shadowed: RunningGateway) -> None:
    shadowed.ask()
    copies(shadowed, 1)
    with Lake(shadowed.state_dir / "lake", shadowed.state_dir / "events") as lake:
        (row,) = lake.shadows().to_pyarrow().to_pylist()
    assert (row["loop.version"], row["loop.outcome"], row["loop.same"]) == (OTHER.name, "ok", False)
