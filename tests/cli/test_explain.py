"""`loop explain`: the last look at a rollout in plain words, or the evidence rebuilt from the log."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from runner.events.schema import Kind
from runner.reconcile.journal import Journal
from runner.reconcile.memory import Kind as Noted
from runner.report.explain import from_json
from runner.report.status import to_text
from runner.rollout.verdict import Assessment, Because, Estimate, Finding, Mismatch, Step, Verdict
from tests.cli.workbench import Bench, refused
from tests.rollout.logs import HOUR_US, START_US, Habits, rollout, write

FINDING = Finding(
    condition="errors",
    text="error_rate > 5%",
    metric="error_rate",
    verdict=Verdict.INCONCLUSIVE,
    candidate=Estimate(0.04, 0.01, 0.09, 120, 5.0),
    baseline=None,
    evidence=3.0,
    certainty=1.5,
    needed=80,
)
HELD = Assessment(
    rollout_id="r-1",
    candidate="chat-v1.1--bbbbbbbbbbbb",
    baseline="chat-v1.0--aaaaaaaaaaaa",
    stage="canary",
    next_stage="small",
    weight=0.05,
    step=Step.HOLD,
    because=Because.TOO_EARLY,
    at=1_790_000_000.0,
    since=1_789_990_000.0,
    elapsed=10_000.0,
    remaining=76_400.0,
    evidence=3.0,
    threshold=100.0,
    condition="errors",
    findings=(FINDING, FINDING),
    mismatch=Mismatch(5, 95, 0.05, 1.0, False),
    sessions=120,
    needed=80,
    hours=3.0,
    notes=("a note",),
)
ROLLBACK = {
    "served": "chat-v1.1--bbbbbbbbbbbb",
    "at": 1_790_000_000.0,
    "condition": "errors",
    "evidence": ["errors 12% of 200 against 5%"],
    "stage": "canary",
    "git": "pending",
}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "repo")


def note(bench: Bench, **status: Any) -> None:
    bench.state("status.json").write_text(
        json.dumps({"format": 1, "arms": {"baseline": "chat-v1.0--aaaaaaaaaaaa"}, **status})
    )


def test_an_assessment_survives_the_status_file() -> None:
    whole = json.loads(json.dumps(asdict(HELD)))
    assert from_json(whole) == HELD
    for name in whole:
        with pytest.raises((KeyError, TypeError, ValueError)):
            from_json({key: value for key, value in whole.items() if key != name})


def test_the_last_look_is_told_in_words_and_as_a_table(bench: Bench) -> None:
    note(bench, rollout=asdict(HELD), rollbacks=[])
    said = bench.loop("explain")
    assert (said.code, said.err) == (0, "")
    assert "held: chat-v1.1--bbbbbbbbbbbb at 5%" in said.out
    row = next(line for line in said.out.splitlines() if line.startswith("errors "))
    for part in ("error_rate > 5%", "4.00% [1.00% to 9.00%] n=120", "3 / 100", "INCONCLUSIVE"):
        assert part in row
    assert json.loads(bench.loop("explain", "--json").out)["rollout"]["because"] == Because.TOO_EARLY.value


def test_without_a_rollout_it_says_what_serves_and_what_was_rolled_back_last(bench: Bench) -> None:
    assert (
        "no rollout, and nothing is known of what serves: no runner has looked yet"
        in bench.loop("explain").out
    )
    note(bench, arms=None, rollout=None, gateways={"http://a": {"unknown": "refused"}})
    assert (
        "no rollout, and nothing is known of what serves: http://a did not answer"
        in bench.loop("explain").out
    )
    note(bench, arms=None, rollout=None, gateways={"http://a": {"generation": 0, "in_flight": 0}})
    assert "no rollout, and nothing serves yet" in bench.loop("explain").out
    older = {**ROLLBACK, "at": 1.0, "served": "chat-v0--000000000000", "git": "landed"}
    note(bench, rollout=None, rollbacks=[ROLLBACK, older])
    out = bench.loop("explain").out
    assert out.startswith("no rollout; chat-v1.0--aaaaaaaaaaaa serves\n")
    assert "last rollback: chat-v1.1--bbbbbbbbbbbb in stage 'canary' at 2026-09-21 14:13:20 UTC" in out
    assert "UTC: errors (not in Git yet)" in out and "  errors 12% of 200 against 5%" in out


def test_the_evidence_can_be_rebuilt_from_the_log_without_a_runner(bench: Bench) -> None:
    bench.roll_out()
    bench.commit("a trial")
    refused(bench.loop("explain", "--recompute"), "no request of the rollout of 'chat-v1.1'", "fix: ")
    write(rollout(Habits(votes=0.0), Habits(errors=0.4, votes=0.0), 300), bench.state("events"))
    said = bench.loop("explain", "--recompute")
    assert said.code == 0, said
    assert said.out.startswith("rolled back: chat-v1.1--bbbbbbbbbbbb at 5% (stage 'canary')")
    assert "it was proven at stage 'half'" in said.out, "whose share of traffic was logged"
    (row,) = [line for line in said.out.splitlines() if "FAIL" in line]
    assert row.startswith("half.rollback_if "), "the finding is shown though another stage is in force"


def test_what_else_holds_the_rollout_is_told_first_and_no_step_is_promised(bench: Bench) -> None:
    certified = replace(HELD, step=Step.ADVANCE, because=Because.CERTIFIED, next_stage="small")
    hold = {"subject": "rollout chat-v1.1", "reason": "frozen", "why": "freeze window", "until": None}
    hold |= {"text": "certified for 'small', and does not advance: holidays", "next": ""}
    note(bench, rollout=asdict(certified), rollbacks=[], holds=[hold])
    out = bench.loop("explain").out
    assert out.startswith("rollout chat-v1.1 is held (freeze window): certified for 'small', and does not ")
    assert "a commit sets the stage" not in out
    assert json.loads(bench.loop("explain", "--json").out)["holds"] == [hold]
    waits = {**hold, "reason": "evidence", "why": "the rollout waits for evidence"}
    note(bench, rollout=asdict(certified), rollbacks=[], holds=[waits])
    assert "next: a commit sets the stage to 'small'" in bench.loop("explain").out


def test_the_status_promises_no_step_either_while_something_else_holds() -> None:
    certified = asdict(replace(HELD, step=Step.ADVANCE, because=Because.CERTIFIED, next_stage="small"))
    hold = {"subject": "rollout chat-v1.1", "reason": "frozen", "why": "freeze window", "text": "holidays"}
    last: dict[str, Any] = {"verdict": "held", "at": 1.0, "revision": "r", "arms": None, "adapters": []}
    last |= {"in_sync_since": None, "refused": None, "replicas": {}, "gateways": {}, "failed": []}
    whole = {"environment": "production", "runner": 1, "window_seconds": None, "arms": []}

    def said(*holds: dict[str, Any]) -> str:
        seen = {**last, "rollout": certified, "holds": holds}
        return to_text({**whole, "pass": seen}, now=2.0, colour=False)

    assert "next: a commit sets the stage to 'small'" in said()
    assert "rollout chat-v1.1: freeze window: holidays" in said(hold)
    assert "next: " not in said(hold)


def test_a_rollout_that_is_declared_and_held_back_is_not_told_as_none(bench: Bench) -> None:
    hold = {"subject": "rollout chat-v1.1", "reason": "quarantined", "why": "rolled back before"}
    note(bench, rollout=None, holds=[{**hold, "text": "it stands in quarantine.yaml", "next": "lift it"}])
    assert bench.loop("explain").out == (
        "rollout chat-v1.1 is held (rolled back before): it stands in quarantine.yaml\n"
        "  next: lift it\n"
        "chat-v1.0--aaaaaaaaaaaa serves\n"
    )
    bench.roll_out()
    bench.write()
    note(bench, rollout=None, holds=[])
    assert bench.loop("explain").out.startswith("loop.yaml declares a rollout of chat-v1.1, and no look has")


def test_evidence_is_rebuilt_of_the_trial_that_the_journal_knows_not_of_one_before_it(bench: Bench) -> None:
    bench.roll_out("half")
    bench.commit("a trial")
    log = rollout(Habits(votes=0.0), Habits(errors=0.4, votes=0.0), 300)
    for event in log[Kind.REQUEST]:
        event["loop.generation"] = 3
    again = rollout(Habits(votes=0.0), Habits(votes=0.0), 60, start_us=START_US + 11 * HOUR_US, seed=1)
    for event in again[Kind.REQUEST]:
        event["loop.generation"] = 5
    write({kind: log[kind] + again[kind] for kind in log}, bench.state("events"))
    assert bench.loop("explain", "--recompute").out.startswith("rolled back")
    begun = START_US / 1e6 + 11 * 3600
    body = {"rollout_id": "r-1", "stage": "half", "started": begun, "since": begun + 60, "generation": 5}
    with Journal(bench.state("journal.jsonl"), lambda: begun) as journal:
        journal.append(Noted.ENTERED, body)
    found = json.loads(bench.loop("explain", "--recompute", "--json").out)["rollout"]
    candidates = sum(event["loop.arm"] == "candidate" for event in again[Kind.REQUEST])
    assert (found["step"], found["sessions"], found["since"]) == ("hold", candidates, begun + 60)


def test_recomputing_without_a_rollout_declared_is_no_error(bench: Bench) -> None:
    assert "no rollout" in bench.loop("explain", "--recompute").out


def test_evidence_that_the_runner_could_not_read_is_an_error_with_its_reason(bench: Bench) -> None:
    note(bench, rollout={"unknown": "the lake is damaged"}, rollbacks=[])
    refused(bench.loop("explain"), "could not read the evidence", "the lake is damaged", "--recompute")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"rollout": 3}', '{"rollout": {}}', '{"rollbacks": 1}', '{"holds": [{}]}'],
)
def test_a_damaged_status_file_is_named_with_a_fix(bench: Bench, content: str) -> None:
    bench.state("status.json").write_text(content)
    refused(bench.loop("explain"), "status.json", "fix: delete it")
