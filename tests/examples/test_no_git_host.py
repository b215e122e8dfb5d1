"""`examples/no-git-host`: a bare repository, branches and cron do what a Git host's pull requests and workflows do."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.git.follow import Follower
from runner.git.repository import Repository
from runner.reconcile.source import RemoteSource
from tests.examples.place import EXAMPLES, Place

NOT_HERE = (
    r"bash requirements/install\.sh .*",  # downloads a whole environment; CI does
    r"loop up",  # tests/system/test_up.py
    r"crontab crontab",  # would change this machine; its lines are run below
)
LINE = re.compile(r"^(?:\S+\s+){5}(/srv/desk/ops/job\.sh .*)$", re.MULTILINE)
JOBS = LINE.findall((EXAMPLES / "no-git-host/crontab").read_text())
"""The commands of the crontab."""
LONG = {"/srv/desk/ops/job.sh ops/collect.sh", "/srv/desk/ops/job.sh ops/round.sh"}
"""Jobs that would make data and train; tests/system/test_round.py does."""


@dataclass(frozen=True)
class Told:
    """A place in which the page was told to its end, and what its commands printed."""

    place: Place
    said: dict[str, str]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The whole page: the repository is begun, and a branch was reviewed and merged."""
    place = Place(tmp_path_factory.mktemp("no-git-host"))
    said = place.follow("no-git-host", NOT_HERE)
    (place.srv / "desk/.venv").symlink_to(sys.prefix)
    return Told(place, said)


@pytest.fixture(scope="module")
def place(told: Told) -> Place:
    return told.place


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_review_showed_the_change_and_nothing_else(told: Told) -> None:
    shown = told.said["loop plan --against main"]
    changed = re.findall(r"^changed values:\n((?:  .*\n)+)", shown, re.MULTILINE)
    assert {part.strip() for part in changed} == {
        "policies.signals.signals.error_rate.thresholds.warn: error_rate > 2% -> error_rate > 3%"
    }


def test_the_runner_follows_what_the_reviewer_merged(place: Place) -> None:
    root = place.srv / "assistant"
    before, merged = git(root, "rev-parse", "HEAD"), git(place.root / "home/review", "rev-parse", "HEAD")
    repository = Repository(root)
    follower = Follower(repository, "origin", "main")
    source = RemoteSource(repository, follower, "production", time.monotonic, pytest.fail)
    source.refresh()
    assert source.revision() == merged != before
    warn = source.spec(merged).policies.signals.signals["error_rate"].thresholds.warn
    assert warn is not None and warn.text == "error_rate > 3%"


@pytest.mark.parametrize("job", [job for job in JOBS if job not in LONG])
def test_a_line_of_the_crontab_works(place: Place, job: str) -> None:
    done = place.run(job)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_report_and_the_calendar_lie_where_the_team_looks(place: Place) -> None:
    assert {path.name for path in (place.srv / "team").iterdir()} >= {"week.html", "loop.ics"}
    assert git(place.srv / "desk", "rev-parse", "HEAD") == git(
        place.srv / "team/assistant.git", "rev-parse", "main"
    )


def test_a_round_waits_while_a_promotion_is_not_merged(place: Place) -> None:
    bob = place.root / "home/review"
    commit = git(
        bob,
        "-c",
        "user.name=b",
        "-c",
        "user.email=b@b",
        "commit-tree",
        "HEAD^{tree}",
        "-p",
        "HEAD",
        "-m",
        "x",
    )
    git(bob, "push", "--quiet", "origin", f"{commit}:refs/heads/loop/promote-staging-chat-v0.1--0123456789ab")
    done = place.run("/srv/desk/ops/job.sh ops/round.sh")
    assert done.returncode == 0 and done.stdout.startswith("waits for a review: ")
    assert "loop/promote-staging-chat-v0.1" in done.stdout
