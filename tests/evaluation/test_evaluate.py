"""The suites in a row: what fails is an error of its own, and an engine that is gone ends them all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runner.errors import TransientError, terminal, transient
from runner.evaluation.bench import Bench, Tasks, TaskScore
from runner.evaluation.evaluate import Order, run
from runner.evaluation.gates import decide
from runner.evaluation.results import SuiteResult
from runner.spec.evaluation import EvaluationPolicy
from runner.spec.model import GateVerdict
from tests.evaluation.benches import CANDIDATE, PARENT, Said, bench, harness, rows_file

POLICY = EvaluationPolicy.model_validate(
    {
        "suites": {
            "facts": {"kind": "regression", "dataset": "books"},
            "public": {"kind": "harness", "tasks": ["arc", "gsm"], "questions": 40},
            "liked": {"kind": "win_rate", "dataset": "books", "arbiter": "reference"},
        },
        "gates": {
            "right": {"suite": "facts", "require": "accuracy >= 10%"},
            "public": {"suite": "public", "require": "accuracy >= 50%"},
        },
    }
)
ROWS = [
    {"id": "1", "question": "How long is it?", "answer": "212 pages.", "category": "facts", "language": "en"},
    {"id": "2", "question": "When is it read?", "answer": "9 am.", "category": "facts", "language": "en"},
]
RIGHT = {row["question"]: row["answer"] for row in ROWS}


async def alive() -> None:
    return None


async def gone() -> None:
    raise transient("the engine is gone")


def carried(
    folder: Path, names: Sequence[str], given: Bench, lives: Any = alive, **hashes: str
) -> Sequence[SuiteResult]:
    path = folder / "books.jsonl"
    if not path.exists():
        rows_file(path, ROWS)
    order = Order(POLICY, tuple(names), {"books": path}, hashes)
    return asyncio.run(run(order, given, lives, lambda _text: None))


def ready(**changes: Any) -> Bench:
    return bench(answers=Said({CANDIDATE: RIGHT, PARENT: RIGHT}), **changes)


def test_suites_are_carried_through_in_the_order_given(tmp_path: Path) -> None:
    found = carried(tmp_path, ["public", "facts"], ready(harness=harness(TaskScore("arc", 30, 40))))
    assert [each.suite for each in found] == ["public", "facts"]
    assert all(each.error is None for each in found)


def test_public_tasks_are_counted_together_and_each_alone(tmp_path: Path) -> None:
    scores = harness(TaskScore("arc", 30, 40), TaskScore("gsm", 10, 60))
    (found,) = carried(tmp_path, ["public"], ready(harness=scores))
    values = {each.metric: (each.value, each.n) for each in found.measured}
    assert values == {"accuracy": (0.4, 100), "accuracy_arc": (0.75, 40), "accuracy_gsm": (1 / 6, 60)}


def test_preferences_are_asked_of_whoever_the_suite_names(tmp_path: Path) -> None:
    (found,) = carried(tmp_path, ["liked"], ready())
    assert found.error is None
    assert (win := found.of("win_rate")) is not None and win.value == 0.5


def test_a_suite_that_fails_says_why_and_how_to_mend_it_and_keeps_no_other_from_running(
    tmp_path: Path,
) -> None:
    async def missing(_tasks: Tasks) -> Sequence[TaskScore]:
        raise terminal("the harness is not installed", "tasks: arc", fix="install it")

    found = carried(tmp_path, ["public", "facts"], ready(harness=missing))
    assert found[0].error == "the harness is not installed; tasks: arc; fix: install it"
    ended = {each.gate: each.verdict for each in decide(POLICY, found)}
    assert ended["public"] is GateVerdict.ERROR and ended["right"] is not GateVerdict.ERROR


def test_an_engine_that_is_gone_ends_everything(tmp_path: Path) -> None:
    async def broken(*_anything: Any, **_how: Any) -> Any:
        raise transient("no answer")

    with pytest.raises(TransientError, match="the engine is gone"):
        carried(tmp_path, ["facts", "public"], bench(answers=broken), gone)
    found = carried(tmp_path, ["facts"], bench(answers=broken))
    assert found[0].error == "no answer"


@pytest.mark.parametrize("text", ["", "not JSON\n", '{"question": "a"}\n'])
def test_a_data_set_that_cannot_be_used_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "books.jsonl").write_text(text)
    (found,) = carried(tmp_path, ["facts"], ready())
    assert found.error


def test_data_with_another_hash_than_declared_is_an_error(tmp_path: Path) -> None:
    (found,) = carried(tmp_path, ["facts"], ready(), books="0" * 32)
    assert found.error is not None and "not the declared one" in found.error


def test_a_fault_of_ours_is_no_finding(tmp_path: Path) -> None:
    async def faulty(*_anything: Any, **_how: Any) -> Any:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        carried(tmp_path, ["facts"], bench(answers=faulty))
