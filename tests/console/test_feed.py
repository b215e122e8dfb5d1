"""What the page is given: read from what the runner writes, and handed on to whoever waits."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Any

from runner.console.monitor import feed
from runner.console.monitor.feed import Feed, Kind
from tests.console import pages


def entry(kind: str, at: float = 1.0, **body: Any) -> dict[str, Any]:
    return {"sequence": 1, "at": at, "kind": kind, "body": body, "previous": "", "digest": ""}


def a_pass(**changes: Any) -> dict[str, Any]:
    """A pass as `loop status --json` shows it."""
    arms = {"alias": "chat", "baseline": pages.OLD, "candidate": pages.NEW, "weight": 0.2, "shadow": None}
    return {"at": 9.0, "verdict": "in sync", "arms": arms, "rollout": None, "holds": [], **changes}


def test_who_waits_for_a_page_is_woken_by_the_next_one() -> None:
    async def run() -> int:
        made = Feed("production")
        waiting = [asyncio.ensure_future(made.after(made.number)) for _ in range(3)]
        await asyncio.sleep(0)
        assert not any(each.done() for each in waiting)
        made.publish(pages.healthy())
        await asyncio.gather(*waiting)
        await made.after(made.number - 1)  # a page that is there already is not waited for
        return made.number

    assert asyncio.run(run()) == 1


def test_the_page_is_plain_json() -> None:
    assert json.loads(json.dumps(feed.to_json(pages.troubled())))["runner"]["pid"] == 4711


def test_a_rollout_is_read_from_a_pass() -> None:
    expected = pages.rollout(pages.AT)
    assert expected.assessment is not None
    written = json.loads(json.dumps(asdict(expected.assessment)))
    assert feed.rollout(a_pass(rollout=written)) == expected


def test_what_else_holds_a_rollout_is_told_and_what_the_evidence_says_is_not_told_twice() -> None:
    holds = [
        {"subject": "rollout chat-v1.1", "reason": "evidence", "why": "waits", "text": "t", "next": "n"},
        {
            "subject": "rollout chat-v1.1",
            "reason": "suspended",
            "why": "suspended",
            "text": "by Ann",
            "next": None,
        },
    ]
    found = feed.rollout(a_pass(holds=holds))
    assert found is not None
    assert [(each.text, each.next) for each in found.waits] == [("suspended: by Ann", "")]


def test_evidence_that_cannot_be_read_is_said_to_be_unknown() -> None:
    found = feed.rollout(a_pass(rollout={"unknown": "the lake is gone"}))
    assert found is not None
    assert (found.assessment, found.unknown) == (None, "the lake is gone")


def test_before_anything_serves_there_is_no_rollout() -> None:
    assert feed.rollout(None) is None
    assert feed.rollout(a_pass(arms=None)) is None


def test_a_runner_that_is_gone_leaves_what_it_saw() -> None:
    assert feed.runner({"runner": None, "pass": a_pass()}) == feed.Runner(None, 9.0, "in sync")
    assert feed.runner({"runner": 7, "pass": None}) == feed.Runner(7, None, "")


def test_a_conclusion_that_is_asked_for_is_told_as_the_step_from_the_last_stage() -> None:
    body = {"served": "b", "stage": "full", "baseline": "a", "by_pull_request": True}
    (found,) = feed.decisions([entry("done", 1.0, action="conclude_rollout", **body)])
    assert (found.kind, found.text) == (Kind.ADVANCED, "full to the baseline: asked for by pull request")


def test_decisions_are_the_newest_of_the_journal_first() -> None:
    rollback = {"condition": "errors", "evidence": ["7 in 181 sessions", "more"]}
    entries = [
        entry("done", 1.0, action="load_adapter", served="a"),
        entry("attempted", 2.0, action="roll_back", served="a", rollback=rollback),
        entry("done", 3.0, action="roll_back", served="a"),
        entry("done", 4.0, action="advance_stage", served="b", before="canary", stage="half", why="certain"),
        entry("entered", 5.0, rollout_id="r", stage="half"),
        entry("in_sync", 6.0, revision="0123456789abcdef"),
        entry("failed", 7.0, action="probe_adapter", target="probe a", message="error: no\n  fix: yes"),
    ]
    found = feed.decisions(entries)
    kinds = [each.kind for each in found]
    assert kinds == [Kind.FAILED, Kind.APPLIED, Kind.ENTERED, Kind.ADVANCED, Kind.ROLLED_BACK]
    assert found[-1].text == "errors: 7 in 181 sessions"
    assert found[0].text == "error: no; fix: yes"
    assert [each.at for each in feed.decisions(entries, most=2)] == [7.0, 6.0]


def test_a_level_that_changed_is_a_decision_and_one_that_stayed_is_none() -> None:
    before, after = pages.healthy().snapshot, pages.troubled().snapshot
    assert before is not None and after is not None
    found = {each.subject: each.text for each in feed.verdicts(before, after)}
    assert found["refusal_rate of the candidate"] == "ok to warn"
    assert "refusal_rate of the baseline" not in found
    assert feed.verdicts(None, after) == feed.verdicts(after, after) == ()
