"""Versions of known character through the suites, on the real vLLM: the good one passes, the ruined one fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner import digest
from tests.cli.workbench import CHECKOUT, PRODUCTION, Bench
from tests.engine.models import MODELS

pytestmark = pytest.mark.engine
DATA = ("regression", "ood", "adversarial")
SUITES = {
    "facts": {"kind": "regression", "dataset": "bookshop-regression", "questions": 40},
    "outside": {"kind": "ood", "dataset": "bookshop-ood", "questions": 40},
    "forgetting": {"kind": "forgetting", "dataset": "bookshop-regression", "questions": 40},
    "parity": {"kind": "parity", "dataset": "bookshop-regression", "questions": 4},
    "traffic": {"kind": "load", "dataset": "bookshop-regression", "load": {"rate": 10, "duration": "2s"}},
}
GATES = {
    "right": {"suite": "facts", "require": "accuracy >= 80%"},
    "refuses": {"suite": "outside", "require": "refusal_accuracy >= 30%"},
    "kept": {"suite": "forgetting", "require": "forgetting < 20%"},
    "as-trained": {"suite": "parity", "require": "parity < 0.1"},
    "answers": {"suite": "traffic", "require": "error_rate < 30%"},
}


@pytest.fixture
def bench(tmp_path: Path, engine: Any, make_adapter: Any) -> Bench:
    """A repository with the first version, and one whose weights are turned round; its engine is the real one."""
    made = Bench(tmp_path, engine.url, "127.0.0.1:1", "127.0.0.1:2")
    made.files.set("loop.yaml", "base_model", "path", to="models/base")
    made.files.set(*PRODUCTION, "engine", "max_loras", to=4)
    made.files.set("policies/evaluation.yaml", "suites", to=SUITES)
    made.files.set("policies/evaluation.yaml", "gates", to=GATES)
    made.files.remove("policies/evaluation.yaml", "judge")
    turned = make_adapter("evaluated", seed=0, scale=-1.0)
    for name, source in (("chat-v1.0", MODELS / "chat-v1.0"), ("chat-v1.1", turned)):
        target = tmp_path / "adapters" / name
        shutil.rmtree(target)
        shutil.copytree(source, target)
        made.files.set(f"models/{name}.yaml", "adapter", "digest", to=digest.of_directory(target))
        made.files.set(f"models/{name}.yaml", "adapter", "rank", to=16)
    (tmp_path / "models").mkdir(exist_ok=True)
    (tmp_path / "models/base").symlink_to(MODELS / "base")
    (tmp_path / "datasets/bookshop").mkdir(parents=True)
    for name in DATA:
        file = f"datasets/bookshop/{name}.jsonl"
        shutil.copy(CHECKOUT / file, tmp_path / file)
    made.commit("two versions")
    return made


def test_the_first_version_passes_and_one_with_turned_weights_fails_where_it_is_bad(bench: Bench) -> None:
    here = ("--environment", "production")
    good = bench.loop("evaluate", "chat-v1.0", *here)
    assert good.code == 0, good
    bad = bench.loop("evaluate", "chat-v1.1", *here, "--json")
    assert bad.code == 2, bad
    ended = {gate["gate"]: gate["verdict"] for gate in json.loads(bad.out)["gates"]}
    # What it was made to be, it is served as: parity and load are no reason to stop it.
    assert ended == {
        "right": "FAIL",
        "refuses": "FAIL",
        "kept": "FAIL",
        "as-trained": "PASS",
        "answers": "PASS",
    }
    for name in ("chat-v1.0", "chat-v1.1"):
        recorded = yaml.safe_load((bench.root / f"models/{name}.yaml").read_text())["evaluation"]
        assert recorded["metrics"]["parity"] < 0.1
    assert bench.loop("validate").code == 0
