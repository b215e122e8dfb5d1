"""`loop experiments`: answers by segment, from loop.yaml and segments on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.reconcile.distil import distil
from runner.spec.files import DirectoryFiles
from runner.spec.load import load_or_raise
from tests.cli.workbench import MODELS, PRODUCTION, Bench, refused
from tests.rollout.logs import Habits, experiment, write


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "repo")


def declare(bench: Bench) -> str:
    """Declare an experiment; return the id under which gateways log it."""
    bench.files.set(*PRODUCTION, "experiments", to=[{"name": "tone", "versions": list(MODELS)}])
    bench.commit("an experiment")
    (found,) = distil(load_or_raise(DirectoryFiles(bench.root)), "production", "").desired.experiments
    return found.id


def test_a_winner_is_named_for_its_segment_with_both_figures(bench: Bench) -> None:
    log = experiment(
        declare(bench),
        {"chat-v1.0": Habits(), "chat-v1.1": Habits(errors=0.2)},
        1500,
        groups=("public", "beta"),
    )
    write(log, bench.state("events"))
    said = bench.loop("experiments")
    assert (said.code, said.err) == (0, "")
    assert "experiment tone: chat-v1.0 50.0%, chat-v1.1 50.0%; all groups" in said.out
    assert "beta: 750 sessions of 750 users" in said.out
    assert "error_rate: chat-v1.0 or chat-v1.1: chat-v1.0 is better (" in said.out
    (value,) = json.loads(bench.loop("experiments", "--json").out)
    assert [segment["name"] for segment in value["segments"]] == ["everybody", "beta", "public"]
    assert value["segments"][0]["comparisons"][0]["answer"] == "the first is better"


def test_without_events_there_is_no_answer_yet(bench: Bench) -> None:
    declare(bench)
    said = bench.loop("experiments")
    assert said.code == 0 and "no answer yet" in said.out and "is better" not in said.out


def test_events_of_other_bytes_of_the_versions_are_not_counted(bench: Bench) -> None:
    declare(bench)
    write(
        experiment("an earlier one", {"chat-v1.0": Habits(), "chat-v1.1": Habits()}, 20),
        bench.state("events"),
    )
    assert "everybody: 0 sessions" in bench.loop("experiments").out


def test_an_environment_without_an_experiment_says_how_to_begin_one(bench: Bench) -> None:
    said = bench.loop("experiments")
    assert said.code == 0 and "has no experiment; add one" in said.out
    assert json.loads(bench.loop("experiments", "--json").out) == []
    refused(bench.loop("experiments", "-e", "prod"), "there is no environment 'prod'")
