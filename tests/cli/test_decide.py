"""`loop decide` on a repository: what it reads, its three forms, and its exit codes."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.feedback import collected
from runner.feedback.collected import Collected
from runner.spec.model import ELSEWHERE, NOTHING
from tests.cli import measured
from tests.cli.measured import strict
from tests.cli.workbench import PRODUCTION, Bench, refused
from tests.feedback.arenas import ballot
from tests.spec.repository import quarantine_text
from tests.watch import house as of

DATASET = "bookshop-preferences"
PATH = "datasets/snapshot/preferences.jsonl"
KINDS = ("factual_qa", "comparison", "creative", "problem_solving", "explanation")
KEYS = {"format", "environment", "at", "decision", "by", "reasons", "proposal", "next_round"}
LATER = "2026-12-10"


def rows(*numbers: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"pair-{n}",
            "category": KINDS[n % 5],
            "language": "en",
            "prompt": [{"role": "user", "content": f"Question {n}?"}],
            "chosen": [{"role": "assistant", "content": "Yes."}],
            "rejected": [{"role": "assistant", "content": "No."}],
            "sources": [f"vote-{n}"],
        }
        for n in numbers
    ]


def write(path: Path, content: list[dict[str, Any]]) -> str:
    """Write rows and return DVC's hash of the file."""
    text = "".join(json.dumps(row) + "\n" for row in content).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


@pytest.fixture
def made(tmp_path) -> Bench:
    """A repository with 150 pairs that no version was trained on."""
    bench = Bench(tmp_path)
    del bench.files.texts["models/chat-v1.1.yaml"]
    bench.files.set(f"datasets/{DATASET}.yaml", "hash", to=write(tmp_path / PATH, rows(*range(150))))
    bench.write()
    return bench


def train(bench: Bench, hash_: str, day: str = "2026-12-01") -> None:
    """Register chat-v1.1 as trained on some state of the data set."""
    bench.files.texts["models/chat-v1.1.yaml"] = (
        bench.files.texts["models/chat-v1.0.yaml"]
        .replace("name: chat-v1.0", "name: chat-v1.1\nparent: chat-v1.0")
        .replace("type: SFT", "type: DPO")
        .replace("recipe: sft", "recipe: dpo")
        .replace("bookshop-sft", DATASET)
        .replace("0123456789abcdef0123456789abcdef\n", f"{hash_}\n", 1)
        .replace("2026-11-21", day)
    )
    bench.write()


def reason(value: Any, name: str) -> Any:
    (found,) = [each for each in value["reasons"] if each["reason"] == name]
    return found


def test_enough_new_pairs_and_a_round_that_is_due_are_exit_code_2_with_the_command(made):
    said = made.loop("decide")
    assert said.code == 2, said
    assert "train a new version now" in said.out
    assert "next: `loop train dpo --environment production`, from 'chat-v1.0'" in said.out
    assert "150 of 150 rows" in said.out and "not known, so left out of it: signals" in said.out


def test_json_has_the_fields_that_programs_rely_on(made):
    value = strict(made.loop("decide", "--json").out)
    assert value.keys() == KEYS
    assert (value["format"], value["decision"], value["by"]) == (1, "retrain", ["calendar"])
    assert value["proposal"]["command"] == "loop train dpo --environment production"
    assert len(value["reasons"]) == 11
    assert all(each.keys() == {"reason", "verdict", "says", "figures", "fix"} for each in value["reasons"])


def test_markdown_is_a_table_of_every_reason(made):
    said = made.loop("decide", "--markdown")
    assert said.code == 2
    assert said.out.startswith("### production: train a new version now")
    assert sum(line.startswith("| ") for line in said.out.splitlines()) == 12


def test_data_that_is_not_here_is_no_reason_to_train(made):
    (made.root / PATH).unlink()
    said = made.loop("decide", "--json")
    assert said.code == 0
    assert reason(strict(said.out), "new data")["verdict"] == "unknown"
    assert reason(strict(said.out), "data checks")["verdict"] == "against"


def test_pairs_that_a_version_was_trained_on_are_not_new(made):
    train(made, made.files.value(f"datasets/{DATASET}.yaml", "hash"))
    said = made.loop("decide", "--at", LATER, "--json")
    assert said.code == 0
    assert reason(strict(said.out), "new data")["figures"] == {"fresh": 0, "rows": 150, "wanted": 100}


def test_rows_of_an_earlier_training_are_told_from_new_ones_by_what_dvc_keeps(made):
    old = made.root / "old.jsonl"
    hash_ = write(old, rows(*range(40)))
    train(made, hash_)
    unknown = strict(made.loop("decide", "--at", LATER, "--json").out)
    assert reason(unknown, "new data")["verdict"] == "unknown", "neither ids nor days are known"
    kept = made.root / ".dvc" / "cache" / "files" / "md5" / hash_[:2] / hash_[2:]
    kept.parent.mkdir(parents=True)
    old.rename(kept)
    found = strict(made.loop("decide", "--at", LATER, "--json").out)
    assert reason(found, "new data")["figures"]["fresh"] == 110
    assert found["decision"] == "retrain"


def test_where_nothing_is_kept_of_an_earlier_training_votes_date_the_pairs(made):
    train(made, "e" * 32, day="2026-12-01")
    day = datetime(2026, 12, 1, tzinfo=UTC)
    dated = tuple(
        ballot(n, "a", "b", at_us=round((day + timedelta(days=2 if n < 120 else 0)).timestamp() * 1e6))
        for n in range(150)
    )
    collected.write(
        made.root / collected.FOLDER, Collected(ballots=dated, facts={"environment": "production"})
    )
    found = strict(made.loop("decide", "--at", LATER, "--json").out)
    assert reason(found, "new data")["figures"]["fresh"] == 120


def test_within_the_week_of_a_training_no_round_is_due(made):
    train(made, "f" * 32, day="2026-12-07")
    found = strict(made.loop("decide", "--at", LATER, "--json").out)
    assert (reason(found, "calendar")["verdict"], found["next_round"]) == ("against", "2026-12-13")


def test_a_frozen_or_suspended_environment_is_not_trained_for(made):
    window = {
        "zone": "Asia/Seoul",
        "from": "2026-12-20T00:00",
        "to": "2027-01-03T00:00",
        "reason": "holidays",
    }
    made.files.set(*PRODUCTION, "freeze", to=[window])
    made.write()
    assert made.loop("decide", "--at", "2026-12-19T23:59+09:00").code == 2
    said = made.loop("decide", "--at", "2026-12-20T00:00+09:00")
    assert (said.code, "holidays" in said.out) == (0, True)
    made.files.set(*PRODUCTION, "suspend", to=True)
    made.write()
    assert "promotions are suspended" in made.loop("decide", "--at", "2026-12-01").out


def test_a_candidate_that_was_rolled_back_on_the_same_data_bars_the_round(made):
    train(made, made.files.value(f"datasets/{DATASET}.yaml", "hash"))
    made.files.texts["quarantine.yaml"] = quarantine_text(made.served("chat-v1.0").replace("v1.0", "v1.1"))
    made.write()
    found = strict(made.loop("decide", "--at", LATER, "--json").out)
    assert reason(found, "last candidate")["verdict"] == "against"
    assert "rolled back in 'production'" in reason(found, "last candidate")["says"]


def test_measured_signals_are_told_with_their_intervals(made):
    house = measured.log(made)
    of.thumbs(
        house,
        house.asked([f"Where is shelf {n}?" for n in range(30)], measured.ago(500)),
        1,
        measured.ago(400),
    )
    found = strict(made.loop("decide", "--json").out)
    change = reason(found, "change")
    assert change["figures"]["satisfaction"] == 5.0
    assert change["figures"]["satisfaction_low"] is not None
    assert change["verdict"] == "unknown" and "no data of input_drift" in change["says"]


def test_the_money_of_a_round_is_that_of_its_manifest(made):
    train(made, "f" * 32)
    made.files.set(
        "policies/cost.yaml",
        "items",
        "retraining",
        to={"amount": "$90", "per": "hour", "account": "retraining"},
    )
    for name in ("chat-v1.0", "chat-v1.1"):
        folder = made.root / "models" / "reports" / name
        folder.mkdir(parents=True)
        (folder / "training.json").write_text(json.dumps({"seconds": 1200.0}))
    made.write()
    figures = reason(strict(made.loop("decide", "--at", LATER, "--json").out), "budget")["figures"]
    assert (figures["spent"], figures["planned"], figures["rounds"]) == (60.0, 30.0, 2)


@pytest.mark.parametrize("nowhere", [NOTHING, ELSEWHERE])
def test_the_base_as_it_is_and_versions_brought_along_are_no_rounds(made, nowhere):
    made.files.set("models/chat-v1.0.yaml", "training", "dataset_hash", to=nowhere)
    made.write()
    budget = reason(strict(made.loop("decide", "--at", "2026-11-25", "--json").out), "budget")
    assert (budget["figures"]["spent"], budget["figures"]["rounds"]) == (0.0, 0)


def test_a_damaged_report_is_told_and_left_out(made):
    folder = made.root / "models" / "reports" / "chat-v1.0"
    folder.mkdir(parents=True)
    (folder / "training.json").write_text("{")
    said = made.loop("decide")
    assert said.code == 2 and "warning: left out:" in said.err and "training.json" in said.err


def test_it_changes_nothing(made):
    before = made.git("status", "--porcelain", "--untracked-files=all")
    made.loop("decide")
    assert made.git("status", "--porcelain", "--untracked-files=all") == before


def test_a_wrong_command_line_is_one_clear_error(made):
    refused(made.loop("decide", "--json", "--markdown"), "not both")
    refused(made.loop("decide", "--at", "soon"), "say a moment such as")
    refused(made.loop("decide", "--at", "9999-12-30"), "9999-12-30 is out of range")
    refused(made.loop("decide", "-e", "nowhere"), "'nowhere'", "known: staging, production")
