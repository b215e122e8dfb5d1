"""What Git alone says of a round: what can be trained on, what stopped a version, which one is under way. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import shorten
from typing import Final

from runner import digest
from runner.spec.dataset import Role
from runner.spec.load import Spec
from runner.spec.model import GateVerdict, ModelFile, TrainingType
from runner.spec.training import Parent

SHOWN: Final = 160
"""Characters of what a person wrote when something was rolled back."""


@dataclass(frozen=True, slots=True)
class Trainable:
    """A recipe with a data set that it can train on; `flags` are what its command must say beside the recipe."""

    recipe: str
    type: TrainingType
    dataset: str
    flags: tuple[str, ...]


def trainable(spec: Spec, environment: str) -> Iterator[Trainable]:
    """Yield each recipe with its own data set, and the first supervised one with supervised data that has no recipe."""
    recipes = spec.policies.training.recipes
    pairs = [(name, each.dataset) for name, each in recipes.items()]
    supervised = next((name for name, each in recipes.items() if each.type == TrainingType.SFT.value), None)
    if supervised is not None:
        used = {dataset for _, dataset in pairs}
        own = [each.name for each in spec.datasets.values() if each.role is Role.SFT]
        pairs += [(supervised, name) for name in own if name not in used]
    baseline = spec.loop.environments[environment].baseline
    for name, dataset in pairs:
        recipe = recipes[name]
        flags = [] if recipe.dataset == dataset else ["--dataset", dataset]
        flags += ["--parent", baseline] if recipe.parent is Parent.BASE else []
        flags += ["--environment", environment]
        yield Trainable(name, TrainingType(recipe.type), dataset, tuple(flags))


def stopped(spec: Spec, model: ModelFile) -> str:
    """Return what stopped a version, a rollback or gates that it failed; empty where nothing did."""
    served = digest.served_name(model.name, model.adapter.digest)
    for each in reversed(spec.quarantine):
        if each.served == served:
            why = shorten(each.condition, SHOWN, placeholder="…")
            return f"rolled back in '{each.environment}' at {each.at:%Y-%m-%d %H:%M %Z}: {why}"
    gates = model.evaluation.gates if model.evaluation else {}
    failed = [name for name, verdict in gates.items() if verdict is GateVerdict.FAIL]
    return f"failed {', '.join(failed)}" if failed else ""


def under_way(spec: Spec, environment: str) -> str:
    """Return which version is on its way to users, on trial here or one environment before; empty where none is."""
    declared = spec.loop.environments[environment]
    if declared.rollout is not None:
        return f"'{declared.rollout.candidate}' is on trial at stage '{declared.rollout.stage}'"
    if declared.promote_after is None:
        return ""
    before = spec.loop.environments[declared.promote_after.environment]
    if before.rollout is not None:
        return f"'{before.rollout.candidate}' is on trial in '{declared.promote_after.environment}'"
    if spec.models[before.baseline].parent == declared.baseline:
        return (
            f"'{before.baseline}' is the baseline of '{declared.promote_after.environment}' and not yet here"
        )
    return ""
