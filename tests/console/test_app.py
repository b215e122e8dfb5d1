"""The monitor over HTTP: what it answers, to whom, and how its stream behaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from runner.console.monitor import app
from runner.console.monitor.feed import Feed
from runner.errors import TerminalError
from tests.console import pages
from tests.console.running import Running, running, start

METRICS = b"# TYPE refusal_rate gauge\nrefusal_rate 0.06\n"


@pytest.fixture(scope="module")
def monitor() -> Iterator[Running]:
    with running(pages.healthy(), METRICS) as made:
        yield made


async def ask(
    url: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=headers or {}) as answer,
    ):
        return (
            answer.status,
            {name.lower(): value for name, value in answer.headers.items()},
            await answer.read(),
        )


def get(monitor: Running, path: str, **more: Any) -> tuple[int, dict[str, str], bytes]:
    return asyncio.run(ask(monitor.url + path, **more))


def test_the_snapshot_is_served_as_json(monitor: Running) -> None:
    status, headers, body = get(monitor, "/api/snapshot")
    value = json.loads(body)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert value["environment"] == "production"
    page = pages.healthy()
    assert page.snapshot is not None
    assert len(value["snapshot"]["readings"]) == len(page.snapshot.readings)
    assert value["snapshot"]["readings"][0]["level"] == "ok"
    assert value["rollout"]["assessment"]["stage"] == "canary"
    assert value["decisions"][0]["kind"] == "entered"


def test_metrics_are_what_the_port_gives(monitor: Running) -> None:
    status, headers, body = get(monitor, "/metrics")
    assert (status, body) == (200, METRICS)
    assert headers["content-type"].startswith("text/plain; version=0.0.4")


def test_health_is_answered(monitor: Running) -> None:
    assert get(monitor, "/healthz")[0] == 200


PATHS = ("/", "/api/snapshot", "/metrics", "/healthz", "/nothing", "/assets/nothing.js", "/assets/icon.svg")


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_keeps_other_sites_out(monitor: Running, path: str) -> None:
    _, headers, _ = get(monitor, path)
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("path", PATHS)
def test_head_answers_as_get_does_without_a_body(monitor: Running, path: str) -> None:
    status, headers, _ = get(monitor, path)
    headed, head_headers, body = get(monitor, path, method="HEAD")
    assert (headed, body) == (status, b"")
    if path != "/":  # whose length depends on the second
        assert head_headers["content-length"] == headers["content-length"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/events", "/api/snapshot"])
def test_nothing_can_be_written(monitor: Running, method: str, path: str) -> None:
    status, headers, _ = get(monitor, path, method=method)
    assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_scripts_and_styles_stand_in_files_of_our_own(monitor: Running) -> None:
    _, _, body = get(monitor, "/")
    text = body.decode()
    assert "<script>" not in text and " style=" not in text and " onclick=" not in text
    for name in app.page.assets():
        assert name in text
        status, headers, content = get(monitor, f"/assets/{name}")
        assert status == 200 and content
        assert b"http://" not in content.replace(b"http://www.w3.org/2000/svg", b"")
        assert b"https://" not in content
        assert headers["cache-control"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:1234", 200),
        ("LOCALHOST", 200),
        ("[::1]:80", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:80", 421),
        ("[evil]", 421),
        ("", 421),
    ],
)
@pytest.mark.parametrize("path", ["/", "/events", "/api/snapshot", "/metrics"])
def test_it_answers_to_its_own_names_only(monitor: Running, host: str, status: int, path: str) -> None:
    method = "HEAD" if path == "/events" and status == 200 else "GET"
    assert get(monitor, path, method=method, headers={"Host": host})[0] == status


def test_a_configured_name_is_answered_to() -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/healthz",
        "headers": [(b"host", b"loop.example:8090")],
    }

    async def status(hosts: set[str]) -> int:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request"}

        await app.Monitor(Feed("production"), hosts, asyncio.Event())(scope, receive, send)
        return int(sent[0]["status"])

    assert asyncio.run(status({"loop.example"})) == 200
    assert asyncio.run(status(set())) == 421


async def _events(url: str, count: int, between: Any = None) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    async with aiohttp.ClientSession(read_bufsize=2**24) as session, session.get(f"{url}/events") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        name = ""
        async for line in answer.content:
            text = line.decode().rstrip("\n")
            if text.startswith("event: "):
                name = text.removeprefix("event: ")
            elif text.startswith("data: "):
                found.append((name, json.loads(text.removeprefix("data: "))))
                if len(found) == count:
                    return found
                if between:
                    await asyncio.to_thread(between)
    return found


def test_a_stream_begins_with_everything_and_goes_on_with_what_changed() -> None:
    with running(pages.healthy()) as monitor:
        at_once = asyncio.run(_events(monitor.url, 2, lambda: monitor.publish(pages.troubled())))
    (first, whole), (second, changed) = at_once
    assert first == second == "page"
    assert set(whole["parts"]) == set(app.page.PARTS)
    assert {"head", "quality", "drift"} <= set(changed["parts"]) < set(app.page.PARTS)
    assert "Time to think about training" in changed["parts"]["head"]


def test_a_stream_without_news_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.Monitor.__init__, "__defaults__", (app.time.time, 0.01))
    with running(pages.healthy()) as monitor:
        found = asyncio.run(_events(monitor.url, 3))
    assert [name for name, _ in found] == ["page", "beat", "beat"]


def test_streams_end_when_the_monitor_stops() -> None:
    monitor = start(pages.healthy())
    found = asyncio.run(_events(monitor.url, 99, monitor.end))
    assert found[0][0] == "page"
    assert not monitor.thread.is_alive()


def test_there_is_an_end_to_open_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "STREAMS", 1)

    async def both(url: str) -> int:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/events") as first:
            await first.content.readline()
            async with session.get(f"{url}/events") as second:
                return second.status

    with running(pages.healthy()) as monitor:
        assert asyncio.run(both(monitor.url)) == 503


def test_an_address_that_is_taken_is_a_clear_error(monitor: Running) -> None:
    taken = monitor.url.removeprefix("http://")
    with pytest.raises(TerminalError, match="cannot listen on"):
        asyncio.run(app.serve(taken, Feed("production"), asyncio.Event()))
