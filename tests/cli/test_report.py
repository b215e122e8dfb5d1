"""`loop report`: Markdown on standard output, and one HTML file that loads nothing."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli import measured
from tests.cli.workbench import Bench, refused


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made = measured.bench(tmp_path_factory.mktemp("report"))
    measured.log(made)
    return made


def test_it_prints_markdown(bench):
    said = bench.loop("report", "--window", "7d")
    assert said.code == 0, said
    assert said.out.startswith("# ")
    assert "refusal_rate" in said.out or "refus" in said.out.lower()
    assert said.err == ""


def test_html_is_one_file_that_loads_nothing_and_no_other_is_left(bench, tmp_path):
    target = tmp_path / "week.html"
    target.write_text("the report of last week")
    said = bench.loop("report", "--html", str(target))
    assert said.code == 0, said
    assert f"written: {target}" in said.err
    text = target.read_text(encoding="utf-8")
    assert text.lower().startswith("<!doctype html>") and "<svg" in text
    assert not re.findall(r"""(?:src|href)=["']?https?:""", text), "loads something"
    assert [path.name for path in tmp_path.iterdir()] == ["week.html"]


def test_a_folder_that_is_not_there_is_told_and_nothing_is_written(bench, tmp_path):
    said = bench.loop("report", "--html", str(tmp_path / "no" / "week.html"))
    assert said.code == 1
    assert said.err.startswith("error: ") and "there is no folder" in said.err
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_the_file_is_told(bench, tmp_path):
    refused(bench.loop("report", "--html", str(tmp_path)), "is a directory")


def test_without_events_there_is_a_report_all_the_same(tmp_path):
    made = measured.bench(tmp_path / "repo")
    said = made.loop("report", "--html", str(tmp_path / "week.html"))
    assert said.code == 0, said
    assert (tmp_path / "week.html").exists()


def test_both_ends_of_the_tokens_come_with_question_and_answer(bench, tmp_path):
    path = tmp_path / "tails.jsonl"
    assert bench.loop("report", "--tails", str(path)).code == 0
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert {(row["measure"], row["tail"]) for row in rows} == {
        (measure, tail) for measure in ("prompt_tokens", "answer_tokens") for tail in ("low", "high")
    }
    assert all(row["question"] and row["answer"] for row in rows)


def test_programs_get_the_figures_of_the_window(bench):
    value = json.loads(bench.loop("report", "--window", "2d", "--json").out)
    assert {reading["window"] for reading in value["readings"]} == {2 * 86_400.0}
