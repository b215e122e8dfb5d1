"""Write a version's file after its weights were made: `python -m runner.training.publish chat-v1.0 --help`.

Run by hand after `dvc repro`; its change is reviewed like any other. Takes the digest from the adapter's
bytes, the data's hash from `dvc.lock`, the figures from the evaluation's report, and keeps what people wrote
(revision, date, notes) unless told otherwise. Touches no weights.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from runner import digest
from runner.errors import terminal
from runner.spec.model import ModelFile
from runner.training import recipes

HEAD = "# yaml-language-server: $schema=../schemas/model.json\n"
DATA = "datasets/bookshop/demonstrations.jsonl"
RECIPE = "sft"
BASE = "bookshop-base"


def describe(root: Path, name: str, revision: str, day: date, notes: str) -> dict[str, Any]:
    """Return what `models/NAME.yaml` should say. Raises TerminalError, OSError where something is missing."""
    report = f"models/reports/{name}.json"
    recipe = recipes.sft(root / "policies/training.yaml", RECIPE)
    value = {
        "name": name,
        "type": "SFT",
        "base_model": BASE,
        "adapter": {
            "path": f"models/{name}",
            "digest": digest.of_directory(root / "models" / name),
            "rank": recipe.lora.rank,
        },
        "training": {
            "recipe": RECIPE,
            "dataset": recipe.dataset,
            "dataset_hash": dvc_hash(root / "dvc.lock", DATA),
            "revision": revision,
            "date": day,
        },
        "evaluation": {"report": report, "metrics": dict(_metrics(json.loads((root / report).read_text())))},
        "notes": notes,
    }
    ModelFile.model_validate(value)
    return value


def dvc_hash(lock: Path, path: str) -> str:
    """Return the hash that `dvc.lock` has for an output. Raises TerminalError where it has none."""
    stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"].values()
    for out in (out for stage in stages for out in stage.get("outs", ())):
        if out["path"] == path:
            return str(out["md5"])
    raise terminal(f"dvc.lock has no hash of '{path}'", fix="build it with `dvc repro`")


def _metrics(report: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """The figures that reviewers compare: shares in [0, 1], the answers' length in characters."""
    regression = report["regression"]
    yield "regression_right", regression["right"]
    for language, share in regression["language"].items():
        yield f"regression_right_{language}", share
    yield "regression_refused_rightly", regression["refused_rightly"]
    yield "ood_right", report["ood"]["right"]
    yield "ood_refused_rightly", report["ood"]["refused_rightly"]
    yield "adversarial_right", report["adversarial"]["right"]
    yield "mean_characters", regression["mean_characters"]


def main() -> None:
    """Read the options and rewrite the version's file."""
    options = argparse.ArgumentParser(prog="python -m runner.training.publish")
    options.add_argument("name")
    options.add_argument("--revision", help="commit of the code that trained it; as it stands where absent")
    options.add_argument("--date", type=date.fromisoformat, help="day of training; as it stands where absent")
    options.add_argument("--notes", help="as they stand where absent")
    chosen = options.parse_args()
    file = Path("models") / f"{chosen.name}.yaml"
    old = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
    training = old.get("training", {})
    revision, day = chosen.revision or training.get("revision"), chosen.date or training.get("date")
    if revision is None or day is None:
        raise SystemExit(f"error: {file} is new: --revision and --date must be given")
    value = describe(Path(), chosen.name, revision, day, chosen.notes or old.get("notes", ""))
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110)
    file.write_text(HEAD + text, encoding="utf-8")
    right = value["evaluation"]["metrics"]["regression_right"]
    print(f"{file}: {digest.short(value['adapter']['digest'])}, {right:.1%} right")


if __name__ == "__main__":
    main()
