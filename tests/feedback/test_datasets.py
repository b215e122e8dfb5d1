"""The files of a snapshot are what TRL's trainers read, and what datasets/*.yaml declare."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

from runner.feedback import snapshot as snapshots
from runner.feedback.snapshot import Origins, build
from runner.feedback.snapshot.files import CASES, CORRECTIONS, PREFERENCES, ROWS, THUMBS
from runner.training.rows import read
from tests.feedback.collected_worlds import QUESTIONS, ballot, collected, policy, record, synthetic
from tests.spec.repository import ROOT

GOOD, BAD = "Yes, within thirty days.", "Sorry, I can only help with the bookshop."
DECLARED = {"preferences": PREFERENCES, "corrections": CORRECTIONS, "thumbs": THUMBS, "cases": CASES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A snapshot with rows in every file; one conversation has several turns."""
    things = [
        *(ballot(f"v{i}", f"Is number {i} of the maps in stock?", left=GOOD, right=BAD) for i in range(8)),
        *(record(f"t{i}", f"Do you sell {w}?", GOOD, thumbs=1 - 2 * i) for i, w in enumerate(("tea", "ink"))),
        *(record(f"c{i}", QUESTIONS[i], BAD, correction=GOOD, group="internal") for i in range(2, 6)),
        _talk(),
    ]
    made = [
        synthetic(f"syn-{i}", f"Have you any maps of region {i}?", GOOD, BAD, (f"v{i}",)) for i in range(8)
    ]
    found = build(collected(*things, made=made), policy(cases={"share": 0.3}), ())
    assert all((found.preferences, found.corrections, found.thumbs, found.cases))
    assert any(row["synthetic"] for row in found.preferences)
    path = tmp_path_factory.mktemp("snapshot") / "snapshot"
    snapshots.write(found, path, Origins("", {}, {}, {}))
    return path


@pytest.fixture(scope="module")
def load(folder):
    """Return a file as TRL's trainers are given it."""
    from datasets import load_dataset

    def read(name):
        return load_dataset(
            "json", data_files=str(folder / name), split="train", cache_dir=str(folder.parent / "c")
        )

    return read


def test_pairs_are_conversational_preferences_that_a_dpo_trainer_takes(load):
    from trl.data_utils import is_conversational, unpair_preference_dataset

    rows = load(PREFERENCES)
    assert {"prompt", "chosen", "rejected"} <= set(rows.column_names)
    for row in rows:
        assert is_conversational({key: row[key] for key in ("prompt", "chosen", "rejected")})
        assert row["prompt"][-1]["role"] == "user"
        assert [message["role"] for message in (*row["chosen"], *row["rejected"])] == ["assistant"] * 2
    needed = rows.select_columns(["prompt", "chosen", "rejected"])
    assert len(unpair_preference_dataset(needed)) == 2 * len(rows)


def test_thumbs_are_conversational_and_unpaired_as_a_kto_trainer_takes_them(load):
    from trl.data_utils import is_conversational

    rows = load(THUMBS)
    assert {row["label"] for row in rows} == {True, False}
    for row in rows:
        assert is_conversational({key: row[key] for key in ("prompt", "completion")})
        assert isinstance(row["label"], bool)


def test_corrections_are_whole_conversations_and_rows_as_our_own_recipe_reads_them(folder, load):
    from trl.data_utils import is_conversational

    rows = load(CORRECTIONS)
    for row in rows:
        assert is_conversational({"messages": row["messages"]})
        assert row["messages"][-1] == {"role": "assistant", "content": row["answer"]}
        assert row["messages"][-2] == {"role": "user", "content": row["question"]}
    assert {len(row["messages"]) for row in rows} == {2, 4}
    assert [row["completion"][-1]["content"] for row in read(folder / CORRECTIONS, "SFT")] == rows["answer"]


@pytest.mark.parametrize(("dataset", "file"), DECLARED.items())
def test_every_row_has_exactly_the_declared_columns(folder, dataset, file):
    declared = yaml.safe_load((ROOT / f"datasets/bookshop-{dataset}.yaml").read_text())
    assert declared["path"] == f"{snapshots.FOLDER}/{file}"
    fits = {
        "text": lambda value: isinstance(value, str),
        "texts": lambda value: all(isinstance(each, str) for each in value),
        "whole": lambda value: type(value) is int,
        "bool": lambda value: isinstance(value, bool),
        "messages": lambda value: all(set(each) == {"role", "content"} for each in value),
    }
    for row in _read(folder, file):
        assert set(row) == set(declared["schema"])
        assert all(fits[declared["schema"][name]](value) for name, value in row.items())


def test_no_question_is_in_a_case_and_in_training(folder):
    cases = {row["question"] for row in _read(folder, CASES)}
    trained = {row["question"] for row in _read(folder, CORRECTIONS)}
    trained |= {row["prompt"][-1]["content"] for name in (PREFERENCES, THUMBS) for row in _read(folder, name)}
    assert cases
    assert not cases & trained


def test_ids_are_unique_over_all_files_and_every_row_names_its_sources(folder):
    rows = [row for name in ROWS for row in _read(folder, name)]
    assert len({row["id"] for row in rows}) == len(rows)
    assert all(row["sources"] for row in rows)


def _talk():
    told = record("m1", "And on Sunday?", BAD, correction=GOOD, group="internal")
    before = (
        {"role": "user", "content": "Are you open late on Friday?"},
        {"role": "assistant", "content": "Until 8."},
    )
    return replace(told, prompt=(*before, *told.prompt))


def _read(folder, name):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]
