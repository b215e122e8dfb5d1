"""The recipes run end to end, small: a base, an adapter, answers and their report, by the same commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.errors import TerminalError
from runner.simulation.bookshop.__main__ import write
from runner.training.recipes import sft

ROOT = Path(__file__).parents[2]
POLICY = """
recipes:
  tiny:
    type: SFT
    dataset: bookshop-sft
    parent: base
    lora: {rank: 8, alpha: 16}
    optimiser: {learning_rate: 0.001, epochs: 1, batch_size: 8}
    max_length: 128
    seed: 1
  pairs:
    type: DPO
    dataset: bookshop-preferences
    parent: baseline
    optimiser: {learning_rate: 0.001, epochs: 1, batch_size: 8}
    max_length: 128
"""


def run(*commands: tuple[str | Path, ...]) -> None:
    """Run commands, each a module with its arguments, one after the other."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "OMP_WAIT_POLICY": "passive",
    }
    listed = json.dumps([[*map(str, each)] for each in commands])
    ran = subprocess.run(
        [sys.executable, "-m", "tests.training.forked", listed],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert ran.returncode == 0, ran.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small run of every stage, with the data cut to what a few seconds allow."""
    folder = tmp_path_factory.mktemp("small-world")
    write(folder)
    for name, lines in (("train_sft", 32), ("statements", 40), ("regression", 8)):
        path = folder / f"{name}.jsonl"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))
    (folder / "training.yaml").write_text(POLICY)
    base, data, answers = folder / "base", folder / "train_sft.jsonl", folder / "answers.jsonl"
    suite = folder / "regression.jsonl"
    trained = (
        *("runner.training.sft", "--base", base, "--base-name", "bookshop-base", "--data", data),
        *("--policy", folder / "training.yaml", "--recipe", "tiny"),
    )
    run(
        (
            *("runner.training.base", "--statements", folder / "statements.jsonl", "--questions", data),
            *("--out", base, "--steps", "2"),
        ),
        *((*trained, "--out", folder / name) for name in ("adapter", "again")),
        (
            *("runner.training.answer", "--base", base, "--adapter", folder / "adapter"),
            *("--out", answers, "--max-tokens", "4", suite),
        ),
        ("runner.simulation.bookshop.score", answers, suite, "--out", folder / "report.json"),
    )
    return folder


def test_the_base_is_a_model_directory_in_bfloat16_of_about_two_million_parameters(built: Path) -> None:
    config = json.loads((built / "base/config.json").read_text())
    assert config["architectures"] == ["Qwen2ForCausalLM"]
    assert config["dtype"] == "bfloat16"
    assert 3_500_000 < (built / "base/model.safetensors").stat().st_size < 5_000_000
    assert (built / "base/chat_template.jinja").exists()


def test_the_adapter_has_its_three_files_and_the_shape_of_its_recipe(built: Path) -> None:
    names = {path.name for path in (built / "adapter").iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors", "probe.json"}
    config = json.loads((built / "adapter/adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (8, 16)
    assert config["base_model_name_or_path"] == "bookshop-base"


def test_the_same_recipe_gives_the_same_bytes(built: Path) -> None:
    for path in (built / "adapter").iterdir():
        assert path.read_bytes() == (built / "again" / path.name).read_bytes(), path.name


def test_nothing_that_is_written_names_the_machine_it_was_made_on(built: Path) -> None:
    for folder in ("base", "adapter"):
        for path in (built / folder).iterdir():
            assert str(built).encode() not in path.read_bytes(), path.name


def test_every_question_gets_an_answer_and_the_report_counts_them(built: Path) -> None:
    answers = [json.loads(line) for line in (built / "answers.jsonl").read_text().splitlines()]
    assert len({answer["id"] for answer in answers}) == 8
    report = json.loads((built / "report.json").read_text())["regression"]
    assert report["questions"] == 8
    assert 0 <= report["right"] <= 1


def test_a_recipe_that_is_unknown_or_of_another_type_is_named_with_those_that_fit(tmp_path: Path) -> None:
    policy = tmp_path / "training.yaml"
    policy.write_text(POLICY)
    for name in ("other", "pairs"):
        with pytest.raises(TerminalError, match=rf"no recipe '{name}' of type SFT\n  known: tiny"):
            sft(policy, name)
