"""Masking a long text takes time: others are answered meanwhile, and the event is still there before the last byte."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from runner.events.masking import THREAD_OVER, Masking
from runner.events.schema import Kind
from runner.serving.gateway import privacy
from tests.doubles.stub_engine import RunningStub
from tests.gateway.running import RunningGateway, gateway, table
from tests.waiting import PATIENCE_S, until

LONG = "kim@example.com " * (THREAD_OVER // 16 + 1)


class Gate:
    """Holds masking up, of whatever is masked in a thread, until it is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        self.threads: list[str] = []

    def masking(self) -> Masking:
        name = threading.current_thread().name
        self.threads.append(name)
        if name.startswith("masking"):
            self.reached.set()
            assert self.opened.wait(PATIENCE_S)
        return Masking()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate()
    monkeypatch.setattr(privacy, "Masking", made.masking)
    yield made
    made.opened.set()


def later(call: Any, *values: Any, **named: Any) -> Future[Any]:
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(call, *values, **named)
    finally:
        pool.shutdown(wait=False)


@pytest.mark.parametrize("stream", [False, True])
def test_invariant_10_a_long_text_is_masked_beside_the_others_and_logged_before_its_last_byte(
    served: RunningGateway, gate: Gate, stream: bool
) -> None:
    waiting = later(served.ask, messages=[{"role": "user", "content": LONG}], stream=stream)
    assert gate.reached.wait(PATIENCE_S)
    assert served.ask().status_code == 200
    assert len(served.events()) == 1 and not waiting.done()
    gate.opened.set()
    answer = waiting.result(10)
    assert answer.status_code == 200 and (not stream or answer.text.endswith("[DONE]\n\n"))
    assert len(served.events()) == len(served.events(Kind.CONTENT)) == 2
    assert "kim@example.com" not in served.events(Kind.CONTENT)[-1]["gen_ai.input.messages"]


def test_a_short_text_is_masked_at_once(served: RunningGateway, gate: Gate) -> None:
    assert served.ask().status_code == 200
    assert gate.threads and not [name for name in gate.threads if name.startswith("masking")]


def test_a_long_answer_to_a_short_question_is_masked_in_a_thread_too(
    served: RunningGateway, engine: RunningStub, gate: Gate
) -> None:
    gate.opened.set()
    served.ask(messages=[{"role": "user", "content": "x" * THREAD_OVER}])
    assert [name for name in gate.threads if name.startswith("masking")]


def test_a_long_comment_is_masked_beside_the_others_and_the_same_twice_counts_once(
    served: RunningGateway, gate: Gate
) -> None:
    said = {"response_id": "chatcmpl-1", "comment": LONG}
    both = [later(httpx.post, f"{served.url}/feedback", json=said, timeout=PATIENCE_S) for _ in range(2)]
    assert gate.reached.wait(PATIENCE_S)
    assert served.ask().status_code == 200
    gate.opened.set()
    first, second = (each.result(10) for each in both)
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    (event,) = served.events(Kind.FEEDBACK)
    assert "kim@example.com" not in event["loop.comment"]


def test_who_leaves_while_his_text_is_masked_is_logged_once(served: RunningGateway, gate: Gate) -> None:
    body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": LONG}]})
    connection = http.client.HTTPConnection(served.url.removeprefix("http://"))
    connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
    assert gate.reached.wait(PATIENCE_S)
    connection.close()
    assert served.ask().status_code == 200
    gate.opened.set()
    until(lambda: len(served.events()) == 2, "it is logged")
    assert [event["loop.outcome"] for event in served.events()] == ["ok", "ok"]


def test_raw_text_is_kept_as_it_is_however_long(engine: RunningStub, tmp_path: Path, gate: Gate) -> None:
    with gateway(tmp_path, content="raw") as running:
        running.put(table(engine.url))
        running.ask(messages=[{"role": "user", "content": LONG}])
        (event,) = running.events(Kind.CONTENT)
    assert LONG in event["gen_ai.input.messages"] and gate.threads == []
