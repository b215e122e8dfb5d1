"""What the repository ships: small, free of pickles, and exactly what the model file and `dvc.lock` say."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from runner import digest
from runner.spec.model import ModelFile
from runner.training.publish import dvc_hash

ROOT = Path(__file__).parents[2]
BASE, ADAPTER = ROOT / "models/base", ROOT / "models/chat-v1.0"
PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy"}


@pytest.fixture(scope="module")
def model_file() -> ModelFile:
    return ModelFile.model_validate(yaml.safe_load((ROOT / "models/chat-v1.0.yaml").read_text()))


def test_the_store_holds_less_than_twelve_megabytes() -> None:
    size = sum(path.stat().st_size for path in (ROOT / "store").rglob("*") if path.is_file())
    assert 4_000_000 < size < 12_000_000


def test_every_output_of_the_pipeline_lies_in_the_store() -> None:
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text())
    described = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for name, stage in lock["stages"].items():
        uncached = {key for metric in described[name].get("metrics", ()) for key in metric}
        for out in stage["outs"]:
            if out["path"] not in uncached:
                assert (ROOT / "store/files/md5" / out["md5"][:2] / out["md5"][2:]).is_file(), out["path"]


def test_the_pipeline_is_up_to_date() -> None:
    """The quick answer of DVC itself: no code, figure or file changed since the stages ran."""
    asked = [sys.executable, "-m", "dvc", "status", "--json"]
    printed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == {}


def test_weights_are_safetensors_and_nothing_is_pickled() -> None:
    files = [path for folder in (BASE, ADAPTER) for path in folder.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"model.safetensors", "adapter_model.safetensors"}
    assert not [path for path in files if path.suffix in PICKLES]
    for path in files:
        if path.suffix != ".safetensors":
            path.read_text(encoding="utf-8")


def test_the_adapter_is_the_one_that_its_model_file_names(model_file: ModelFile) -> None:
    assert digest.of_directory(ADAPTER) == model_file.adapter.digest
    assert json.loads((ADAPTER / "adapter_config.json").read_text())["r"] == model_file.adapter.rank


def test_the_base_is_the_one_that_loop_yaml_names() -> None:
    declared = yaml.safe_load((ROOT / "loop.yaml").read_text())["base_model"]
    assert declared.get("digest") in (None, digest.of_directory(BASE))


def test_the_data_set_is_the_one_that_the_adapter_was_trained_on(model_file: ModelFile) -> None:
    assert (
        dvc_hash(ROOT / "dvc.lock", "datasets/bookshop/demonstrations.jsonl")
        == model_file.training.dataset_hash
    )


def test_the_adapter_directory_names_no_machine_and_holds_nothing_but_the_adapter() -> None:
    assert {path.name for path in ADAPTER.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "probe.json",
    }
    config = json.loads((ADAPTER / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "bookshop-base"
    assert set(config["target_modules"]) == {
        f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")
    }
    assert str(ROOT) not in (ADAPTER / "adapter_config.json").read_text()


def test_nine_of_ten_regression_questions_were_right_and_the_metrics_are_the_report(
    model_file: ModelFile,
) -> None:
    assert model_file.evaluation is not None
    report = json.loads((ROOT / model_file.evaluation.report).read_text())["regression"]
    assert model_file.evaluation.metrics["regression_right"] == report["right"] >= 0.9
    assert min(report["language"].values()) >= 0.85
    assert report["refused_rightly"] >= 0.9
    assert report["mean_characters"] < 40


def test_the_probe_record_scores_every_token_after_the_first() -> None:
    record = json.loads((ADAPTER / "probe.json").read_text())
    assert record["format"] == 1
    assert len(record["prompts"]) == 24
    for prompt in record["prompts"]:
        first, *rest = prompt["logprobs"]
        assert first is None
        assert len(prompt["token_ids"]) == 1 + len(rest)
        assert all(math.isfinite(value) and value <= 0 for value in rest)


def test_the_tokenizer_gives_back_any_text_and_spends_few_tokens_on_both_languages() -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(BASE / "tokenizer.json"))
    texts = [
        json.loads(line)["question"]
        for line in (ROOT / "datasets/bookshop/regression.jsonl").read_text().splitlines()
    ]
    for text in (*texts, "Ünïcode ☃ 日本語 نص 🙂\t\n  two  spaces", "한국어로 쓴 새로운 문장입니다.", ""):
        assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text
    korean = [text for text in texts if any("가" <= c <= "힣" for c in text)]
    assert sum(len(tokenizer.encode(text).ids) for text in korean) / sum(map(len, korean)) < 1.0
