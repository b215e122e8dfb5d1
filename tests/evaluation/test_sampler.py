"""Asking again: within the budget, at most two at a time, recorded whatever happens."""

from __future__ import annotations

import asyncio
import itertools
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import LoopError, TransientError
from runner.evaluation.chat import ChatClient, Endpoint
from runner.evaluation.choice import ATTEMPTS, Answered, Detector, spent, to_examine
from runner.evaluation.compare import ByJudge, ByTexts, Comparison
from runner.evaluation.judge import Judge
from runner.evaluation.price import Budget
from runner.evaluation.sample_log import SampleLog
from runner.evaluation.sampler import Sampled, Sampler, Sampling, Stopped
from runner.events.lake import Lake
from runner.signals.consistency.agreement import lexical
from tests.doubles.stub_engine import stub_engine
from tests.evaluation.scripted import HANG, Said, Scripted, events_in, logged, scripted

PLENTY = Budget(10**9, 0)


async def no_pause(_seconds: float) -> None:
    return


async def sample(
    url: str,
    folder: Path,
    answers: Sequence[Answered],
    budget: Budget = PLENTY,
    *,
    k: int = 5,
    comparison: Comparison | None = None,
    tries: int = 1,
    patience: float = 10.0,
    whole: float = 60.0,
) -> Sampled:
    times = itertools.count(1_790_000_000_000_000)
    async with aiohttp.ClientSession() as session:

        def client(served: str) -> ChatClient:
            return ChatClient(Endpoint(url, served, timeout=patience, tries=tries), session, no_pause)

        with SampleLog(folder, "production", lambda: next(times)) as log:
            sampler = Sampler(client, Sampling(k, 0.7), comparison or ByTexts(lexical), log, patience=whole)
            return await sampler.run(answers, budget)


def against(
    folder: Path, answers: Sequence[Answered], *script: Said, **settings_: Any
) -> tuple[Sampled, Scripted]:
    async def go() -> tuple[Sampled, Scripted]:
        async with scripted(*script) as server:
            return await sample(server.url, folder, answers, **settings_), server

    return asyncio.run(go())


def test_the_version_that_answered_is_asked_k_times_and_never_more_than_two_at_a_time(tmp_path: Path) -> None:
    found, server = against(tmp_path, [logged(1), logged(2)], "11 am.")
    assert [body["model"] for body in server.asked] == ["chat-v1.0--aaaaaaaaaaaa"] * 10
    assert {body["temperature"] for body in server.asked} == {0.7}
    assert server.most_in_flight == 2
    assert found.values == (1.0, 1.0) and found.left == 0 and found.stopped is Stopped.DONE


def test_an_examination_is_an_event_with_its_value_its_price_and_whose_answer_it_was(tmp_path: Path) -> None:
    against(tmp_path, [logged(1)], "11 am.", "11 am.", "9 am.", "9 am.", "9 am.")
    (event,) = events_in(tmp_path)
    assert event["loop.detector"] == "self_consistency" and event["loop.request.id"] == "request-1"
    assert (event["loop.version"], event["loop.adapter.digest"]) == ("chat-v1.0", "a" * 64)
    assert (event["loop.arm"], event["loop.group"]) == ("baseline", "public")
    assert event["loop.sample.count"] == 5 and 0.4 < event["loop.sample.value"] < 0.8
    assert event["gen_ai.usage.input_tokens"] == 50 and event["gen_ai.usage.output_tokens"] == 10
    with Lake(tmp_path / "lake", tmp_path) as lake:
        assert lake.samples().count().execute() == 1 and lake.damaged == ()


def test_evidence_names_what_no_sample_bears_out_with_personal_data_masked(tmp_path: Path) -> None:
    answer = replace(logged(1), answer="Write to ada@example.com, shelf E2.")
    against(tmp_path, [answer], "Ask Bo Lund.", "Call Tia Mo.", "Try Ed Ray.", "See Al Fox.", "Find Jo Kay.")
    (event,) = events_in(tmp_path)
    told = json.loads(event["loop.sample.evidence"])
    assert (
        "ada@example.com" not in event["loop.sample.evidence"]
        and "<EMAIL_1>" in told["unsupported"][0]["sentence"]
    )
    assert "e2" in told["unsupported"][0]["in no sample"] and told["samples"][0] == "Ask Bo Lund."


def test_a_real_stub_engine_is_asked_by_the_pinned_name_and_one_that_lost_it_is_passed_over(
    tmp_path: Path,
) -> None:
    kept, gone = logged(1), replace(logged(2), version="chat-v0.9")
    with stub_engine(adapters=(kept.served,)) as engine:
        found = asyncio.run(sample(engine.url, tmp_path, [gone, kept], k=3))
        assert engine.generations().count(kept.served) == 3
    assert (found.examined, found.gone, found.values) == (1, 1, (1.0,))
    lost, asked = events_in(tmp_path)
    assert (lost["loop.request.id"], asked["loop.request.id"]) == ("request-2", "request-1")
    assert "loop.sample.count" not in lost and "has no model" in lost["loop.sample.evidence"]


def test_a_question_that_the_engine_does_not_take_keeps_no_other_waiting(tmp_path: Path) -> None:
    found, server = against(
        tmp_path, [logged(1), logged(2)], (400, "too long"), (400, "too long"), "11 am.", k=2
    )
    assert found.unclear == 1 and found.values == (1.0,) and len(server.asked) == 4
    refused, asked = events_in(tmp_path)
    assert (refused["loop.request.id"], asked["loop.request.id"]) == ("request-1", "request-2")
    assert "loop.sample.count" not in refused and "loop.sample.value" not in refused


def test_a_question_that_takes_too_long_keeps_no_other_waiting(tmp_path: Path) -> None:
    found, _ = against(tmp_path, [logged(1), logged(2)], HANG, HANG, "11 am.", k=2, whole=0.3)
    assert found.unclear == 1 and found.values == (1.0,) and found.left == 0
    late, _ = events_in(tmp_path)
    assert late["loop.request.id"] == "request-1" and "not done within" in late["loop.sample.evidence"]


def test_an_answer_that_comes_to_no_value_is_given_up_after_two_attempts(tmp_path: Path) -> None:
    for attempt in range(ATTEMPTS):
        assert to_examine([logged(1)], events_in(tmp_path), Detector.SELF_CONSISTENCY, 1.0) == [logged(1)]
        against(tmp_path, [logged(1)], (400, f"too long, as ever {attempt}"))
    assert to_examine([logged(1)], events_in(tmp_path), Detector.SELF_CONSISTENCY, 1.0) == []


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 200), st.integers(1, 120), st.integers(0, 600)), min_size=1, max_size=6
    ),
    st.integers(0, 9000),
    st.integers(2, 5),
)
def test_the_budget_is_never_exceeded_and_what_is_left_is_said(
    answers: list[tuple[int, int, int]], limit: int, k: int
) -> None:
    asked = [
        logged(number, input_tokens=prompt, output_tokens=said)
        for number, (prompt, said, _) in enumerate(answers)
    ]

    def longest(body: dict[str, Any]) -> str:
        return "w " * body["max_tokens"]

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        found, server = against(path, asked, longest, budget=Budget(limit, 0), k=k)
        events = events_in(path)
    assert spent(events, 0) == found.budget.spent <= limit
    assert len(server.asked) == k * found.examined and found.examined + found.left == len(asked)
    assert (found.stopped is Stopped.DONE) == (found.left == 0)


def test_where_the_server_does_not_count_the_most_it_can_have_been_is_spent(tmp_path: Path) -> None:
    async def go() -> Sampled:
        async with scripted("11 am.", usage=False) as server:
            return await sample(server.url, tmp_path, [logged(1)])

    found = asyncio.run(go())
    assert found.budget.spent == spent(events_in(tmp_path), 0) > 5 * 48


@pytest.mark.parametrize("fault", [(503, "down"), HANG])
def test_an_engine_that_stops_answering_is_transient_and_only_what_was_paid_for_is_recorded(
    tmp_path: Path, fault: Said
) -> None:
    script = ["11 am."] * 5 + ["11 am.", "9 am."] + [fault]

    with pytest.raises(TransientError):
        against(tmp_path, [logged(1), logged(2), logged(3)], *script, patience=0.2)
    whole, broken = events_in(tmp_path)
    assert whole["loop.sample.value"] == 1.0 and whole["loop.sample.count"] == 5
    assert "loop.sample.value" not in broken and "loop.sample.count" not in broken
    assert broken["gen_ai.usage.input_tokens"] == 20 and broken["loop.request.id"] == "request-2"
    left = to_examine([logged(1), logged(2)], [whole, broken], Detector.SELF_CONSISTENCY, 1.0)
    assert [each.request_id for each in left] == ["request-2"]


def test_an_engine_that_never_answered_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(LoopError):
        against(tmp_path / "events", [logged(1)], (500, ""), tries=2)
    assert not (tmp_path / "events").exists()


def test_whoever_is_interrupted_keeps_what_was_paid_for(tmp_path: Path) -> None:
    async def go() -> None:
        async with scripted(*["11 am."] * 7, HANG) as server:
            running = asyncio.ensure_future(sample(server.url, tmp_path, [logged(1), logged(2)]))
            await server.has_been_asked(9)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    asyncio.run(go())
    whole, broken = events_in(tmp_path)
    assert whole["loop.sample.count"] == 5 and "loop.sample.value" not in broken
    assert broken["gen_ai.usage.input_tokens"] == 20
    assert all(path.name.count(".open.") == 0 for path in tmp_path.iterdir())


def test_a_judge_compares_within_the_same_budget_and_its_garbage_is_no_value(tmp_path: Path) -> None:
    async def go(*verdicts: Said) -> Sampled:
        async with (
            scripted("11 am.", "At eleven.", "Eleven it is.") as engine,
            scripted(*verdicts) as judge,
            aiohttp.ClientSession() as session,
        ):
            by = ByJudge(Judge(ChatClient(Endpoint(judge.url, "j"), session, no_pause)))
            return await sample(engine.url, tmp_path / str(len(verdicts)), [logged(1)], k=3, comparison=by)

    same = asyncio.run(go("SAME"))
    (event,) = events_in(tmp_path / "1")
    assert same.values == (1.0,) and event["gen_ai.usage.input_tokens"] == 3 * 10 + 6 * 10
    unclear = asyncio.run(go("SAME", "who knows"))
    (event,) = events_in(tmp_path / "2")
    assert unclear.values == () and unclear.unclear == 1
    assert "loop.sample.value" not in event and "who knows" in event["loop.sample.evidence"]
    assert event["gen_ai.usage.input_tokens"] == 3 * 10 + 2 * 10


def test_the_same_examination_written_twice_counts_once(tmp_path: Path) -> None:
    against(tmp_path, [logged(1)], "11 am.")
    against(tmp_path, [logged(1)], "11 am.")
    with Lake(tmp_path / "lake", tmp_path) as lake:
        assert lake.samples().count().execute() == 1
