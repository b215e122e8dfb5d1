"""Nothing of the engine is reachable but generation and the list of models."""

from __future__ import annotations

import http.client

import pytest

from tests.doubles.stub_engine import RunningStub
from tests.gateway.running import RunningGateway
from tests.waiting import PATIENCE_S

LORA = ("/v1/load_lora_adapter", "/v1/unload_lora_adapter")
TRICKS = (
    *LORA,
    "//v1/load_lora_adapter",
    "/v1//load_lora_adapter",
    "/v1/%6coad_lora_adapter",
    "/v1%2Fload_lora_adapter",
    "/v1/chat/completions/../../load_lora_adapter",
    "/v1/chat/completions/%2e%2e/%2e%2e/load_lora_adapter",
    "/v1/chat/completions;/v1/load_lora_adapter",
    "/v1/load_lora_adapter/",
    "/v1/load_lora_adapter?x=/v1/chat/completions",
    "/V1/LOAD_LORA_ADAPTER",
    "/v1/chat/completions%00",
    "/v1/chat%2fcompletions",
    "http://other.example/v1/load_lora_adapter",
    "/health",
    "/version",
    "/tokenize",
    "/_stub/control",
    "/state",
    "/routes",
    "/",
    "*",
)
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW")


def call(gateway: RunningGateway, method: str, path: str) -> int:
    connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=PATIENCE_S)
    try:
        body = b'{"lora_name":"evil","lora_path":"/x"}'
        connection.putrequest(method, path, skip_accept_encoding=True)
        connection.putheader("content-type", "application/json")
        connection.putheader("x-http-method-override", "POST")
        connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("path", TRICKS)
def test_no_spelling_of_a_path_reaches_the_engine(
    served: RunningGateway, engine: RunningStub, path: str
) -> None:
    for method in METHODS:
        assert call(served, method, path) in (400, 404, 405)
    assert {c for c, _ in engine.state.calls} <= {"GET /health"}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/feedback"])
def test_only_post_serves_generation_and_feedback(
    served: RunningGateway, engine: RunningStub, path: str
) -> None:
    for method in METHODS:
        if method != "POST":
            assert call(served, method, path) in (400, 405)
    assert {c for c, _ in engine.state.calls} <= {"GET /health"}


def test_the_admin_listener_serves_no_user_and_the_public_one_no_runner(served: RunningGateway) -> None:
    admin = RunningGateway(served.admin, served.admin, served.state_dir)
    assert call(admin, "POST", "/v1/chat/completions") == 404
    assert call(served, "PUT", "/routes") == 404
