"""From the spec to what one environment should be: names looked up, stages turned into weights.

Called by `source` for every new revision and by the command line. The spec was checked when it was loaded, so
every name it uses is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runner import digest
from runner.errors import terminal
from runner.reconcile.desired import Adapter, Desired, Limits, Role, Trial
from runner.reconcile.freeze import Window
from runner.serving.routes import Version
from runner.spec.environment import Environment
from runner.spec.load import Spec


@dataclass(frozen=True, slots=True)
class Declared:
    """An environment at one revision: for the planner, and for whoever has to reach its systems."""

    desired: Desired
    environment: Environment
    base_model: str
    poll: float


def distil(spec: Spec, name: str, revision: str) -> Declared:
    """Return what environment `name` should be.

    Raises TerminalError where the spec has no such environment.
    """
    try:
        environment = spec.loop.environments[name]
    except KeyError:
        known = ", ".join(spec.loop.environments)
        raise terminal(f"there is no environment '{name}' in loop.yaml", f"known: {known}") from None
    library = {adapter.served: adapter for adapter in _library(spec)}
    desired = Desired(
        environment=name,
        revision=revision,
        spec_digest=spec.digest,
        alias=environment.gateway.alias,
        baseline=_version(spec, environment.baseline),
        adapters=tuple(_adapters(spec, environment)),
        standby=_version(spec, environment.standby) if environment.standby else None,
        trial=_trial(spec, environment),
        shadow=_version(spec, environment.shadow.version) if environment.shadow else None,
        library=library,
        ancestors={model: frozenset(_ancestors(spec, model)) for model in spec.models},
        engine_config=digest.of_value(environment.engine.model_dump(mode="json")),
        limits=_limits(spec, environment),
        suspended=environment.suspend,
        freezes=tuple(Window(f.zone, f.from_, f.to, f.reason) for f in environment.freeze),
    )
    return Declared(desired, environment, spec.loop.base_model.name, spec.loop.poll)


def _version(spec: Spec, name: str) -> Version:
    return Version(name, spec.models[name].adapter.digest)


def _library(spec: Spec) -> Iterator[Adapter]:
    for name, model in spec.models.items():
        yield Adapter(_version(spec, name), Role.HELD, model.adapter.path, model.adapter.rank)


def _adapters(spec: Spec, environment: Environment) -> Iterator[Adapter]:
    """Yield the versions that the environment names, each once, in the order in which slots are given."""
    seen = set[str]()
    for role, name in _roles(environment):
        if name not in seen:
            seen.add(name)
            model = spec.models[name]
            yield Adapter(_version(spec, name), role, model.adapter.path, model.adapter.rank)


def _roles(environment: Environment) -> Iterator[tuple[Role, str]]:
    yield Role.BASELINE, environment.baseline
    if environment.standby:
        yield Role.STANDBY, environment.standby
    if environment.rollout:
        yield Role.CANDIDATE, environment.rollout.candidate
    if environment.shadow:
        yield Role.SHADOW, environment.shadow.version
    for experiment in environment.experiments:
        for name in experiment.versions:
            yield Role.EXPERIMENT, name


def _trial(spec: Spec, environment: Environment) -> Trial | None:
    if environment.rollout is None:
        return None
    policy = spec.policies.rollout
    stage = next(stage for stage in policy.stages if stage.name == environment.rollout.stage)
    weight = min(stage.traffic, 1.0 - policy.holdback)
    return Trial(_version(spec, environment.rollout.candidate), stage.name, weight, stage.groups)


def _ancestors(spec: Spec, name: str) -> Iterator[str]:
    parent = spec.models[name].parent
    while parent is not None:
        yield parent
        parent = spec.models[parent].parent if parent in spec.models else None


def _limits(spec: Spec, environment: Environment) -> Limits:
    engine = environment.engine
    return Limits(
        slots=engine.max_cpu_loras or engine.max_loras,
        max_lora_rank=engine.max_lora_rank,
        prune_limit=spec.loop.prune_limit,
        grace_period=spec.loop.grace_period,
    )
