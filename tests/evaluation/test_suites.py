"""Questions of a suite are asked once of each version and leave their marks as events."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import TerminalError, TransientError
from runner.evaluation.chat import ChatClient, Endpoint
from runner.evaluation.marking import Row
from runner.evaluation.suites import (
    Asking,
    EvaluationLog,
    Examiner,
    Outcome,
    hold_to_answers,
    load,
    most,
    to_ask,
)
from runner.events.lake import Lake
from runner.signals.readings.paired import forgetting, pairs
from runner.spec.evaluation import Suite, SuiteKind
from runner.spec.load import VersionDigest
from tests.doubles.stub_engine import stub_engine
from tests.evaluation.scripted import HANG, Scripted, events_in, run, scripted

OLD, NEW = VersionDigest("chat-v1.0", "a" * 64), VersionDigest("chat-v1.1", "b" * 64)
ROWS = [Row(f"q{n}", f"When do you open on day {n}?", "11 am.") for n in range(6)]
NOW = 1_790_000_000_000_000


def never(_question: str, _answer: str) -> bool:
    return False


async def ask(url: str, folder: Path, askings: Sequence[Asking], told: Any = None) -> Outcome:
    clock = itertools.count(NOW)
    async with aiohttp.ClientSession() as session:

        async def at_once(_seconds: float) -> None:
            return None

        def client(served: str) -> ChatClient:
            return ChatClient(Endpoint(url, served), session, at_once)

        with EvaluationLog(folder, "production", lambda: next(clock)) as log:
            return await Examiner(client, 16, never, log, told or (lambda _done, _of: None)).run(askings)


def known(folder: Path) -> set[str]:
    return {event["event.id"] for event in events_in(folder, "evaluation")}


def test_marks_of_both_versions_give_forgetting_a_value(tmp_path: Path) -> None:
    def say(body: dict[str, Any]) -> str:
        lost = body["model"].startswith("chat-v1.1") and "day 2" in body["messages"][0]["content"]
        return "10 am." if lost else "11 am."

    async def go() -> tuple[Outcome, Scripted]:
        async with scripted(say) as server:
            return await ask(server.url, tmp_path, to_ask("forgetting", ROWS, [OLD, NEW], (), None)), server

    outcome, server = run(go())
    assert {name: (each.right, each.judged) for name, each in outcome.scores.items()} == {
        "chat-v1.0": (6, 6),
        "chat-v1.1": (5, 6),
    }
    assert {body["temperature"] for body in server.asked} == {0.0}
    assert server.most_in_flight <= 2
    with Lake(tmp_path / "lake", tmp_path) as lake:
        found = pairs(lake.evaluations(), "forgetting", "chat-v1.0", "chat-v1.1")
    assert (found.both, found.lost, found.gained) == (6, 1, 0)
    assert forgetting(found).value == pytest.approx(1 / 6)


def test_an_event_says_which_question_which_bytes_and_how_many_tokens(tmp_path: Path) -> None:
    async def go() -> Outcome:
        async with scripted("11 am.", "I like tea.") as server:
            return await ask(server.url, tmp_path, to_ask("facts", ROWS[:2], [OLD], (), None))

    run(go())
    first, second = sorted(events_in(tmp_path, "evaluation"), key=lambda each: not each["loop.right"])
    assert first["loop.suite"] == "facts" and first["loop.question"] in ("q0", "q1")
    assert (first["loop.version"], first["loop.adapter.digest"]) == OLD
    assert first["gen_ai.usage.output_tokens"] == 2 and first["loop.environment"] == "production"
    assert second["loop.right"] is False


def test_what_was_asked_is_not_asked_again_until_its_row_or_its_bytes_are_others(tmp_path: Path) -> None:
    async def go() -> None:
        async with scripted("11 am.") as server:
            await ask(server.url, tmp_path, to_ask("forgetting", ROWS, [OLD], (), None))

    run(go())
    done = known(tmp_path)
    assert len(done) == 6
    assert to_ask("forgetting", ROWS, [OLD], done, None) == []
    assert len(to_ask("forgetting", ROWS, [OLD, NEW], done, None)) == 6
    assert len(to_ask("regression", ROWS, [OLD], done, None)) == 6
    assert len(to_ask("forgetting", ROWS, [OLD._replace(digest="c" * 64)], done, None)) == 6
    assert (
        len(to_ask("forgetting", [Row("q0", ROWS[0].question, "10 am."), *ROWS[1:]], [OLD], done, None)) == 1
    )


@settings(max_examples=40, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 5), st.sampled_from((OLD, NEW)))), st.integers(0, 8))
def test_any_sequence_of_limited_runs_asks_everything_exactly_once(
    done: set[tuple[int, VersionDigest]], limit: int
) -> None:
    ids = {Asking("s", ROWS[number], version).event_id for number, version in done}
    asked = []
    while batch := to_ask("s", ROWS, [OLD, NEW], ids, limit):
        assert len({asking.row.id for asking in batch}) <= limit
        asked += [asking.event_id for asking in batch]
        ids |= {asking.event_id for asking in batch}
    assert len(asked) == len(set(asked)) == (12 - len(done) if limit else 0)


def test_a_version_that_is_not_served_is_left_and_the_other_is_asked(tmp_path: Path) -> None:
    with stub_engine(base_model="base") as engine:
        engine.load("chat-v1.0--" + "a" * 12)
        askings = to_ask("forgetting", ROWS, [OLD, NEW], (), None)
        outcome = run(ask(engine.url, tmp_path, askings))
        assert engine.generations().count("chat-v1.0--" + "a" * 12) == 6
    assert outcome.gone == {"chat-v1.1"} and outcome.left == 6
    assert {event["loop.version"] for event in events_in(tmp_path, "evaluation")} == {"chat-v1.0"}
    assert len(to_ask("forgetting", ROWS, [OLD, NEW], known(tmp_path), None)) == 6


def test_a_question_that_the_engine_refuses_is_recorded_without_a_mark(tmp_path: Path) -> None:
    async def go() -> Outcome:
        async with scripted((400, '{"error": {"message": "too long"}}'), "11 am.") as server:
            return await ask(server.url, tmp_path, to_ask("forgetting", ROWS[:2], [OLD], (), None))

    outcome = run(go())
    assert outcome.unclear == 1 and outcome.left == 0
    assert sum("loop.right" not in event for event in events_in(tmp_path, "evaluation")) == 1


def test_an_engine_that_breaks_down_ends_it_and_what_was_answered_is_kept(tmp_path: Path) -> None:
    async def go() -> None:
        async with scripted("11 am.", "11 am.", (503, "busy")) as server:
            await ask(server.url, tmp_path, to_ask("forgetting", ROWS, [OLD], (), None))

    with pytest.raises(TransientError):
        run(go())
    assert len(events_in(tmp_path, "evaluation")) == 2


def test_a_run_that_is_broken_off_keeps_what_is_done(tmp_path: Path) -> None:
    async def go() -> None:
        async with scripted("11 am.", "11 am.", "11 am.", "11 am.", HANG) as server:
            asking = asyncio.ensure_future(
                ask(server.url, tmp_path, to_ask("forgetting", ROWS, [OLD], (), None))
            )
            await server.has_been_asked(6)
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking

    run(go())
    assert len(events_in(tmp_path, "evaluation")) == 4


def test_the_bound_of_tokens_holds(tmp_path: Path) -> None:
    askings = to_ask("forgetting", ROWS, [OLD, NEW], (), None)

    async def go() -> int:
        async with scripted("11 am.") as server:
            await ask(server.url, tmp_path, askings)
            return 10 * len(server.asked)  # what the server says of prompts

    read = run(go())
    written = sum(event["gen_ai.usage.output_tokens"] for event in events_in(tmp_path, "evaluation"))
    assert read + written <= most(askings, 16)


def suite(**changes: Any) -> Suite:
    return Suite(**{"kind": SuiteKind.FORGETTING, "dataset": "facts", **changes})


def questions(folder: Path, *lines: str) -> Path:
    path = folder / "questions.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_the_first_questions_of_a_suite_are_the_same_whatever_the_order_of_its_file(tmp_path: Path) -> None:
    lines = [json.dumps({"id": f"q{n}", "question": f"{n}?", "answer": "1"}) for n in range(20)]
    some = load(questions(tmp_path, *lines), "s", suite(questions=5))
    assert len(some) == 5
    assert some == load(questions(tmp_path, *reversed(lines)), "s", suite(questions=5))
    assert some == load(questions(tmp_path, *lines), "s", suite())[:5]


def test_a_row_without_an_id_is_known_by_its_question(tmp_path: Path) -> None:
    (row,) = load(questions(tmp_path, json.dumps({"question": "1?", "answer": "1"})), "s", suite())
    assert row.id


@pytest.mark.parametrize("line", ["{", "[]", '{"question": "1?"}', '{"question": "1?", "answer": 1}'])
def test_rows_that_are_no_questions_with_answers_are_told(tmp_path: Path, line: str) -> None:
    with pytest.raises(TerminalError, match="cannot be read"):
        load(questions(tmp_path, line), "s", suite())


def test_a_suite_without_right_answers_and_one_whose_file_is_missing_are_told(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="no right answer"):
        hold_to_answers("s", suite(kind=SuiteKind.WIN_RATE))
    with pytest.raises(TerminalError, match="no right answer"):
        hold_to_answers("s", suite(dataset=None))
    hold_to_answers("s", suite())
    with pytest.raises(TerminalError, match="not here"):
        load(tmp_path / "none", "s", suite())
