"""From the spec to what one environment should be: names looked up, stages turned into weights.

Called by `source` for every new revision and by the command line. The spec was checked when it was loaded, so
every name it uses is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from runner import digest
from runner.errors import terminal
from runner.reconcile.desired import Adapter, Desired, Limits, Role, Soak, Trial
from runner.reconcile.freeze import Window
from runner.serving.routes import Experiment, Shadow, Version
from runner.signals.detection import SHIPPED, Detection
from runner.spec.environment import Environment, GitSettings
from runner.spec.environment import Experiment as DeclaredExperiment
from runner.spec.load import Spec
from runner.spec.model import GateVerdict, ModelFile
from runner.spec.rollout import Advance, RollbackMode, RolloutPolicy

BaselineSince = Callable[[str, str], float | None]
"""Environment and version -> since when that version has been the baseline there; None where it is not."""

Measured = Callable[[str], str]
"""Path of an evaluation's report -> digest of the bytes that it is of; empty where it does not say."""


@dataclass(frozen=True, slots=True)
class Declared:
    """An environment at one revision: for the planner, and for whoever has to reach its systems."""

    desired: Desired
    environment: Environment
    base_model: str
    poll: float
    policy: RolloutPolicy
    git: GitSettings | None = None
    detection: Detection = SHIPPED
    """What the evidence of its rollout detects with; a model's file is one of the checkout."""


def _never(environment: str, version: str) -> float | None:  # noqa: ARG001 - where no history is at hand
    return None


def _nothing(environment: str) -> frozenset[str]:  # noqa: ARG001 - as above
    return frozenset()


@dataclass(frozen=True, slots=True)
class Background:
    """What the history and the files of a revision say beside its spec; as it stands, neither is at hand.

    `baseline_since` is asked where a candidate has to soak elsewhere, `taken` (environment -> steps that automation
    has taken) where one is on trial, `measured` where gates are asked for; None says nothing of the report.
    """

    baseline_since: BaselineSince = _never
    taken: Callable[[str], frozenset[str]] = _nothing
    measured: Measured | None = None


def distil(spec: Spec, name: str, revision: str, background: Background = Background()) -> Declared:
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
        shadow=_shadow(spec, environment),
        experiments=tuple(_experiment(spec, name, each) for each in environment.experiments),
        quarantine=frozenset(entry.served for entry in spec.quarantine),
        taken=background.taken(name) if environment.rollout else frozenset(),
        tells=_tells(spec),
        soak=_soak(spec, environment, background),
        library=library,
        ancestors={model: frozenset(_ancestors(spec, model)) for model in spec.models},
        engine_config=digest.of_value(environment.engine.model_dump(mode="json")),
        limits=_limits(spec, environment),
        suspended=environment.suspend,
        freezes=tuple(Window(f.zone, f.from_, f.to, f.reason) for f in environment.freeze),
    )
    return Declared(
        desired,
        environment,
        spec.loop.base_model.name,
        spec.loop.poll,
        spec.policies.rollout,
        spec.loop.git,
        Detection.of(spec.policies.signals),
    )


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
    names = [stage.name for stage in policy.stages]
    at = names.index(environment.rollout.stage)
    stage = policy.stages[at]
    return Trial(
        candidate=_version(spec, environment.rollout.candidate),
        stage=stage.name,
        weight=min(stage.traffic, 1.0 - policy.holdback),
        groups=stage.groups,
        next_stage=names[at + 1] if at + 1 < len(names) else None,
        by_person=stage.advance is not Advance.AUTO,
        protected=policy.rollback.mode is RollbackMode.PULL_REQUEST,
    )


def _shadow(spec: Spec, environment: Environment) -> Shadow | None:
    if environment.shadow is None:
        return None
    return Shadow(_version(spec, environment.shadow.version), environment.shadow.sample)


def _experiment(spec: Spec, environment: str, declared: DeclaredExperiment) -> Experiment:
    versions = tuple(_version(spec, name) for name in declared.versions)
    # Other bytes or another split are another experiment: its users are drawn anew, its figures begin at nothing.
    split = [declared.shares, declared.share, declared.groups]
    content = [environment, declared.name, [version.digest for version in versions], split]
    return Experiment(
        id=digest.short(digest.of_value(content)),
        name=declared.name,
        versions=versions,
        weights=declared.shares,
        share=declared.share,
        groups=declared.groups,
    )


def _tells(spec: Spec) -> bool:
    forge = spec.loop.git.forge if spec.loop.git else None
    return forge is not None or spec.policies.rollout.rollback.webhook_env is not None


def _soak(spec: Spec, environment: Environment, background: Background) -> Soak | None:
    after, rollout = environment.promote_after, environment.rollout
    if after is None or rollout is None:
        return None
    there = spec.loop.environments[after.environment].baseline == rollout.candidate
    since = background.baseline_since(after.environment, rollout.candidate) if there else None
    doubts = tuple(_doubts(spec.models[rollout.candidate], after.gates, background.measured))
    return Soak(after.environment, after.soak, since, doubts)


def _doubts(model: ModelFile, gates: tuple[str, ...], measured: Measured | None) -> Iterator[str]:
    """Yield what the evaluation of a version lacks of what an environment asks for; only PASS is a pass."""
    evaluation = model.evaluation
    ended = evaluation.gates if evaluation else {}
    for gate in gates:
        if gate not in ended:
            yield f"gate '{gate}' was not measured"
        elif ended[gate] is not GateVerdict.PASS:
            yield f"gate '{gate}' ended {ended[gate].value}"
    if evaluation is None or measured is None or not gates:
        return
    shown = measured(evaluation.report)
    if shown != model.adapter.digest:
        of = f"of {digest.short(shown)}" if shown else "of unknown bytes"
        yield f"{evaluation.report} is {of}, and the adapter is {digest.short(model.adapter.digest)}"


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
