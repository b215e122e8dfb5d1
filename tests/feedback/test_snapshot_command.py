"""`loop data snapshot`: written whatever the checks say, never without the suites, and told by its exit code."""

from __future__ import annotations

import json

import pytest

from runner.cli.data_snapshot import guarding
from runner.cli.main import main
from runner.cli.repository import read_spec
from runner.feedback import collected as collection
from runner.feedback import snapshot as snapshots
from runner.feedback.collected import Collected
from tests.feedback.collected_worlds import ballot, repository

LEAKED = "My mail is ada.lind75@example.net, is my parcel there?"
MASKED = "My mail is <EMAIL_1>, is my parcel there?"
GOOD, BAD = "Yes, within thirty days, with the receipt.", "Sorry, I can only help with the bookshop."


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = repository(tmp_path_factory.mktemp("command"), {"ood": LEAKED})
    asked = ["Is the atlas of herons in stock?", "When was the opera built?", MASKED]
    votes = [ballot(f"v{i}", text, GOOD, BAD, category="factual_qa") for i, text in enumerate(asked)]
    collection.write(
        root / collection.FOLDER, Collected((), tuple(votes), (), facts={"environment": "production"})
    )
    assert main(["--root", str(root), "data", "snapshot"]) == 0
    return root


def test_it_ends_well_when_written_and_says_so_only_when_strict(root, capsys):
    assert main(["--root", str(root), "data", "snapshot", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "FAIL", "two pairs of one category cover no others"
    assert json.loads((root / snapshots.FOLDER / "provenance.json").read_text()) == told
    assert main(["--root", str(root), "data", "snapshot", "--strict"]) == 2
    assert "do not train on them" in capsys.readouterr().out


def test_a_question_of_a_suite_is_kept_out_though_both_were_masked_apart(root):
    rejected = [
        json.loads(line) for line in (root / snapshots.FOLDER / "rejected.jsonl").read_text().splitlines()
    ]
    assert [(row["id"], row["reasons"]) for row in rejected] == [("v2", ["leaked"])]
    assert rejected[0]["detail"].startswith("bookshop-ood/ood-1")


def test_without_a_suite_nothing_is_written(root, capsys):
    suite, before = root / "datasets/bookshop/ood.jsonl", _bytes(root)
    kept = suite.read_text()
    suite.unlink()
    assert main(["--root", str(root), "data", "snapshot"]) == 1
    suite.write_text(kept)
    assert "fix: fetch them: `dvc pull datasets/bookshop/ood.jsonl`" in capsys.readouterr().err
    assert _bytes(root) == before


def test_a_damaged_synthetic_pair_is_told_and_nothing_is_written(root, capsys):
    before, made = _bytes(root), root / collection.FOLDER / collection.SYNTHETIC
    made.write_text('{"id": "syn-1", "synthetic": false}\n')
    assert main(["--root", str(root), "data", "snapshot"]) == 1
    made.unlink()
    assert "a synthetic pair is damaged" in capsys.readouterr().err
    assert _bytes(root) == before


def test_the_cases_that_a_snapshot_proposes_are_no_suite_for_the_next_one(root):
    names = [dataset.name for dataset in guarding(read_spec(root))]
    assert names == ["bookshop-adversarial", "bookshop-ood", "bookshop-regression"]


def _bytes(root):
    return {path.name: path.read_bytes() for path in (root / snapshots.FOLDER).iterdir()}
