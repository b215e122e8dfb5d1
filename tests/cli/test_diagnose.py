"""`loop diagnose` on a repository: which version it asks about, what it reads, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.feedback import collected
from runner.feedback.collected import Collected
from runner.feedback.records import Choice
from runner.spec.model import NOTHING
from tests.cli import measured
from tests.cli.measured import strict
from tests.cli.test_decide import PATH, rows, write
from tests.cli.workbench import Bench, refused
from tests.economics.runs import course, files
from tests.feedback.arenas import ballot

QUESTIONS = {
    "infrastructure",
    "preference quality",
    "sufficient volume",
    "base model",
    "distribution mismatch",
    "data diversity",
    "hyperparameters",
    "overfitting",
}


@pytest.fixture
def made(tmp_path) -> Bench:
    """A repository whose chat-v1.1 was trained on preferences."""
    return Bench(tmp_path)


def report(bench: Bench, name: str, **contents: object) -> Path:
    folder = bench.root / "models" / "reports" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, value in contents.items():
        (folder / f"{file}.json").write_text(json.dumps(value))
    return folder


def answer(value, question):
    (found,) = [each for each in value["answers"] if each["question"] == question]
    return found


def check(value, name):
    (found,) = [each for one in value["answers"] for each in one["checks"] if each["name"] == name]
    return found


def test_without_any_figure_it_says_what_would_supply_them(made):
    said = made.loop("diagnose")
    assert said.code == 2, said
    assert said.out.startswith("chat-v1.1, trained from chat-v1.0: no cause proven; not decided: ")
    assert "`loop evaluate chat-v1.1`" in said.out and "`dvc pull`" in said.out


def test_the_base_model_as_it_is_has_no_training_to_ask_about(made):
    made.files.set("models/chat-v1.0.yaml", "training", "dataset_hash", to=NOTHING)
    made.write()
    refused(made.loop("diagnose", "chat-v1.0"), "'chat-v1.0' was not trained", "loop train sft")


def test_json_has_the_fields_that_programs_rely_on(made):
    value = strict(made.loop("diagnose", "--json").out)
    assert value.keys() == {"format", "cause", "name", "parent", "verdict", "answers"}
    assert (value["format"], value["cause"], value["verdict"]) == (1, None, "INCONCLUSIVE")
    assert {each["question"] for each in value["answers"]} == QUESTIONS


def test_the_course_of_the_last_training_is_read_from_what_it_left(made):
    about, curves = files(course(margin=0.02), told_apart=0.55)
    report(made, "chat-v1.1", training=about, curves=curves)
    value = strict(made.loop("diagnose", "--json").out)
    assert value["cause"] == "hyperparameters"
    assert check(value, "margin")["value"] == pytest.approx(0.02)
    assert "learning_rate (now 0.0008)" in check(value, "margin")["fix"]
    assert value["answers"][0]["question"] == "hyperparameters"
    said = made.loop("diagnose")
    assert "the likeliest cause is hyperparameters (margin, movement)" in said.out


def test_pairs_votes_and_evaluations_are_read_where_they_are(made):
    write(made.root / PATH, rows(*range(30)))
    neither = tuple(ballot(n, "a", "b", Choice.NEITHER, taken_ms=2000.0) for n in range(200))
    collected.write(
        made.root / collected.FOLDER, Collected(ballots=neither, facts={"environment": "production"})
    )
    suite = {
        "kind": "regression",
        "measured": [],
        "baseline": [{"metric": "accuracy", "value": 0.5, "low": 0.4, "high": 0.6, "n": 99}],
    }
    report(made, "chat-v1.1", evaluation={"suites": [suite]})
    value = strict(made.loop("diagnose", "--json").out)
    assert check(value, "pairs")["value"] == 30 and check(value, "pairs")["verdict"] == "FAIL"
    assert check(value, "both_bad")["value"] == 1.0
    assert check(value, "parent_accuracy")["value"] == 0.5
    assert value["cause"] == "sufficient volume"


def test_what_users_ask_is_compared_with_what_was_trained(made):
    write(made.root / PATH, rows(*range(200)))
    house = measured.log(made)
    house.asked([f"서가 {n}번은 어디에 있나요?" for n in range(200)], measured.ago(500))
    value = strict(made.loop("diagnose", "--json").out)
    language = check(value, "language_mismatch")
    assert (language["verdict"], language["n"]) == ("FAIL", 210)
    assert answer(value, "distribution mismatch")["verdict"] == "FAIL"


def test_another_version_may_be_named_and_an_unknown_one_is_refused(made):
    assert made.loop("diagnose", "chat-v1.0").out.startswith("chat-v1.0, trained from the base model")
    refused(made.loop("diagnose", "chat-v9"), "there is no version 'chat-v9'", "chat-v1.0, chat-v1.1")
