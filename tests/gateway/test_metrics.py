"""What operators see, and what users do not: numbers, paths and addresses are for the admin listener."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from runner.events.schema import Kind
from tests.doubles.stub_engine import RunningStub
from tests.gateway.running import RunningGateway, gateway, table
from tests.waiting import until

PATHS = (("POST", "/v1/chat/completions"), ("POST", "/feedback"), ("GET", "/v1/models"))
KEY = {"name": "ann", "group": "beta", "sha256": hashlib.sha256(b"sk-ann").hexdigest()}


@pytest.fixture
def keyed(engine: RunningStub, tmp_path: Path) -> Iterator[RunningGateway]:
    with gateway(tmp_path, keys=[KEY], anonymous_group=None, transport={"unknown_per_minute": 3}) as running:
        running.put(table(engine.url))
        yield running


def metrics(running: RunningGateway) -> list[str]:
    return httpx.get(f"{running.admin}/metrics").text.splitlines()


def test_metrics_are_for_the_admin_listener_alone(served: RunningGateway) -> None:
    assert httpx.get(f"{served.url}/metrics").status_code == 404
    assert "loop_gateway_generation 1.0" in metrics(served)
    assert any(line.startswith("loop_gateway_replica_healthy{") for line in metrics(served))


def test_users_learn_that_it_is_not_ready_and_nothing_of_the_machine(served: RunningGateway) -> None:
    until(lambda: httpx.get(f"{served.url}/readyz").status_code == 200, "ready")
    assert httpx.get(f"{served.url}/readyz").json() == {"status": "ready"}
    shutil.rmtree(served.state_dir / "events")
    (served.state_dir / "events").touch()
    assert served.ask().status_code == 503
    public, admin = (httpx.get(f"{url}/readyz") for url in (served.url, served.admin))
    assert (public.status_code, admin.status_code) == (503, 503)
    assert public.json() == {"status": "not ready", "reason": "requests cannot be logged"}
    assert str(served.state_dir) in admin.json()["reason"]


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer sk-guess"}])
def test_who_has_no_key_is_slowed_down_counted_and_not_logged(
    keyed: RunningGateway, method: str, path: str, headers: dict[str, str]
) -> None:
    answers = [httpx.request(method, keyed.url + path, headers=headers) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert [answer.json()["error"]["code"] for answer in answers[2:4]] == [
        "invalid_api_key",
        "rate_limit_exceeded",
    ]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert keyed.events() == keyed.events(Kind.FEEDBACK) == []
    assert 'loop_gateway_unknown_callers_total{status="401"} 3.0' in metrics(keyed)
    assert 'loop_gateway_unknown_callers_total{status="429"} 2.0' in metrics(keyed)


def test_who_has_a_key_is_served_beside_somebody_who_guesses(keyed: RunningGateway) -> None:
    known = {"authorization": "Bearer sk-ann"}
    for _ in range(6):
        httpx.get(f"{keyed.url}/v1/models", headers={"authorization": "Bearer sk-guess"})
    assert httpx.get(f"{keyed.url}/v1/models", headers=known).status_code == 200
    assert keyed.ask(headers=known).status_code == 200
    assert [event["loop.group"] for event in keyed.events()] == ["beta"]


def test_events_that_went_with_deleted_segments_are_counted(served: RunningGateway) -> None:
    assert 'loop_gateway_events_lost_total{kind="request"} 0.0' in metrics(served)
    served.ask()
    until(lambda: list((served.state_dir / "events").glob("request-*.jsonl")), "written")
    until(lambda: _is_durable(served), "on the disk")
    shutil.rmtree(served.state_dir / "events")
    (served.state_dir / "events").mkdir()
    until(lambda: served.ask().status_code == 200, "answers")
    until(lambda: 'loop_gateway_events_lost_total{kind="request"} 1.0' in metrics(served), "the loss is told")


def _is_durable(served: RunningGateway) -> bool:
    """Feedback waits for the disk, and all kinds are brought there together."""
    said = {"response_id": "chatcmpl-1", "thumbs": "up"}
    return httpx.post(f"{served.url}/feedback", json=said).status_code == 200
