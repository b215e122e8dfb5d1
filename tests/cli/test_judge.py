"""`loop judge calibrate`: the shipped judge beside the shipped votes, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.workbench import CHECKOUT, Bench, refused

PAIRS = "datasets/snapshot/preferences.jsonl"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path / "repo")
    (made.root / "datasets/snapshot").mkdir(parents=True, exist_ok=True)
    shutil.copy(CHECKOUT / PAIRS, made.root / PAIRS)
    return made


def test_the_shipped_judge_agrees_with_the_shipped_votes_and_it_is_kept(bench: Bench) -> None:
    said = bench.loop("judge", "calibrate", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["verdict"] == "PASS" and found["low"] >= 0.8 and found["pairs"] > 150
    (kept,) = bench.root.glob(".loop/evaluation/staging/judges/*.json")
    assert json.loads(kept.read_text()) == found


def test_people_read_the_same_figures(bench: Bench) -> None:
    votes = sum(
        '"origin":"vote"' in line for line in (CHECKOUT / PAIRS).read_text(encoding="utf-8").splitlines()
    )
    said = bench.loop("judge", "calibrate")
    assert said.code == 0, said.err
    assert "simulated customers of the bookshop: PASS, it may decide gates" in said.out
    assert "Krippendorff" in said.out and f"{votes} of {votes} pairs" in said.err


def test_a_judge_of_whom_too_little_is_known_ends_with_2(bench: Bench) -> None:
    path = bench.root / PAIRS
    path.write_text(
        "".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:20]), encoding="utf-8"
    )
    said = bench.loop("judge", "calibrate")
    assert said.code == 2 and "INCONCLUSIVE, it may decide no gate yet" in said.out


def test_without_data_it_says_what_is_missing(bench: Bench) -> None:
    (bench.root / PAIRS).unlink()
    refused(bench.loop("judge", "calibrate"), "the pairs to calibrate the judge on are not here", "dvc pull")
