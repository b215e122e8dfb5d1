"""One of the eight points: the suites that a version is put through, and that they run by themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from runner.checklist.facts import Facts, Step
from runner.checklist.points import common
from runner.checklist.points.finding import (
    Finding,
    Link,
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
from runner.evaluation.results import Report, SuiteResult
from runner.promotion.request import PROMOTION
from runner.report import figures
from runner.spec.evaluation import SuiteKind

SUITES = (SuiteKind.REGRESSION, SuiteKind.OOD, SuiteKind.ADVERSARIAL)


def suites(facts: Facts) -> Point:
    """Regression, out-of-distribution and adversarial suites ran, on today's questions, and run by themselves."""
    return graduates(
        "suites",
        "regression, out-of-distribution and adversarial suites, automated",
        (*_ran(facts), _runs(facts)),
    )


def _ran(facts: Facts) -> Iterator[Finding]:
    wants = "the three suites ran on the bytes that are declared"
    found = [
        (report.at, name, report)
        for name in facts.spec.models
        if isinstance(report := common.report_of(facts, name), Report)
    ]
    if not found:
        broken = [each.reason for each in facts.reports.values() if isinstance(each, Unknown)]
        fix = f"`loop evaluate {facts.spec.loop.environments[facts.environment].baseline}`"
        yield unseen(wants, broken[0], fix) if broken else missing(wants, "no version has a report", fix)
        return
    _, name, report = max(found, key=lambda each: each[:2])
    again, link = f"`loop evaluate {name}`", common.report_link(facts, name)
    ran = {each.kind: each for each in report.suites if each.error is None and _count(each) > 0}
    lacking = [kind.value for kind in SUITES if kind not in ran]
    if lacking:
        yield missing(wants, f"{name}: nothing measured by {', '.join(lacking)}", again, link)
        return
    told = ", ".join(f"{kind.value} n={_count(ran[kind]):,}" for kind in SUITES)
    yield shown(wants, f"{name} on {report.at[:10]} (vLLM {report.engine}): {told}", link)
    yield _of_today(facts, report, link)


def _count(suite: SuiteResult) -> int:
    return max((each.n for each in suite.measured), default=0)


def _of_today(facts: Facts, report: Report, link: Link) -> Finding:
    wants = "on today's questions"
    suites_ = facts.spec.policies.evaluation.suites.values()
    sets = {s.dataset for s in suites_ if s.kind in SUITES and s.dataset is not None}
    other = sorted(each for each in sets if report.dataset_hashes.get(each) != facts.spec.datasets[each].hash)
    if other:
        text = f"other questions by now: {', '.join(other)}"
        return refuted(wants, text, f"`loop evaluate {report.version}`", link)
    return shown(wants, f"{len(sets)} data sets have the hash that the report names", link)


def _runs(facts: Facts) -> Finding:
    wants = "they run by themselves"
    history = common.the_history(facts, wants)
    if isinstance(history, Finding):
        return history
    files = [each for each in history.workflows if each.runs == "loop evaluate" and each.when]
    links = tuple(file(f"{each.path}:{each.line}") for each in files)
    if not files:
        fix = "have pull requests evaluated: .github/workflows/evaluate.yml, or cron (a file named crontab)"
        return missing(wants, "no file here has `loop evaluate` run by itself", fix)
    came = [each for each in common.steps(facts, PROMOTION) if _is_reported(facts, each)]
    told = ", ".join(f"{each.path}:{each.line} ({', '.join(each.when)})" for each in files)
    if not came:
        fix = "let a version come through it: `loop promote VERSION --to ENVIRONMENT`"
        return missing(wants, f"declared in {told}, and no version was promoted with its report", fix, *links)
    by_run = [each for each in came if each.run]
    last = (by_run or came)[-1]
    said, links = f"{told}; {last.value}, which has a report, was promoted", (*links, commit(last.sha))
    if not by_run:
        fix = "let a workflow evaluate and promote a version: .github/workflows/retrain.yml, promote.yml"
        return missing(wants, f"{said} at {figures.moment(last.at)}: {common.NO_RUN}", fix, *links)
    return shown(wants, f"{said} by a run at {figures.moment(last.at)}: {last.run}", *links)


def _is_reported(facts: Facts, step: Step) -> bool:
    """Return whether there is a report about the bytes that a commit promotes."""
    name = common.named(facts, step.value)
    return name is not None and isinstance(common.report_of(facts, name), Report)
