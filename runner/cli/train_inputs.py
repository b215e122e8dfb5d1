"""What `loop train` starts from: recipe, parent, data and base, found in the spec and here, or one clear error.

Called by `train`. It fetches what is missing and can be fetched, and keeps what a check of the data set came to;
beside that it changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import terminal

if TYPE_CHECKING:
    from runner.data.declared import Finding
    from runner.spec.dataset import DatasetFile
    from runner.spec.load import Spec
    from runner.spec.model import ModelFile
    from runner.spec.training import Recipe
    from runner.training.job import Inputs


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command line asks for; None where the spec decides."""

    recipe: str
    name: str | None
    parent: str | None
    dataset: str | None
    environment: str


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything that a run needs, checked: all bytes are here and are those that Git declares."""

    name: str
    recipe_name: str
    recipe: Recipe
    parent: ModelFile | None
    dataset: DatasetFile
    rows: int
    inputs: Inputs


def ready(root: Path, spec: Spec, choice: Choice, tell: Callable[[str], None]) -> Ready:
    """Return what the choice comes to. Raises LoopError with what is missing or does not fit, OSError."""
    from runner.training.job import Inputs, recipe_digest

    recipe = _recipe(spec, choice)
    dataset = spec.datasets[recipe.dataset]
    parent = _parent(spec, choice, recipe)
    name = _name(spec, choice)
    _fetch(root, spec, dataset, parent, tell)
    rows = _data(root, choice.environment, dataset, tell)
    if parent is not None:
        _shape(root, parent, recipe, choice.recipe)
    declared_parent = None if parent is None else parent.adapter.digest
    assert dataset.hash is not None  # noqa: S101 - `_data` refuses it
    inputs = Inputs(recipe_digest(recipe), dataset.hash, declared_parent, _base(root, spec))
    return Ready(name, choice.recipe, recipe, parent, dataset, rows, inputs)


def _recipe(spec: Spec, choice: Choice) -> Recipe:
    """Return the recipe, on the data set that was asked for. Raises TerminalError where they do not fit."""
    from runner.spec.checks.learning import COLUMNS
    from runner.spec.explain import suggestion

    recipes = spec.policies.training.recipes
    if (recipe := recipes.get(choice.recipe)) is None:
        raise terminal(
            f"there is no recipe '{choice.recipe}' in policies/training.yaml",
            f"known: {', '.join(recipes)}",
            fix=suggestion(choice.recipe, frozenset(recipes)),
        )
    if choice.dataset is None:
        return recipe
    if (dataset := spec.datasets.get(choice.dataset)) is None:
        raise terminal(
            f"there is no data set '{choice.dataset}'",
            f"known: {', '.join(sorted(spec.datasets))}",
            fix=suggestion(choice.dataset, frozenset(spec.datasets)),
        )
    if missing := [column for column in COLUMNS[recipe.type] if column not in dataset.schema_]:
        summary = f"{recipe.type} needs columns that '{dataset.name}' lacks: {', '.join(missing)}"
        raise terminal(summary, fix="name a data set that has them")
    return recipe.model_copy(update={"dataset": dataset.name})


def _parent(spec: Spec, choice: Choice, recipe: Recipe) -> ModelFile | None:
    """Return the version to start from, None for the base. Raises TerminalError for one that is unknown."""
    from runner.cli.repository import pick_environment
    from runner.spec.training import Parent

    environment = pick_environment(spec, choice.environment)
    if choice.parent is not None and choice.parent not in spec.models:
        known = ", ".join(sorted(spec.models))
        raise terminal(f"there is no version '{choice.parent}' to start from", f"known: {known}")
    if choice.parent is None and recipe.parent is Parent.BASE:
        return None
    parent = spec.models[choice.parent or environment.baseline]
    return None if parent.is_base else parent


def _name(spec: Spec, choice: Choice) -> str:
    from runner.registry.naming import LONGEST, next_name, parse

    name = next_name(spec.models) if choice.name is None else choice.name
    if parse(name) is None:
        shown = name if len(name) <= LONGEST else f"{name[:LONGEST]}..."
        raise terminal(
            f"'{shown}' is no name of a version",
            f"it has at most {LONGEST} small letters, digits, '.', '_' and '-', with no two dots side by side",
            fix="write it as ARTIFACT-vMAJOR.MINOR, such as chat-v1.1",
        )
    return name


def _fetch(
    root: Path, spec: Spec, dataset: DatasetFile, parent: ModelFile | None, tell: Callable[[str], None]
) -> None:
    """Fetch what is declared and not here."""
    from runner import digest
    from runner.data.pull import pull

    wanted = [spec.loop.base_model.path]
    wanted += [dataset.path] if dataset.hash is not None else []
    wanted += [parent.adapter.path] if parent is not None else []
    if missing := [path for path in wanted if not (root / path).exists()]:
        tell(f"fetching {', '.join(missing)}")
        pull(root, missing, tell)
    # What was here already was held to its digest when the spec was read.
    if parent is not None and digest.of_directory(root / parent.adapter.path) != parent.adapter.digest:
        fix = f"`dvc checkout {parent.adapter.path}`, or correct the digest in its file"
        raise terminal(f"the bytes of '{parent.name}' are not those of its digest", fix=fix)


def _data(root: Path, environment: str, dataset: DatasetFile, tell: Callable[[str], None]) -> int:
    """Return the rows of the data set; tells what is only open. Raises TerminalError where it is not as declared.

    What these bytes were not checked for yet is checked here: a clone has no record of any check.
    """
    from runner.data.declared import compare, look
    from runner.data.hashes import HashCache
    from runner.feedback.expectations.checked import unmet
    from runner.reconcile.state import StatePaths

    cache = HashCache(StatePaths(root, environment).hashes)
    known = {dataset.name: dataset}
    facts = look(root, known, cache, partial(unmet, root))[dataset.name]
    cache.save()
    open_ = _demand(dataset, compare(known, {dataset.name: facts}))
    if facts.failed is None and (failed := _check(root, dataset, tell)) is not None:
        open_ = _demand(dataset, compare(known, {dataset.name: replace(facts, failed=failed)}))
    for finding in open_:
        tell(f"note: data set '{dataset.name}': {finding.state.value}: {finding.evidence}; {finding.fix}")
    return facts.rows


def _demand(dataset: DatasetFile, findings: tuple[Finding, ...]) -> list[Finding]:
    """Return the findings that do not stop a run. Raises TerminalError with the first that does."""
    from runner.data.declared import State

    for finding in findings:
        if finding.state not in (State.UNCHECKED, State.STALE):
            raise terminal(
                f"data set '{dataset.name}' cannot be trained on: {finding.state.value}",
                f"{dataset.path}: {finding.evidence}",
                fix=finding.fix,
            )
    return list(findings)


def _check(root: Path, dataset: DatasetFile, tell: Callable[[str], None]) -> tuple[str, ...] | None:
    """Return the expectations that the data set does not meet; None, with a note, where nothing here can check it."""
    from runner.cli.data_check import check

    tell(f"checking '{dataset.name}' for what is expected of it")
    try:
        (checked,), _ = check(root, [dataset])
    except ModuleNotFoundError as error:
        if error.name != "great_expectations":
            raise
        tell("note: great_expectations is not installed here, so expectations of the data are not checked")
        return None
    return checked.unmet


def _shape(root: Path, parent: ModelFile, recipe: Recipe, name: str) -> None:
    """Raise TerminalError where the parent's adapter, which is trained further, has another shape than the recipe's."""
    path = root / parent.adapter.path / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    wanted = recipe.lora
    pairs = (
        ("rank", config.get("r"), wanted.rank),
        ("alpha", config.get("lora_alpha"), wanted.alpha),
        ("modules", sorted(config.get("target_modules") or ()), sorted(wanted.modules)),
    )
    other = [f"{key}: parent {_shown(has)}, recipe {_shown(want)}" for key, has, want in pairs if has != want]
    if other:
        raise terminal(
            f"recipe '{name}' and its parent '{parent.name}' have adapters of different shapes",
            *other,
            fix="give the recipe the parent's `lora`, or start from another version: `--parent`",
        )


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _base(root: Path, spec: Spec) -> str:
    from runner import digest

    return spec.loop.base_model.digest or digest.of_directory(root / spec.loop.base_model.path)


def same(root: Path, spec: Spec, found: Ready) -> str | None:
    """Return the version that was trained from exactly these inputs; None where there is none."""
    return next(iter(_same(root, spec, found)), None)


def _same(root: Path, spec: Spec, found: Ready) -> Iterator[str]:
    from runner.training.register import MANIFEST

    for name in sorted(spec.models):
        path = root / spec.loop.models / "reports" / name / MANIFEST
        try:
            inputs = json.loads(path.read_text(encoding="utf-8"))["inputs"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # made by hand or by another release: then it is simply not known to be the same
        if inputs == found.inputs.digest:
            yield name
