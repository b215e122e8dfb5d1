"""A candidate that has proven itself becomes the baseline: proposed once, merged without a failed request.

Everything is real but the engine: Git remote, two gateways, journal, event log, the scribe that pushes. A runner is
killed at any journal entry on the way.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
import yaml

from runner.git.messages import trailers
from runner.reconcile.memory import Entry
from tests.cli.workbench import git
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
        assert proposals(here) == [f"loop/conclude-{here.candidate}"], f"entry {at}"
        assert here.commits() == [], "nobody merges but a person"
        assert here.on_trial() == [(here.candidate, WEIGHT)] * 2
    assert died >= len(tried) - 1


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
    assert died >= len(tried) - 1
