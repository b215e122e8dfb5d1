"""A load test counts from the moment at which a request was due, and a streamed answer says when it began."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from runner.errors import TerminalError
from runner.evaluation.bench import Timed
from runner.evaluation.exact_match import Found
from runner.evaluation.load import LIMIT_S, SLOWEST, WARM, load, schedule
from runner.evaluation.marking import Row
from runner.evaluation.results import Measured
from runner.evaluation.streaming import LoopClock, Streaming
from runner.spec.evaluation import Load, SuiteKind
from tests.doubles.stub_engine import stub_engine
from tests.evaluation.benches import Counted, bench, job, streamed

TRAFFIC = Load(rate=20, duration=30)
ROWS = [Row("1", "When?", "11 am."), Row("2", "Who?", "Mirel.")]


def sent(end: Any, failure: str | None = None, **changes: Any) -> Found:
    clock = Counted()
    given = bench(clock=clock, stream=streamed(clock, end, failure))
    return asyncio.run(load(job(SuiteKind.LOAD, ROWS, load=TRAFFIC, **changes), given))


def of(found: Found, metric: str) -> Measured:
    return next(each for each in found.measured if each.metric == metric)


def test_requests_come_at_the_given_rate_whatever_the_engine_does() -> None:
    due = schedule(TRAFFIC)
    assert due == sorted(due) and due[0] > 0 and due[-1] < 30
    assert 500 < len(due) < 700
    assert due == schedule(TRAFFIC) != schedule(TRAFFIC, seed=1)


def test_an_engine_that_is_always_as_fast_has_that_latency() -> None:
    found = sent(lambda begun: begun + 0.25)
    for metric in ("latency_p50", "latency_p95", "latency_p99"):
        assert of(found, metric).value == pytest.approx(0.25)
    assert of(found, "first_token_p50").value == pytest.approx(0.0)
    assert of(found, "error_rate").value == 0.0
    assert of(found, "tokens_per_second").value == pytest.approx(4 * len(schedule(TRAFFIC)) / 30, rel=0.05)


def test_a_standstill_is_charged_to_every_request_that_was_due_meanwhile() -> None:
    """From second 10 to 15 nothing is answered: a sixth of the requests wait for 2.5 s in the mean."""
    found = sent(lambda begun: 15.0 + 0.1 if 10.0 <= begun < 15.0 else begun + 0.1)
    slow = sum(1 for due in schedule(TRAFFIC) if 10.0 <= due < 15.0)
    assert slow > 70
    assert of(found, "latency_p50").value == pytest.approx(0.1)
    assert of(found, "latency_p95").value == pytest.approx(3.4, abs=0.6)
    assert found.rows[0].seconds == pytest.approx(5.1, abs=0.2) and len(found.rows) == SLOWEST


def test_a_request_that_leaves_late_is_charged_from_when_it_was_due() -> None:
    clock = Counted()

    async def blocking(_served: str, _question: str, _most: int) -> Timed:
        clock.at += 0.2  # the sender itself is held up: five answers a second for twenty requests
        return Timed("yes", clock.at, clock.at, 1)

    found = asyncio.run(load(job(SuiteKind.LOAD, ROWS, load=TRAFFIC), bench(clock=clock, stream=blocking)))
    assert (of(found, "sent_late").value or 0.0) > 50.0
    assert (of(found, "latency_p99").value or 0.0) > 50.0


def test_failed_requests_count_as_errors_and_as_slow_as_can_be() -> None:
    found = sent(lambda begun: begun + 0.1, failure="status 500")
    assert of(found, "error_rate").value == 1.0
    assert of(found, "latency_p50").value == LIMIT_S
    assert "status 500" in of(found, "error_rate").about


def test_the_parent_gets_the_same_traffic_only_where_a_gate_compares() -> None:
    clock, asked = Counted(), []

    async def answer(served: str, _question: str, _most: int) -> Timed:
        asked.append(served)
        return Timed("yes", clock.at, clock.at, 1)

    given = bench(clock=clock, stream=answer)
    asyncio.run(load(job(SuiteKind.LOAD, ROWS, load=Load(rate=5, duration=2)), given))
    assert set(asked) == {given.candidate}
    assert len(asked) == len(schedule(Load(rate=5, duration=2))) + min(WARM, len(ROWS))


def test_a_load_suite_without_questions_is_refused() -> None:
    with pytest.raises(TerminalError, match="needs"):
        asyncio.run(load(job(SuiteKind.LOAD, [], load=TRAFFIC), bench()))


def stream(fault: str = "", served: str = "bookshop-base", timeout: float = 30.0) -> Timed:
    async def go(url: str) -> Timed:
        async with aiohttp.ClientSession() as session:
            return await Streaming(url, session, LoopClock(), timeout)(served, "When?", 4)

    with stub_engine(base_model="bookshop-base") as engine:
        if fault:
            engine.control(fault=fault)
        return asyncio.run(go(engine.url))


def test_a_streamed_answer_has_its_text_its_tokens_and_the_moment_it_began() -> None:
    found = stream()
    assert found.failure is None and found.text and found.tokens > 0
    assert found.first is not None and found.first <= found.end


@pytest.mark.parametrize("fault", ["500", "mid_stream", "disconnect"])
def test_an_answer_that_breaks_off_is_a_failure(fault: str) -> None:
    found = stream(fault)
    assert found.failure and found.text == ""


def test_an_unknown_name_is_a_failure() -> None:
    assert stream(served="nobody").failure == "status 404"


def test_an_answer_without_an_end_is_a_failure() -> None:
    assert stream("hang", timeout=0.2).failure == "no end within 0.2 s"
