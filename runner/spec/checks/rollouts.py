"""Stages, experiments and windows: that a candidate can go the way that the policy draws."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import combinations, pairwise

from runner.errors import Diagnostic, Location
from runner.spec.checks.versions import unknown
from runner.spec.environment import Environment, Experiment, Freeze
from runner.spec.evaluation import EvaluationPolicy
from runner.spec.explain import suggestion
from runner.spec.files import Files
from runner.spec.parse import Parsed
from runner.spec.rollout import RolloutPolicy, Stage

KEY = "policies/rollout"
_TOLERANCE = 1e-9


def check(parsed: Parsed, files: Files) -> Iterator[Diagnostic]:
    """Yield everything that is wrong with the way of a candidate."""
    del files
    policy = parsed.policy(RolloutPolicy)
    if policy is not None:
        yield from _stages(parsed, policy.stages)
    for name, environment in parsed.environments():
        yield from _stage_named(parsed, policy, name, environment)
        yield from _promotion(parsed, name, environment)
        yield from _experiments(parsed, name, environment.experiments)
        yield from _on_trial_twice(parsed, name, environment)
        yield from _freezes(parsed, name, environment)
    yield from _promotion_cycle(parsed)


def _stages(parsed: Parsed, stages: tuple[Stage, ...]) -> Iterator[Diagnostic]:
    document = parsed.document(KEY)
    seen: dict[str, int] = {}
    for i, stage in enumerate(stages):
        if seen.setdefault(stage.name, i) != i:
            where = document.at("stages", i, "name")
            yield Diagnostic(f"stage '{stage.name}' stands twice", where, (), "give it another name")
        if stage.duration is None and i < len(stages) - 1:
            where = document.at("stages", i, "duration")
            summary = f"stage '{stage.name}' is stable, so nothing comes after it"
            yield Diagnostic(
                summary, where, (f"next: {stages[i + 1].name}",), "give it a duration such as '24h'"
            )
    for i, (before, after) in enumerate(pairwise(stages)):
        if after.traffic < before.traffic:
            summary = f"traffic falls from '{before.name}' to '{after.name}'"
            evidence = (f"{before.name}: {before.traffic:.6g}", f"{after.name}: {after.traffic:.6g}")
            where = document.at("stages", i + 1, "traffic")
            yield Diagnostic(summary, where, evidence, "put the stages in order of traffic")


def _stage_named(
    parsed: Parsed, policy: RolloutPolicy | None, name: str, environment: Environment
) -> Iterator[Diagnostic]:
    if policy is None or environment.rollout is None:
        return
    known = [stage.name for stage in policy.stages]
    stage = environment.rollout.stage
    if stage not in known:
        where = parsed.document("loop").at("environments", name, "rollout", "stage")
        fix = suggestion(stage, known) or f"name a stage of {parsed.document(KEY).path}"
        yield Diagnostic(f"unknown stage '{stage}'", where, (f"known: {', '.join(known)}",), fix)


def _promotion(parsed: Parsed, name: str, environment: Environment) -> Iterator[Diagnostic]:
    after = environment.promote_after
    if after is None:
        return
    document, path = parsed.document("loop"), ("environments", name, "promote_after")
    known = frozenset(other for other, _ in parsed.environments())
    if after.environment not in known:
        yield unknown("environment", after.environment, known, document.at(*path, "environment"))
    evaluation = parsed.policy(EvaluationPolicy)
    for i, gate in enumerate(after.gates):
        if evaluation is not None and gate not in evaluation.gates:
            yield unknown("gate", gate, frozenset(evaluation.gates), document.at(*path, "gates", i))


def _promotion_cycle(parsed: Parsed) -> Iterator[Diagnostic]:
    """Environments that wait for each other: nothing could ever be promoted in them."""
    after = {name: env.promote_after.environment for name, env in parsed.environments() if env.promote_after}
    for start in after:
        way, current = [start], after[start]
        while current in after and current not in way:
            way.append(current)
            current = after[current]
        if current == start and start == min(way):
            where = parsed.document("loop").at("environments", start, "promote_after", "environment")
            evidence = (" -> ".join((*way, start)),)
            yield Diagnostic(
                "environments wait for each other", where, evidence, "let one of them wait for none"
            )


def _experiments(parsed: Parsed, name: str, experiments: tuple[Experiment, ...]) -> Iterator[Diagnostic]:
    document = parsed.document("loop")
    for i, experiment in enumerate(experiments):
        path = ("environments", name, "experiments", i)
        yield from _weights(experiment, document.key(*path, "weights"))
        if len(set(experiment.versions)) < len(experiment.versions):
            where = document.at(*path, "versions")
            yield Diagnostic(
                f"'{experiment.name}' compares a version with itself", where, (), "name each version once"
            )
    for (_, one), (j, other) in combinations(enumerate(experiments), 2):
        path = ("environments", name, "experiments", j)
        if one.name == other.name:
            where = document.at(*path, "name")
            yield Diagnostic(f"experiment '{one.name}' stands twice", where, (), "give it another name")
        if _common(one, other) and one.share + other.share > 1 + _TOLERANCE:
            summary = f"experiments '{one.name}' and '{other.name}' overlap: the same users would be in both"
            evidence = (f"shares: {one.share:.6g} and {other.share:.6g}",)
            fix = "let their shares add up to 100%, or give them groups of their own"
            yield Diagnostic(summary, document.key(*path), evidence, fix)


def _on_trial_twice(parsed: Parsed, name: str, environment: Environment) -> Iterator[Diagnostic]:
    """A candidate in an experiment: more users would get it than its stage says, and no evidence would count them."""
    rollout = environment.rollout
    for i, experiment in enumerate(environment.experiments):
        if rollout is not None and rollout.candidate in experiment.versions:
            j = experiment.versions.index(rollout.candidate)
            where = parsed.document("loop").at("environments", name, "experiments", i, "versions", j)
            summary = f"'{rollout.candidate}' is on trial already, as the candidate of '{name}'"
            evidence = (f"its users in '{experiment.name}' would come on top of stage '{rollout.stage}'",)
            yield Diagnostic(summary, where, evidence, "end the rollout or the experiment first")


def _common(one: Experiment, other: Experiment) -> bool:
    return not one.groups or not other.groups or bool(set(one.groups) & set(other.groups))


def _weights(experiment: Experiment, where: Location) -> Iterator[Diagnostic]:
    weights, versions = experiment.weights, experiment.versions
    if not weights:
        return
    evidence = (f"weights: {', '.join(f'{weight:.6g}' for weight in weights)}",)
    if len(weights) != len(versions):
        summary = f"'{experiment.name}' has {len(weights)} weights for {len(versions)} versions"
        yield Diagnostic(summary, where, evidence, "write one weight for each version, or none")
    elif abs(sum(weights) - 1) > _TOLERANCE:
        summary = f"the weights of '{experiment.name}' add up to {sum(weights):.6g}, not to 100%"
        yield Diagnostic(summary, where, evidence, "let them add up to 100%")


def _freezes(parsed: Parsed, name: str, environment: Environment) -> Iterator[Diagnostic]:
    document = parsed.document("loop")
    for i, freeze in enumerate(environment.freeze):
        path = ("environments", name, "freeze", i)
        yield from _zone(freeze.zone, document.at(*path, "zone"))
        yield from _window(freeze, document.at(*path, "to"))


def _zone(zone: str, where: Location) -> Iterator[Diagnostic]:
    from zoneinfo import ZoneInfo, available_timezones  # read from disk: only where a window names one

    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        known = available_timezones()
        fix = suggestion(zone, known) or "write an IANA zone such as 'Asia/Seoul'"
        yield Diagnostic(f"unknown time zone '{zone}'", where, (), fix)


def _window(freeze: Freeze, where: Location) -> Iterator[Diagnostic]:
    weekly = [" " in moment for moment in (freeze.from_, freeze.to)]
    evidence = (f"from: {freeze.from_}", f"to: {freeze.to}")
    if weekly[0] != weekly[1]:
        fix = "write both as dates, or both as days of the week"
        yield Diagnostic("a window mixes a date and a day of the week", where, evidence, fix)
        return
    problem = next((moment for moment in (freeze.from_, freeze.to) if not _exists(moment)), None)
    if problem is not None:
        yield Diagnostic(f"there is no moment '{problem}'", where, evidence, "correct the date or the time")
    elif freeze.from_ == freeze.to:
        yield Diagnostic("the window is empty", where, evidence, "let it end later than it begins")
    elif not weekly[0] and freeze.to < freeze.from_:
        yield Diagnostic("the window ends before it begins", where, evidence, "swap 'from' and 'to'")


def _exists(moment: str) -> bool:
    """Whether a written moment is a date and time that there is; of a weekly one, whether the time is."""
    text = f"2000-01-01T{moment.rpartition(' ')[2]}" if " " in moment else moment
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
