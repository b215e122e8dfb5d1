"""A runner killed at any journal entry of a rollback or of an advance is continued by the next one, exactly once.

Everything is real but the engine: Git remote, two gateways, journal, event log, the scribe that pushes. Every trial
begins with the same rollout in force and the same events; only the entry differs at which the runner dies.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from runner.reconcile.memory import Entry, Kind
from tests.reconcile.crash_server import points
from tests.reconcile.rollout_world import WIDER, World, trial


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with trial(tmp_path_factory.mktemp("crashes")) as world:
        yield world


def run(here: World, end: str, die_at: int | None = None, how: str = "before") -> int:
    """Run a runner until it dies or sees the end, and return how it ended."""
    return here.start_runner(until=end, die_at=die_at, how=how).end(None)


def entries_of(here: World, end: str, *, failing: bool) -> list[Entry]:
    """Return the entries that the journal gets on the way to an end that nobody disturbs."""
    here.back()
    here.write(600, failing=failing)
    assert run(here, end) == 0, here.runner and here.runner.log.read_text()
    return here.appended


def killed_and_continued(here: World, end: str, at: int, how: str, *, failing: bool) -> bool:
    """Kill a runner at an entry and let another go on; return whether the first came to that entry."""
    here.back()
    here.write(600, failing=failing)
    first = run(here, end, at, how)
    assert first in (-signal.SIGKILL, 0)
    if how == "torn" and first:
        assert here.paths.journal.read_bytes()[-1:] != b"\n"
    assert run(here, end) == 0, (at, how, here.runner and here.runner.log.read_text())
    repaired = [entry for entry in here.entries() if entry.kind is Kind.REPAIRED]
    assert bool(repaired) == (how == "torn" and first != 0)
    return first != 0


@pytest.mark.parametrize("how", ["before", "torn", "after"])
def test_a_runner_killed_at_any_entry_of_a_rollback_leaves_one_commit_and_no_user_on_the_candidate(
    here: World, how: str
) -> None:
    tried, died = points(entries_of(here, "rolled back", failing=True), how), 0
    for at in tried:
        died += killed_and_continued(here, "rolled back", at, how, failing=True)
        assert len(here.rollback_commits()) == len(here.commits()) == 1, f"entry {at}"
        assert here.agreed(), f"entry {at}"
        assert [each.served for each in here.memory().past] == [here.candidate], f"entry {at}"
    assert died >= 0.75 * len(tried), "on a busy machine the run that is counted may have a few entries more"


@pytest.mark.parametrize("how", ["before", "torn", "after"])
def test_a_runner_killed_at_any_entry_of_an_advance_leaves_one_commit_and_the_new_weight(
    here: World, how: str
) -> None:
    tried, died = points(entries_of(here, "advanced", failing=False), how), 0
    for at in tried:
        died += killed_and_continued(here, "advanced", at, how, failing=False)
        (commit,) = here.commits()
        assert f"Loop-Advance: {here.candidate}" in commit, f"entry {at}"
        assert here.declared() == {"candidate": "chat-v1.1", "stage": "wide"}
        assert here.on_trial() == [(here.candidate, WIDER)] * 2, f"entry {at}"
        assert here.quarantined() == []
        assert here.status()["revision"] == here.tip()
    assert died >= 0.75 * len(tried), "on a busy machine the run that is counted may have a few entries more"
