"""What several points ask of the facts: the monitor's page, one reading on it, a version's name, a date. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from runner import digest
from runner.checklist.facts import Facts, Gateway, History, Journal, Log, Page, Pass, Step, Trained
from runner.checklist.points.finding import (
    Finding,
    Link,
    commit,
    events,
    file,
    missing,
    page,
    refuted,
    shown,
    unseen,
)
from runner.errors import Unknown
from runner.evaluation.results import Report
from runner.git import messages
from runner.promotion.request import PROMOTION
from runner.report import figures
from runner.report import signals as words
from runner.report.alerts import STALE_S
from runner.signals.reading import Reading

LEAST = 30
"""Answers, or votes, that a figure must rest on."""
LEAST_TRACED = 0.8
"""Share of a version's rows that must lead back to this log: policies let no more than the rest be synthetic."""
_SHA = re.compile("[0-9a-f]{40}([0-9a-f]{24})?")
SNAPSHOT = "datasets/snapshot"
START = "`loop up`"
MEASURE = "`loop up` starts the monitor that loop.yaml declares; alone: `loop monitor`"
NO_RUN = "whether a schedule or a person ran the command is not recorded here"
"""What a commit leaves open that names no run of a workflow."""
TRAFFIC = "let people ask, or play traffic: `loop replay TRACE`"
ROLL_OUT = "`loop promote VERSION --to {environment}`, and let its rollout go on"


def counted(number: int, one: str) -> str:
    """Return how many there are of something whose plural ends in s."""
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def day(at: float) -> str:
    """Return the day of a moment."""
    return figures.moment(at)[:10]


def the_page(facts: Facts, wants: str) -> Page | Finding:
    """Return the monitor's page, or the finding where it shows nothing of today."""
    found = facts.page
    if found is None:
        text = f"loop.yaml declares no monitor for '{facts.environment}'"
        return missing(wants, text, "declare `monitor:` there, then `loop up`", place(facts, "environment"))
    if not facts.has_run:
        return missing(wants, "nothing has run here yet", START)
    if isinstance(found, Unknown):
        return unseen(wants, found.reason, MEASURE)
    return _of_now(facts, found, wants)


def _of_now(facts: Facts, found: Page, wants: str) -> Page | Finding:
    """Return the page, or the finding where it is about something else or its figures are old."""
    link = page(found.url)
    if found.environment != facts.environment:
        return refuted(wants, f"the page is about '{found.environment}'", "give each its own address", link)
    last = facts.last_pass
    if isinstance(last, Pass) and found.runner != last.runner:
        who = f"it tells of runner {found.runner or 'none'}, and {last.runner or 'none'} is at work here"
        return unseen(
            wants, who, "see whose monitor answers there; each deployment needs its own address", link
        )
    if found.at is None:
        return missing(wants, "the monitor has not measured yet", "wait for its first measurement", link)
    if found.stale or facts.now - found.at > STALE_S:
        why = found.stale or f"the newest figures are {figures.duration(facts.now - found.at)} old"
        return refuted(wants, why, "look what it says: `.loop/ENVIRONMENT/logs/monitor.log`", link)
    return found


def the_log(facts: Facts, wants: str) -> Log | Finding:
    """Return what is logged, or the finding where it could not be read."""
    if isinstance(facts.log, Unknown):
        return unseen(wants, facts.log.reason, "see what it says of the log: `loop status --window all`")
    return facts.log


def the_journal(facts: Facts, wants: str) -> Journal | Finding:
    """Return the journal, or the finding where it could not be read."""
    if isinstance(facts.journal, Unknown):
        return unseen(wants, facts.journal.reason, "see what it says of the journal: `loop log`")
    return facts.journal


def the_history(facts: Facts, wants: str) -> History | Finding:
    """Return what Git says, or the finding where it could not be asked."""
    if isinstance(facts.history, Unknown):
        return unseen(wants, facts.history.reason, "run it where loop.yaml is under Git: `git log`")
    return facts.history


def the_gateways(facts: Facts, wants: str) -> tuple[Gateway, ...] | Finding:
    """Return all gateways, or the finding where one did not answer."""
    silent = [f"{url}: {found.reason}" for url, found in facts.gateways.items() if isinstance(found, Unknown)]
    if not facts.has_run:
        return missing(wants, "nothing has run here yet", START)
    if silent:
        return unseen(wants, "; ".join(silent), "look how it does: `loop status`; start it: `loop up`")
    found = tuple(found for found in facts.gateways.values() if isinstance(found, Gateway))
    strange = [each for each in found if _is_strange(facts, each)]
    if strange:
        told = "; ".join(
            f"{each.url} obeys {each.revision[:12]}, no commit that is known here" for each in strange
        )
        return unseen(wants, told, "see whose gateway answers there; each deployment needs its own address")
    return found


def _is_strange(facts: Facts, gateway: Gateway) -> bool:
    """Return whether a gateway obeys a commit that is none of ours: then another deployment answers there.

    What the runner acts by is ours also where it was not fetched here yet.
    """
    if _SHA.fullmatch(gateway.revision) is None or not isinstance(facts.history, History):
        return False
    book, last = facts.journal, facts.last_pass
    ours = {last.revision} if isinstance(last, Pass) else set()
    if isinstance(book, Journal) and book.in_sync is not None:
        ours.add(book.in_sync[1])
    return gateway.revision not in facts.history.known | ours


def place(facts: Facts, name: str) -> Link:
    """Return where something is declared; loop.yaml as a whole where its line is not known."""
    history = facts.history
    return file(history.places.get(name, "loop.yaml") if isinstance(history, History) else "loop.yaml")


def best(readings: Iterable[Reading], metric: str) -> Reading | None:
    """Return the reading of a metric with a value: of all together, else of the arm with the most data."""
    own = [
        one
        for one in readings
        if one.metric == metric and not one.segment and one.value is not None and one.n > 0
    ]
    return max(own, key=lambda one: (not one.arm, one.n), default=None)


def told(reading: Reading) -> str:
    """Return a reading in words, with its interval, n and window."""
    ends = words.interval(reading)
    value = words.value(reading.metric, reading.value)
    span = figures.duration(reading.window)
    return f"{reading.metric} {value}{f' ({ends})' if ends else ''}, n={reading.n:,} in {span}"


def measured(facts: Facts, found: Page, metric: str, wants: str, then: str) -> Finding:
    """Return whether a signal of the policy has a value of late on the page, of enough to say anything."""
    declared = facts.spec.policies.signals.signals
    if metric not in declared:
        fix = f"declare `{metric}` in policies/signals.yaml"
        return refuted(wants, f"policies/signals.yaml does not measure '{metric}'", fix)
    reading = best(found.readings, metric)
    if reading is None:
        notes = {one.note for one in found.readings if one.metric == metric and one.note}
        why = f": {sorted(notes)[0]}" if notes else ""
        return missing(wants, f"no data for {metric}{why}", then, page(found.url))
    links = (page(found.url), place(facts, f"signal:{metric}"))
    if reading.n < LEAST:
        return missing(wants, f"{told(reading)}: fewer than {LEAST} say next to nothing", then, *links)
    return shown(wants, told(reading), *links)


def kind(log: Log, *names: str) -> Link | None:
    """Return a link to the events of some kinds, None where there are none."""
    spans = [(name, log.kinds[name]) for name in names if name in log.kinds and log.kinds[name].n]
    if not spans:
        return None
    counted = ", ".join(f"{span.n:,} {name}" for name, span in spans)
    first, last = min(span.first for _, span in spans), max(span.last for _, span in spans)
    return events(f"{counted}, {figures.moment(first)} to {figures.moment(last)}")


def served(facts: Facts, name: str) -> str:
    """Return the served name of a declared version."""
    return digest.served_name(name, facts.spec.models[name].adapter.digest)


def named(facts: Facts, name: str) -> str | None:
    """Return the declared version that has a served name; None where none has."""
    return next((each for each in facts.spec.models if served(facts, each) == name), None)


def steps(facts: Facts, trailer: str) -> tuple[Step, ...]:
    """Return the commits with a trailer, oldest first; none where Git could not be asked."""
    history = facts.history
    return () if isinstance(history, Unknown) else tuple(s for s in history.steps if s.trailer == trailer)


def promoted(facts: Facts, name: str) -> Step | None:
    """Return the newest commit that put a served version on trial."""
    return next((step for step in reversed(steps(facts, PROMOTION)) if step.value == name), None)


def concluded(facts: Facts) -> Iterator[tuple[str, Step]]:
    """Yield the served names that became the baseline by a rollout, with their commits, newest first."""
    for step in reversed(steps(facts, messages.CONCLUDE)):
        yield step.value.partition(" -> ")[2], step


def traced(facts: Facts, version: str, wants: str) -> Finding:
    """Return whether a version was trained on data that leads back to events of this log."""
    if isinstance(facts.trained, Unknown):
        return unseen(wants, facts.trained.reason, f"`loop models show {version}`")
    found = next((each for each in facts.trained if each.version == version), None)
    if found is None:
        text = f"{version} was not trained on a snapshot of feedback"
        return missing(wants, text, "`loop data curate`, then `loop train RECIPE`", model(facts, version))
    return of_trained(facts, found, wants)


def of_trained(facts: Facts, found: Trained, wants: str) -> Finding:
    """Return what following one version's data back came to."""
    link = model(facts, found.version)
    if found.rows is None:
        text = f"the bytes of {found.path} that {found.version} was trained on are not here"
        return missing(wants, text, "`dvc pull`, or run it where it was trained", link)
    said = f"{found.version}: {found.found:,} of {found.rows:,} rows of {found.path} lead back to events of this log"
    if not found.found or found.found < LEAST_TRACED * found.rows:
        text = f"{said}, under {figures.share(LEAST_TRACED)}"
        return missing(wants, text, "train on what this deployment collected: `loop data curate`", link)
    trained = facts.spec.models[found.version].training.date
    return shown(wants, f"{said}; trained on {trained}", link)


def model(facts: Facts, name: str) -> Link:
    """Return a link to a version's file."""
    return place(facts, f"model:{name}")


def report_of(facts: Facts, name: str) -> Report | Unknown | None:
    """Return the report of a version where it is of the bytes that are declared; None where there is none."""
    found = facts.reports.get(name)
    if isinstance(found, Report) and (found.version, found.digest) != (
        name,
        facts.spec.models[name].adapter.digest,
    ):
        return None
    return found


def report_link(facts: Facts, name: str) -> Link:
    """Return a link to the report of a version's evaluation."""
    evaluation = facts.spec.models[name].evaluation
    return file(evaluation.report) if evaluation is not None else model(facts, name)


def step_links(found: Iterable[Step]) -> tuple[Link, ...]:
    """Return links to commits."""
    return tuple(commit(step.sha) for step in found)
