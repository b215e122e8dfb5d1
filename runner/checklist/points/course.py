"""Two of the eight points: one version's whole way round the cycle, and how a version comes to all users. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from runner.checklist.facts import ArmTraffic, Entered, Facts, Step
from runner.checklist.points import common
from runner.checklist.points.finding import (
    Finding,
    Point,
    commit,
    entry,
    events,
    graduates,
    missing,
    refuted,
    shown,
    unseen,
)
from runner.errors import Unknown
from runner.evaluation.results import Report
from runner.git import messages
from runner.report import figures
from runner.spec.model import GateVerdict

QUARTER_DAYS = 92


def cycle(facts: Facts) -> Point:
    """One version went the whole way: collected data, training, gates, promotion, every stage, baseline."""
    name = _furthest(facts)
    if name is None:
        text = "no version was trained from another one on collected data"
        fix = "`loop data curate`, `loop train dpo`, `loop evaluate VERSION`, `loop promote VERSION --to ENVIRONMENT`"
        findings: tuple[Finding, ...] = (missing("a version that went the whole way", text, fix),)
    else:
        findings = (
            common.traced(facts, name, "trained on collected data"),
            _passed(facts, name),
            _promoted(facts, name),
            _staged(facts, name),
            _trusted(facts, name),
            _in_time(facts, name),
        )
    return graduates("cycle", "one complete production cycle within a quarter", findings)


def _furthest(facts: Facts) -> str | None:
    """Return the newest version that became the baseline by a rollout; else the newest that has a parent."""
    for served, _ in common.concluded(facts):
        name = common.named(facts, served)
        if name is not None:
            return name
    younger = [model for model in facts.spec.models.values() if model.parent is not None]
    return max(younger, key=lambda model: (model.training.date, model.name)).name if younger else None


def _passed(facts: Facts, name: str) -> Finding:
    wants = "evaluated, every gate PASS"
    found, again = common.report_of(facts, name), f"`loop evaluate {name}`"
    if isinstance(found, Unknown):
        return unseen(wants, found.reason, again, common.model(facts, name))
    if found is None:
        return missing(
            wants, f"there is no report about these bytes of {name}", again, common.model(facts, name)
        )
    said = f"{name} against {found.against.name} on {found.at[:10]}: {found.verdict.value}, {len(found.gates)} gates"
    link = common.report_link(facts, name)
    if found.verdict is GateVerdict.PASS:
        return shown(wants, said, link)
    judge = refuted if found.verdict is GateVerdict.FAIL else missing
    return judge(wants, said, "train a better version, or have it decided: " + again, link)


def _promoted(facts: Facts, name: str) -> Finding:
    wants = "promoted by a reviewed change"
    history = common.the_history(facts, wants)
    if isinstance(history, Finding):
        return history
    step = common.promoted(facts, common.served(facts, name))
    if step is None:
        fix = f"`loop promote {name} --to {facts.environment}`, and merge what it asks for"
        return missing(wants, f"no commit promotes {name} in '{facts.environment}'", fix)
    said = f"on trial since {figures.moment(step.at)}"
    if step.merge is None:
        text = f"{said} by a commit that nobody else merged: whether anybody read it is not recorded here"
        fix = "have the next one merged by somebody else, with a merge commit (not squashed)"
        return missing(wants, text, fix, commit(step.sha))
    return shown(wants, f"{said}, merged by {step.merge.by}", commit(step.sha), commit(step.merge.sha))


def _staged(facts: Facts, name: str) -> Finding:
    wants = "went through every stage"
    journal = common.the_journal(facts, wants)
    if isinstance(journal, Finding):
        return journal
    order = [stage.name for stage in facts.spec.policies.rollout.stages]
    way = _way(journal.entered, _rollouts_of(facts, name), order)
    entered = [each.stage for each in way]
    links = tuple(entry(each.entry) for each in way)
    if entered != order:
        lacks = ", ".join(stage for stage in order if stage not in entered)
        text = f"{name} entered {', '.join(entered) or 'no stage'}; not {lacks}"
        return missing(wants, text, "let its rollout go on: `loop explain`", *links)
    told = ", ".join(f"{each.stage} {figures.moment(each.at)[:16]}" for each in way)
    return shown(wants, told, *links)


def _rollouts_of(facts: Facts, name: str) -> frozenset[str]:
    """Return the ids of a version's rollouts, from the loop's own commits."""
    served = common.served(facts, name)
    return frozenset(
        step.rollout
        for trailer in (messages.ADVANCE, messages.CONCLUDE, messages.ROLLBACK)
        for step in common.steps(facts, trailer)
        if step.rollout and served in step.value.split(" ")
    )


def _way(entered: Sequence[Entered], rollouts: frozenset[str], order: Sequence[str]) -> tuple[Entered, ...]:
    """Return the last way of a rollout through the stages: from its last entry into the first one on."""
    own = [each for each in entered if each.rollout in rollouts]
    begins = [at for at, each in enumerate(own) if each.stage == order[0]]
    last = own[begins[-1] :] if begins else own
    first = {each.stage: each for each in reversed(last)}
    return tuple(sorted(first.values(), key=lambda each: each.entry))


def _trusted(facts: Facts, name: str) -> Finding:
    wants = "became the baseline"
    history = common.the_history(facts, wants)
    if isinstance(history, Finding):
        return history
    served = common.served(facts, name)
    step = next((step for each, step in common.concluded(facts) if each == served), None)
    if step is None:
        text, fix = f"no commit makes {name} the baseline of '{facts.environment}'", "`loop promote --due`"
        return missing(wants, text, f"let its last stage end, and merge what asks for it: {fix}")
    said = f"{step.value} at {figures.moment(step.at)}"
    return shown(wants, said, commit(step.sha), common.place(facts, "baseline"))


def _in_time(facts: Facts, name: str) -> Finding:
    """Return whether the way took no more than a quarter, its steps in their order."""
    wants = "within a quarter, in this order"
    report, served = common.report_of(facts, name), common.served(facts, name)
    put = common.promoted(facts, served)
    end = next((step for each, step in common.concluded(facts) if each == served), None)
    if not isinstance(report, Report) or put is None or end is None:
        return missing(wants, "it has not come to its end yet", "let it go on: `loop explain`")
    trained = facts.spec.models[name].training.date
    dates = (trained, date.fromisoformat(report.at[:10]), _day(put), _day(end))
    told = "trained {}, evaluated {}, promoted {}, baseline {}".format(*dates)
    links = (common.model(facts, name), common.report_link(facts, name), commit(put.sha), commit(end.sha))
    if list(dates) != sorted(dates) or put.at > end.at:
        return refuted(wants, f"{told}: not in this order", "look which commit is out of place", *links)
    days = (dates[-1] - dates[0]).days
    if days > QUARTER_DAYS:
        return refuted(wants, f"{told}: {days} days, over {QUARTER_DAYS}", "`loop decide` every week", *links)
    return shown(wants, f"{told}: {common.counted(days, 'day')}", *links)


def _day(step: Step) -> date:
    return datetime.fromtimestamp(step.at, UTC).date()


def canary(facts: Facts) -> Point:
    """A new version began with a few users, was compared with the baseline, and came to all by evidence."""
    wants = "new version by canary, A/B comparison and ramp"
    ramp = "from few users to all, step by step"
    journal = common.the_journal(facts, ramp)
    if isinstance(journal, Finding):
        return graduates("canary", wants, (journal,))
    order = [stage.name for stage in facts.spec.policies.rollout.stages]
    ways = {
        rollout: _way(journal.entered, frozenset({rollout}), order)
        for rollout in dict.fromkeys(each.rollout for each in journal.entered)
    }
    if not ways:
        fix = common.ROLL_OUT.format(environment=facts.environment)
        return graduates("canary", wants, (missing(ramp, "no version was on trial here", fix),))
    rollout, way = max(ways.items(), key=lambda each: _far(each[1], order))
    findings = (_ramp(facts, way, order), _compared(facts, rollout, way), _by_evidence(facts, rollout, way))
    return graduates("canary", wants, findings)


def _far(way: Sequence[Entered], order: Sequence[str]) -> tuple[int, int]:
    """Return how many of today's stages a rollout entered, and when it came that far."""
    return sum(each.stage in order for each in way), way[-1].entry


def _ramp(facts: Facts, way: Sequence[Entered], order: Sequence[str]) -> Finding:
    wants = "from few users to all, step by step"
    weights = {stage.name: stage.traffic for stage in facts.spec.policies.rollout.stages}
    links = tuple(entry(each.entry) for each in way)
    told = ", ".join(
        f"{each.stage} ({figures.share(weights[each.stage])})" for each in way if each.stage in weights
    )
    if [each.stage for each in way] != list(order):
        text = f"the furthest rollout entered {told or 'no stage of the policy'}, of {', '.join(order)}"
        return missing(wants, text, "let it go on: `loop explain`", *links)
    if len(order) < 2 or weights[order[0]] >= 1.0:
        fix = "begin with a stage of few users in policies/rollout.yaml"
        return refuted(wants, f"the first stage is for all: {told}", fix, *links)
    return shown(wants, f"{told}, {figures.moment(way[0].at)} to {figures.moment(way[-1].at)}", *links)


def _compared(facts: Facts, rollout: str, way: Sequence[Entered]) -> Finding:
    """Return whether both arms answered users at each weight that the rollout had."""
    wants = "both arms answered users in every stage"
    log = common.the_log(facts, wants)
    if isinstance(log, Finding):
        return log
    policy = facts.spec.policies.rollout
    wanted = {stage.name: min(stage.traffic, 1.0 - policy.holdback) for stage in policy.stages}
    lacking, told = [], []
    for each in way:
        weight = wanted.get(each.stage, 0.0)
        counts = [_asked(log.arms, rollout, weight, arm) for arm in ("baseline", "candidate")]
        told.append(f"{each.stage} {counts[0]:,} and {counts[1]:,}")
        if not all(counts):
            lacking.append(each.stage)
    said = f"requests of baseline and candidate: {', '.join(told)}"
    if lacking:
        fix = "give each stage users, and full traffic a holdback (policies/rollout.yaml)"
        return missing(wants, f"{said}; not both in {', '.join(lacking)}", fix)
    return shown(wants, said, events(f"of rollout {rollout}"))


def _asked(arms: Iterable[ArmTraffic], rollout: str, weight: float, arm: str) -> int:
    return sum(
        each.n
        for each in arms
        if (each.rollout, each.arm) == (rollout, arm) and abs(each.weight - weight) < 1e-6
    )


def _by_evidence(facts: Facts, rollout: str, way: Sequence[Entered]) -> Finding:
    """Return whether each step to a next stage is a commit."""
    wants = "each step is a commit with its evidence"
    history = common.the_history(facts, wants)
    if isinstance(history, Finding):
        return history
    made = [step for step in common.steps(facts, messages.ADVANCE) if step.rollout == rollout]
    reached = {step.value.rpartition(" -> ")[2] for step in made}
    lacking = [each.stage for each in way[1:] if each.stage not in reached]
    if len(way) < 2:
        return missing(wants, "no step was taken yet", "let it go on: `loop explain`")
    if lacking:
        text = f"no commit of the loop takes it to {', '.join(lacking)}"
        return missing(
            wants, text, "let the runner take the steps: `advance: auto`, or merge its pull requests"
        )
    return shown(
        wants,
        f"{common.counted(len(way) - 1, 'step')}, the last at {figures.moment(made[-1].at)}",
        *common.step_links(made),
    )
