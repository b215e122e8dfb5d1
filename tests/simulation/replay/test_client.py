"""Whatever answers, or does not, becomes a result with a kind and a status; never an exception."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

import aiohttp
import pytest
from aiohttp import web

from runner.simulation.replay.client import Client
from runner.simulation.replay.plan import Target
from runner.simulation.replay.result import Failure, Reply
from runner.simulation.replay.schedule import Call

Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]
CHUNK = {"model": "m", "choices": [{"delta": {"content": "hi"}}]}
USAGE = {"model": "m", "choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 2}}


T = TypeVar("T")
CALL = Call(7, 0.0, "ann", "ann-1", "how?", 5, False)


def asked(serve: Serve, *, stream: bool, timeout_s: float = 30.0) -> Reply:
    call = replace(CALL, stream=stream)
    return spoken("/v1/chat/completions", serve, lambda client: client.ask(call), timeout_s)


def said(serve: Serve, timeout_s: float = 30.0) -> Failure | None:
    reply = Reply(None, 1.0, "run-1-7", response_id="chatcmpl-1")
    return spoken("/feedback", serve, lambda client: client.say(CALL, reply, {"thumbs": "up"}), timeout_s)


def spoken(path: str, serve: Serve, speak: Callable[[Client], Awaitable[T]], timeout_s: float) -> T:
    async def speaking() -> T:
        app = web.Application()
        app.router.add_post(path, serve)
        runner = web.AppRunner(app, handler_cancellation=True)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
            async with aiohttp.ClientSession() as http:
                client = Client(
                    http, Target(url, api_key="k", timeout_s=timeout_s), time.perf_counter, "run-1"
                )
                return await speak(client)
        finally:
            await runner.cleanup()

    return asyncio.run(speaking())


def answering(body: bytes, status: int = 200, **headers: str) -> Serve:
    async def serve(_: web.Request) -> web.Response:
        return web.Response(
            body=body, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    return serve


def lines(*values: Any, end: str = "data: [DONE]\n\n") -> bytes:
    return ("".join(f"data: {json.dumps(value)}\n\n" for value in values) + end).encode()


def test_a_request_names_its_user_session_id_and_key() -> None:
    seen: dict[str, Any] = {}

    async def serve(request: web.Request) -> web.Response:
        seen.update(body=await request.json(), headers=request.headers)
        return web.json_response({"model": "m", "choices": [{"message": {"content": "x"}}], "usage": None})

    reply = asked(serve, stream=False)
    assert reply.failure is None
    assert seen["body"]["user"] == "ann"
    assert seen["body"]["max_tokens"] == 5
    assert "stream" not in seen["body"]
    named = {name: seen["headers"][name] for name in ("x-loop-session", "x-request-id", "authorization")}
    assert named == {"x-loop-session": "ann-1", "x-request-id": "run-1-7", "authorization": "Bearer k"}
    assert reply.request_id == "run-1-7"


def test_what_the_headers_say_is_taken_over() -> None:
    body = json.dumps({"model": "shown", "choices": []}).encode()
    headers = {"x_loop_arm": "candidate", "x_loop_version": "chat-v2", "x_loop_overhead_ms": "0.25"}
    reply = asked(answering(body, x_request_id="other", **headers), stream=False)
    assert (reply.arm, reply.version, reply.overhead_ms, reply.request_id) == (
        "candidate",
        "chat-v2",
        0.25,
        "other",
    )


def test_a_stream_is_read_to_its_end_with_tokens_and_the_time_of_the_first() -> None:
    empty = {"model": "m", "choices": [{"delta": {"role": "assistant", "content": ""}}]}
    reply = asked(answering(b": comment\n\n" + lines(empty, CHUNK, CHUNK, USAGE)), stream=True)
    assert reply.failure is None
    assert (reply.input_tokens, reply.output_tokens) == (4, 2)
    assert reply.first_token_ms is not None
    assert 0 < reply.first_token_ms <= reply.latency_ms


@pytest.mark.parametrize(
    ("stream", "body", "status", "kind"),
    [
        (False, b"<html>", 200, "malformed_answer"),
        (False, b"[]", 200, "malformed_answer"),
        (False, b'{"choices": 3}', 200, "malformed_answer"),
        (False, b'{"choices": [3]}', 200, "malformed_answer"),
        (False, b"\xff", 200, "malformed_answer"),
        (False, b"", 502, "http_error"),
        (False, b"<html>bad gateway</html>", 502, "http_error"),
        (False, b'{"error": "plain"}', 500, "http_error"),
        (False, b'{"error": {"message": "m", "type": "server_error", "code": 500}}', 500, "server_error"),
        (False, b'{"error": {"message": "m", "type": "t", "code": "no_replica"}}', 503, "no_replica"),
        (True, lines(CHUNK, end=""), 200, "stream_cut"),
        (True, b"", 200, "stream_cut"),
        (True, lines(CHUNK, {"error": {"message": "m", "code": "stream_broken"}}), 200, "stream_broken"),
        (True, lines(CHUNK, {"error": {}}), 200, "error_in_stream"),
        (True, b"data: {nonsense\n\n", 200, "malformed_answer"),
        (True, b"data: " + b"x" * 2_000_000, 200, "malformed_answer"),
    ],
)
def test_a_bad_answer_is_a_failure_of_its_kind(stream: bool, body: bytes, status: int, kind: str) -> None:
    reply = asked(answering(body, status), stream=stream)
    assert reply.failure is not None
    assert (reply.failure.kind, reply.failure.status) == (kind, status)
    read_to_the_end = not (stream and kind == "malformed_answer")
    assert reply.acknowledged == read_to_the_end


def test_nonsense_in_headers_and_usage_is_taken_as_unknown() -> None:
    body = b'{"choices": [], "usage": {"prompt_tokens": "many", "completion_tokens": NaN}}'
    reply = asked(answering(body, x_loop_overhead_ms="fast"), stream=False)
    assert reply.failure is None
    assert (reply.overhead_ms, reply.input_tokens, reply.output_tokens) == (None, 0, 0)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_never_comes_is_a_time_out(stream: bool) -> None:
    async def serve(_: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        return web.Response()

    reply = asked(serve, stream=stream, timeout_s=0.1)
    assert reply.failure is not None
    assert (reply.failure.kind, reply.failure.status, reply.acknowledged) == ("timeout", 0, False)


@pytest.mark.parametrize("prepared", [False, True])
def test_a_line_that_breaks_is_a_lost_connection(prepared: bool) -> None:
    async def serve(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-length": "1000"})
        if prepared:
            await answer.prepare(request)
            await answer.write(b"data: ")
        assert request.transport is not None
        request.transport.close()
        return answer

    reply = asked(serve, stream=True)
    assert reply.failure is not None
    assert (reply.failure.kind, reply.failure.status) == ("connection_lost", 200 if prepared else 0)
    assert not reply.acknowledged


def test_feedback_names_the_answer_its_user_and_the_key() -> None:
    seen: dict[str, Any] = {}

    async def serve(request: web.Request) -> web.Response:
        seen.update(body=await request.json(), key=request.headers["authorization"])
        return web.json_response({"id": "fb-1"})

    assert said(serve) is None
    assert seen == {
        "body": {"response_id": "chatcmpl-1", "user": "ann", "thumbs": "up"},
        "key": "Bearer k",
    }


def test_feedback_that_is_not_taken_is_a_failure_of_its_kind() -> None:
    refused = b'{"error": {"message": "m", "type": "t", "code": "idempotency_key_reused"}}'
    assert said(answering(refused, 409)) == Failure("idempotency_key_reused", 409, "m")

    async def silent(_: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        return web.Response()

    late = said(silent, timeout_s=0.1)
    assert late is not None
    assert (late.kind, late.status) == ("timeout", 0)


@pytest.mark.parametrize(
    ("stream", "body"),
    [
        (True, lines({"id": "c-1", **CHUNK}, {"id": "c-1", **CHUNK}, USAGE)),
        (False, b'{"id": "c-1", "choices": [{"message": {"content": "hihi"}}]}'),
    ],
)
def test_the_answers_text_and_id_are_kept_streamed_or_not(stream: bool, body: bytes) -> None:
    reply = asked(answering(body), stream=stream)
    assert (reply.answer, reply.response_id) == ("hihi", "c-1")
