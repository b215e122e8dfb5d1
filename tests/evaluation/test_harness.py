"""Public tasks through lm-evaluation-harness, with a small module in its place that keeps to its interface."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from runner.errors import TerminalError
from runner.evaluation.bench import Tasks, TaskScore
from runner.evaluation.harness import LmEval

STAND_IN = """
import json, os, pathlib
print("the harness talks a lot")

def simple_evaluate(*, model, model_args, tasks, limit, log_samples):
    assert model == "local-completions" and log_samples is False
    pathlib.Path(os.environ["SEEN"]).write_text(json.dumps([model_args, tasks, limit, os.environ["OPENAI_API_KEY"]]))
    if "unknown" in tasks:
        raise ValueError("Tasks not found: unknown")
    metric = {"arc": "acc,none", "gsm": "exact_match,strict-match", "text": "word_perplexity,none"}
    return {
        "results": {task: {"alias": task, metric[task]: 0.75, "acc_stderr,none": 0.1} for task in tasks},
        "n-samples": {task: {"original": 400, "effective": limit or 400} for task in tasks},
    }
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the stand-in where the harness would be; returns the file that says what it was given."""
    (tmp_path / "lm_eval.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "seen.json"


def run(seen: Path, *names: str, limit: int | None = 40) -> Sequence[TaskScore]:
    harness = LmEval("http://127.0.0.1:1/", "models/base", {**os.environ, "SEEN": str(seen)}, "secret")
    return asyncio.run(harness(Tasks(names, "chat-v1.1--bbbbbbbbbbbb", limit)))


def test_tasks_are_asked_of_the_engine_by_the_served_name(installed: Path) -> None:
    import json

    assert run(installed, "arc", "gsm") == [TaskScore("arc", 30, 40), TaskScore("gsm", 30, 40)]
    arguments, tasks, limit, key = json.loads(installed.read_text())
    assert arguments["model"] == "chat-v1.1--bbbbbbbbbbbb" and arguments["tokenizer"] == "models/base"
    assert arguments["base_url"] == "http://127.0.0.1:1/v1/completions"
    assert (tasks, limit, key) == (["arc", "gsm"], 40, "secret")


def test_a_task_without_a_share_of_right_answers_is_refused(installed: Path) -> None:
    with pytest.raises(TerminalError, match="no share of right answers"):
        run(installed, "text")


def test_what_the_harness_says_of_a_failure_is_shown(installed: Path) -> None:
    with pytest.raises(TerminalError, match="Tasks not found: unknown"):
        run(installed, "unknown")


def test_without_the_harness_the_suite_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="not installed") as raised:
        run(tmp_path, "arc")
    assert "lm-eval" in (raised.value.diagnostics[0].fix or "")
