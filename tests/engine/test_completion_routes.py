"""What vLLM answers to users' requests: the shapes that the gateway forwards and counts on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doubles.stub_engine import stub_engine
from tests.engine.conftest import Server

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
MESSAGES = [{"role": "user", "content": "When are you open?"}]


def chat(server: Server, **more: Any) -> dict[str, Any]:
    return {"model": server.base, "messages": MESSAGES, "max_tokens": 4, "temperature": 0, **more}


def test_a_whole_answer_has_one_choice_an_id_and_its_usage(server: Server) -> None:
    answer = server.post(CHAT, chat(server)).json
    assert (answer["object"], answer["model"]) == ("chat.completion", server.base)
    assert answer["id"].startswith("chatcmpl-")
    (choice,) = answer["choices"]
    assert choice["message"]["role"] == "assistant"
    assert choice["finish_reason"] in ("stop", "length")
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert 1 <= usage["completion_tokens"] <= 4


def test_a_stream_begins_with_the_role_and_ends_with_a_reason_and_done(server: Server) -> None:
    answer = server.post(CHAT, chat(server, stream=True))
    assert (answer.status, answer.media) == (200, "text/event-stream")
    chunks = answer.chunks
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-1]["choices"][0]["finish_reason"] in ("stop", "length")
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert not any(chunk.get("usage") for chunk in chunks)


def test_a_stream_tells_its_usage_in_one_last_chunk_where_asked(server: Server) -> None:
    body = chat(server, stream=True, stream_options={"include_usage": True})
    *before, last = server.post(CHAT, body).chunks
    assert last["choices"] == []
    usage = last["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert not any(chunk.get("usage") for chunk in before)


def test_a_stream_says_the_same_as_a_whole_answer(server: Server) -> None:
    whole = server.post(CHAT, chat(server)).json["choices"][0]["message"]["content"]
    chunks = server.post(CHAT, chat(server, stream=True)).chunks
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == whole


def test_a_text_completion_streams_too(server: Server) -> None:
    body = {"model": server.base, "prompt": "When are you", "max_tokens": 3, "stream": True}
    chunks = server.post(TEXT, body).chunks
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert chunks[-1]["choices"][0]["finish_reason"] in ("stop", "length")


def test_several_prompts_are_answered_in_order_each_with_its_index(server: Server) -> None:
    body = {"model": server.base, "prompt": ["one two", "three four"], "max_tokens": 1}
    answer = server.post(TEXT, body).json
    assert [choice["index"] for choice in answer["choices"]] == [0, 1]


def test_hazard_8_an_unknown_model_is_not_found_and_never_the_base(server: Server) -> None:
    answer = server.post(CHAT, chat(server) | {"model": "nobody-loaded-this"})
    assert (answer.status, answer.error["type"], answer.error["param"]) == (404, "NotFoundError", "model")


BAD: dict[str, dict[str, Any]] = {
    "messages that are a text": {"messages": "hello"},
    "no messages": {"messages": []},
    "a limit of zero": {"max_tokens": 0},
    "a limit below zero": {"max_tokens": -3},
    "a limit over the model's": {"max_tokens": 100_000},
    "a limit that is a text": {"max_tokens": "many"},
    "a temperature below zero": {"temperature": -1},
    "a temperature that is a text": {"temperature": "hot"},
    "stream options without a stream": {"stream_options": {"include_usage": True}},
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
def test_a_bad_request_gets_a_400_in_the_openai_shape(server: Server, change: dict[str, Any]) -> None:
    answer = server.post(CHAT, chat(server) | change)
    assert answer.status == 400
    assert answer.error["type"] in ("Bad Request", "BadRequestError")


@pytest.mark.parametrize("path", [CHAT, TEXT])
@pytest.mark.parametrize("data", ["", "{bad", "[]", "null", '"text"'])
def test_a_body_that_is_no_json_object_gets_a_400(server: Server, path: str, data: str) -> None:
    answer = server.ask("POST", path, data=data)
    assert (answer.status, answer.error["type"]) == (400, "Bad Request")


def test_health_version_and_metrics_are_open(server: Server) -> None:
    assert server.ask("GET", "/health").status == 200
    assert server.ask("GET", "/version").json["version"].startswith("0.32")
    assert "process_start_time_seconds " in server.ask("GET", "/metrics").text


@pytest.mark.engine
@pytest.mark.parametrize("path", [CHAT, TEXT])
@pytest.mark.parametrize("stream", [False, True])
def test_the_stub_says_nothing_that_vllm_does_not_say(engine: Any, path: str, stream: bool) -> None:
    body: dict[str, Any] = {"model": engine.base, "max_tokens": 3, "stream": stream}
    body |= {"messages": MESSAGES} if path == CHAT else {"prompt": "When are you"}
    with stub_engine(base_model=engine.base) as stub:
        said = keys(Server(stub.url, engine.base, real=False), path, body)
    assert said <= keys(Server(engine.url, engine.base, real=True), path, body)


def keys(server: Server, path: str, body: dict[str, Any]) -> set[str]:
    answer = server.post(path, body)
    values = answer.chunks if body["stream"] else [answer.json]
    return {name for value in values for name in _paths(value, "")}


def _paths(value: Any, prefix: str) -> set[str]:
    if isinstance(value, list):
        return {name for one in value for name in _paths(one, f"{prefix}[]")}
    if isinstance(value, dict):
        inner = {name for key, one in value.items() for name in _paths(one, f"{prefix}.{key}")}
        return inner | {f"{prefix}.{key}" for key in value}
    return set()
