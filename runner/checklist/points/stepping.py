"""Four points of safety: what ends a stage, what a step waits for, and that what is decided comes into Git. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from runner.checklist.facts import Facts, Journal
from runner.checklist.points import common
from runner.checklist.points.finding import (
    Finding,
    commit,
    entry,
    file,
    missing,
    refuted,
    shown,
)
from runner.errors import LoopError, Unknown
from runner.evaluation.results import Report
from runner.reconcile.freeze import Window, in_force
from runner.report import figures
from runner.spec.model import GateVerdict
from runner.spec.rollout import Stage


def conditions(facts: Facts) -> Iterator[Finding]:
    """Yield whether each stage can go back, by rules that are in force and were used."""
    policy = facts.spec.policies.rollout
    wants = "every stage may be left backwards"
    open_ = [stage.name for stage in policy.stages if not policy.always and stage.rollback_if is None]
    if open_:
        yield refuted(
            wants,
            f"nothing sends a candidate back in {', '.join(open_)}",
            "write `rollback_if`, or `always` for all stages, into policies/rollout.yaml",
            *(common.place(facts, f"stage:{name}") for name in open_),
        )
    else:
        told = "; ".join(f"{stage.name}: {_rules(stage, len(policy.always))}" for stage in policy.stages)
        yield shown(wants, told, *(common.place(facts, f"stage:{stage.name}") for stage in policy.stages))
    yield _in_force(facts)
    yield _judged(facts)


def _rules(stage: Stage, always: int) -> str:
    own = [str(stage.rollback_if)] if stage.rollback_if is not None else []
    return " and ".join([*own, *([f"{always} that always hold"] if always else [])])


def _in_force(facts: Facts) -> Finding:
    wants = "the runner acts by these files"
    journal = common.the_journal(facts, wants)
    if isinstance(journal, Finding):
        return journal
    if journal.in_sync is None:
        return missing(wants, "live and Git have not agreed yet", common.START)
    number, revision, spec = journal.in_sync
    if revision != facts.revision and spec != facts.spec.digest:
        text = f"in force is {revision[:12]}, and what is read here {facts.revision[:12]}"
        fix = (
            "wait for the runner's next pass (`loop status`), or bring this checkout up to date (`git fetch`)"
        )
        return missing(wants, text, fix, entry(number))
    return shown(wants, f"live agreed with {revision[:12]}", entry(number), commit(revision))


def _judged(facts: Facts) -> Finding:
    wants = "a rollout was judged by them"
    journal = common.the_journal(facts, wants)
    if isinstance(journal, Finding):
        return journal
    proven = [one for one in journal.rollbacks if one.event]
    if proven:
        one = proven[-1]
        return shown(wants, f"{one.served} went back by {one.condition}", entry(one.attempted))
    if journal.entered:
        one_ = journal.entered[-1]
        text = f"no condition was broken; the last rollout came to '{one_.stage}'"
        return shown(wants, text, entry(one_.entry))
    return missing(wants, "no version was on trial", common.ROLL_OUT.format(environment=facts.environment))


def writing(facts: Facts) -> Iterator[Finding]:
    """Yield whether nothing waits to be written to Git, and what was written is in the history."""
    wants = "nothing waits to be written"
    journal = common.the_journal(facts, wants)
    if isinstance(journal, Finding):
        yield journal
        return
    if journal.failing:
        yield refuted(wants, "; ".join(journal.failing), "see what Git says: `loop status`; `loop log`")
    elif journal.open:
        told = ", ".join(journal.open)
        yield missing(wants, f"Git does not show the rollback of {told} yet", "`loop status` says why")
    elif not journal.entries:
        yield missing(wants, "nothing has run here yet", common.START)
    else:
        yield shown(wants, "no rollback is pending, no step to Git fails", file(journal.path))
    yield _landed(facts, journal)


def _landed(facts: Facts, journal: Journal) -> Finding:
    """Return whether something that the runner wrote is part of the branch."""
    wants = "what the runner wrote is in the history"
    history = common.the_history(facts, wants)
    if isinstance(history, Finding):
        return history
    if not journal.written:
        fix = common.ROLL_OUT.format(environment=facts.environment)
        return missing(wants, "the runner has written nothing to Git yet", fix)
    commits = [each for each in journal.written if each.written in history.known]
    if not commits:
        last = journal.written[-1]
        text = (
            f"{last.action.replace('_', ' ')} became {last.written[:60]}, which the branch does not have yet"
        )
        return missing(wants, text, "merge it", entry(last.entry))
    last = commits[-1]
    own = f"{len(commits)} of {len(journal.written)} steps as commits of its own"
    said = f"{own}, the last at {figures.moment(last.at)}"
    return shown(wants, said, commit(last.written), entry(last.entry))


def freeze(facts: Facts) -> Iterator[Finding]:
    """Yield whether freeze windows are declared, and no stage began in one."""
    wants = "no stage began in a window"
    declared = facts.spec.loop.environments[facts.environment]
    link = common.place(facts, "freeze")
    if not declared.freeze:
        fix = "declare `freeze:` in loop.yaml for the hours in which nobody watches; `loop validate`"
        yield missing(wants, "loop.yaml declares no freeze window", fix, link)
        return
    windows = tuple(Window(each.zone, each.from_, each.to, each.reason) for each in declared.freeze)
    journal = common.the_journal(facts, wants)
    if isinstance(journal, Finding):
        yield journal
        return
    try:
        inside = [(each, found) for each in journal.entered if (found := in_force(windows, each.at))]
    except LoopError as error:
        yield refuted(wants, error.diagnostics[0].summary, "`loop validate`", link)
        return
    if inside:
        each, window = inside[-1]
        text = (
            f"'{each.stage}' began at {figures.moment(each.at)}, frozen from {window.start} ({window.zone})"
        )
        yield refuted(
            wants, text, "see whether the window is newer than that: `git log loop.yaml`", entry(each.entry)
        )
    elif not journal.entered:
        yield missing(
            wants, "no stage was entered yet", common.ROLL_OUT.format(environment=facts.environment)
        )
    else:
        zones = ", ".join(dict.fromkeys(window.zone for window in windows))
        text = f"{common.counted(len(journal.entered), 'stage')} began, none within today's windows ({zones})"
        yield shown(wants, text, link, entry(journal.entered[-1].entry))


def gates(facts: Facts) -> Iterator[Finding]:
    """Yield whether every version that was put on trial, by whomever, had passed the gates."""
    wants = "every version on trial had passed its gates"
    history = common.the_history(facts, wants)
    if isinstance(history, Finding):
        yield history
        return
    if not history.trials:
        fix = common.ROLL_OUT.format(environment=facts.environment)
        yield missing(wants, f"no version was put on trial in '{facts.environment}'", fix)
        return
    put = {each.version: each for each in history.trials}
    wrong = {name: why for name in put if (why := _why_not(facts, name))}
    if wrong:
        told = "; ".join(f"{name}: {why}" for name, why in wrong.items())
        fix = f"`loop evaluate {next(iter(wrong))}`; where it is on trial: `loop rollback`"
        yield refuted(wants, told, fix, *(commit(put[name].sha) for name in wrong))
        return
    required = len(_required(facts))
    said = f"{', '.join(put)}: {required} of {required} gates that are required today PASS"
    links = (common.report_link(facts, name) for name in put)
    yield shown(wants, said, *links, *(commit(each.sha) for each in put.values()))


def _required(facts: Facts) -> tuple[str, ...]:
    """Return the gates that have to be PASS: those that the environment names, else all of the policy."""
    after = facts.spec.loop.environments[facts.environment].promote_after
    return (after.gates if after else ()) or tuple(facts.spec.policies.evaluation.gates)


def _why_not(facts: Facts, name: str) -> str:
    """Return why a version's gates do not show that it might go on trial, "" where they do."""
    if name not in facts.spec.models:
        return "its file is not in models/ any more"
    report = common.report_of(facts, name)
    if isinstance(report, Unknown):
        return report.reason
    if not isinstance(report, Report):
        return "no report about these bytes"
    verdicts = {each.gate: each.verdict for each in report.gates}
    lacking = [
        f"{gate} {verdicts[gate].value if gate in verdicts else 'not decided'}"
        for gate in _required(facts)
        if verdicts.get(gate) is not GateVerdict.PASS
    ]
    return ", ".join(lacking)
