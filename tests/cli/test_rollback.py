"""`loop rollback`: users leave the candidate at once, and Git follows, with and without a runner."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from runner.cli import rollback
from runner.reconcile.state import StatePaths
from tests.cli.remote import (
    Runner,
    asks,
    candidate,
    clone,
    last_pass,
    on_trial,
    revert_trial,
    running,
    trailers,
)
from tests.cli.workbench import PRODUCTION, Bench, Live, git, refused
from tests.reconcile.real_parts import free_addresses
from tests.waiting import until

USERS = tuple(f"user-{number}" for number in range(12))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Live, Path]]:
    with on_trial(tmp_path / "repo") as world:
        yield world


def begun(live: Live, runner: Runner) -> None:
    """Wait until the candidate has its users."""
    runner.agrees_with(live.bench.git("rev-parse", "HEAD").strip())
    assert candidate(live) == live.bench.served("chat-v1.1")


def subject(bare: Path) -> str:
    return git(bare, "log", "-1", "--format=%s", "main").strip()


def rolled_back_in(repository: Path, live: Live, revision: str = "main") -> None:
    """Hold a commit to what one of a rollback says: rollout out, bytes quarantined, trailers for programs."""
    names = git(repository, "show", "--name-only", "--format=", revision).split()
    assert names == ["loop.yaml", "quarantine.yaml"]
    loop = yaml.safe_load(git(repository, "show", f"{revision}:loop.yaml"))
    assert "rollout" not in loop["environments"]["production"]
    (entry,) = yaml.safe_load(git(repository, "show", f"{revision}:quarantine.yaml"))["quarantined"]
    said = trailers(repository, revision)
    assert entry["served"] == said["Loop-Rollback"] == live.bench.served("chat-v1.1")
    assert entry["condition"] == said["Loop-Condition"]
    assert (entry["environment"], said["Loop-Environment"]) == ("production", "production")


def test_a_runner_at_work_takes_users_off_at_once_and_git_follows(world: tuple[Live, Path]) -> None:
    live, bare = world
    with running(live.bench) as runner:
        begun(live, runner)
        assert len(set(asks(live, *USERS))) == 2, "both arms have users"
        said = live.bench.loop("rollback", "--reason", "answers in the wrong language")
        assert (said.code, said.err) == (0, "")
        assert said.out.startswith("rolled back\nthe runner writes it to Git")
        assert candidate(live) is None, "before the command returned"
        assert set(asks(live, *USERS)) == {live.bench.served()}
        until(lambda: subject(bare) == "Roll back chat-v1.1 in production", "the commit")
        rolled_back_in(bare, live)
        assert trailers(bare)["Loop-Condition"] == "answers in the wrong language"
        assert "asked for by " in trailers(bare)["Loop-Evidence"]
        runner.agrees_with(git(bare, "rev-parse", "main").strip())
        assert live.bench.loop("status").code == 0
        refused(live.bench.loop("rollback"), "there is no candidate on trial in 'production'", "`git revert`")
    assert git(bare, "rev-list", "--count", "main").strip() == "4", "one commit of the runner's"


def test_without_a_runner_it_writes_to_the_branch_that_is_checked_out(tmp_path: Path) -> None:
    with on_trial(tmp_path / "repo", remote=False) as (live, bare):
        bench = live.bench
        assert bench.loop("apply").code == 0
        (bench.root / "loop.yaml").write_text((bench.root / "loop.yaml").read_text() + "# an edit\n")
        said = bench.loop("rollback", "--reason", "too chatty")
        assert said.code == 0, said
        assert candidate(live) is None
        head = bench.git("rev-parse", "HEAD").strip()
        assert said.out == f"rolled back\nwritten to Git: {head[:12]}\n"
        rolled_back_in(bench.root, live, "HEAD")
        assert (bench.root / "loop.yaml").read_text().endswith("# an edit\n"), "a person's edit stays"
        assert subject(bare) == "Put chat-v1.1 on trial", "no remote is followed, so none is written to"
        refused(bench.loop("rollback"), "there is no candidate on trial")


def test_without_a_runner_it_pushes_to_the_branch_that_runners_follow(world: tuple[Live, Path]) -> None:
    live, bare = world
    assert live.bench.loop("apply").code == 0
    said = live.bench.loop("rollback")
    assert said.code == 0, said
    tip = git(bare, "rev-parse", "main").strip()
    assert f"written to Git: {tip[:12]}\n" in said.out
    rolled_back_in(bare, live)
    with running(live.bench) as runner:
        runner.agrees_with(tip)
        assert candidate(live) is None


def test_while_the_remote_is_away_users_are_safe_and_the_next_runner_writes_it(
    world: tuple[Live, Path],
) -> None:
    live, bare = world
    assert live.bench.loop("apply").code == 0
    away = bare.rename(bare.with_name("away.git"))
    said = live.bench.loop("rollback", "--reason", "too chatty")
    assert said.code == 0, said
    assert said.out == "rolled back\n" and candidate(live) is None
    assert "not in Git yet; the next runner tries again" in said.err
    assert "does not appear to be a git repository" in said.err, "the reason, as git gave it"
    status = live.bench.loop("status").out
    assert f"rolled back (pending git): {live.bench.served('chat-v1.1')} at " in status
    assert "users are on the baseline, Git does not say so" in status
    assert "too chatty (not in Git yet)" in live.bench.loop("explain").out
    away.rename(bare)
    with running(live.bench) as runner:
        until(lambda: subject(bare) == "Roll back chat-v1.1 in production", "the commit")
        runner.agrees_with(git(bare, "rev-parse", "main").strip())
    rolled_back_in(bare, live)
    assert "pending git" not in live.bench.loop("status").out


def test_what_a_person_has_reverted_already_is_not_rolled_back_again(
    world: tuple[Live, Path], tmp_path: Path
) -> None:
    live, bare = world
    with running(live.bench) as runner:
        begun(live, runner)
        runner.agrees_with(revert_trial(bare, tmp_path / "person"))
        assert candidate(live) is None
        refused(live.bench.loop("rollback"), "there is no candidate on trial")


def test_without_a_candidate_it_says_what_goes_back_instead(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "repo")
    refused(bench.loop("rollback"), "no candidate on trial in 'production'", "`git revert`")
    refused(bench.loop("rollback", "-e", "nosuch"), "'nosuch'", "staging, production")
    assert bench.git("rev-list", "--count", "HEAD").strip() == "1"


def test_a_runner_that_does_not_answer_is_told_and_its_wish_is_taken_back(
    world: tuple[Live, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    live, _ = world
    monkeypatch.setattr(rollback, "ANSWER_S", 0.3)
    with running(live.bench) as runner:
        begun(live, runner)
        os.kill(runner.process.pid, signal.SIGSTOP)
        try:
            refused(
                live.bench.loop("rollback"),
                "the runner did not answer within 0.3 s",
                "stop that runner and try again",
                "it is unknown whether the routes were switched",
            )
            assert list(StatePaths(live.bench.root, "production").wishes.iterdir()) == []
        finally:
            os.kill(runner.process.pid, signal.SIGCONT)
        at = last_pass(live.bench)["at"]
        until(lambda: last_pass(live.bench)["at"] > at, "another pass")
        assert candidate(live) is not None, "a wish that was taken back is not granted later"


def test_a_gateway_that_does_not_answer_is_named_and_is_exit_code_2(tmp_path: Path) -> None:
    with on_trial(tmp_path / "repo", remote=False) as (live, _):
        bench = live.bench
        assert bench.loop("apply").code == 0
        listen, admin = free_addresses(2)
        bench.files.set(*PRODUCTION, "gateway", "more", to=[{"listen": listen, "admin": admin}])
        bench.commit("Another gateway, which is not there yet")
        said = bench.loop("rollback")
        assert said.code == 2, said
        assert said.out.startswith(f"rolled back; http://{admin}: ")
        assert candidate(live) is None, "the other one does not wait for it"


def test_a_person_who_pushed_meanwhile_loses_nothing(world: tuple[Live, Path], tmp_path: Path) -> None:
    live, bare = world
    assert live.bench.loop("apply").code == 0
    person = clone(bare, tmp_path / "person")
    (person / "loop.yaml").write_text(
        (person / "loop.yaml").read_text().replace("prune_limit: 3", "prune_limit: 2")
    )
    git(person, "commit", "--quiet", "--all", "--message=Smaller steps")
    git(person, "push", "--quiet", "origin", "main")
    said = live.bench.loop("rollback")
    assert said.code == 0, said
    rolled_back_in(bare, live)
    assert "prune_limit: 2" in git(bare, "show", "main:loop.yaml")
