"""What Git alone says of a round: what can be trained on and by which command, what was stopped, what is under way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.economics.declared import stopped, trainable, under_way
from runner.spec.load import Spec
from runner.spec.model import TrainingType
from runner.spec.training import TrainingPolicy
from tests.spec.repository import DIGESTS, Repository, quarantine_text

PRODUCTION, STAGING = (("loop.yaml", "environments", name) for name in ("production", "staging"))


@pytest.fixture
def files() -> Repository:
    """Return a repository in which chat-v1.1 was trained from chat-v1.0."""
    found = Repository()
    found.set("models/chat-v1.1.yaml", "parent", to="chat-v1.0")
    return found


def spec(files: Repository) -> Spec:
    found = files.load()
    assert found.spec is not None, found.diagnostics
    return found.spec


def test_every_recipe_has_its_data_set_and_corrections_the_supervised_recipe(files):
    found = {(each.recipe, each.dataset): each for each in trainable(spec(files), "production")}
    assert found.keys() == {
        ("sft", "bookshop-sft"),
        ("dpo", "bookshop-preferences"),
        ("kto", "bookshop-thumbs"),
        ("sft", "bookshop-corrections"),
    }
    assert found["dpo", "bookshop-preferences"].flags == ("--environment", "production")
    corrections = found["sft", "bookshop-corrections"]
    assert corrections.type is TrainingType.SFT
    assert corrections.flags == (
        *("--dataset", "bookshop-corrections"),
        *("--parent", "chat-v1.0"),
        *("--environment", "production"),
    )


def test_without_a_supervised_recipe_corrections_can_be_trained_by_none(files):
    whole = spec(files)
    training = TrainingPolicy(recipes={"dpo": whole.policies.training.recipes["dpo"]})
    without = replace(whole, policies=replace(whole.policies, training=training))
    assert [each.recipe for each in trainable(without, "production")] == ["dpo"]


def test_a_version_is_stopped_by_a_rollback_of_its_own_bytes_or_by_a_gate_that_it_failed(files):
    assert stopped(spec(files), spec(files).models["chat-v1.1"]) == ""
    gates = {"facts-right": "PASS", "preferred": "FAIL", "keeps-up": "INCONCLUSIVE"}
    report = {"report": "models/reports/x.json", "metrics": {}, "gates": gates}
    files.texts["models/reports/x.json"] = "{}"
    files.set("models/chat-v1.1.yaml", "evaluation", to=report)
    assert stopped(spec(files), spec(files).models["chat-v1.1"]) == "failed preferred"
    served = f"chat-v1.1--{DIGESTS['chat-v1.1'][:12]}"
    files.texts["quarantine.yaml"] = quarantine_text(served)
    assert stopped(spec(files), spec(files).models["chat-v1.1"]).startswith("rolled back in 'production'")
    files.texts["quarantine.yaml"] = quarantine_text("chat-v1.1--0123456789ab")
    assert stopped(spec(files), spec(files).models["chat-v1.1"]) == "failed preferred"


UNDER_WAY: dict[str, tuple[tuple[str, ...], Any, str]] = {
    "a trial here": (
        (*PRODUCTION, "rollout"),
        {"candidate": "chat-v1.1", "stage": "canary"},
        "stage 'canary'",
    ),
    "a trial before": (
        (*STAGING, "rollout"),
        {"candidate": "chat-v1.1", "stage": "canary"},
        "trial in 'staging'",
    ),
    "a soak before": ((*STAGING, "baseline"), "chat-v1.1", "not yet here"),
}


@pytest.mark.parametrize("way", UNDER_WAY)
def test_a_version_on_its_way_to_users_is_told(files, way):
    assert under_way(spec(files), "production") == ""
    path, value, said = UNDER_WAY[way]
    files.set(*path, to=value)
    assert said in under_way(spec(files), "production")
