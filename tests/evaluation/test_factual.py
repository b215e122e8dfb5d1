"""Logged answers beside facts from files, recorded as events."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.errors import TerminalError
from runner.evaluation.factual import load, verify
from runner.evaluation.sample_log import SampleLog
from tests.evaluation.scripted import events_in, logged

FACT = "On day 1 we open at 11 am."


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("f.jsonl", json.dumps({"text": FACT}) + "\n"),
        ("f.jsonl", json.dumps({"question": "When do you open on day 1?", "answer": "11 am."}) + "\n"),
        ("f.csv", f'number,statement\n1,"{FACT}"\n'),
    ],
)
def test_facts_are_read_from_json_lines_and_csv_and_decide(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    asked = (
        logged(1),
        logged(1, event_id="wrong", request_id="wrong", answer="9 am. Write to ada@example.com."),
        logged(3, messages=({"role": "user", "content": "Who wrote Dune?"},), answer="Frank Herbert."),
    )
    with SampleLog(tmp_path / "events", "production", lambda: 5) as log:
        found = verify(asked, load(tmp_path / name), log)
    assert (found.examined, found.covered, found.supported) == (3, 2, 1)
    assert found.value == 0.5 and found.contradicted == ("wrong",)
    right, wrong, outside = events_in(tmp_path / "events")
    assert right["loop.sample.value"] == 1.0 and right["loop.sample.count"] == 1
    assert wrong["loop.sample.value"] == 0.0 and "9 am." in wrong["loop.sample.evidence"]
    assert "loop.sample.value" not in outside and outside["loop.sample.count"] == 0
    assert right["gen_ai.usage.input_tokens"] == 0 and right["loop.detector"] == "factual"


def test_where_no_content_is_kept_no_quotation_is(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").write_text(json.dumps({"text": FACT}))
    with SampleLog(tmp_path / "events", "production", lambda: 5, keep_texts=False) as log:
        verify([logged(1, answer="9 am.")], load(tmp_path / "f.jsonl"), log)
    (event,) = events_in(tmp_path / "events")
    assert event["loop.sample.value"] == 0.0 and "loop.sample.evidence" not in event


def test_facts_that_are_missing_or_no_facts_are_told(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="dvc pull"):
        load(tmp_path / "none.jsonl")
    (tmp_path / "bad.jsonl").write_text("{")
    with pytest.raises(TerminalError, match="cannot be read"):
        load(tmp_path / "bad.jsonl")


@pytest.mark.parametrize("unit", ["1", "Aa x1. "])
def test_an_answer_without_end_is_checked_so_far(tmp_path: Path, unit: str) -> None:
    (tmp_path / "f.jsonl").write_text(json.dumps({"text": FACT}))
    endless = unit * (1_000_000 // len(unit))
    asked = ({"role": "user", "content": f"When do you open on day 1? {endless}"},)
    with SampleLog(tmp_path / "events", "production", lambda: 5) as log:
        found = verify(
            [logged(1, messages=asked, answer=f"11 am. {endless}")], load(tmp_path / "f.jsonl"), log
        )
    assert found.examined == 1 and found.covered <= 200
