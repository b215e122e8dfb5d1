"""`loop signals`: the table, the JSON, the exit codes, and what a wrong command line gets."""

from __future__ import annotations

import pytest

from runner.cli.main import COMMANDS
from runner.cli.signals import COMMANDS as OF_SIGNALS
from tests.cli import measured, workbench
from tests.cli.measured import of_all, strict
from tests.cli.workbench import Bench, refused
from tests.watch import house as of

READING = {
    *("metric", "value", "low", "high", "n", "window", "arm", "version", "segment", "level"),
    *("conditions", "trend", "points", "note"),
}
SNAPSHOT = {
    *("format", "level", "environment", "at", "readings", "histograms", "drift", "weeks", "read", "seconds"),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A repository with a log, for tests that only look."""
    made = measured.bench(tmp_path_factory.mktemp("signals"))
    measured.log(made)
    return made


@pytest.fixture
def empty(tmp_path) -> Bench:
    return measured.bench(tmp_path)


def test_it_shows_every_signal_quality_first(bench):
    said = bench.loop("signals")
    assert said.code == 0, said
    lines = said.out.splitlines()
    assert lines[0].startswith("production: ") and "events read" in lines[0]
    assert lines[2].split()[:3] == ["signal", "for", "value"]
    assert lines[3].split()[:3] == ["refusal_rate", "all", "20.0%"]
    assert [line for line in lines if line.split()[:1] == ["error_rate"]]
    assert "dvc pull datasets/bookshop/reference.jsonl" in said.out


def test_json_is_one_object_with_the_fields_that_programs_rely_on(bench):
    said = bench.loop("signals", "--json")
    value = strict(said.out)
    assert value.keys() == SNAPSHOT
    assert all(one.keys() == READING for one in value["readings"])
    assert (value["format"], value["environment"]) == (1, "production")
    refusals = of_all(value, "refusal_rate")
    assert (refusals["n"], refusals["value"]) == (10, pytest.approx(0.2))
    assert of_all(value, "error_rate")["value"] == pytest.approx(1 / 11)


def test_a_second_time_nothing_is_read(bench):
    bench.loop("signals")
    assert strict(bench.loop("signals", "--json").out)["read"] == 0


def test_one_window_for_all(bench):
    value = strict(bench.loop("signals", "--window", "2d", "--json").out)
    assert {one["window"] for one in value["readings"]} == {2 * 86_400.0}


def test_groups_of_users_are_shown_apart_only_when_asked_for(empty):
    house = measured.log(empty)
    house.asked(measured.QUESTIONS, measured.ago(400), group="beta")
    assert "all, beta" not in empty.loop("signals").out
    assert "all, beta" in empty.loop("signals", "--all").out


def test_without_events_nothing_is_measured_and_nothing_is_wrong(empty):
    said = empty.loop("signals", "--json")
    assert said.code == 0, said
    assert strict(said.out)["level"] == "no data"
    assert empty.loop("signals").code == 0
    assert not list((empty.root / ".loop").rglob("*.jsonl"))
    assert not list((empty.root / ".loop").rglob("standing.json")), "only the monitor speaks to the runner"


def test_a_threshold_that_is_surely_passed_is_exit_code_2(empty):
    house = measured.log(empty)
    of.failed(house, 60, measured.ago(500))
    said = empty.loop("signals")
    assert said.code == 2, said
    assert "warn error_rate > 2%" in said.out
    assert strict(empty.loop("signals", "--json").out)["level"] == "warn"


@pytest.mark.parametrize("command", ["signals", "report"])
@pytest.mark.parametrize(
    ("window", "words"),
    [
        ("soon", "is no length of time"),
        ("5", "is no length of time"),
        ("", "is no length of time"),
        ("0s", "is no time at all"),
        ("-1h", "is no"),
        ("101d", "kept for 100 days"),
    ],
)
def test_a_window_that_is_none_is_told(bench, command, window, words):
    refused(bench.loop(command, f"--window={window}"), words, f"loop {command} --help")


@pytest.mark.parametrize("command", ["signals", "drift", "report", "monitor"])
def test_an_environment_that_is_not_declared_is_told(bench, command):
    refused(bench.loop(command, "-e", "moon"), "no environment 'moon'", "known: staging, production")


@pytest.mark.parametrize("command", ["signals", "drift", "report"])
def test_a_policy_that_is_wrong_is_told_with_its_line(empty, command):
    empty.files.set("policies/signals.yaml", "signals", "error_rate", "window", to="often")
    empty.write()
    refused(empty.loop(command), "policies/signals.yaml:", "often")


@pytest.mark.parametrize("command", ["signals", "drift", "report", "monitor"])
def test_outside_a_repository_it_says_so(tmp_path, command):
    refused(workbench.call("--root", str(tmp_path), command), "there is no loop.yaml here")


def test_options_before_a_subcommand_are_refused_since_it_would_not_know_them(bench):
    refused(bench.loop("signals", "-e", "staging", "sample"), "--environment belongs behind 'sample'")
    refused(bench.loop("signals", "--json", "sample"), "--json belongs behind 'sample'")


def test_a_subcommand_that_does_not_exist_gets_a_suggestion(bench):
    refused(bench.loop("signals", "sampel"), "did you mean 'sample'?")


@pytest.mark.parametrize(
    "arguments",
    [
        *[(name,) for name in COMMANDS],
        *[("signals", name) for name in OF_SIGNALS],
        ("signals", "fit", "refusal"),
    ],
    ids=" ".join,
)
def test_every_command_explains_itself(arguments):
    said = workbench.call(*arguments, "--help")
    assert said.code == 0, said
    assert said.out.startswith(f"Usage: loop {' '.join(arguments)}")
    assert said.err == ""


def test_the_help_of_signals_lists_what_belongs_to_it():
    out = workbench.call("signals", "--help").out
    for name, (_, text) in OF_SIGNALS.items():
        assert name in out and text.split(",")[0].split()[0] in out
