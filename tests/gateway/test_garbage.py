"""An engine that answers nonsense costs the user an error in OpenAI's shape, and the log one event that says so."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from runner.events.schema import Kind
from tests.gateway.running import BASELINE, QUESTION, RunningGateway, gateway, table
from tests.waiting import PATIENCE_S, until

DONE = b"data: [DONE]\n\n"


class ScriptedEngine(ThreadingHTTPServer):
    """Answers every question with `says`: bytes as a whole answer, a list of pieces as a stream."""

    daemon_threads = True
    says: Any = b"{}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedEngine

    def log_message(self, *_: Any) -> None:
        return

    def do_GET(self) -> None:
        self._head(content_length=0)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        says = self.server.says
        if isinstance(says, bytes):
            self._head(content_length=len(says))
            self.wfile.write(says)
            return
        self._head(connection="close")
        self.close_connection = True
        try:
            for piece in says:
                self.wfile.write(piece)
        except OSError:
            return  # the gateway hung up

    def _head(self, **headers: Any) -> None:
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()


@contextmanager
def scripted() -> Iterator[ScriptedEngine]:
    with ScriptedEngine(("127.0.0.1", 0), _Answer) as engine:
        thread = threading.Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield engine
        finally:
            engine.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningGateway, ScriptedEngine]]:
    with scripted() as engine, gateway(tmp_path_factory.mktemp("gateway")) as running:
        running.put(table(engine.url))
        yield running, engine


CHOICE = {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}
GOOD = {"id": "c", "choices": [CHOICE], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
DEEP = json.loads('{"x":' * 300 + "1" + "}" * 300)
WHOLE: dict[str, Any] = {
    "nothing": {},
    "an error under 200": {"error": {"message": "boom"}},
    "choices of none": GOOD | {"choices": None},
    "choices of a number": GOOD | {"choices": 5},
    "a choice of a number": GOOD | {"choices": [5]},
    "no choice": GOOD | {"choices": []},
    "no end": GOOD | {"choices": [CHOICE | {"finish_reason": None}]},
    "an index of a list": GOOD | {"choices": [CHOICE | {"index": [0]}]},
    "two choices": GOOD | {"choices": [CHOICE, CHOICE | {"index": 1}]},
    "a usage over 64 bits": GOOD | {"usage": {"prompt_tokens": 2**63}},
    "a usage of text": GOOD | {"usage": "much"},
    "a depth that cannot be written": GOOD | {"more": DEEP},
}


def chunk(text: str | None = None, end: str | None = None, index: Any = 0, **delta: Any) -> bytes:
    said = delta if text is None else delta | {"content": text}
    return line({"id": "c", "choices": [{"index": index, "delta": said, "finish_reason": end}]})


def line(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


STREAMS: dict[str, list[bytes]] = {
    "only the end": [DONE],
    "a page": [b"<html>\n\n", DONE],
    "no JSON at first": [b"data: garbage\n\n", DONE],
    "no JSON later": [chunk("a"), b"data: garbage\n\n", DONE],
    "no end": [chunk("a"), DONE],
    "an index of a list": [chunk("a", index=[0]), chunk("b", "stop"), DONE],
    "an index of none": [chunk("a", index=None), DONE],
    "an index that nobody asked for": [chunk("a", index=7), DONE],
    "choices of a number": [line({"choices": 5}), DONE],
    "a choice of a number": [line({"choices": [5]}), DONE],
    "a delta of text": [line({"choices": [{"index": 0, "delta": "a"}]}), DONE],
    "content of a number": [chunk(content=5), DONE],
    "tool calls of text": [chunk(tool_calls="f"), DONE],
    "an end of a number": [line({"choices": [{"index": 0, "delta": {}, "finish_reason": 5}]}), DONE],
    "a usage over 64 bits": [
        chunk("a", "stop"),
        line({"choices": [], "usage": {"prompt_tokens": 2**63}}),
        DONE,
    ],
    "a list": [line([1]), DONE],
    "a depth that cannot be written": [chunk("a"), line({"x": DEEP}), DONE],
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_answer_that_is_none_is_a_502_and_an_event(
    both: tuple[RunningGateway, ScriptedEngine], name: str
) -> None:
    running, engine = both
    engine.says = json.dumps(WHOLE[name]).encode()
    before = len(running.events())
    answer = running.ask()
    assert answer.status_code == 502
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    (event,) = running.events()[before:]
    assert (event["loop.outcome"], event["error.type"]) == ("error", "malformed_answer")
    assert event["loop.version"] == BASELINE.name


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_is_none_ends_in_an_error_and_an_event(
    both: tuple[RunningGateway, ScriptedEngine], name: str
) -> None:
    running, engine = both
    engine.says = STREAMS[name]
    before = len(running.events())
    answer = running.ask(stream=True)
    if answer.status_code == 200:
        last = answer.text.strip().rpartition("\n\n")[2]
        assert "error" in json.loads(last.removeprefix("data: "))
    else:
        assert answer.status_code in (502, 503)
    assert "[DONE]" not in answer.text
    (event,) = running.events()[before:]
    assert event["loop.outcome"] == "error"


def test_one_of_two_answers_that_never_ends_is_no_answer(both: tuple[RunningGateway, ScriptedEngine]) -> None:
    running, engine = both
    engine.says = [chunk("a", "stop"), chunk(None, "stop"), DONE]  # the first ends twice, the second never
    assert "stream_broken" in running.ask(stream=True, n=2).text
    engine.says = [chunk("a", "stop"), chunk("b", "stop", index=1), DONE]
    assert running.ask(stream=True, n=2).text.endswith("data: [DONE]\n\n")


def test_tool_calls_refusals_and_reasoning_of_a_stream_are_kept(
    both: tuple[RunningGateway, ScriptedEngine],
) -> None:
    running, engine = both
    call = {"index": 0, "id": "c-1", "function": {"name": "price", "arguments": '{"book'}}
    more = {"index": 0, "function": {"arguments": '":"x"}'}}
    engine.says = [
        chunk("", role="assistant"),
        chunk(reasoning="let me "),
        chunk(reasoning="see"),
        chunk(tool_calls=[call]),
        chunk(tool_calls=[more]),
        chunk(refusal="not that"),
        chunk(None, "tool_calls"),
        DONE,
    ]
    running.ask(stream=True)
    (said,) = json.loads(running.events(Kind.CONTENT)[-1]["gen_ai.output.messages"])
    assert said == {
        "role": "assistant",
        "content": None,
        "reasoning": "let me see",
        "refusal": "not that",
        "tool_calls": [
            {"id": "c-1", "type": "function", "function": {"name": "price", "arguments": '{"book":"x"}'}}
        ],
    }


def test_a_fault_of_ours_is_answered_and_logged_too(
    both: tuple[RunningGateway, ScriptedEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, engine = both
    engine.says = json.dumps(GOOD).encode()

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("traceback.print_exc", lambda **_: None)
    monkeypatch.setattr(
        "runner.serving.gateway.completions.content_event",
        lambda exchange, *_: broken() if exchange.answer else None,
    )
    before = len(running.events())
    answer = running.ask()
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    (event,) = running.events()[before:]
    assert (event["loop.outcome"], event["error.type"]) == ("error", "internal_error")


def question(stream: bool) -> bytes:
    body = json.dumps(QUESTION | {"stream": stream}).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def test_who_does_not_read_is_cut_off_at_the_time_out(tmp_path: Path) -> None:
    with scripted() as engine, gateway(tmp_path, limits={"in_flight": 1, "total_timeout_s": 1.0}) as running:
        running.put(table(engine.url))
        engine.says = [*(chunk("x" * 200_000) for _ in range(150)), chunk("a", "stop"), DONE]
        host, port = running.url.removeprefix("http://").split(":")
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect((host, int(port)))
            slow.sendall(question(stream=True))
            until(lambda: len(running.events()) == 1, "the slow reader is logged")
            (event,) = running.events()
            assert (event["loop.outcome"], event["error.type"]) == ("cancelled", "client_too_slow")
            engine.says = json.dumps(GOOD).encode()
            until(lambda: running.ask().status_code == 200, "its place is free again")
            slow.settimeout(10)
            rest = b"".join(
                iter(lambda: slow.recv(1 << 20), b"")
            )  # what the kernel held, then the end of the line
            assert not rest.endswith(b"0\r\n\r\n")


def test_a_body_that_never_begins_is_given_up(tmp_path: Path) -> None:
    with gateway(tmp_path, limits={"total_timeout_s": 0.3}) as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as line_:
            line_.sendall(question(stream=False).partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
            answer = b"".join(iter(lambda: line_.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 408 ")
        (event,) = running.events()
        assert (event["http.response.status_code"], event["loop.outcome"]) == (408, "refused")


def test_token_ids_of_a_prompt_are_not_kept(both: tuple[RunningGateway, ScriptedEngine]) -> None:
    import httpx

    running, engine = both
    for prompt, kept in (([72, 105], "(token ids)"), (["hi", [72, 105]], ["hi", "(token ids)"])):
        count = 1 if kept == "(token ids)" else 2
        choices = [{"index": i, "text": "a", "finish_reason": "stop"} for i in range(count)]
        engine.says = json.dumps(GOOD | {"choices": choices}).encode()
        body = {"model": "chat", "prompt": prompt}
        assert httpx.post(f"{running.url}/v1/completions", json=body).status_code == 200
        asked = json.loads(running.events(Kind.CONTENT)[-1]["gen_ai.input.messages"])
        assert asked == [{"role": "user", "content": kept}]
