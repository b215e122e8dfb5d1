"""What became of versions in the window, and what is decided on training: each with its reasons."""

from __future__ import annotations

from collections.abc import Iterator

from runner.economics.agenda import Agenda
from runner.report import calendar, decide, figures
from runner.report.document import Link, Section
from runner.report.weekly.material import Happening, Material, Stand, Told
from runner.report.weekly.passed import counted


def rollouts(told: Told) -> Section:
    """Return where each environment stands, and the steps of rollouts in the window with their commits."""
    found = told.rollouts
    if found is None:
        return Section("Rollouts", (told.why_not("rollouts"),))
    stands = tuple(stand(each) for each in found.stands)
    if not found.steps:
        line = "No version was put on trial, moved on, taken back or made the baseline in this time."
        return Section("Rollouts", (line,), stands)
    rows: list[tuple[str, ...]] = [("when", "environment", "version", "what", "because", "by", "commit")]
    rows += [_step(each) for each in found.steps]
    return Section("Rollouts", (), stands, rows)


def stand(found: Stand) -> str:
    """Return what an environment declares now, in words."""
    trial = f"{found.candidate} on trial in '{found.stage}'" if found.candidate else "nothing on trial"
    return f"{found.environment}: baseline {found.baseline}, {trial}"


def _step(each: Happening) -> tuple[str, ...]:
    commit = Link(each.commit, each.address) if each.address else each.commit or figures.NOTHING
    return (
        figures.moment(each.at)[:16],
        each.environment,
        each.version,
        each.what,
        figures.line(each.because) or figures.NOTHING,
        each.by,
        commit,
    )


def decisions(material: Material) -> Section:
    """Return what `loop decide` says now with every reason, and which versions were trained in the window."""
    told = material.told
    lines = tuple(_trained(material, told.agenda)) if told.agenda is not None else ()
    found = told.decision
    if found is None:
        return Section("Decisions", (told.why_not("decision"), *lines))
    said = (f"{decide.headline(found)}.", f"{decide.why(found).capitalize()}.", *lines)
    rows: list[tuple[str, ...]] = [("reason", "says", "because", "what would change it")]
    rows += [
        (
            f"{each.reason.value}{' (decided)' if each.reason in found.by else ''}",
            each.verdict.value,
            each.says,
            each.fix.replace("`", ""),
        )
        for each in found.reasons
    ]
    return Section("Decisions", said, (), rows)


def _trained(material: Material, agenda: Agenda) -> Iterator[str]:
    """Yield what earlier decisions came to: their answers are not kept, the versions trained because of them are."""
    since = figures.moment(material.snapshot.at - material.window)[:10]
    own = [each for each in agenda.trained if each.on.isoformat() >= since]
    if not own:
        yield f"Nothing was trained since {since}. {calendar.due(agenda)}"
        return
    names = ", ".join(f"{each.version} ({each.type.value}, {calendar.day(each.on)})" for each in own)
    yield f"Trained since {since}: {names}. {calendar.due(agenda)}"


def happened(told: Told) -> str:
    """Return in one line what became of versions; empty where nothing did or nobody knows."""
    if told.rollouts is None or not told.rollouts.steps:
        return ""
    steps = told.rollouts.steps
    back = [each for each in steps if each.is_rollback and not each.by_person]
    undone = [each for each in steps if each.is_rollback and each.by_person]
    said = f"{counted(len(steps), 'step', 'steps')} of rollouts"
    rollbacks = f"{counted(len(back), 'rollback', 'rollbacks')} ({_names(back)})" if back else "no rollback"
    person = f"; taken back by a person: {_names(undone)}" if undone else ""
    return f"{said}, {rollbacks}{person}."


def _names(steps: list[Happening]) -> str:
    return ", ".join(dict.fromkeys(each.version for each in steps))
