"""What commits did to rollouts: every step once, whoever wrote it, with the commit that says why."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.errors import TerminalError
from runner.git import messages
from runner.git.repository import Repository, Revision
from runner.git.steps import Happened, changes, steps
from tests.git.test_history import BEFORE, ENTERED, Told, at

if TYPE_CHECKING:
    from tests.git.conftest import Scratch

BEGIN = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
BASELINE = BEFORE.replace("chat-v1.0", "chat-v1.1")


@pytest.fixture
def told(scratch: Scratch) -> Told:
    return Told(scratch)


def found(told: Told, tip: str, since: datetime = BEGIN) -> list[tuple[Happened, str, str, str]]:
    return [
        (each.change.happened, each.change.version, each.change.before, each.change.after)
        for each in steps(told.repository(), Revision(tip), since)
    ]


def test_a_rollout_that_ends_well_is_told_step_by_step(told: Told) -> None:
    told.commit("begin", BEFORE)
    told.commit("try", ENTERED)
    told.commit("poll", ENTERED.replace("2s", "9s"))
    told.commit("advance", at(ENTERED, "small"))
    tip = told.commit("conclude", BASELINE)
    assert found(told, tip) == [
        (Happened.TRIAL, "chat-v1.1", "", "canary"),
        (Happened.STAGE, "chat-v1.1", "canary", "small"),
        (Happened.BASELINE, "chat-v1.1", "chat-v1.0", "chat-v1.1"),
    ]


def test_one_that_is_taken_back_and_one_that_takes_its_place(told: Told) -> None:
    told.commit("begin", BEFORE)
    told.commit("try", ENTERED)
    told.commit("roll back", BEFORE)
    told.commit("again", ENTERED)
    tip = told.commit("another", ENTERED.replace("chat-v1.1", "chat-v1.2"))
    assert found(told, tip)[1:] == [
        (Happened.BACK, "chat-v1.1", "canary", ""),
        (Happened.TRIAL, "chat-v1.1", "", "canary"),
        (Happened.BACK, "chat-v1.1", "canary", ""),
        (Happened.TRIAL, "chat-v1.2", "", "canary"),
    ]


def test_a_baseline_that_gives_its_place_back_to_the_one_before_was_taken_back(told: Told) -> None:
    told.commit("begin", BASELINE.replace("chat-v1.1", "chat-v1.1\n    standby: chat-v1.0"))
    tip = told.commit("revert", BEFORE)
    assert found(told, tip) == [
        (Happened.BACK, "chat-v1.1", "baseline", ""),
        (Happened.BASELINE, "chat-v1.0", "chat-v1.1", "chat-v1.0"),
    ]


def test_only_what_came_since_counts_and_the_first_version_is_no_step(told: Told) -> None:
    told.commit("begin", ENTERED)
    told.commit("roll back", BEFORE)  # at 05:02
    tip = told.commit("again", ENTERED)
    assert [each[0] for each in found(told, tip)] == [Happened.BACK, Happened.TRIAL]
    assert [each[0] for each in found(told, tip, BEGIN.replace(minute=3))] == [Happened.TRIAL]
    assert found(told, tip, BEGIN.replace(minute=4)) == []


def test_a_version_of_the_file_that_nobody_can_read_is_passed_over(told: Told) -> None:
    told.commit("begin", BEFORE)
    told.commit("broken", "environments: [")
    tip = told.commit("try", ENTERED)
    assert [each[0] for each in found(told, tip)] == [Happened.TRIAL]


def test_a_merge_is_told_by_what_was_merged_with_its_trailers_and_when_it_landed(told: Told) -> None:
    told.commit("begin", BEFORE)
    told.scratch.git("switch", "--quiet", "--create", "proposal")
    why = messages.rollback_message(
        environment="production",
        served="chat-v1.1--abc",
        rollout="r",
        condition="slow",
        evidence=["too slow"],
    )
    told.commit(why, ENTERED)
    told.scratch.git("switch", "--quiet", "main")
    told.scratch.environ |= {"GIT_COMMITTER_DATE": "2026-11-21T07:00:00Z"}
    told.scratch.git("merge", "--quiet", "--no-ff", "--message=Merge it", "proposal")
    (step,) = steps(told.repository(), Repository(told.scratch.root, told.scratch.environ).head(), BEGIN)
    assert step.commit.subject == "Roll back chat-v1.1 in production"
    assert step.trailers[messages.EVIDENCE] == "too slow"
    assert step.landed == datetime(2026, 11, 21, 7, tzinfo=UTC)


def test_a_shallow_clone_that_ends_within_the_time_is_refused_and_an_older_one_is_not(
    told: Told, tmp_path: Path
) -> None:
    told.commit("begin", BEFORE)
    told.commit("try", ENTERED)  # at 05:02
    shallow = tmp_path / "shallow"
    told.scratch.git("clone", "--quiet", "--depth=1", f"file://{told.scratch.root}", str(shallow))
    clone = Repository(shallow, told.scratch.environ)
    with pytest.raises(TerminalError, match="shallow"):
        steps(clone, clone.head(), BEGIN)
    assert steps(clone, clone.head(), BEGIN.replace(minute=3)) == ()


@pytest.mark.parametrize("odd", [None, {}, {"environments": 7}, {"environments": {"production": None}}])
def test_what_is_no_desired_state_has_no_steps_or_only_a_beginning(odd: dict[str, object] | None) -> None:
    whole = {"environments": {"production": {"baseline": "chat-v1.0"}}}
    assert [each.happened for each in changes(odd, odd)] == []
    assert {each.happened for each in changes(odd, whole)} <= {Happened.BASELINE}
