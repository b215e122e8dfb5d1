"""What to do next, in order: each with the command that does it or shows it, and the day by which it is due.

Orders what was found out and decided elsewhere; the gravest first, then what is asked of people, then the calendar.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from runner.economics.reasons import Choice
from runner.feedback.progress import DAY_S, day
from runner.report import calendar
from runner.report.document import Section
from runner.report.weekly.material import Material, Told
from runner.report.weekly.passed import counted, passed, whom
from runner.report.weekly.preferences import failed, named

NOW: Final = "now"
_FOLLOWS: Final = {
    "hold": ("keeps a rollout at its stage", "loop explain"),
    "warn": ("wants a look", "loop signals"),
}


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do: the words, the command, and when."""

    what: str
    command: str
    when: str


def actions(material: Material) -> Section:
    """Return all next actions, numbered."""
    found = list(in_order(material))
    if not found:
        return Section(
            "Next actions", ("Nothing: no threshold is passed with certainty, and nothing is due.",)
        )
    rows: list[tuple[str, ...]] = [("do", "command", "when")]
    rows += [
        (f"{number}. {each.what}", each.command, each.when) for number, each in enumerate(found, start=1)
    ]
    return Section("Next actions", (), (), rows)


def in_order(material: Material) -> Iterator[Action]:
    """Yield what to do next, the most urgent first."""
    told = material.told
    yield from _rolled_back(told)
    yield from _training(material)
    yield from _signals(material)
    yield from _trials(told)
    yield from _data(told)
    yield from _collecting(told)
    yield from _planned(told)


def _rolled_back(told: Told) -> Iterator[Action]:
    for each in told.rollouts.steps if told.rollouts is not None else ():
        if each.is_rollback and not each.by_person:
            what = (
                f"{each.version} was rolled back in {each.environment}: find out why before it may come again"
            )
            yield Action(what, f"loop explain -e {each.environment}", NOW)


def _signals(material: Material) -> Iterator[Action]:
    """Yield one action for each metric that passed a threshold, by its gravest consequence; training has its own."""
    crossed = passed(material.snapshot.readings)
    for name, (follows, command) in _FOLLOWS.items():
        for metric, found in crossed.items():
            if found[0][0] == name:
                own = [one for consequence, one in found if consequence == name]
                yield Action(f"{name}: {metric} {follows} ({whom(own)})", command, NOW)


def _training(material: Material) -> Iterator[Action]:
    """Yield one action: what is decided on training, with every signal that is a reason for it."""
    told, reasons = material.told, _reasons_to_train(material)
    found = told.decision
    if found is None or found.proposal is None:
        if reasons:
            yield Action(f"retrain: decide whether to train, for {reasons}", "loop decide", NOW)
        return
    if found.choice is Choice.RETRAIN:
        what = f"Train a new version, from {found.proposal.parent}"
        yield Action(
            f"{what}{f', for {reasons}' if reasons else ''}{_asking(told)}", found.proposal.command, NOW
        )
        return
    why = [found.of(reason) for reason in found.by]
    names = ", ".join(each.reason.value for each in why)
    fixes = "; ".join(dict.fromkeys(each.fix for each in why if each.fix)).replace("`", "")
    although = f", although signals ask for it: {reasons}" if reasons else ""
    what = f"No training now, for {names}{f': {fixes}' if fixes else ''}{although}"
    yield Action(what, "loop decide", f"again {calendar.day(found.next_round)}")


def _reasons_to_train(material: Material) -> str:
    """Return every metric that passed its threshold `retrain`, and for whom; "" where none did."""
    crossed = passed(material.snapshot.readings)
    return ", ".join(
        f"{metric} ({whom(own)})"
        for metric, found in crossed.items()
        if (own := [one for consequence, one in found if consequence == "retrain"])
    )


def _asking(told: Told) -> str:
    """Return that one is to ask first, where the snapshot may not be trained on without; else ""."""
    account = told.quality.account if told.quality is not None else None
    if account is None or account.passed:
        return ""
    return f"; ask first, the snapshot is {account.verdict.value}"


def _trials(told: Told) -> Iterator[Action]:
    for each in told.rollouts.stands if told.rollouts is not None else ():
        if each.candidate:
            what = (
                f"{each.candidate} is on trial in {each.environment} ('{each.stage}'): see what it waits for"
            )
            yield Action(what, f"loop explain -e {each.environment}", NOW)


def _data(told: Told) -> Iterator[Action]:
    for each in failed(told.quality) if told.quality is not None else ():
        yield Action(f"A check of the preferences failed: {named(each)}", "loop diagnose", "before training")


def _collecting(told: Told) -> Iterator[Action]:
    if told.collected is None:
        return
    own = told.collected.progress
    until = f"until {day(own.week_ends - DAY_S)}"
    missing = own.aimed.missing
    if missing:
        pairs = counted(missing, "preference pair", "preference pairs")
        yield Action(f"Collect {pairs} more for the week's {own.aim.value}", "loop data progress", until)
    lacking = own.training.wanted - own.training.pairs
    if lacking > 0 and (told.decision is None or told.decision.choice is not Choice.RETRAIN):
        pairs = counted(lacking, "preference pair", "preference pairs")
        yield Action(f"Collect {pairs} more for the next round of training", "loop data progress", until)
    thin = ", ".join(
        f"{part.name} ({part.pairs} of {part.wanted})" for part in own.categories if part.is_thin
    )
    if thin:
        yield Action(f"Ask more of {thin}", "loop data progress", until)
    small = ", ".join(f"{each.recipe} ({each.rows:,} of {each.wanted:,} rows)" for each in own.small)
    if small:
        yield Action(
            f"Get data for recipes that cannot train yet: {small}", "loop data curate", "before training"
        )


def _planned(told: Told) -> Iterator[Action]:
    """Yield what the calendar has on, and what it has next."""
    if told.agenda is None:
        return
    for turn, piece in told.agenda.now:
        what = f"The {calendar.CYCLES[turn.cycle]}'s '{piece.name}' is on: {piece.work}"
        yield Action(what, "loop calendar", f"until {calendar.until(piece)}")
    for turn, piece in told.agenda.following:
        what = f"Prepare the {calendar.CYCLES[turn.cycle]}'s '{piece.name}': {piece.work}"
        yield Action(what, "loop calendar", f"from {calendar.since(piece)}")
