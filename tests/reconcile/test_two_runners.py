"""Two runners, two gateways and three replicas of one environment behave as one.

Each runner has its own checkout of the same remote and its own journal; what they share (placed adapters, the event
log) the second reaches through links. Users ask both gateways all the while.
"""

from __future__ import annotations

import signal
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.reconcile.journal import read
from tests.cli.workbench import git
from tests.reconcile.rollout_world import (
    WEIGHT,
    WIDER,
    Runner,
    Users,
    World,
    second_checkout,
    trial,
    users,
)
from tests.waiting import until

QUIET_S = 1.0
"""So long nothing may change once all is in order; a runner makes several passes in it."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with trial(tmp_path_factory.mktemp("pair"), lasting="24h", engines=2, extra_engine=True) as world:
        yield world


class Pair:
    """Both runners at work, and users on both gateways."""

    def __init__(self, here: World, one: Runner, other: Runner, asked: Users) -> None:
        self.here, self.one, self.other, self.asked = here, one, other, asked

    def both_say(self, verdict: str) -> bool:
        return all(self.here.status(each.root)["verdict"] == verdict for each in (self.one, self.other))

    def agreed(self) -> bool:
        return all(self.here.agreed(each.root) for each in (self.one, self.other))


@pytest.fixture
def pair(place: World, tmp_path: Path) -> Iterator[Pair]:
    place.back()
    one = place.start_runner()
    root = second_checkout(place, tmp_path.name)
    with users(*(gateway.listen for gateway in place.gateways)) as asked:
        until(lambda: asked.answered > 10, "users are served")
        other = place.runners.start(root)
        found = Pair(place, one, other, asked)
        try:
            until(lambda: found.both_say("in sync"), "both in sync")
            yield found
        finally:
            for runner in (one, other):
                if runner.code is None:
                    runner.end()
    assert asked.failed == [], f"{len(asked.failed)} of {asked.answered} users: {asked.failed[0]}"


def calm(here: World, *runners: Runner) -> None:
    """Assert that no gateway gets another table while every runner makes passes."""
    before, passes = here.generations(), [len(runner.passes()) for runner in runners]
    time.sleep(QUIET_S)
    assert all(len(runner.passes()) > count for runner, count in zip(runners, passes, strict=True))
    assert here.generations() == before


def test_a_second_runner_joins_without_a_change_for_users(pair: Pair) -> None:
    assert pair.here.on_trial() == [(pair.here.candidate, WEIGHT)] * 2
    calm(pair.here, pair.one, pair.other)
    switched = [
        entry for entry in read(pair.other.paths.journal) if entry.body.get("action") == "switch_routes"
    ]
    assert switched == [], "what the first had proven stayed in force until the second had too"


def test_a_runner_that_cannot_fetch_is_held_back_and_undoes_nothing(pair: Pair) -> None:
    here, stale = pair.here, pair.other
    git(stale.root, "remote", "set-url", "origin", str(here.home / "gone.git"))
    here.push(_widen, "Give it to more users")
    until(lambda: here.on_trial() == [(here.candidate, WIDER)] * 2, "the other runner applies it")
    until(lambda: "STALE_RUNNER" in stale.holds(), "it knows that it is behind")
    calm(here, pair.one, stale)
    assert stale.passes()[-1]["actions"] == []
    assert here.on_trial() == [(here.candidate, WIDER)] * 2
    git(stale.root, "remote", "set-url", "origin", str(here.remote))
    until(lambda: here.status(stale.root)["revision"] == here.tip() and pair.both_say("in sync"), "caught up")
    calm(here, pair.one, stale)


def test_a_gateway_refuses_a_table_of_an_older_generation(pair: Pair) -> None:
    here = pair.here
    gateway = here.gateways[0]
    table = gateway.table()
    for behind in (0, 1):
        older = {**table, "routes": [], "generation": table["generation"] - behind}
        with pytest.raises(urllib.error.HTTPError) as refused:
            gateway.put(older)
        with refused.value:
            assert refused.value.code == 409
    assert gateway.table() == table


def test_a_replica_that_comes_back_is_healed_by_both_without_a_failed_user(pair: Pair) -> None:
    here = pair.here
    assert here.extra is not None
    here.extra.kill()
    until(lambda: "UNKNOWN" in pair.one.holds() & pair.other.holds(), "both miss it")
    here.extra.start()
    replicas = {stub.url for stub in here.engines} | {here.extra.url}
    until(
        lambda: (
            pair.both_say("in sync")
            and all(set(gateway.table()["replicas"][here.candidate]) == replicas for gateway in here.gateways)
        ),
        "healed",
    )
    calm(here, pair.one, pair.other)


def test_what_both_find_out_is_written_to_git_once(pair: Pair) -> None:
    pair.here.break_candidate()
    until(pair.agreed, "Git, live and both runners agree")
    assert len(pair.here.commits()) == len(pair.here.rollback_commits()) == 1
    calm(pair.here, pair.one, pair.other)


def test_when_one_runner_is_killed_the_other_rolls_back_alone(pair: Pair) -> None:
    pair.one.end(signal.SIGKILL)
    pair.here.break_candidate()
    until(lambda: pair.here.agreed(pair.other.root), "Git, live and the runner that is left agree")
    pair.one = pair.here.start_runner()
    until(pair.agreed, "the runner that comes back agrees")
    assert len(pair.here.commits()) == 1
    calm(pair.here, pair.one, pair.other)


def _widen(desk: Path) -> None:
    text = (desk / "loop.yaml").read_text()
    assert text.count("stage: canary") == 1
    (desk / "loop.yaml").write_text(text.replace("stage: canary", "stage: wide"))
