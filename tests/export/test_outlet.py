"""A receiver that is away slows nobody and loses nothing: what it did not take is read again from the cursor."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.export import otlp
from runner.export.outlet import LATE_US, Cursor, Outlet, close_all
from runner.export.receiver import Answer, Message, Receiver, Signal
from tests.doubles.event_files import DAY_US, START_US
from tests.export.requests import streamed
from tests.export.sink import Sink, receiving
from tests.reconcile.real_parts import free_addresses
from tests.waiting import PATIENCE_S

SOON = (0.01, 0.02)
NOW_US = START_US + DAY_US


@pytest.fixture
def sink() -> Iterator[Sink]:
    with receiving() as found:
        yield found


def outlet_to(url: str, capacity: int = 16) -> Outlet:
    receiver = Receiver.from_environment({}, url)
    assert receiver is not None
    return Outlet(receiver, Signal.TRACES, capacity, SOON)


def export(outlet: Outlet, log: list[dict[str, Any]], cursor: Cursor, size: int = 10) -> Cursor:
    """Offer everything of a log that a cursor lacks, as the monitor does; return how far the offers went."""
    fresh = cursor.fresh(log)
    for start in range(0, len(fresh), size):
        batch = fresh[start : start + size]
        after = cursor.after(batch, NOW_US)
        if not outlet.offer(otlp.spans(batch, {}), after):
            break
        cursor = after
    return cursor


def ids(sink: Sink) -> list[bytes]:
    return [span.span_id for span in sink.spans]


def expected(log: list[dict[str, Any]]) -> list[bytes]:
    return [otlp.span_id(event["event.id"]) for event in log]


def test_every_request_arrives_once_and_in_order(sink: Sink) -> None:
    log = [streamed(number) for number in range(95)]
    outlet = outlet_to(sink.url)
    cursor = export(outlet, log, Cursor(0))
    assert outlet.close(PATIENCE_S)
    assert ids(sink) == expected(log)
    assert outlet.delivered == cursor and cursor.fresh(log) == []


def test_a_receiver_that_fails_for_a_while_gets_everything_afterwards(sink: Sink) -> None:
    sink.answers = [(503, b""), (429, b""), (200, b""), (500, b"")]
    log = [streamed(number) for number in range(40)]
    outlet = outlet_to(sink.url)
    export(outlet, log, Cursor(0))
    assert outlet.drain(PATIENCE_S)
    assert ids(sink) == expected(log)
    assert outlet.trouble is None
    outlet.close()


def test_a_receiver_that_comes_back_later_gets_what_was_asked_while_it_was_away() -> None:
    """The queue is full soon; offers return at once, the cursor stays, and the log is read again from there."""
    (address,) = free_addresses(1)
    log = [streamed(number) for number in range(100)]
    outlet = outlet_to(f"http://{address}", capacity=2)
    offered = export(outlet, log, Cursor(0))
    assert outlet.delivered is None
    assert 0 < len(offered.fresh(log)) < len(log), "a full queue took no more"
    with receiving(int(address.rpartition(":")[2])) as sink:
        while offered.fresh(log):
            assert outlet.drain(PATIENCE_S)
            offered = export(outlet, log, offered)
        assert outlet.close(PATIENCE_S)
        assert ids(sink) == expected(log)
        assert outlet.delivered == offered


def test_trouble_is_told_while_it_lasts(sink: Sink) -> None:
    sink.answers = [(503, b"maintenance")] * 3
    outlet = outlet_to(sink.url)
    assert outlet.trouble is None
    outlet.offer(otlp.spans([streamed(1)], {}))
    with sink.changed:
        assert sink.changed.wait_for(lambda: len(sink.headers) == 3, PATIENCE_S)
    assert "maintenance" in str(outlet.trouble)
    assert outlet.close(PATIENCE_S)
    assert outlet.trouble is None


def test_closing_does_not_wait_for_a_receiver_that_stays_away() -> None:
    (address,) = free_addresses(1)
    outlet = outlet_to(f"http://{address}")
    outlet.offer(otlp.spans([streamed(1)], {}))
    assert not outlet.close(0.1)
    assert outlet.delivered is None


def test_a_refused_batch_is_counted_and_does_not_block_the_next(sink: Sink) -> None:
    sink.answers = [(400, b"bad")]
    log = [streamed(number) for number in range(20)]
    outlet = outlet_to(sink.url)
    export(outlet, log, Cursor(0))
    assert outlet.close(PATIENCE_S)
    assert ids(sink) == expected(log[10:])
    assert outlet.refused == (10, "400 bad")


def test_after_a_crash_only_what_was_not_confirmed_is_sent_again_with_the_same_ids(sink: Sink) -> None:
    log = [streamed(number) for number in range(30)]
    first = outlet_to(sink.url)
    export(first, log[:20], Cursor(0))
    assert first.close(PATIENCE_S)
    assert first.delivered is not None
    saved = Cursor.from_json(json.loads(json.dumps(first.delivered.to_json())))
    second = outlet_to(sink.url)
    export(second, log, saved)
    assert second.close(PATIENCE_S)
    assert ids(sink) == expected(log)


class Stuck(Receiver):
    """A receiver that answers only when the test lets it."""

    __slots__ = ("asked", "let")

    def __init__(self) -> None:
        super().__init__({})
        object.__setattr__(self, "asked", threading.Event())
        object.__setattr__(self, "let", threading.Event())

    def send(self, signal: Signal, message: Message) -> Answer:
        self.asked.set()
        assert self.let.wait(PATIENCE_S)
        return Answer()


def test_offers_do_not_wait_for_a_receiver_that_hangs() -> None:
    stuck = Stuck()
    outlet = Outlet(stuck, Signal.TRACES, capacity=3)
    message = otlp.spans([streamed(1)], {})
    assert [outlet.offer(message) for _ in range(5)] == [True, True, True, False, False]
    assert stuck.asked.wait(PATIENCE_S) and not stuck.let.is_set()
    stuck.let.set()
    assert outlet.close(PATIENCE_S)
    assert not outlet.offer(message), "a closed outlet takes nothing"


class Broken(Receiver):
    """A receiver whose first sending fails in a way that nobody thought of."""

    __slots__ = ("tries",)

    def __init__(self) -> None:
        super().__init__({})
        object.__setattr__(self, "tries", [])

    def send(self, signal: Signal, message: Message) -> Answer:
        self.tries.append(message)
        if len(self.tries) == 1:
            raise RuntimeError("unheard of")
        return Answer()


def test_a_failure_that_nobody_thought_of_does_not_end_the_export() -> None:
    broken = Broken()
    outlet = Outlet(broken, Signal.TRACES, retry_s=SOON)
    outlet.offer(otlp.spans([streamed(1)], {}))
    assert outlet.close(PATIENCE_S)
    assert len(broken.tries) == 2


SECOND_US = 1_000_000
STEPS = st.lists(st.tuples(st.integers(0, 120), st.integers(0, 800)), min_size=1, max_size=40)


@given(STEPS, st.lists(st.integers(1, 7), min_size=1))
def test_a_cursor_gives_each_event_once_however_late_it_was_written(
    steps: list[tuple[int, int]], sizes: list[int]
) -> None:
    """Events are written when their request ends, up to 800 s after the time they carry."""
    began, log = 0, []
    for number, (gap, length) in enumerate(steps):
        began += gap
        log.append((began + length, streamed(number, event__time=START_US + began * SECOND_US)))
    written = [event for _, event in sorted(log, key=lambda pair: pair[0])]
    cursor, given_, position = Cursor(START_US), [], 0
    for size in [*sizes, len(written)]:
        position = min(len(written), position + size)
        fresh = cursor.fresh(written[:position])
        given_ += [event["event.id"] for event in fresh]
        cursor = cursor.after(fresh, NOW_US)
    assert sorted(given_) == sorted(event["event.id"] for event in written)


def test_a_cursor_forgets_what_can_not_come_again() -> None:
    old, new = streamed(1), streamed(2, event__time=START_US + 2 * LATE_US)
    cursor = Cursor(0).after([old], NOW_US).after([new], NOW_US)
    assert set(cursor.seen) == {new["event.id"]}
    assert cursor.fresh([old, new]) == []


def test_an_event_from_the_future_is_exported_once_and_hides_nothing_that_comes_before_it() -> None:
    ahead = streamed(1, event__time=NOW_US + DAY_US)
    cursor = Cursor(START_US).after([ahead], NOW_US)
    usual = [streamed(number, event__time=NOW_US + number * SECOND_US) for number in range(2, 5)]
    assert cursor.fresh([ahead, *usual]) == usual
    cursor = cursor.after(usual, NOW_US + 10 * SECOND_US)
    assert cursor.since_us == usual[-1]["event.time"] - LATE_US
    assert cursor.fresh([ahead, *usual]) == []


class Counted(Outlet):
    """An outlet that remembers how long it was given, and takes it all."""

    def close(self, seconds: float = 5.0) -> bool:
        clock.append(seconds)
        return super().close(seconds)


clock: list[float] = []


def test_outlets_share_one_time_to_close_in() -> None:
    clock.clear()
    stuck = [Stuck() for _ in range(3)]
    outlets = [Counted(each, Signal.TRACES) for each in stuck]
    for outlet in outlets:
        assert outlet.offer(otlp.spans([streamed(1)], {}))
    assert not close_all(outlets, 0.05)
    assert clock[0] > 0.0 and clock[1:] == [0.0, 0.0]
    for each in stuck:
        each.let.set()
