"""What `loop backtest` and the plan of a policy's change show: what each policy would have made of the log.

Formats what `rollout.backtest` and `rollout.alarms` found; the one decision here is in which order it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from runner.events.schema import Kind
from runner.report import figures
from runner.rollout.alarms import FalseAlarms, Rates, Simulation, assumed_trial, false_alarms
from runner.rollout.backtest import Cadence, Course, Ended, Passage, Rules, Stop, replay
from runner.rollout.trials import Trial, trials
from runner.rollout.verdict import Because, Finding
from runner.signals.detection import SHIPPED, Detection
from runner.spec.rollout import RolloutPolicy

HYPOTHETICAL = (
    "Stages are hypothetical: the log has the traffic that was given then, so a stage that would have begun "
    "earlier (or later) would have had more (or less) of it than it has here."
)
NO_EVENTS = "no rollout is in the event log, so nothing can be replayed"
FOR_A_PLAN = Simulation(replicates=20, most=1_000)
"""A plan is waited for; `loop backtest` simulates more."""
LOOKS_FOR_A_PLAN = 2_000
"""For the same reason; `loop backtest` looks as often as the policy says."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one policy, called `label`, would have made of a trial; no `alarms` where nothing was simulated."""

    label: str
    course: Course
    alarms: FalseAlarms | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """A trial, and every policy on it."""

    trial: Trial
    told: tuple[Told, ...]


def to_text(found: Sequence[Replayed]) -> str:
    """Return everything for a terminal."""
    lines: list[str] = []
    for each in found:
        lines += [*_trial(each.trial), ""]
        for told in each.told:
            lines += [f"  {told.label}:", *(f"    {line}" for line in _told(told, each.trial)), ""]
    return "\n".join([*lines, HYPOTHETICAL])


def to_json(found: Sequence[Replayed]) -> list[dict[str, Any]]:
    """Return the same as plain JSON values; times are in seconds since 1970, the events are left out."""
    return [_as_value(each) for each in found]


def sections_for_plan(
    old: RolloutPolicy,
    new: RolloutPolicy,
    events: Mapping[Kind, Iterable[Mapping[str, Any]]],
    detections: tuple[Detection, Detection] = (SHIPPED, SHIPPED),
) -> tuple[str, ...]:
    """Return lines for a reviewer of a change of the policy: the newest logged rollout under both policies.

    Where no rollout is logged they say so, and give a simulation at assumed rates instead. `detections` are the old and
    the new one.
    """
    logged = trials(events)
    policies = (("as it was", (old, detections[0])), ("as changed", (new, detections[1])))
    if not logged:
        return tuple(_assumed(policies))
    trial = logged[-1]
    told = [_for_a_plan(label, rules, trial) for label, rules in policies]
    lines = list(_trial(trial))
    for each in told:
        lines += [f"{each.label}:", *(f"  {line}" for line in _told(each, trial))]
    return (*lines, HYPOTHETICAL)


def _for_a_plan(label: str, rules: Rules, trial: Trial) -> Told:
    policy, detection = rules
    every = max(policy.decision.every, (trial.ended - trial.started) / LOOKS_FOR_A_PLAN)
    course = replay(policy, trial, cadence=Cadence(every), detection=detection)
    return Told(label, course, false_alarms(policy, trial, FOR_A_PLAN, detection=detection))


def _assumed(policies: Iterable[tuple[str, Rules]]) -> Iterator[str]:
    rates = Rates()
    yield f"{NO_EVENTS}; simulated at assumed rates instead:"
    yield (
        f"errors {figures.share(rates.errors)}, refusals {figures.share(rates.refusals)}, votes on "
        f"{figures.share(rates.votes)} of answers ({figures.share(rates.liked)} up), median latency "
        f"{figures.seconds(rates.latency)}, the same in both arms"
    )
    for label, (policy, detection) in policies:
        found = false_alarms(policy, assumed_trial(policy, rates), FOR_A_PLAN, detection=detection)
        if found is not None:
            yield f"{label}: {_alarms(found)}"


def _trial(trial: Trial) -> Iterator[str]:
    yield (
        f"rollout {trial.rollout_id}: {trial.candidate} against {trial.baseline}, "
        f"{figures.moment(trial.started)}, {figures.duration(trial.ended - trial.started)}, "
        f"{trial.requests} requests"
    )
    given = (
        f"{figures.share(share.weight)} after {figures.duration(share.since - trial.started)}"
        for share in trial.shares
    )
    yield f"  logged shares of the candidate: {', '.join(given)}"


def _told(told: Told, trial: Trial) -> Iterator[str]:
    course = told.course
    if course.stop is None:
        yield f"not rolled back within the log ({course.looks} looks)"
    else:
        yield from _stop(course.stop)
    yield "stages:"
    yield from figures.table(list(_stages(course.passages, trial.started)))
    if course.open:
        yield "left open at the end:"
        for finding in course.open:
            yield f"  {finding.condition}: {_comparison(finding)}"
    if told.alarms is not None:
        yield _alarms(told.alarms)


def _stop(stop: Stop) -> Iterator[str]:
    yield (
        f"rolled back after {figures.duration(stop.elapsed)} ({figures.moment(stop.at)}), at request "
        f"{stop.requests} ({stop.request_id}), in stage '{stop.stage}'"
    )
    if stop.because is Because.INCONCLUSIVE_END:
        yield f"  because {stop.because.value}"
        return
    needed = f"{figures.evidence(stop.evidence)} of {figures.evidence(stop.threshold)} needed"
    yield f"  because of {stop.condition}: evidence {needed}"
    for finding in stop.findings:
        yield f"  {_comparison(finding)}"


def _comparison(finding: Finding) -> str:
    text = f"{finding.text}: candidate {figures.estimate(finding.metric, finding.candidate)}"
    if finding.baseline is None:
        return text
    return f"{text}, baseline {figures.estimate(finding.metric, finding.baseline)}"


def _stages(passages: Sequence[Passage], started: float) -> Iterator[tuple[str, ...]]:
    yield "stage", "share", "logged", "began after", "took", "ended"
    for each in passages:
        yield (
            each.stage,
            figures.share(each.declared),
            figures.share(each.logged),
            figures.duration(each.since - started),
            figures.duration(each.until - each.since),
            _ended(each.ended),
        )


def _ended(ended: Ended) -> str:
    return "not ended: the log ends" if ended is Ended.LOG_ENDS else ended.value


def _alarms(found: FalseAlarms) -> str:
    part = "" if found.sessions == found.logged else f" of the log's {found.logged}"
    text = (
        f"false alarms at the present rates: {found.alarms} of {found.replicates} simulated rollouts of a candidate "
        f"exactly as good as the baseline ({figures.share(found.share)}, between {figures.share(found.low)} and "
        f"{figures.share(found.high)}), {found.sessions} sessions{part} each"
    )
    if found.unproven:
        text += f"; {found.unproven} more went back without proof, as a stage declares"
    return text


def _as_value(found: Replayed) -> dict[str, Any]:
    trial = found.trial
    return {
        "rollout": trial.rollout_id,
        "candidate": trial.candidate,
        "baseline": trial.baseline,
        "started": trial.started,
        "ended": trial.ended,
        "requests": trial.requests,
        "logged_shares": [asdict(share) for share in trial.shares],
        "hypothetical": HYPOTHETICAL,
        "policies": [
            {
                "policy": told.label,
                "rolled_back": None if told.course.stop is None else asdict(told.course.stop),
                "stages": [asdict(passage) for passage in told.course.passages],
                "open": [asdict(finding) for finding in told.course.open],
                "looks": told.course.looks,
                "false_alarms": None if told.alarms is None else asdict(told.alarms),
            }
            for told in found.told
        ],
    }
