"""What is due: a step forward in each environment, and never a step that Git does not call for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from runner.promotion.due import Considered, consider
from runner.promotion.readiness import Step
from runner.spec.load import Spec
from runner.spec.quarantine import QuarantineFile
from tests.spec.repository import Repository, quarantine_text

OLD, NEW = "chat-v1.0", "chat-v1.1"
GATES = ("facts-right", "preferred")


def spec_of(verdicts: dict[str, str] | None = None, **environments: dict[str, Any]) -> Spec:
    """Return the shipped spec with two gates, their verdicts for the new version, and changed environments."""
    repository = Repository()
    every = repository.value("policies/evaluation.yaml", "gates")
    repository.set("policies/evaluation.yaml", "gates", to={name: every[name] for name in GATES})
    repository.set("loop.yaml", "environments", "production", "promote_after", "gates", to=[])
    repository.texts["models/report.json"] = "{}"
    gates = dict.fromkeys(GATES, "PASS") if verdicts is None else verdicts
    evaluation = {"report": "models/report.json", "metrics": {}, "gates": gates}
    repository.set(f"models/{NEW}.yaml", "evaluation", to=evaluation)
    for name, changes in environments.items():
        for key, value in changes.items():
            repository.set("loop.yaml", "environments", name, key, to=value)
    loaded = repository.load()
    assert loaded.spec is not None, loaded.diagnostics
    return loaded.spec


def test_a_new_version_that_passed_is_due_where_nothing_comes_before() -> None:
    staging, production = consider(spec_of())
    assert staging == Considered("staging", NEW, Step.TRIAL)
    assert (production.step, production.why_not) == (None, f"{OLD} is the baseline here and in staging")


@pytest.mark.parametrize(
    "verdicts",
    [
        {},
        {"facts-right": "PASS"},
        *({**dict.fromkeys(GATES, "PASS"), "preferred": bad} for bad in ("FAIL", "INCONCLUSIVE", "ERROR")),
    ],
)
def test_a_gate_that_is_not_pass_makes_nothing_due(verdicts: dict[str, str]) -> None:
    staging, _ = consider(spec_of(verdicts))
    assert staging.step is None and NEW in staging.why_not


def test_what_staging_trusts_is_due_in_production_and_not_the_other_way() -> None:
    ahead = consider(spec_of(staging={"baseline": NEW, "standby": OLD}))
    assert ahead == (
        Considered("staging", why_not=f"no version is newer than {NEW}"),
        Considered("production", NEW, Step.TRIAL),
    )
    _, behind = consider(spec_of(production={"baseline": NEW, "standby": OLD}))
    assert behind.step is None and "is older than" in behind.why_not


def test_a_trial_is_due_to_end_in_its_last_stage_only() -> None:
    for stage in ("canary", "small", "half"):
        staging, _ = consider(spec_of(staging={"rollout": {"candidate": NEW, "stage": stage}}))
        assert (staging.step, staging.why_not) == (None, f"{NEW} is on trial, in stage '{stage}'")
    staging, _ = consider(spec_of(staging={"rollout": {"candidate": NEW, "stage": "full"}}))
    assert staging == Considered("staging", NEW, Step.BASELINE)


def test_quarantined_bytes_are_never_due() -> None:
    spec = spec_of()
    text = quarantine_text(f"other-name--{spec.models[NEW].adapter.digest[:12]}")
    entries = QuarantineFile.model_validate(yaml.safe_load(text)).quarantined
    staging, _ = consider(replace(spec, quarantine=entries))
    assert staging.step is None
