"""Requests and readings reach a receiver once each, whoever was away meanwhile, and are counted for Prometheus."""

from __future__ import annotations

import json

import pytest

from runner.export import otlp
from runner.export.receiver import Receiver
from runner.watch.telemetry import Exports
from tests.export.sink import receiving
from tests.reconcile.real_parts import free_addresses
from tests.watch import house as of
from tests.watch.house import NOW, House


def exports(house: House, url: str | None, begin: float = NOW - 3500) -> Exports:
    receiver = Receiver.from_environment({}, url)
    home = house.home
    return Exports(home / "lake", home / "events", home / "signals" / "exported.json", receiver, {}, begin)


def logged(house: House) -> list[bytes]:
    """Return the spans that the requests in the log are to become."""
    lines = [
        line
        for path in (house.home / "events").glob("request-*.jsonl")
        for line in path.read_text().splitlines()
    ]
    return sorted(otlp.span_id(json.loads(line)["event.id"]) for line in lines)


def arrived(sink) -> list[bytes]:
    return sorted(span.span_id for span in sink.spans)


@pytest.fixture
def port() -> int:
    (address,) = free_addresses(1)
    return int(address.rpartition(":")[2])


def test_a_receiver_that_is_away_gets_everything_later_and_a_restart_sends_nothing_again(house, port):
    house.asked(["one?", "two?"], 3000)
    snapshot = house.take()
    url = f"http://127.0.0.1:{port}"
    away = exports(house, url)
    away.send(snapshot)
    away.close()
    with receiving(port) as sink:
        first = exports(house, url)
        first.send(snapshot)
        first.close()
        assert arrived(sink) == logged(house)
        of.failed(house, 3, 1000)
        again = exports(house, url)
        again.send(snapshot)
        again.close()
        assert arrived(sink) == logged(house)


def test_events_that_come_while_it_runs_are_sent_with_the_next_pass(house):
    house.asked(["one?"], 3000)
    snapshot = house.take()
    with receiving() as sink:
        running = exports(house, sink.url)
        running.send(snapshot)
        of.failed(house, 2, 900)
        running.send(snapshot)
        running.close()
        assert arrived(sink) == logged(house)


def test_what_was_compacted_while_the_monitor_was_away_is_sent_all_the_same(house):
    house.asked(["one?", "two?"], 3000)
    snapshot, expected = house.take(), logged(house)
    house.compact()
    with receiving() as sink:
        running = exports(house, sink.url)
        running.send(snapshot)
        running.close()
        assert arrived(sink) == expected


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"traces": [], "logs": 5}', b'{"traces": {"since_us": 1, "seen": []}}']
)
def test_a_damaged_memory_of_what_was_sent_begins_an_hour_back(house, content):
    house.asked(["one?"], 3000)
    snapshot = house.take()
    (house.state / "exported.json").write_bytes(content)
    with receiving() as sink:
        running = exports(house, sink.url)
        running.send(snapshot)
        running.close()
        assert arrived(sink) == logged(house)


def test_without_a_receiver_requests_are_counted_for_prometheus_and_nothing_is_kept(house):
    running = exports(house, None)
    running.send(house.take())
    assert not (house.state / "exported.json").exists()
    house.asked(["one?", "two?"], 3000)
    snapshot = house.take()
    running.send(snapshot)
    running.send(snapshot)
    running.close()
    counts = [
        line for line in running.text().decode().splitlines() if "request_duration_seconds_count" in line
    ]
    assert sum(float(line.rpartition(" ")[2]) for line in counts) == 2.0
    assert not (house.state / "exported.json").exists()
