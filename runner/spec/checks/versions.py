"""Versions and data sets: that every name leads somewhere, and that bytes are what their digests say."""

from __future__ import annotations

from collections.abc import Iterator

from runner.errors import Diagnostic, Location, Severity
from runner.spec.environment import Environment
from runner.spec.explain import listing, suggestion
from runner.spec.files import Files
from runner.spec.parse import Parsed
from runner.spec.source import KeyPath
from runner.spec.training import TrainingPolicy


def check(parsed: Parsed, files: Files) -> Iterator[Diagnostic]:
    """Yield everything that is wrong with versions and what they refer to."""
    yield from _own_names(parsed)
    yield from _references(parsed)
    yield from _arms(parsed)
    yield from _parents(parsed)
    yield from _bases(parsed)
    yield from _training(parsed)
    yield from _digests(parsed, files)


def named(environment: Environment) -> Iterator[tuple[KeyPath, str]]:
    """Yield every version that an environment names, with the path of the key below the environment."""
    yield ("baseline",), environment.baseline
    if environment.standby:
        yield ("standby",), environment.standby
    if environment.rollout:
        yield ("rollout", "candidate"), environment.rollout.candidate
    if environment.shadow:
        yield ("shadow", "version"), environment.shadow.version
    for i, experiment in enumerate(environment.experiments):
        for j, version in enumerate(experiment.versions):
            yield ("experiments", i, "versions", j), version


def unknown(kind: str, name: str, known: frozenset[str], where: Location) -> Diagnostic:
    """Return the diagnostic for a name that leads nowhere."""
    fix = suggestion(name, known) or f"add {kind} '{name}', or name one that exists"
    return Diagnostic(f"unknown {kind} '{name}'", where, (listing(known),), fix)


def _own_names(parsed: Parsed) -> Iterator[Diagnostic]:
    files = [(f"models/{key}", key, model.name) for key, model in parsed.models.items()]
    files += [(f"datasets/{key}", key, dataset.name) for key, dataset in parsed.datasets.items()]
    for key, file, name in files:
        if name != file:
            document = parsed.document(key)
            summary = f"the name '{name}' differs from the file's name"
            fix = f"write 'name: {file}', or rename the file to '{name}.yaml'"
            yield Diagnostic(summary, document.at("name"), (f"file: {document.path}",), fix)


def _references(parsed: Parsed) -> Iterator[Diagnostic]:
    known = parsed.names["models"]
    for name, environment in parsed.environments():
        for path, version in named(environment):
            if version not in known:
                where = parsed.document("loop").at("environments", name, *path)
                yield unknown("version", version, known, where)


def _arms(parsed: Parsed) -> Iterator[Diagnostic]:
    """Two roles in one environment that the same version cannot play."""
    for name, environment in parsed.environments():
        roles = {"baseline": ("baseline",), "standby": ("standby",), "candidate": ("rollout", "candidate")}
        versions = dict(named(environment))
        pairs = (("candidate", "baseline"), ("standby", "baseline"), ("candidate", "standby"))
        for role, other in pairs:
            version = versions.get(roles[role])
            if version is not None and version == versions.get(roles[other]):
                where = parsed.document("loop").at("environments", name, *roles[role])
                fix = f"name another version, or leave the {role} out"
                yield Diagnostic(f"'{version}' is both {role} and {other} of '{name}'", where, (), fix)
        yield from _idle_shadow(parsed, name, environment)


def _idle_shadow(parsed: Parsed, name: str, environment: Environment) -> Iterator[Diagnostic]:
    shadow = environment.shadow
    if shadow and shadow.version == environment.baseline:
        where = parsed.document("loop").at("environments", name, "shadow", "version")
        summary = f"'{shadow.version}' would shadow itself, being the baseline of '{name}'"
        yield Diagnostic(summary, where, (), "name another version, or leave the shadow out")


def _parents(parsed: Parsed) -> Iterator[Diagnostic]:
    known = parsed.names["models"]
    for key, model in parsed.models.items():
        if model.parent is not None and model.parent not in known:
            yield unknown("version", model.parent, known, parsed.document(f"models/{key}").at("parent"))
    for cycle in _cycles({key: model.parent for key, model in parsed.models.items()}):
        where = parsed.document(f"models/{cycle[0]}").at("parent")
        way = " -> ".join((*cycle, cycle[0]))
        fix = "correct the parent of one of them"
        yield Diagnostic("versions are each other's parents", where, (way,), fix)


def _cycles(parents: dict[str, str | None]) -> list[tuple[str, ...]]:
    """Return every cycle once, beginning with its smallest name."""
    found: set[tuple[str, ...]] = set()
    for start in parents:
        way: list[str] = []
        current: str | None = start
        while current is not None and current not in way:
            way.append(current)
            current = parents.get(current)
        if current is not None:
            cycle = way[way.index(current) :]
            first = cycle.index(min(cycle))
            found.add((*cycle[first:], *cycle[:first]))
    return sorted(found)


def _bases(parsed: Parsed) -> Iterator[Diagnostic]:
    if parsed.loop is None:
        return
    base = parsed.loop.base_model.name
    for key, model in parsed.models.items():
        if model.base_model != base:
            where = parsed.document(f"models/{key}").at("base_model")
            summary = f"this adapter stands on '{model.base_model}', and loop.yaml serves '{base}'"
            fix = "train it on that base model; an adapter fits no other"
            yield Diagnostic(summary, where, (f"base model: {base}",), fix)


def _training(parsed: Parsed) -> Iterator[Diagnostic]:
    policy = parsed.policy(TrainingPolicy)
    for key, model in parsed.models.items():
        document, training = parsed.document(f"models/{key}"), model.training
        if training.dataset not in parsed.names["datasets"]:
            where = document.at("training", "dataset")
            yield unknown("dataset", training.dataset, parsed.names["datasets"], where)
        if policy is None:
            continue
        recipe = policy.recipes.get(training.recipe)
        where = document.at("training", "recipe")
        if recipe is None:
            yield unknown("recipe", training.recipe, frozenset(policy.recipes), where)
        elif recipe.type != model.type.value:
            summary = f"recipe '{training.recipe}' is {recipe.type}, and the version says {model.type.value}"
            yield Diagnostic(summary, where, (), "correct the recipe or the type")


def _digests(parsed: Parsed, files: Files) -> Iterator[Diagnostic]:
    if parsed.loop is not None and parsed.loop.base_model.digest is not None:
        base = parsed.loop.base_model
        where = parsed.document("loop").at("base_model", "digest")
        yield from _digest(files, base.path, parsed.loop.base_model.digest, where)
    for key, model in parsed.models.items():
        where = parsed.document(f"models/{key}").at("adapter", "digest")
        yield from _digest(files, model.adapter.path, model.adapter.digest, where)


def _digest(files: Files, path: str, declared: str, where: Location) -> Iterator[Diagnostic]:
    try:
        actual = files.digest(path)
    except OSError as error:
        summary = f"'{path}' cannot be read: {error.strerror or error}"
        yield Diagnostic(summary, where, (), f"{_fetch(path)}, or correct the path")
        return
    if actual is None:
        summary = f"digest of '{path}' not checked: the bytes are not here"
        yield Diagnostic(summary, where, (), _fetch(path), Severity.WARNING)
    elif actual != declared:
        evidence = (f"declared: {declared}", f"actual:   {actual}")
        fix = f"{_fetch(path)} to have the declared bytes again; if these are meant, correct the digest"
        yield Diagnostic(f"the digest does not match the bytes in '{path}'", where, evidence, fix)


def _fetch(path: str) -> str:
    return f"run `.venv/bin/dvc pull {path}`"
