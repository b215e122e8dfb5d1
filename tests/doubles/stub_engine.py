"""A stand-in for vLLM's HTTP server, so that tests of callers need no model and can break it on purpose.

Used by tests of the gateway, of the vLLM client and of the reconciler; contract tests run the same calls
against the real server. It speaks the part of vLLM 0.32's API that Loop uses, with vLLM's own shapes of
success and failure. An adapter changes the answer; a "restart" forgets every adapter.
`with stub_engine() as engine:`
runs it in a thread; `python -m tests.doubles.stub_engine --port 0` runs it as a process, steered through
`POST /_stub/control`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.doubles.stub_model import Generation, chat_prompt, check_numbers, completion_prompts
from tests.doubles.stub_state import Behaviour, EngineError, State, bad_request, check_adapter_files
from tests.waiting import PATIENCE_S

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

TRANSPORT = "stub.transport"


async def _read_json(scope: Scope, receive: Receive) -> dict[str, Any]:
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise asyncio.CancelledError
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    headers = dict(scope["headers"])
    media = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if media != b"application/json":
        raise bad_request("1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed")
    try:
        value = json.loads(b"".join(chunks))
    except ValueError as error:
        raise bad_request(f"1 validation error:\n  JSON decode error: {error}", "body") from None
    if not isinstance(value, dict):
        raise bad_request("1 validation error:\n  Input should be a valid dictionary", "body")
    return value


class StubEngine:
    """The raw ASGI application."""

    def __init__(self, state: State) -> None:
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return None
        method, path = scope["method"], scope["path"]
        routes = {
            "/health": ("GET", self._health),
            "/version": ("GET", self._version),
            "/metrics": ("GET", self._metrics),
            "/v1/models": ("GET", self._models),
            "/v1/chat/completions": ("POST", self._chat),
            "/v1/completions": ("POST", self._completion),
            "/_stub/control": ("POST", self._control),
        }
        if self.state.runtime_lora:
            routes["/v1/load_lora_adapter"] = ("POST", self._load)
            routes["/v1/unload_lora_adapter"] = ("POST", self._unload)
        if path not in routes:
            return await _json(send, 404, {"detail": "Not Found"})
        wanted, serve = routes[path]
        if method != wanted:
            return await _json(send, 405, {"detail": "Method Not Allowed"})
        if path.startswith("/v1") and not self._allowed(scope):
            return await _json(send, 401, {"error": "Unauthorized"})
        self.state.calls.append((f"{method} {path}", ""))
        try:
            await serve(scope, receive, send)
        except EngineError as error:
            await _json(send, error.status, error.body())

    def _allowed(self, scope: Scope) -> bool:
        key = self.state.api_key
        return key is None or dict(scope["headers"]).get(b"authorization", b"") == f"Bearer {key}".encode()

    async def _health(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await self._misbehave(self.state.behaviour.health)
        await _respond(send, 500 if self.state.behaviour.health == "500" else 200, b"")

    async def _misbehave(self, how: str) -> None:
        if how == "hang":
            await asyncio.sleep(3600)

    async def _metrics(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        text = f"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds {self.state.started!r}\n"
        await _respond(send, 200, text.encode())

    async def _version(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await _json(send, 200, {"version": "0.32.0"})

    async def _models(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await self._misbehave(self.state.behaviour.models)
        if self.state.behaviour.models == "500":
            raise EngineError(500, "Internal server error", "InternalServerError")
        base = self.state.base_model
        cards = [_card(base, self.state.base_path, None, self.state.max_model_len)]
        cards += [_card(name, path, base, None) for name, path in self.state.adapters.items()]
        await _json(send, 200, {"object": "list", "data": cards})

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        changes = await _read_json(scope, receive)
        if "no_op_adapters" in changes:
            changes["no_op_adapters"] = tuple(changes["no_op_adapters"])
        self.state.control(**changes)
        await _json(send, 200, {"adapters": self.state.adapters, "calls": self.state.calls})

    # LoRA: the table of the engine notes, case by case

    async def _load(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_json(scope, receive)
        name, path = _field(body, "lora_name"), _field(body, "lora_path")
        if not name or not path:
            raise EngineError(400, "Both 'lora_name' and 'lora_path' must be provided.", "InvalidUserInput")
        if name == self.state.base_model:
            raise EngineError(
                400, f"The lora adapter '{name}' conflicts with a served base model.", "InvalidUserInput"
            )
        if name in self.state.adapters and not body.get("load_inplace"):
            raise EngineError(
                400,
                f"The lora adapter '{name}' has already been loaded. If you want to load the adapter in "
                "place, set 'load_inplace' to True.",
                "InvalidUserInput",
            )
        await asyncio.sleep(self.state.behaviour.load_delay_s)
        check_adapter_files(name, path, self.state.max_lora_rank)
        self.state.adapters[name] = path
        await _respond(send, 200, f"Success: LoRA adapter '{name}' added successfully.".encode())

    async def _unload(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_json(scope, receive)
        name = _field(body, "lora_name")
        if not name:
            raise EngineError(
                400, "'lora_name' needs to be provided to unload a LoRA adapter.", "InvalidUserInput"
            )
        if name not in self.state.adapters:
            raise EngineError(404, f"The lora adapter '{name}' cannot be found.", "NotFoundError")
        del self.state.adapters[name]
        await _respond(send, 200, f"Success: LoRA adapter '{name}' removed successfully.".encode())

    # generation

    async def _chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_json(scope, receive)
        prompt = chat_prompt(body)
        check_numbers(body, self.state.max_model_len)
        await self._generate(scope, receive, send, Generation(self.state, body, "chat", prompt))

    async def _completion(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_json(scope, receive)
        prompt, *more = completion_prompts(body)
        check_numbers(body, self.state.max_model_len)
        await self._generate(
            scope, receive, send, Generation(self.state, body, "text_completion", prompt, tuple(more))
        )

    async def _generate(self, scope: Scope, receive: Receive, send: Send, job: Generation) -> None:
        state = self.state
        state.bodies.append(job.body)
        state.headers.append({k.decode(): v.decode("latin-1") for k, v in scope["headers"]})
        state.calls[-1] = (state.calls[-1][0], str(job.body.get("model")))
        fault = state.take_fault(str(job.body.get("model")))
        state.in_flight += 1
        gone = asyncio.ensure_future(_until_gone(receive))
        work = asyncio.ensure_future(_answer(scope, send, job, fault))
        try:
            await asyncio.wait({gone, work}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                state.cancelled += 1
                work.cancel()
            else:
                work.result()
        finally:
            gone.cancel()
            state.in_flight -= 1


async def _answer(scope: Scope, send: Send, job: Generation, fault: str) -> None:
    behaviour = job.state.behaviour
    if fault == "hang":
        await asyncio.sleep(3600)
    if fault == "disconnect":
        scope[TRANSPORT].abort()
        return
    if fault in ("500", "503"):
        kind = "InternalServerError" if fault == "500" else "ServiceUnavailableError"
        await _json(send, int(fault), EngineError(int(fault), "the engine failed", kind).body())
        return
    try:
        model = job.model
        if fault == "model_not_found":
            raise EngineError(404, f"The model `{model}` does not exist.", "NotFoundError", "model")
    except EngineError as error:
        await _json(send, error.status, error.body())
        return
    await asyncio.sleep(behaviour.delay_s)
    if job.body.get("stream"):
        await _stream(scope, send, job, fault, behaviour.token_delay_s)
    else:
        await _whole(scope, send, job, fault)


async def _whole(scope: Scope, send: Send, job: Generation, fault: str) -> None:
    payload = json.dumps(job.whole(), separators=(",", ":")).encode()
    if fault in ("before_first_byte", "mid_stream"):
        await _start(send, 200, b"application/json", len(payload))
        if fault == "mid_stream":
            await send({"type": "http.response.body", "body": payload[:20], "more_body": True})
        await _cut(scope)
        return
    await _respond(send, 200, payload, b"application/json")


async def _stream(scope: Scope, send: Send, job: Generation, fault: str, token_delay_s: float) -> None:
    await _start(send, 200, b"text/event-stream; charset=utf-8", None)
    if fault == "before_first_byte":
        await _cut(scope)
        return
    for number, chunk in enumerate(job.chunks()):
        if fault == "mid_stream" and number == 3:
            await _cut(scope)
            return
        line = b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"
        await send({"type": "http.response.body", "body": line, "more_body": True})
        await asyncio.sleep(token_delay_s)
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n", "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _cut(scope: Scope) -> None:
    await asyncio.sleep(
        0.01
    )  # lets what was sent reach the caller, so that the cut is where the test says it is
    scope[TRANSPORT].abort()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _field(body: dict[str, Any], name: str) -> str:
    if not isinstance(body.get(name), str):
        raise bad_request(f"1 validation error:\n  Field required: {name}", f"body.{name}")
    return str(body[name])


def _card(name: str, root: str, parent: str | None, max_model_len: int | None) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": int(time.time()),
        "owned_by": "vllm",
        "root": root,
        "parent": parent,
        "max_model_len": max_model_len,
        "permission": [],
    }


async def _start(send: Send, status: int, media: bytes, length: int | None) -> None:
    headers = [(b"content-type", media)]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _respond(send: Send, status: int, body: bytes, media: bytes = b"text/plain; charset=utf-8") -> None:
    await _start(send, status, media, len(body))
    await send({"type": "http.response.body", "body": body})


async def _json(send: Send, status: int, value: Any) -> None:
    await _respond(send, status, json.dumps(value, separators=(",", ":")).encode(), b"application/json")


class _Protocol(HttpToolsProtocol):
    """Hands the application its transport, since a faithful cut of the line has no word in ASGI."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[TRANSPORT] = self.transport  # type: ignore[literal-required]


@dataclass
class RunningStub:
    """A stub that is up: its address, its memory, and the knobs."""

    url: str
    state: State

    def control(self, **changes: Any) -> None:
        """Change the behaviour (fields of `Behaviour`), or `forget_adapters=True`."""
        self.state.control(**changes)

    def load(self, name: str, path: str = "") -> None:
        """Put an adapter in place without files, for tests that are not about loading."""
        self.state.adapters[name] = path or f"/adapters/{name}"

    def restart(self) -> None:
        """Forget every adapter and every fault, as a new process would."""
        self.state.behaviour = Behaviour()
        self.state.adapters.clear()
        self.state.started = time.time()

    def generations(self) -> list[str]:
        """Return the model of every generation call, in order of arrival."""
        return [model for call, model in self.state.calls if call.endswith("completions")]


def _server(state: State, port: int) -> uvicorn.Server:
    config = uvicorn.Config(
        StubEngine(state),
        host="127.0.0.1",
        port=port,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


@contextmanager
def stub_engine(*, port: int = 0, adapters: tuple[str, ...] = (), **settings: Any) -> Iterator[RunningStub]:
    """Run a stub in a thread until the block ends.

    `adapters` are loaded from the start; `settings` are fields of `State` (base_model, max_lora_rank, ...).
    """
    state = State(**settings)
    server = _server(state, port)
    server.config.load()
    socket = server.config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the stub engine did not start")
        time.sleep(0.005)
    running = RunningStub(f"http://127.0.0.1:{socket.getsockname()[1]}", state)
    for name in adapters:
        running.load(name)
    try:
        yield running
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        if thread.is_alive():
            server.force_exit = True
            thread.join(PATIENCE_S)
        socket.close()


def main() -> None:
    """Run the stub as a process of its own; prints its address on the first line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--base-model", default="base")
    parser.add_argument(
        "--adapter", action="append", default=[], help="name of an adapter loaded from the start"
    )
    options = parser.parse_args()
    state = State(base_model=options.base_model, adapters={n: f"/adapters/{n}" for n in options.adapter})
    server = _server(state, options.port)
    server.config.load()
    socket = server.config.bind_socket()
    print(f"http://127.0.0.1:{socket.getsockname()[1]}", flush=True)
    server.run(sockets=[socket])


if __name__ == "__main__":
    main()
