"""Where a rollout came in and since when a value has held, told by the commits of one file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from runner.git.changes import How, advance, roll_back
from runner.git.history import introduced, since
from runner.git.repository import Repository, Revision

if TYPE_CHECKING:
    from tests.git.conftest import Scratch

BEFORE = "environments:\n  production:\n    baseline: chat-v1.0\n    engine: {}\npoll: 2s\n"
ENTERED = BEFORE.replace(
    "    engine", "    rollout:\n      candidate: chat-v1.1\n      stage: canary\n    engine"
)


def at(text: str, stage: str) -> str:
    return advance(text, "production", stage)


class Told:
    """A repository whose commits change loop.yaml one after the other, a minute apart."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch, self.minute = scratch, 0

    def commit(self, message: str, text: str) -> str:
        self.minute += 1
        self.scratch.environ |= {"GIT_COMMITTER_DATE": f"2026-11-21T05:{self.minute:02}:00Z"}
        return self.scratch.commit(message, **{"loop.yaml": text})

    def repository(self) -> Repository:
        return Repository(self.scratch.root, self.scratch.environ)


@pytest.fixture
def told(scratch: Scratch) -> Told:
    return Told(scratch)


def test_a_rollouts_commits_are_its_entry_and_its_advances_and_nothing_beside_them(told: Told) -> None:
    told.commit("begin", BEFORE)
    entry = told.commit("try chat-v1.1", ENTERED)
    told.commit("poll", ENTERED.replace("2s", "5s"))
    step = told.commit("advance", at(ENTERED.replace("2s", "5s"), "small"))
    told.scratch.commit("other file", other="x")
    now = at(ENTERED.replace("2s", "9s"), "small")
    tip = told.commit("poll again", now)
    found = introduced(told.repository(), Revision(tip), "production")
    assert found is not None
    assert [commit.revision.sha for commit in found.commits] == [step, entry]
    assert (found.before, found.text) == (BEFORE, ENTERED)
    text, how = roll_back(now, found.before, "production", found.text)
    assert (text, how) == (BEFORE.replace("2s", "9s"), How.MERGED)


def test_a_second_rollout_begins_where_its_candidate_entered(told: Told) -> None:
    told.commit("begin", BEFORE)
    told.commit("first", ENTERED)
    told.commit("rolled back", BEFORE)
    again = told.commit("again", ENTERED)
    found = introduced(told.repository(), Revision(again), "production")
    assert found is not None
    assert [commit.subject for commit in found.commits] == ["again"]
    other = ENTERED.replace("chat-v1.1", "chat-v1.2")
    tip = told.commit("another candidate", other)
    found = introduced(told.repository(), Revision(tip), "production")
    assert found is not None
    assert [commit.subject for commit in found.commits] == ["another candidate"]
    assert found.before == ENTERED


def test_a_rollout_that_came_by_a_merge_entered_with_the_merge(told: Told) -> None:
    told.commit("begin", BEFORE)
    told.scratch.git("checkout", "--quiet", "-b", "side")
    told.commit("on a branch", ENTERED)
    told.scratch.git("checkout", "--quiet", "main")
    told.scratch.commit("meanwhile", other="x")
    told.scratch.environ |= {"GIT_COMMITTER_DATE": "2026-11-21T05:30:00Z"}
    told.scratch.git("merge", "--quiet", "-m", "merge it", "side")
    repository = told.repository()
    found = introduced(repository, repository.head(), "production")
    assert found is not None
    assert [commit.subject for commit in found.commits] == ["merge it"]
    assert found.before == BEFORE
    assert since(
        repository, repository.head(), lambda value: "rollout" in value["environments"]["production"]
    ) == (datetime(2026, 11, 21, 5, 30, tzinfo=UTC))


def test_without_a_rollout_nothing_was_introduced(told: Told) -> None:
    tip = told.commit("begin", BEFORE)
    assert introduced(told.repository(), Revision(tip), "production") is None
    assert introduced(told.repository(), Revision(tip), "nowhere") is None


def test_a_rollout_of_the_first_commit_has_nothing_before_it(told: Told) -> None:
    tip = told.commit("begin", ENTERED)
    found = introduced(told.repository(), Revision(tip), "production")
    assert found is not None
    assert ([commit.revision.sha for commit in found.commits], found.text, found.before) == (
        [tip],
        ENTERED,
        None,
    )


def test_a_walk_that_ends_too_early_claims_nothing_about_the_beginning(told: Told) -> None:
    told.commit("begin", BEFORE)
    told.commit("enter", ENTERED)
    told.commit("two", at(ENTERED, "small"))
    tip = told.commit("three", at(ENTERED, "half"))
    found = introduced(told.repository(), Revision(tip), "production", limit=2)
    assert found is not None
    assert ([commit.subject for commit in found.commits], found.text, found.before) == (["three"], None, None)


def baseline_is(name: str):  # type: ignore[no-untyped-def]
    return lambda value: value["environments"]["production"]["baseline"] == name


def test_a_value_holds_since_the_commit_that_brought_it_for_the_last_time(told: Told) -> None:
    new = BEFORE.replace("chat-v1.0", "chat-v1.1")
    told.commit("1", new)
    told.commit("2", BEFORE)
    told.commit("3", new)
    told.commit("4", new.replace("2s", "5s"))
    tip = told.scratch.commit("5", other="x")
    held = since(told.repository(), Revision(tip), baseline_is("chat-v1.1"))
    assert held == datetime(2026, 11, 21, 5, 3, tzinfo=UTC)
    assert since(told.repository(), Revision(tip), baseline_is("chat-v1.0")) is None


def test_a_file_that_could_not_be_read_in_between_is_a_break(told: Told) -> None:
    told.commit("1", BEFORE)
    told.commit("2", "environments: [\n")
    tip = told.commit("3", BEFORE)
    held = since(told.repository(), Revision(tip), baseline_is("chat-v1.0"))
    assert held == datetime(2026, 11, 21, 5, 3, tzinfo=UTC)
    broken = told.commit("4", "- a list\n")
    assert since(told.repository(), Revision(broken), baseline_is("chat-v1.0")) is None


def test_where_the_walk_ends_the_oldest_commit_seen_is_the_answer(told: Told) -> None:
    for poll in range(1, 5):
        tip = told.commit(str(poll), BEFORE.replace("2s", f"{poll}s"))
    held = since(told.repository(), Revision(tip), baseline_is("chat-v1.0"), limit=2)
    assert held == datetime(2026, 11, 21, 5, 3, tzinfo=UTC)


def test_a_file_that_was_deleted_and_came_back_is_a_break(told: Told) -> None:
    told.commit("1", BEFORE)
    (told.scratch.root / "loop.yaml").unlink()
    told.minute += 1
    told.scratch.commit("2")
    tip = told.commit("3", ENTERED)
    assert since(told.repository(), Revision(tip), baseline_is("chat-v1.0")) == datetime(
        2026, 11, 21, 5, 3, tzinfo=UTC
    )
    found = introduced(told.repository(), Revision(tip), "production")
    assert found is not None
    assert (found.text, found.before) == (ENTERED, None)


def test_a_long_history_is_walked_to_where_the_value_came_in(told: Told) -> None:
    told.commit("begin", BEFORE.replace("chat-v1.0", "chat-v0.9"))
    for poll in range(1, 40):
        tip = told.commit(str(poll), BEFORE.replace("2s", f"{poll}s"))
    held = since(told.repository(), Revision(tip), baseline_is("chat-v1.0"))
    assert held == datetime(2026, 11, 21, 5, 2, tzinfo=UTC)
