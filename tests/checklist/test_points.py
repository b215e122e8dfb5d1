"""Every point passes with all of its evidence, and with any piece of it missing it does not."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from runner.checklist.facts import (
    ArmTraffic,
    Bytes,
    Facts,
    Journal,
    Rules,
    Snapshot,
    Trained,
    Trial,
    Workflow,
)
from runner.checklist.points import Area, Checked, Finding, Point, check
from runner.checklist.points.monitoring import SELDOM
from runner.errors import Unknown
from runner.evaluation.results import GateResult
from runner.signals.reading import Holds
from runner.spec.model import GateVerdict
from tests.checklist import whole as of
from tests.checklist.whole import (
    BAD,
    GATEWAY,
    NEW,
    NOW,
    OLD,
    RUNNER,
    ago,
    drift,
    having,
    reading,
    served,
    whole,
)

PASS, FAIL = GateVerdict.PASS, GateVerdict.FAIL
OPEN, ERROR = GateVerdict.INCONCLUSIVE, GateVerdict.ERROR
AWAY = Unknown("no answer within 3 s")


def point(facts: Facts, name: str) -> Point:
    return next(each for each in check(facts).points if each.id == name)


def journal(**changes: Any) -> Facts:
    found = whole().journal
    assert isinstance(found, Journal)
    return having(journal=replace(found, **changes))


def history(**changes: Any) -> Facts:
    return having(history=replace(whole().history, **changes))  # type: ignore[type-var]


def page(**changes: Any) -> Facts:
    return having(page=replace(whole().page, **changes))  # type: ignore[type-var]


def log(**changes: Any) -> Facts:
    return having(log=replace(whole().log, **changes))  # type: ignore[type-var]


def gateway(**changes: Any) -> Facts:
    return having(gateways={GATEWAY: replace(whole().gateways[GATEWAY], **changes)})  # type: ignore[type-var]


def rolled(**changes: Any) -> Facts:
    found = whole().journal
    assert isinstance(found, Journal)
    return journal(rollbacks=(replace(found.rollbacks[0], **changes),))


def without_reading(metric: str) -> Facts:
    return page(readings=tuple(each for each in _readings() if each.metric != metric))


def with_reading(metric: str, **changes: Any) -> Facts:
    others = tuple(each for each in _readings() if each.metric != metric)
    return page(readings=(*others, reading(metric, **changes)))


def _readings() -> tuple[Any, ...]:
    return whole().page.readings  # type: ignore[union-attr]


def without_steps(trailer: str) -> Facts:
    steps = whole().history.steps  # type: ignore[union-attr]
    return history(steps=tuple(each for each in steps if each.trailer != trailer))


def changed_steps(trailer: str, **changes: Any) -> Facts:
    """Return the facts with the commits of a trailer otherwise than they are."""
    steps = whole().history.steps  # type: ignore[union-attr]
    return history(
        steps=tuple(replace(each, **changes) if each.trailer == trailer else each for each in steps)
    )


def without_entered(stage: str) -> Facts:
    found = whole().journal.entered  # type: ignore[union-attr]
    return journal(entered=tuple(each for each in found if each.stage != stage))


def policy(path: str, *keys: str | int, to: Any) -> Facts:
    files = of.repository()
    files.set(path, *keys, to=to)
    return having(spec=of.loaded(files))


def lacking(path: str, *keys: str | int) -> Facts:
    files = of.repository()
    files.remove(path, *keys)
    return having(spec=of.loaded(files))


def production(**changes: Any) -> Facts:
    return having(spec=of.spec(**changes))


def reported(name: str, **changes: Any) -> Facts:
    made = of.report(whole().spec, name, **changes)
    return having(reports={**whole().reports, name: made})


def without_report(*names: str) -> Facts:
    return having(reports={name: None if name in names else each for name, each in whole().reports.items()})


def without_suite(name: str) -> Facts:
    made = of.report(whole().spec, BAD)
    return reported(BAD, suites=tuple(each for each in made.suites if each.suite != name))


def failing_suite(name: str) -> Facts:
    made = of.report(whole().spec, BAD)
    broken = (replace(each, error="no answer") if each.suite == name else each for each in made.suites)
    return reported(BAD, suites=tuple(broken))


def gate(name: str, verdict: GateVerdict, version: str = BAD) -> Facts:
    gates = of.report(whole().spec, version).gates
    made = tuple(replace(each, verdict=verdict) if each.gate == name else each for each in gates)
    return reported(version, gates=made)


def traffic(change: Any) -> Facts:
    arms: tuple[ArmTraffic, ...] = whole().log.arms  # type: ignore[union-attr]
    return log(arms=tuple(changed for each in arms if (changed := change(each)) is not None))


def test_a_deployment_of_which_everything_is_shown_passes_every_point():
    checked = check(whole())
    assert {each.id: each.verdict for each in checked.points if each.verdict is not PASS} == {}
    assert checked.verdict is PASS
    assert [each.area for each in checked.points].count(Area.GRADUATION) == 8


@pytest.mark.parametrize(("trailer", "name"), [("Loop-Data", "feedback"), ("Loop-Promotion", "suites")])
def test_a_commit_that_names_no_run_is_not_said_to_have_come_by_itself(trailer, name):
    last = point(changed_steps(trailer, run=""), name).findings[-1]
    assert "whether a schedule or a person ran the command is not recorded here" in last.says
    assert of.RUN in point(whole(), name).findings[-1].says


@pytest.mark.parametrize("name", ["feedback", "cycle"])
def test_up_to_a_fifth_of_the_rows_may_come_from_elsewhere_and_the_count_is_told(name):
    found = point(having(trained=(Trained(NEW, of.PREFERENCES, 300, 240),)), name)
    assert found.verdict is PASS
    assert any("240 of 300 rows" in each.says for each in found.findings)


def test_a_version_of_collected_data_shows_it_beside_one_that_has_more_rows_and_most_from_elsewhere():
    trained = (Trained(BAD, of.PREFERENCES, 5000, 500), Trained(NEW, of.PREFERENCES, 300, 290))
    assert point(having(trained=trained), "feedback").verdict is PASS


TAKEN: dict[str, tuple[str, Any, GateVerdict]] = {
    # the dashboard
    "no monitor is declared": ("dashboard", lambda: having(page=None), OPEN),
    "the monitor is away": ("dashboard", lambda: having(page=AWAY), ERROR),
    "the page is about another environment": ("dashboard", lambda: page(environment="staging"), FAIL),
    "the page is another deployment's": ("dashboard", lambda: page(runner=RUNNER + 1), ERROR),
    "the monitor has not measured": ("dashboard", lambda: page(at=None), OPEN),
    "the monitor's figures are old": ("dashboard", lambda: page(at=NOW - 3600), FAIL),
    "the monitor cannot measure": ("dashboard", lambda: page(stale="the log is damaged"), FAIL),
    "refusals have no data": ("dashboard", lambda: without_reading("refusal_rate"), OPEN),
    "re-asks have no data": ("dashboard", lambda: without_reading("reask_rate"), OPEN),
    "nothing was asked again by the loop": ("dashboard", lambda: without_reading("consistency"), OPEN),
    "no answer was held to facts": ("dashboard", lambda: without_reading("factuality"), OPEN),
    "nobody gave a thumb": ("dashboard", lambda: without_reading("thumbs_down_rate"), OPEN),
    "one thumb is no figure": ("dashboard", lambda: with_reading("thumbs_down_rate", n=1), OPEN),
    "a group alone is no figure": ("dashboard", lambda: with_reading("reask_rate", segment="beta"), OPEN),
    "a value is missing": ("dashboard", lambda: with_reading("refusal_rate", value=None), OPEN),
    "refusals are not in the policy": (
        "dashboard",
        lambda: lacking("policies/signals.yaml", "signals", "reask_rate"),
        FAIL,
    ),
    # drift
    "drift is not measured": ("drift", lambda: page(drift=None), OPEN),
    "too few questions for drift": ("drift", lambda: page(drift=drift(n=30, value=None)), OPEN),
    "a week was not measured": ("drift", lambda: page(weeks=(drift(14), drift())), OPEN),
    "a week had too few questions": (
        "drift",
        lambda: page(weeks=(drift(14), drift(7, n=9, value=None), drift())),
        OPEN,
    ),
    "drift is measured and nothing is logged": ("drift", lambda: log(days=()), OPEN),
    "the log cannot be read for drift": ("drift", lambda: having(log=AWAY), ERROR),
    # feedback
    "nobody said anything": (
        "feedback",
        lambda: log(kinds={"request": whole().log.kinds["request"]}),  # type: ignore[union-attr]
        OPEN,
    ),
    "there is no snapshot": ("feedback", lambda: having(snapshot=None), OPEN),
    "the snapshot cannot be read": ("feedback", lambda: having(snapshot=AWAY), ERROR),
    "the snapshot failed its checks": (
        "feedback",
        lambda: having(snapshot=Snapshot("e" * 64, "FAIL", {"preferences.jsonl": 300})),
        FAIL,
    ),
    "the snapshot is empty": (
        "feedback",
        lambda: having(snapshot=Snapshot("e" * 64, "INCONCLUSIVE", {"preferences.jsonl": 0})),
        OPEN,
    ),
    "no version was trained on it": ("feedback", lambda: having(trained=()), OPEN),
    "the trained data are not here": (
        "feedback",
        lambda: having(trained=(Trained(NEW, of.PREFERENCES, None, 0),)),
        OPEN,
    ),
    "the trained data are somebody else's": (
        "feedback",
        lambda: having(trained=(Trained(NEW, of.PREFERENCES, 300, 0),)),
        OPEN,
    ),
    "one row of many leads back": (
        "feedback",
        lambda: having(trained=(Trained(NEW, of.PREFERENCES, 5000, 1),)),
        OPEN,
    ),
    "just too few rows lead back": (
        "cycle",
        lambda: having(trained=(Trained(NEW, of.PREFERENCES, 300, 239),)),
        OPEN,
    ),
    "nothing collects by itself": ("feedback", lambda: history(workflows=()), OPEN),
    "collecting is started by hand alone": (
        "feedback",
        lambda: history(workflows=(Workflow("a.yml", 1, "loop data curate", ()),)),
        OPEN,
    ),
    "the workflow never brought data": ("feedback", lambda: without_steps("Loop-Data"), OPEN),
    "no run of a workflow made the data": ("feedback", lambda: changed_steps("Loop-Data", run=""), OPEN),
    # cost
    "the account cannot be made": ("cost", lambda: having(account=AWAY), ERROR),
    "the tokens are guesses": (
        "cost",
        lambda: having(account=replace(whole().account, measured=())),  # type: ignore[type-var]
        OPEN,
    ),
    "half of the tokens are guesses": (
        "cost",
        lambda: having(account=replace(whole().account, measured=("9 answer tokens (900)",))),  # type: ignore[type-var]
        OPEN,
    ),
    "no request is logged": ("cost", lambda: log(kinds={}), OPEN),
    # rollback
    "nothing was rolled back": ("rollback", lambda: journal(rollbacks=()), OPEN),
    "it took too long": ("rollback", lambda: rolled(switched=ago(2) + 31), FAIL),
    "users came for too long": ("rollback", lambda: rolled(last_arrival=ago(2) + 31), FAIL),
    "its end is not written": ("rollback", lambda: rolled(switched=None, done=None), OPEN),
    "a gateway is not known to have switched": ("rollback", lambda: rolled(late=(GATEWAY,)), OPEN),
    "the log was not read for it": ("rollback", lambda: rolled(last_arrival=None, strays=None), OPEN),
    "nobody was on it": ("rollback", lambda: rolled(last_arrival=None), OPEN),
    "somebody was given to it again": ("rollback", lambda: rolled(strays=3), FAIL),
    "the journal was changed": ("rollback", lambda: having(journal=AWAY), ERROR),
    # the cycle
    "the version's data are not collected ones": ("cycle", lambda: having(trained=()), OPEN),
    "it was not evaluated": ("cycle", lambda: without_report(NEW), OPEN),
    "its report is of other bytes": ("cycle", lambda: reported(NEW, digest="9" * 64), OPEN),
    "its report cannot be read": (
        "cycle",
        lambda: having(reports={**whole().reports, NEW: AWAY}),
        ERROR,
    ),
    "its evaluation failed": ("cycle", lambda: reported(NEW, verdict=FAIL), FAIL),
    "its evaluation is undecided": ("cycle", lambda: reported(NEW, verdict=OPEN), OPEN),
    "nobody promoted it": ("cycle", lambda: without_steps("Loop-Promotion"), OPEN),
    "nobody else merged its promotion": ("cycle", lambda: changed_steps("Loop-Promotion", merge=None), OPEN),
    "it missed the canary": ("cycle", lambda: without_entered("canary"), OPEN),
    "it missed a stage": ("cycle", lambda: without_entered("half"), OPEN),
    "it did not come to the end": ("cycle", lambda: without_entered("full"), OPEN),
    "it did not become the baseline": ("cycle", lambda: without_steps("Loop-Conclude"), OPEN),
    "it was evaluated after it was promoted": ("cycle", lambda: reported(NEW, at="2026-12-01"), FAIL),
    "it took two quarters": (
        "cycle",
        lambda: policy("models/chat-v1.1.yaml", "training", "date", to="2026-05-01"),
        FAIL,
    ),
    "Git cannot be asked for the cycle": ("cycle", lambda: having(history=AWAY), ERROR),
    # canary, comparison and ramp
    "no version was on trial": ("canary", lambda: journal(entered=()), OPEN),
    "the ramp ended early": ("canary", lambda: without_entered("full"), OPEN),
    "it began with everybody": (
        "canary",
        lambda: _for_all_at_once(),
        FAIL,
    ),
    "nobody was given to the candidate": (
        "canary",
        lambda: traffic(lambda each: each if each.arm == "baseline" else None),
        OPEN,
    ),
    "there was nothing to compare with": (
        "canary",
        lambda: traffic(lambda each: each if each.arm == "candidate" or each.weight < 0.9 else None),
        OPEN,
    ),
    "its requests are not logged": ("canary", lambda: having(log=AWAY), ERROR),
    "its steps are not commits": ("canary", lambda: without_steps("Loop-Advance"), OPEN),
    # suites
    "no version has a report": ("suites", lambda: without_report(OLD, NEW, BAD), OPEN),
    "no regression suite": ("suites", lambda: without_suite("regression"), OPEN),
    "no out-of-distribution suite": ("suites", lambda: without_suite("ood"), OPEN),
    "no adversarial suite": ("suites", lambda: without_suite("adversarial"), OPEN),
    "a suite broke off": ("suites", lambda: failing_suite("ood"), OPEN),
    "the questions are others by now": (
        "suites",
        lambda: policy("datasets/bookshop-ood.yaml", "hash", to="9" * 32),
        FAIL,
    ),
    "nothing evaluates by itself": ("suites", lambda: history(workflows=whole().history.workflows[:1]), OPEN),  # type: ignore[union-attr]
    "nothing came through it": ("suites", lambda: without_steps("Loop-Promotion"), OPEN),
    "what came through it has no report": ("suites", lambda: without_report(NEW, BAD), OPEN),
    "no run of a workflow promoted": ("suites", lambda: changed_steps("Loop-Promotion", run=""), OPEN),
    # safety
    "no runner has looked": ("loaded", lambda: having(last_pass=None), OPEN),
    "the status file is damaged": ("loaded", lambda: having(last_pass=AWAY), ERROR),
    "the last pass is old": ("loaded", lambda: _pass(at=NOW - 3600), FAIL),
    "no runner is at work": ("loaded", lambda: _pass(runner=None), FAIL),
    "the baseline is not verified": ("loaded", lambda: _pass(adapters=_adapters(1)), FAIL),
    "the standby is not loaded": ("loaded", lambda: _pass(adapters=_adapters(0)[:1]), FAIL),
    "there is no standby": ("loaded", lambda: production(standby=None), OPEN),
    "a gateway is away": ("loaded", lambda: having(gateways={GATEWAY: AWAY}), ERROR),
    "a gateway leads elsewhere": ("loaded", lambda: gateway(baseline=served(OLD)), FAIL),
    "a gateway is another deployment's": ("loaded", lambda: gateway(revision="7" * 40), ERROR),
    "a stage has no way back": ("conditions", lambda: _without_conditions(), FAIL),
    "other rules are in force": ("conditions", lambda: journal(in_sync=(80, "5" * 40, "f" * 64)), OPEN),
    "live and Git never agreed": ("conditions", lambda: journal(in_sync=None), OPEN),
    "the rules were never used": ("conditions", lambda: journal(rollbacks=(), entered=()), OPEN),
    "Git does not show the rollback": ("quarantine", lambda: journal(open=(served(BAD),)), OPEN),
    "a gateway leads to bytes in quarantine": ("quarantine", lambda: gateway(candidate=served(BAD)), FAIL),
    "users came to bytes in quarantine": ("quarantine", lambda: rolled(strays=1), FAIL),
    "a gateway does not say whom it leads to": (
        "quarantine",
        lambda: having(gateways={GATEWAY: AWAY}),
        ERROR,
    ),
    "nothing was ever quarantined": ("quarantine", lambda: _never_back(), OPEN),
    "a rollback waits for Git": ("writing", lambda: journal(open=(served(BAD),)), OPEN),
    "a step to Git fails": ("writing", lambda: journal(failing=("advance_stage failed 3 times",)), FAIL),
    "nothing was written to Git": ("writing", lambda: journal(written=()), OPEN),
    "what was written is not in the branch": ("writing", lambda: history(known=frozenset({of.TIP})), OPEN),
    "no holdback is declared": ("holdback", lambda: lacking("policies/rollout.yaml", "holdback"), FAIL),
    "nobody kept the baseline": (
        "holdback",
        lambda: traffic(lambda each: each if each.arm == "candidate" else None),
        OPEN,
    ),
    "no rollout had full traffic": (
        "holdback",
        lambda: traffic(lambda each: each if each.weight < 0.9 else None),
        OPEN,
    ),
    "no freeze window is declared": ("freeze", lambda: production(freeze=None), OPEN),
    "a stage began in a window": (
        "freeze",
        lambda: production(freeze=({**of.FREEZE, "from": "monday 00:00", "to": "sunday 23:00"},)),
        FAIL,
    ),
    "no stage was entered": ("freeze", lambda: journal(entered=()), OPEN),
    "a candidate's request failed": ("unharmed", lambda: traffic(_failed("candidate")), FAIL),
    "more requests of the candidate failed": (
        "unharmed",
        lambda: traffic(lambda each: replace(each, failed=3 if each.arm == "candidate" else 1)),
        OPEN,
    ),
    "no request was a candidate's": ("unharmed", lambda: log(arms=()), OPEN),
    "nothing was put on trial": ("gates", lambda: history(trials=()), OPEN),
    "a gate failed": ("gates", lambda: gate("facts-right", FAIL), FAIL),
    "a gate was undecided": ("gates", lambda: gate("facts-right", OPEN), FAIL),
    "a version on trial has no report": ("gates", lambda: without_report(BAD), FAIL),
    "a version was put on trial by hand": (
        "gates",
        lambda: _by_hand(),
        FAIL,
    ),
    "a version's file is gone": (
        "gates",
        lambda: history(trials=(Trial("chat-v0.9", of.TIP, ago(3)),)),
        FAIL,
    ),
    "the placed bytes are others": ("digests", lambda: having(placed=(Bytes(served(NEW), "9" * 64),)), FAIL),
    "the placed bytes are gone": ("digests", lambda: having(placed=(Bytes(served(NEW), None),)), FAIL),
    "the placed bytes cannot be read": ("digests", lambda: having(placed=AWAY), ERROR),
    "it was not probed": ("digests", lambda: journal(probed={}), OPEN),
    "what serves is not declared": ("digests", lambda: gateway(baseline="chat-v0.9--999999999999"), FAIL),
    "nothing serves": ("digests", lambda: gateway(baseline=None), OPEN),
    # monitoring
    "the monitor is silent": ("alive", lambda: having(page=AWAY), ERROR),
    "a signal with a threshold has no data": ("thresholds", lambda: without_reading("factuality"), OPEN),
    "no alert rules are in Git": ("alerts", lambda: history(rules=()), OPEN),
    "the alert rules are old": ("alerts", lambda: history(rules=(Rules("a.yaml", False),)), FAIL),
    "the monitor exports nothing": ("alerts", lambda: page(exported=frozenset()), OPEN),
    "drift is unknown this week": ("drift-now", lambda: page(drift=None), OPEN),
    "drift is not in the policy": (
        "drift-now",
        lambda: _without_drift(),
        FAIL,
    ),
    "the response rate is unknown": ("response", lambda: without_reading("response_rate"), OPEN),
    "too few say what they think": (
        "response",
        lambda: with_reading("response_rate", conditions=(("warn", Holds.YES),)),
        FAIL,
    ),
    "it cannot be told whether enough do": (
        "response",
        lambda: with_reading("response_rate", conditions=(("warn", Holds.UNSURE),)),
        OPEN,
    ),
    "the log is empty": ("log", lambda: log(kinds={}), FAIL),
    "the log has damaged lines": ("log", lambda: log(damaged=2), FAIL),
    "the log cannot be read": ("log", lambda: having(log=AWAY), ERROR),
    "events are missing": ("log", lambda: gateway(written={"request": 601}), FAIL),
    "events went with deleted segments": ("log", lambda: gateway(lost=4), FAIL),
    "the gateways wrote nothing": ("log", lambda: gateway(written={}), OPEN),
    "a gateway does not say what it wrote": ("log", lambda: having(gateways={GATEWAY: AWAY}), ERROR),
}
"""What is taken away -> the point that has to notice, the facts without it, and how the point then ends."""


def _pass(**changes: Any) -> Facts:
    return having(last_pass=replace(whole().last_pass, **changes))  # type: ignore[type-var]


def _adapters(missed: int) -> tuple[Any, ...]:
    first, second = whole().last_pass.adapters  # type: ignore[union-attr]
    return (replace(first, replicas=first.replicas + missed), second)


def _without_conditions() -> Facts:
    files = of.repository()
    files.set("policies/rollout.yaml", "always", to={})
    files.remove("policies/rollout.yaml", "stages", 1, "rollback_if")
    return having(spec=of.loaded(files))


def _for_all_at_once() -> Facts:
    files = of.repository()
    files.set("policies/rollout.yaml", "stages", to=[files.value("policies/rollout.yaml", "stages", 3)])
    return having(spec=of.loaded(files))


def _never_back() -> Facts:
    files = of.repository()
    files.texts["quarantine.yaml"] = of.quarantine_text()
    return replace(journal(rollbacks=()), spec=of.loaded(files))


def _without_drift() -> Facts:
    files = of.repository()
    files.remove("policies/signals.yaml", "signals", "input_drift")
    files.remove("policies/cadence.yaml", "skip", "unneeded_if")
    return having(spec=of.loaded(files))


def _by_hand() -> Facts:
    """Return everything, and a trial that somebody pushed of a version that was never evaluated."""
    trials = (*whole().history.trials, Trial(OLD, of.TIP, ago(1)))  # type: ignore[union-attr]
    return replace(history(trials=trials), reports={**whole().reports, OLD: None})


def _failed(*arms: str) -> Any:
    return lambda each: replace(each, failed=2) if each.arm in arms else each


@pytest.mark.parametrize("taken", TAKEN)
def test_a_point_without_a_piece_of_its_evidence_does_not_pass(taken: str) -> None:
    name, facts, verdict = TAKEN[taken]
    found = point(facts(), name)
    assert found.verdict is verdict, [(each.verdict.value, each.says) for each in found.findings]


def test_every_point_and_every_finding_has_lost_a_piece_above():
    taken = {name for name, _, _ in TAKEN.values()}
    assert {each.id for each in check(whole()).points} == taken
    noticed = {
        (name, finding.wants)
        for name, facts, _ in TAKEN.values()
        for finding in point(facts(), name).findings
        if finding.verdict is not PASS
    }
    shown = {(each.id, finding.wants) for each in check(whole()).points for finding in each.findings}
    assert shown - noticed == set()


def test_what_passes_has_a_link_and_what_does_not_says_what_to_do():
    for facts in (whole(), *(make() for _, make, _ in TAKEN.values())):
        for finding in _findings(check(facts)):
            assert finding.says and "Unknown" not in finding.says
            assert bool(finding.links) if finding.verdict is PASS else bool(finding.next), finding


def _findings(checked: Checked) -> list[Finding]:
    return [finding for each in checked.points for finding in each.findings]


def test_files_alone_pass_no_point():
    """Policies, workflows, alert rules, versions, reports: all that a team can write without running anything."""
    history_ = whole().history
    claims = having(
        history=replace(history_, steps=(), trials=(), known=frozenset()),  # type: ignore[type-var]
        journal=Journal("journal.jsonl"),
        last_pass=None,
        page=AWAY,
        gateways={GATEWAY: AWAY},
        log=of.Log(),
        trained=(Trained(NEW, of.PREFERENCES, 300, 0),),
        placed=(),
    )
    checked = check(claims)
    assert [each.id for each in checked.points if each.verdict in (PASS, ERROR)] == []
    assert checked.verdict is OPEN


@pytest.mark.parametrize(
    "part", ["history", "journal", "last_pass", "page", "log", "trained", "snapshot", "account"]
)
def test_what_cannot_be_looked_at_is_an_error_of_the_points_that_need_it_and_of_no_other(part: str) -> None:
    needs = {
        "history": {"feedback", "cycle", "canary", "suites", "writing", "gates", "alerts"},
        "journal": {
            "rollback",
            "cycle",
            "canary",
            "conditions",
            "quarantine",
            "writing",
            "freeze",
            "digests",
        },
        "last_pass": {"loaded"},
        "page": {"dashboard", "drift", "alive", "thresholds", "alerts", "drift-now", "response"},
        "log": {"drift", "feedback", "cost", "canary", "holdback", "unharmed", "log"},
        "trained": {"feedback", "cycle"},
        "snapshot": {"feedback"},
        "account": {"cost"},
    }
    found = {each.id: each.verdict for each in check(having(**{part: AWAY})).points}
    assert {name for name, verdict in found.items() if verdict is ERROR} == needs[part]
    assert check(having(**{part: AWAY})).verdict is ERROR


def test_nothing_that_has_not_run_is_an_error():
    never = replace(
        having(page=AWAY, gateways={GATEWAY: AWAY}, last_pass=None, log=of.Log(), placed=()),
        journal=Journal("journal.jsonl"),
    )
    assert {each.verdict for each in check(never).points} <= {PASS, OPEN}


def test_the_same_facts_give_the_same_verdicts():
    assert check(whole()) == check(replace(whole()))
    assert {each.name for each in fields(Facts)} >= {"now"}


def test_the_slowest_of_all_rollbacks_decides():
    first = whole().journal.rollbacks[0]  # type: ignore[union-attr]
    slow = replace(first, attempted=60, done=61, switched=first.decided + 12.0)
    says = point(journal(rollbacks=(slow, first)), "rollback").findings[0].says
    assert "200 ms" in says and "slowest of 2: 12,000 ms" in says
    late = replace(slow, switched=first.decided + 40.0)
    assert point(journal(rollbacks=(late, first)), "rollback").verdict is FAIL


def test_serving_for_less_than_a_week_is_said_to_be_that():
    says = point(log(days=(of.TODAY,)), "drift").findings[1].says
    assert says == "1 of 1 week with questions since serving began on 2026-12-09"


def test_signals_of_a_candidate_are_no_gap_while_nobody_is_on_trial():
    alone = page(readings=tuple(each for each in _readings() if each.metric not in SELDOM))
    assert point(alone, "thresholds").verdict is PASS
    trial = replace(
        alone, spec=of.spec(rollout={"candidate": OLD, "stage": "canary"}, baseline=NEW, standby=None)
    )
    assert point(trial, "thresholds").verdict is OPEN


def test_what_fails_no_more_often_than_beside_it_does_not_fail_because_of_the_rollout():
    found = point(traffic(_failed("candidate", "baseline")), "unharmed")
    assert found.verdict is PASS
    assert found.findings[0].says.startswith("8 of 400 failed; of the baseline's at that time 8 of 400")


def test_a_gateway_may_obey_what_the_runner_fetched_and_this_checkout_did_not():
    newer = replace(gateway(revision="7" * 40), last_pass=replace(whole().last_pass, revision="7" * 40))  # type: ignore[type-var]
    assert point(newer, "loaded").verdict is PASS
    assert point(gateway(revision="7" * 40), "loaded").verdict is ERROR


def test_events_that_were_deleted_on_purpose_are_no_failure():
    found = replace(gateway(written={"request": 601}), log=replace(whole().log, forgotten=True))  # type: ignore[type-var]
    assert point(found, "log").verdict is OPEN


def test_a_report_that_lacks_a_required_gate_shows_nothing_of_it():
    gates: tuple[GateResult, ...] = of.report(whole().spec, BAD).gates
    fewer = tuple(each for each in gates if each.gate != "facts-right")
    says = point(reported(BAD, gates=fewer), "gates").findings[0].says
    assert says == "chat-v1.2: facts-right not decided"
