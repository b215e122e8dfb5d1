"""What may be away or break while a candidate goes back: users leave it all the same, and all agree in the end.

Each fault is a story of `rollout_faults`, which the benchmark tells too, with what was lost and how long it took.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reconcile import rollout_faults as faults
from tests.reconcile.rollout_world import World, trial


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with trial(tmp_path_factory.mktemp("faults"), engines=2, extra_engine=True) as world:
        yield world


@pytest.fixture
def here(calm: World) -> Iterator[World]:
    calm.back()
    yield calm
    if calm.runner is not None:
        calm.runner.end()


def test_a_remote_that_is_away_gets_the_commit_when_it_is_back(here: World) -> None:
    faults.remote_away(here)


def test_a_push_of_somebody_else_in_between_is_kept_and_the_rollback_comes_after_it(here: World) -> None:
    faults.remote_diverged(here)


def test_a_protected_branch_is_asked_by_a_branch_and_converges_when_a_person_merges_it(here: World) -> None:
    faults.protected_branch(here)


def test_where_a_revert_conflicts_the_rollout_alone_is_taken_out(here: World) -> None:
    faults.revert_conflict(here)


def test_a_journal_that_takes_no_record_stops_no_rollback_and_gets_it_later(here: World) -> None:
    faults.journal_full(here)


def test_a_clock_that_steps_back_advances_nothing_early_and_stops_no_rollback(here: World) -> None:
    faults.clock_stepped_back(here)


def test_a_clock_that_steps_back_does_not_prolong_the_wait_for_git(here: World) -> None:
    faults.clock_stepped_back_while_git_is_away(here)


def test_a_gateway_that_was_down_during_the_rollback_is_switched_when_it_comes_back(here: World) -> None:
    faults.gateway_killed(here)


def test_a_killed_replica_fails_no_user_and_is_healed_while_the_trial_goes_on(here: World) -> None:
    faults.replica_killed(here)


def test_users_leave_a_candidate_also_while_no_engine_answers(here: World) -> None:
    faults.engine_unreachable(here)
