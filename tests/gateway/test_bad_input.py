"""Whatever comes in, an answer in OpenAI's shape goes out, and never a failure of ours."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.doubles.stub_engine import stub_engine
from tests.gateway.running import QUESTION, SERVED, RunningGateway, gateway, table
from tests.waiting import PATIENCE_S

CHAT = "/v1/chat/completions"
PATHS = (CHAT, "/v1/completions", "/feedback")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with (
        stub_engine(adapters=SERVED) as engine,
        gateway(tmp_path_factory.mktemp("gateway"), limits={"body_bytes": 20_000}) as running,
    ):
        running.put(table(engine.url, weight=0.5))
        yield running


def send(gateway: RunningGateway, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=PATIENCE_S)
    try:
        connection.request("POST", path, body, {"content-type": "application/json"} | headers)
        answer = connection.getresponse()
        raw = answer.read()
        return answer.status, raw
    finally:
        connection.close()


def assert_refused(status: int, raw: bytes) -> None:
    assert 400 <= status < 500
    assert set(json.loads(raw)["error"]) == {"message", "type", "param", "code"}


def nested(levels: int, opening: bytes, closing: bytes) -> bytes:
    return b'{"model":"chat","messages":[],"x":' + opening * levels + closing * levels + b"}"


BODIES = {
    "nothing": b"",
    "no JSON": b"{'model': 1}",
    "not an object": b"[1, 2]",
    "a number": b"1",
    "not UTF-8": b'{"model":"\xff\xfe","messages":[]}',
    "half a surrogate": b'{"model":"\\ud800","messages":[]}',
    "NaN": b'{"model":"chat","messages":[{"role":"user"}],"temperature":NaN}',
    "an infinite number": b'{"model":"chat","messages":[{"role":"user"}],"temperature":1e999}',
    "a huge whole number": b'{"model":"chat","messages":[{"role":"user"}],"max_tokens":' + b"9" * 400 + b"}",
    "deep lists": nested(70, b"[", b"]"),
    "very deep lists": nested(5000, b"[", b"]"),
    "deep objects": nested(80, b'{"a":', b"}")[:-1] + b"}",
    "no model": b'{"messages":[{"role":"user","content":"x"}]}',
    "an empty model": b'{"model":"","messages":[{"role":"user","content":"x"}]}',
    "no messages": b'{"model":"chat"}',
    "messages of text": b'{"model":"chat","messages":"hello"}',
    "messages of numbers": b'{"model":"chat","messages":[1]}',
    "a stream of text": b'{"model":"chat","messages":[{"role":"user"}],"stream":"yes"}',
    "options of text": b'{"model":"chat","messages":[{"role":"user"}],"stream":true,"stream_options":"all"}',
    "a user of numbers": b'{"model":"chat","messages":[{"role":"user"}],"user":17}',
    "an engine's own field": b'{"model":"chat","messages":[{"role":"user"}],"kv_transfer_params":{}}',
    "too long a name": b'{"model":"' + b"m" * 257 + b'","messages":[{"role":"user"}]}',
    "too many answers": b'{"model":"chat","messages":[{"role":"user"}],"n":17}',
    "no answer": b'{"model":"chat","messages":[{"role":"user"}],"n":0}',
    "too many to choose from": b'{"model":"chat","messages":[{"role":"user"}],"best_of":17}',
    "a bool for a number": b'{"model":"chat","messages":[{"role":"user"}],"max_tokens":true}',
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_makes_no_sense_is_the_clients_error(target: RunningGateway, name: str) -> None:
    assert_refused(*send(target, CHAT, BODIES[name]))


def test_a_body_over_the_limit_is_refused_declared_or_not(target: RunningGateway) -> None:
    large = json.dumps(QUESTION | {"x": "y" * 30_000}).encode()
    assert send(target, CHAT, large)[0] == 413
    connection = http.client.HTTPConnection(target.url.removeprefix("http://"), timeout=PATIENCE_S)
    try:
        pieces = (large[i : i + 5000] for i in range(0, len(large), 5000))
        headers = {"content-type": "application/json"}
        connection.request("POST", CHAT, pieces, headers, encode_chunked=True)
        assert connection.getresponse().status == 413
    finally:
        connection.close()


def test_of_a_key_given_twice_the_last_counts_for_everybody(target: RunningGateway) -> None:
    status, raw = send(
        target, CHAT, b'{"model":"nobody","model":"chat","messages":[{"role":"user","content":"x"}]}'
    )
    assert status == 200
    assert json.loads(raw)["model"].startswith("chat-v1.")


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_is_not_declared_as_json_is_refused(target: RunningGateway, media: str) -> None:
    assert send(target, CHAT, json.dumps(QUESTION).encode(), **{"content-type": media})[0] == 415


def test_a_request_id_is_kept_only_if_it_is_sane(target: RunningGateway) -> None:
    for sane in ("my-id_07", "0b9a6a3e-5f0e-4c9e-8f4b-0d6f0f4f6a11", "a" * 64):
        assert target.ask(headers={"x-request-id": sane}).headers["x-request-id"] == sane
    phone, card, resident, mail = "010-1234-5678", "4111111111111111", "900101-1234567", "kim@example.com"
    for odd in ("a b", "short-7", "x" * 65, "<script>", "", phone, card, resident, mail):
        assert target.ask(headers={"x-request-id": odd}).headers["x-request-id"] != odd


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
FIELDS = ("model", "messages", "prompt", "stream", "stream_options", "user", "temperature", "max_tokens", "n")
SAID = ("response_id", "thumbs", "rating", "correction", "comment")
almost_right = st.fixed_dictionaries(
    {"model": st.just("chat"), "messages": st.just(QUESTION["messages"]), "prompt": st.just("a b")},
    optional=dict.fromkeys((*FIELDS[3:], *SAID, "tools", "seed", "stop", "logprobs"), values),
)
anything = st.dictionaries(st.sampled_from((*FIELDS, *SAID)) | st.text(max_size=8), values, max_size=6)
header_values = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(PATHS),
    body=st.one_of(
        st.binary(max_size=60),
        values.map(lambda v: json.dumps(v).encode()),
        anything.map(lambda v: json.dumps(v).encode()),
        almost_right.map(lambda v: json.dumps(v).encode()),
    ),
    headers=st.dictionaries(
        st.sampled_from(
            ("x-request-id", "x-loop-user", "x-loop-session", "authorization", "idempotency-key")
        ),
        header_values.map(str.strip),
    ),
)
def test_no_input_at_all_makes_the_gateway_fail(
    target: RunningGateway, path: str, body: bytes, headers: dict[str, str]
) -> None:
    status, raw = send(target, path, body, **headers)
    assert status < 500
    if status >= 400:
        assert_refused(status, raw)


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": ["a"] * 65},
        {"prompt": [[1]] * 65},
        {"prompt": "a", "n": 17},
        {"prompt": "a", "best_of": 99},
    ],
)
def test_one_request_asks_for_a_bounded_amount_of_work(
    target: RunningGateway, changes: dict[str, Any]
) -> None:
    assert_refused(*send(target, "/v1/completions", json.dumps({"model": "chat"} | changes).encode()))


def test_several_prompts_and_several_answers_to_each_are_answered(target: RunningGateway) -> None:
    body = {"model": "chat", "prompt": ["a", "b"], "n": 2}
    for stream in (False, True):
        status, raw = send(target, "/v1/completions", json.dumps(body | {"stream": stream}).encode())
        assert status == 200
        assert raw.count(b'"finish_reason":"stop"') == 4


@pytest.mark.parametrize("name", ["kim@example.com", "010-1234-5678", "x" * 250])
def test_a_name_that_is_none_of_ours_is_neither_logged_nor_shown_whole(
    target: RunningGateway, name: str
) -> None:
    answer = target.ask(model=name + "/" + "y" * 5)
    assert answer.status_code == 404
    assert "yyyyy" not in answer.text or len(name) < 40
    event = target.events()[-1]
    assert event["gen_ai.request.model"] == "(unknown)"
    assert name not in json.dumps(event)


def test_every_answer_carries_a_request_id_and_a_405_says_what_is_allowed(target: RunningGateway) -> None:
    named = {"x-request-id": "trace-0001"}
    for method, path in (("GET", "/nothing"), ("GET", CHAT), ("GET", "/v1/models"), ("POST", "/feedback")):
        answer = httpx.request(method, target.url + path, headers=named)
        assert answer.headers.get_list("x-request-id") == ["trace-0001"]
        assert len(httpx.request(method, target.url + path).headers["x-request-id"]) == 32
    assert httpx.get(target.url + CHAT).headers["allow"] == "POST"
    assert len(target.ask(headers=named).headers.get_list("x-request-id")) == 1


def test_every_one_of_those_requests_left_exactly_one_event(target: RunningGateway) -> None:
    before = len(target.events())
    for body in BODIES.values():
        send(target, CHAT, body)
    events = target.events()[before:]
    assert len(events) == len(BODIES)
    assert {event["loop.outcome"] for event in events} == {"refused"}


@pytest.mark.parametrize(
    "said", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"POST /v1/chat/completions HTTP/9.9\r\n\r\n"]
)
def test_bytes_that_are_no_http_get_an_error_in_openais_shape(target: RunningGateway, said: bytes) -> None:
    host, port = target.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as line:
        line.sendall(said)
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"]["code"] == "malformed_http"
