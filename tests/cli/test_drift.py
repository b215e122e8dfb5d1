"""`loop drift`: the window, the weeks, why there is nothing to say, and the exit code of a proven shift."""

from __future__ import annotations

import shutil

import pytest

from tests.cli import measured
from tests.cli.measured import strict
from tests.cli.workbench import Bench, call
from tests.watch.house import House

KEYS = {"format", "now", "weeks", "why_not"}


@pytest.fixture
def empty(tmp_path) -> Bench:
    return measured.bench(tmp_path)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A repository with a small reference set, and questions like it."""
    made = measured.bench(tmp_path_factory.mktemp("drift"))
    house = House(made.root)
    house.refer_to(_like_the_reference(range(60)))
    house.asked([*_like_the_reference(range(60))] * 2, measured.ago(900))
    return made


def _like_the_reference(numbers: range) -> list[str]:
    return [f"Which {n} of shelf {n % 7} is for {n % 11} readers?" for n in numbers]


def test_questions_like_the_reference_are_exit_code_0(followed):
    said = followed.loop("drift")
    assert said.code == 0, said
    assert "as in the reference" in said.out
    assert "week until" in said.out


def test_the_first_measuring_says_on_standard_error_what_takes_so_long(followed, tmp_path):
    shutil.copytree(followed.root, tmp_path / "copy")
    copy = House(tmp_path / "copy")
    shutil.rmtree(copy.state, ignore_errors=True)
    first = call("--root", str(copy.root), "signals", "--json")
    assert "fitting" in first.err and "this is kept" in first.err
    strict(first.out)
    assert call("--root", str(copy.root), "signals", "--json").err == ""


def test_json_has_the_fields_that_programs_rely_on(followed):
    value = strict(followed.loop("drift", "--json").out)
    assert value.keys() == KEYS
    assert (value["format"], value["why_not"]) == (1, "")
    assert value["now"]["n"] == 120
    assert value["weeks"][-1]["n"] == 120


def test_another_kind_of_question_is_exit_code_2_and_names_topics(followed, tmp_path):
    shutil.copytree(followed.root, tmp_path / "copy")
    house = House(tmp_path / "copy", written=1000)
    (house.state / "drift.json").unlink(missing_ok=True)  # what comes late is no evidence any more
    kitchen = [f"How long does soup number {n} have to simmer tonight?" for n in range(200)]
    house.asked(kitchen, measured.ago(600))
    said = call("--root", str(house.root), "drift")
    assert said.code == 2, said
    assert "alarm at" in said.out and "grew" in said.out and "simmer" in said.out


def test_a_reference_set_that_is_not_here_is_why_there_is_nothing_to_say(empty):
    measured.log(empty)
    said = empty.loop("drift")
    assert said.code == 0
    assert "not measured: datasets/bookshop/reference.jsonl is not here: `dvc pull" in said.out
    value = strict(empty.loop("drift", "--json").out)
    assert (value["now"], value["weeks"]) == (None, [])
    assert "dvc pull" in value["why_not"]


def test_without_events_it_says_that_nothing_is_logged(empty):
    House(empty.root).refer_to(_like_the_reference(range(60)))
    said = empty.loop("drift")
    assert (said.code, "nothing is logged yet" in said.out) == (0, True)
