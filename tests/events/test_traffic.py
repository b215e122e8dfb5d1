"""What was served, as money is counted by it: answers alone, tokens and times as they were, over the time there was."""

from __future__ import annotations

from collections import Counter
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.events.lake import Lake
from runner.events.traffic import Served, Times, served
from tests.doubles.event_files import DAY_US, START_US, line, request, segment

END = (START_US + 10 * DAY_US) / 1e6


def counted(root: Path, *events: dict[str, object], until: float = END) -> Served:
    segment(root / "events", [line(event) for event in events])
    with Lake(root / "lake", root / "events") as lake:
        return served(lake.requests(), until)


def test_answers_are_counted_from_the_first_one_to_the_end_of_the_window(tmp_path: Path) -> None:
    found = counted(tmp_path, *(request(n, event__time=START_US + n * DAY_US) for n in (2, 4, 6)))
    assert (found.requests, found.seconds) == (3, 8 * 86_400.0)
    assert (found.input_tokens.n, found.input_tokens.total, found.input_tokens.squares) == (3, 36.0, 432.0)
    assert (found.output_tokens.total, found.output_tokens.squares) == (9.0, 27.0)


def test_what_was_refused_broke_failed_or_was_tried_on_the_console_is_no_traffic(tmp_path: Path) -> None:
    others = ("error", "refused", "cancelled")
    events = [request(n, loop__outcome=outcome) for n, outcome in enumerate(("ok", *others))]
    found = counted(
        tmp_path, *events, request(9, loop__console=True), request(10, event__time=round(END * 1e6))
    )
    assert found.requests == found.input_tokens.n == sum(found.latency.counts) == 1


def test_first_tokens_are_those_of_streams(tmp_path: Path) -> None:
    found = counted(tmp_path, request(0), request(1, gen_ai__request__stream=True, loop__first_token_ms=7.2))
    assert found.first_token == Times((0.008,), (1,))
    assert sum(found.latency.counts) == 2


def test_an_answer_without_a_count_of_tokens_is_a_request_and_no_token(tmp_path: Path) -> None:
    found = counted(tmp_path, request(0, gen_ai__usage__output_tokens=None))
    assert (found.requests, found.input_tokens.n, found.output_tokens.n) == (1, 1, 0)


def test_an_empty_log_is_no_traffic(tmp_path: Path) -> None:
    found = counted(tmp_path)
    assert (found.requests, found.seconds, found.latency) == (0, 0.0, Times((), ()))


@settings(max_examples=5)
@given(st.lists(st.floats(min_value=0, max_value=2000), min_size=1, max_size=30))
def test_times_are_those_logged_rounded_up_to_milliseconds(
    tmp_path_factory: pytest.TempPathFactory, latencies: list[float]
) -> None:
    events = [request(n, loop__latency_ms=latency) for n, latency in enumerate(latencies)]
    found = counted(tmp_path_factory.mktemp("log"), *events)
    wanted = Counter(ceil(latency) / 1000 for latency in latencies)
    assert dict(zip(found.latency.values, found.latency.counts, strict=True)) == wanted
    assert list(found.latency.values) == sorted(wanted)
