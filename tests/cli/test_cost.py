"""`loop cost` on a repository: what it reads, its forms, and what an edited assumption does."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from runner.reconcile.state import StatePaths
from tests.cli.measured import strict
from tests.cli.workbench import Bench, refused
from tests.doubles.event_files import line, request, segment

NOTHING = "no figure of cost changes\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(tmp_path_factory.mktemp("bench"))
    bench.commit("the shipped policies")
    return bench


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A repository with 400 answers, evenly over the last ten days, each a stream."""
    bench = Bench(tmp_path_factory.mktemp("used"))
    bench.commit("the shipped policies")
    first, gap = time.time() - 10 * 86_400, 10 * 86_400 / 400
    events = [
        request(
            n,
            event__time=round((first + n * gap) * 1e6),
            loop__environment="production",
            gen_ai__request__stream=True,
            gen_ai__usage__input_tokens=90 + n % 21,
            gen_ai__usage__output_tokens=20 + n % 11,
        )
        for n in range(400)
    ]
    segment(StatePaths(bench.root, "production").events, map(line, events))
    return bench


def test_the_figures_of_the_sources_come_out_of_the_shipped_policy(made: Bench) -> None:
    said = made.loop("cost")
    assert said.code == 0, said
    assert "comes to $300.00 a month and $3,600.00 a year, and saves $1,800.00 a year" in said.out
    assert "assumed: requests (nothing was logged)" in said.out


def test_what_was_logged_takes_the_place_of_what_is_assumed(used: Bench) -> None:
    load = strict(used.loop("cost", "--json").out)["workload"]
    assert {
        name: load[name]["source"] for name in ("requests_per_month", "input_tokens", "output_tokens")
    } == {
        "requests_per_month": "measured",
        "input_tokens": "measured",
        "output_tokens": "measured",
    }
    assert load["requests_per_month"]["value"] == pytest.approx(40 * 365 / 12, rel=0.01)
    assert load["input_tokens"]["value"] == pytest.approx(100, rel=0.01)
    said = used.loop("cost").out
    assert "first_token_p95 < 100ms: it is so" in said and "400 requests in 10.0 days" in said


def test_a_window_of_less_than_a_week_leaves_the_requests_assumed(used: Bench) -> None:
    load = strict(used.loop("cost", "--window", "5d", "--json").out)["workload"]
    assert load["requests_per_month"]["source"] == load["input_tokens"]["source"] == "assumed"
    assert "5.0 days are too short a time" in load["requests_per_month"]["rests_on"]


def test_an_edited_assumption_is_shown_before_it_is_committed(made: Bench) -> None:
    path = made.root / "policies" / "cost.yaml"
    assert made.loop("cost", "--against", "HEAD").out == NOTHING
    text = path.read_text()
    try:
        path.write_text(text.replace("output_per_million: $15", "output_per_million: $9"))
        said = made.loop("cost", "--against", "HEAD")
        told = made.loop("cost", "--against", "HEAD", "--markdown").out
        value = strict(made.loop("cost", "--against", "HEAD", "--json").out)
    finally:
        path.write_text(text)
    assert "saved against the API: $1,800.00 -> $360.00 a year" in said.out
    assert "the API: $450.00 -> $330.00 a month" in said.out
    assert told == "".join(f"- {each}\n" for each in said.out.splitlines())
    assert (value["before"]["api"]["month"], value["after"]["api"]["month"]) == (450.0, 330.0)


def test_files_are_written_whole_beside_the_output(made: Bench, tmp_path: Path) -> None:
    page, picture = tmp_path / "cost.html", tmp_path / "cost.svg"
    said = made.loop("cost", "--markdown", "--html", str(page), "--svg", str(picture))
    assert said.code == 0 and said.out.startswith("# production: what serving costs")
    assert "<svg" in page.read_text() and page.read_text().startswith("<!doctype html>")
    assert picture.read_text().startswith("<svg") and "<style>" in picture.read_text()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["cost.html", "cost.svg"]


def test_it_changes_nothing(made: Bench) -> None:
    before = made.git("status", "--porcelain", "--untracked-files=all")
    made.loop("cost")
    assert made.git("status", "--porcelain", "--untracked-files=all") == before


def test_a_wrong_command_line_is_one_clear_error(made: Bench, tmp_path: Path) -> None:
    refused(made.loop("cost", "--json", "--markdown"), "not both")
    refused(made.loop("cost", "--against", "HEAD", "--svg", "x.svg"), "a change has no picture")
    refused(made.loop("cost", "--svg", str(tmp_path / "none" / "x.svg")), "there is no folder")
    refused(made.loop("cost", "--window", "a while"), "'a while' is no length of time")
    refused(made.loop("cost", "--against", "nowhere"), "nowhere")
    refused(made.loop("cost", "-e", "nowhere"), "'nowhere'", "known: staging, production")
