"""A candidate that has proven itself becomes the baseline: proposed once, merged without a failed request.

Everything is real but the engine: Git remote, two gateways, journal, event log, the scribe that pushes. A runner is
killed at any journal entry on the way.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from runner.errors import TerminalError
from runner.git import messages
from runner.git.commit import Author
from runner.git.desk import Desk
from runner.git.messages import trailers
from runner.git.repository import Repository
from runner.reconcile.actions import ConcludeRollout, Reason
from runner.reconcile.memory import Entry
from runner.reconcile.scribe import GitScribe
from tests.cli.workbench import PRODUCTION, Bench, git
from tests.reconcile.crash_server import points
from tests.reconcile.rollout_world import ENVIRONMENT, WEIGHT, World, trial, users

LAST = {"name": "canary", "traffic": f"{WEIGHT:.0%}", "duration": "stable", "advance": "pull_request"}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Bring up a trial whose only stage is the last one, to be proven for a second."""
    rules = {"stages": [LAST], "conclude_after": "1s"}
    with trial(tmp_path_factory.mktemp("conclusions"), lasting="stable", rules=rules) as world:
        yield world


def run(here: World, end: str, die_at: int | None = None, how: str = "before") -> int:
    """Run a runner until it dies or sees the end, and return how it ended."""
    return here.start_runner(until=end, die_at=die_at, how=how).end(None)


def proven(here: World) -> None:
    here.back()
    here.write(600)


def proposals(here: World) -> list[str]:
    """Return the branches that were pushed for a person to merge."""
    return git(here.remote, "for-each-ref", "--format=%(refname:short)", "refs/heads/loop").split()


def merge(here: World) -> None:
    """Accept the conclusion as a person does who merges its pull request."""
    (branch,) = proposals(here)
    git(here.remote, "update-ref", "refs/heads/main", f"refs/heads/{branch}")


def entries_of(here: World, end: str) -> list[Entry]:
    """Return the entries that the journal gets on the way to an end that nobody disturbs."""
    before = len(here.entries())
    assert run(here, end) == 0, here.runner and here.runner.log.read_text()
    return here.entries()[before:]


@pytest.mark.parametrize("how", ["before", "torn", "after"])
def test_a_runner_killed_at_any_entry_of_a_conclusion_asks_for_it_once(here: World, how: str) -> None:
    proven(here)
    tried, died = points(entries_of(here, "proposed"), how), 0
    for at in tried:
        proven(here)
        died += run(here, "proposed", at, how) == -signal.SIGKILL
        assert run(here, "proposed") == 0, (at, how, here.runner and here.runner.log.read_text())
        assert proposals(here) == [f"loop/conclude-production-{here.candidate}"], f"entry {at}"
        assert here.commits() == [], "nobody merges but a person"
        assert here.on_trial() == [(here.candidate, WEIGHT)] * 2
    assert died >= 0.75 * len(tried), "on a busy machine the run that is counted may have a few entries more"


def test_what_is_asked_for_is_the_whole_step_with_its_figures(here: World) -> None:
    proven(here)
    assert run(here, "proposed") == 0
    (branch,) = proposals(here)
    declared = yaml.safe_load(here.show("loop.yaml", branch))["environments"][ENVIRONMENT]
    assert (declared["baseline"], declared["standby"]) == ("chat-v1.1", "chat-v1.0")
    assert "rollout" not in declared
    subject, _, body = git(here.remote, "log", "-1", "--format=%B", branch).partition("\n")
    assert subject == "Make chat-v1.1 the baseline in production"
    assert "error_rate > 20%" in body and "120 sessions" in body
    assert trailers(body)["Loop-Conclude"].endswith(f" -> {here.candidate}")
    (hold,) = here.status()["holds"]
    assert (hold["reason"], hold["next"]) == ("proposed", f"a person merges {branch}")


def through_every_stage(root: Path) -> Bench:
    """Return a repository whose candidate came to the last stage: by a commit, by a merge, and at last by hand."""
    bench = Bench(root)
    bench.roll_out()
    bench.commit("Put it on trial")

    def step(before: str, after: str, evidence: str) -> None:
        message = messages.advance_message(
            environment=ENVIRONMENT,
            served=bench.served("chat-v1.1"),
            before=before,
            after=after,
            rollout="r",
            evidence=(evidence,),
        )
        bench.roll_out(after)
        bench.commit(message)

    step("canary", "small", "1 of 90 failed")
    bench.git("switch", "--quiet", "--create", "loop/advance")
    step("small", "half", "3 of 400 failed")
    bench.git("switch", "--quiet", "main")
    bench.git("merge", "--quiet", "--no-ff", "--message=Merge pull request #7", "loop/advance")
    bench.roll_out("full")
    bench.commit("To all users, by hand")
    return bench


def conclusion(bench: Bench, *, by_pull_request: bool) -> ConcludeRollout:
    served, baseline = bench.served("chat-v1.1"), bench.served("chat-v1.0")
    evidence = ("proven: 20 of 9000 failed",)
    return ConcludeRollout(served, "r", baseline, "full", evidence, by_pull_request, Reason.PROVEN)


def scribe(bench: Bench) -> GitScribe:
    return GitScribe(Desk(Repository(bench.root), None, "main", Author()), ENVIRONMENT)


def test_the_figures_of_every_step_stand_in_what_is_asked_for(tmp_path: Path) -> None:
    bench = through_every_stage(tmp_path)
    before = bench.git("rev-parse", "main")
    found = asyncio.run(scribe(bench).conclude(conclusion(bench, by_pull_request=True)))
    assert bench.git("rev-parse", "main") == before
    body = bench.git("log", "-1", "--format=%B", found["written"])
    steps = [line.partition(" on ")[0::2] for line in body.splitlines() if " -> " in line][:2]
    assert [way for way, _ in steps] == ["canary -> small", "small -> half"]
    assert [told.partition(": ")[2] for _, told in steps] == ["1 of 90 failed", "3 of 400 failed"]


def test_a_policy_that_says_auto_lets_the_runner_make_the_commit_and_once(tmp_path: Path) -> None:
    bench = through_every_stage(tmp_path)
    action = conclusion(bench, by_pull_request=False)
    found = asyncio.run(scribe(bench).conclude(action))
    declared = yaml.safe_load(bench.git("show", "main:loop.yaml"))["environments"][ENVIRONMENT]
    assert (declared["baseline"], declared.get("rollout")) == ("chat-v1.1", None)
    again = asyncio.run(scribe(bench).conclude(action))
    assert again["written"] == found["written"] == bench.git("rev-parse", "main").strip()


@pytest.mark.parametrize(("stage", "told"), [("half", "stands in 'half'"), (None, "not on trial any more")])
def test_a_candidate_that_stands_elsewhere_by_now_is_not_concluded(
    tmp_path: Path, stage: str | None, told: str
) -> None:
    bench = through_every_stage(tmp_path)
    if stage:
        bench.roll_out(stage)
    else:
        bench.files.remove(*PRODUCTION, "rollout")
    bench.commit("a person was quicker")
    with pytest.raises(TerminalError, match=told):
        asyncio.run(scribe(bench).conclude(conclusion(bench, by_pull_request=False)))


def test_a_conclusion_that_is_merged_fails_no_request_and_loads_nothing_at_whatever_entry_a_runner_is_killed(
    here: World,
) -> None:
    proven(here)
    assert run(here, "proposed") == 0
    merge(here)
    with users(*(gateway.listen for gateway in here.gateways)) as asked:
        tried, died = points(entries_of(here, "concluded"), "before"), 0
        for at in tried:
            proven(here)
            assert run(here, "proposed") == 0
            merge(here)
            died += run(here, "concluded", at) == -signal.SIGKILL
            assert run(here, "concluded") == 0, (at, here.runner and here.runner.log.read_text())
            assert here.on_trial() == [None, None]
            assert not here.appended_about("load_adapter"), "the same bytes are not loaded again"
            (engine,) = here.engines
            assert set(engine.state.adapters) == {here.candidate, here.bench.served("chat-v1.0")}
    assert asked.answered and not asked.failed
    assert died >= 0.75 * len(tried), "on a busy machine the run that is counted may have a few entries more"
