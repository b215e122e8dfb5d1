"""Two of the eight points: what users said becomes training data by itself, and what it all costs. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from runner.checklist.facts import DATA, Account, Facts
from runner.checklist.points import common
from runner.checklist.points.finding import (
    Finding,
    Point,
    commit,
    file,
    graduates,
    missing,
    refuted,
    shown,
    unseen,
)
from runner.errors import Unknown
from runner.report import figures
from runner.spec.model import GateVerdict


def feedback(facts: Facts) -> Point:
    """What users said became the data of a version, without anybody copying it."""
    findings = (_said(facts), _checked(facts), _learnt(facts), _by_itself(facts))
    return graduates("feedback", "automated feedback loop: from logs to the next training data", findings)


def _said(facts: Facts) -> Finding:
    wants = "users say what they think"
    log = common.the_log(facts, wants)
    if isinstance(log, Finding):
        return log
    link = common.kind(log, "feedback", "vote", "label")
    if link is None:
        fix = "send feedback (`POST /feedback`), or have people vote: `loop console`"
        return missing(wants, "nobody has said anything in this log", fix)
    return shown(wants, "feedback, votes and labels are logged", link)


def _checked(facts: Facts) -> Finding:
    wants = "it becomes checked data"
    found, link = facts.snapshot, file(f"{common.SNAPSHOT}/provenance.json")
    if isinstance(found, Unknown):
        return unseen(wants, found.reason, "`loop data curate`", link)
    if found is None:
        return missing(wants, "there is no snapshot of feedback here", "`loop data curate`, or `dvc pull`")
    rows = ", ".join(f"{count:,} {name.removesuffix('.jsonl')}" for name, count in found.rows.items())
    said = f"snapshot {found.id[:12]}: {rows}; checks {found.verdict}"
    if found.verdict == GateVerdict.FAIL:
        return refuted(wants, said, "`loop data check` says which", link)
    if not any(found.rows.values()):
        return missing(wants, said, "collect more: `loop data progress`", link)
    return shown(wants, said, link)


def _learnt(facts: Facts) -> Finding:
    wants = "a version was trained on it"
    if isinstance(facts.trained, Unknown):
        return unseen(wants, facts.trained.reason, "`loop models`")
    if not facts.trained:
        return missing(wants, "no version was trained on a snapshot of feedback", "`loop train dpo`")
    most = max(
        facts.trained,
        key=lambda each: (each.found / each.rows if each.rows else 0.0, each.found, each.rows or 0),
    )
    return common.of_trained(facts, most, wants)


def _by_itself(facts: Facts) -> Finding:
    wants = "it happens without anybody's hand"
    history = common.the_history(facts, wants)
    if isinstance(history, Finding):
        return history
    files = [each for each in history.workflows if each.runs == "loop data curate" and each.when]
    asked = common.steps(facts, DATA)
    told = ", ".join(f"{each.path}:{each.line} ({', '.join(each.when)})" for each in files)
    links = (*(file(f"{each.path}:{each.line}") for each in files), *common.step_links(asked[-1:]))
    if not files:
        fix = "have it run every night: .github/workflows/collect.yml, or cron (a file named crontab)"
        return missing(wants, "no file here has `loop data curate` run by itself", fix, *links)
    if not asked:
        fix = "let it run, and merge what it asks for: `loop data curate`, `loop data propose`"
        return missing(wants, f"declared in {told}, and no data set in Git came of it", fix, *links)
    said = f"{told}; {common.counted(len(asked), 'commit')} of new data sets"
    by_run = [each for each in asked if each.run]
    if not by_run:
        text = f"{said}, the last at {figures.moment(asked[-1].at)}: {common.NO_RUN}"
        return missing(wants, text, "let the workflow run, and merge what it asks for", *links)
    last = by_run[-1]
    return shown(
        wants, f"{said}, the last by a run at {figures.moment(last.at)}: {last.run}", *links, commit(last.sha)
    )


def cost(facts: Facts) -> Point:
    """A year's account against the API's, with measured traffic."""
    return graduates("cost", "one-year cost model with its return", _account(facts))


def _account(facts: Facts) -> Iterator[Finding]:
    wants, link = "a year here against a year at the API", file("policies/cost.yaml")
    found = facts.account
    if isinstance(found, Unknown):
        yield unseen(wants, found.reason, "`loop cost`", link)
        return
    saves = f"saves ${found.saving:,.0f}" if found.saving >= 0 else f"costs ${-found.saving:,.0f} more"
    said = (
        f"${found.year:,.0f} a year, ${found.api_year:,.0f} at {found.api}: {saves}; set-up: {found.payback}"
    )
    yield shown(wants, said, link)
    yield _measured(facts, found)


def _measured(facts: Facts, found: Account) -> Finding:
    wants = "counted with measured tokens"
    log = common.the_log(facts, wants)
    if isinstance(log, Finding):
        return log
    link = common.kind(log, "request")
    assumed = f"; assumed: {'; '.join(found.assumed)}" if found.assumed else ""
    wanted = [each for each in found.measured if "tokens" in each]
    if len(wanted) < 2 or link is None:
        return missing(wants, f"not measured yet{assumed}", common.TRAFFIC)
    return shown(wants, f"measured: {'; '.join(found.measured)}{assumed}", link)
