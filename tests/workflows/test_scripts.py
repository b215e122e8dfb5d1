"""The small scripts between workflows and `loop`: what is promoted, who is on trial, what waits, whose token it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner.spec.load import Spec, load_or_raise
from tests.spec.repository import Repository
from tests.workflows.github import AUTHOR, REPOSITORY, TOKEN, Github
from tests.workflows.scripts import SCRIPTS, script

LOOP, GATES, MODEL = "loop.yaml", "policies/evaluation.yaml", "models/chat-v1.1.yaml"
Edit = tuple[str, str, Any]
"""File, the dotted way to a key, and its new value."""


def trial(stage: str) -> Edit:
    return LOOP, "environments.production.rollout", {"candidate": "chat-v1.1", "stage": stage}


ON_TRIAL = trial("canary")
STAGING = (LOOP, "environments.staging.baseline", "chat-v1.1")
GATE = (GATES, "gates.facts-right.require", "accuracy >= 95%")


def spec(*edits: Edit) -> Spec:
    files = Repository()
    for path, keys, value in edits:
        files.set(path, *keys.split("."), to=value)
    return load_or_raise(files.files)


@pytest.mark.parametrize(
    ("base", "head", "found"),
    [
        ([], [], []),
        ([], [(LOOP, "prune_limit", 2)], []),
        ([], [(MODEL, "notes", "Another word of it.")], ["chat-v1.1"]),
        ([], [ON_TRIAL], ["chat-v1.1"]),
        ([ON_TRIAL], [], []),
        ([ON_TRIAL], [trial("small")], []),
        ([], [STAGING], ["chat-v1.1"]),
        ([], [GATE], ["chat-v1.0"]),
        ([ON_TRIAL], [ON_TRIAL, GATE], ["chat-v1.0", "chat-v1.1"]),
        ([], [STAGING, GATE], ["chat-v1.1"]),
    ],
)
def test_what_a_pull_request_brings_forward_is_evaluated(
    base: list[Edit], head: list[Edit], found: list[str]
) -> None:
    """A version's file, a trial, a new baseline; a stage or an end of a trial brings nothing; gates, what serves."""
    assert script("promoted").promoted(spec(*base), spec(*head)) == found


@pytest.mark.parametrize(
    ("state", "environment", "version", "said"),
    [
        ([ON_TRIAL], "production", "chat-v1.0", "on trial: chat-v1.1"),
        ([ON_TRIAL], "nowhere", "chat-v1.1", "known: "),
        ([], "production", "chat-v1.1", "there is no candidate"),
        ([], "production", "chat-v1.0", "git revert"),
    ],
)
def test_a_rollback_is_refused_where_another_version_is_meant(
    state: list[Edit], environment: str, version: str, said: str
) -> None:
    assert said in script("trial").refusal(spec(*state), environment, version)


def test_a_rollback_of_who_is_on_trial_goes_on() -> None:
    assert script("trial").refusal(spec(ON_TRIAL), "production", "chat-v1.1") is None


def test_a_rollback_goes_on_where_the_desired_state_cannot_be_read(tmp_path: Path) -> None:
    """What is broken must not keep anybody from rolling back."""
    (tmp_path / LOOP).write_text("environments: [")
    environ = os.environ | {
        "LOOP_ENVIRONMENT": "production",
        "VERSION": "chat-v1.1",
        "PYTHONPATH": str(SCRIPTS.parents[1]),
    }
    done = subprocess.run(
        [sys.executable, SCRIPTS / "trial.py"], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "rolled back all the same" in done.stderr


def test_an_issue_is_opened_once_for_its_mark_and_updated_from_then_on() -> None:
    github, issue = Github(), script("issue")
    assert issue.publish(github.call, "report 2026-W47", "Week 47", "fine") == "opened #100"
    assert issue.publish(github.call, "report 2026-W47", "Week 47", "better, @ada") == "updated #100"
    assert issue.publish(github.call, "report 2026-W48", "Week 48", "fine") == "opened #101"
    assert [each["title"] for each in github.issues] == ["Week 47", "Week 48"]
    assert "better" in github.issues[0]["body"] and "@ada" not in github.issues[0]["body"]


def pull(branch: str, repository: str | None = REPOSITORY, state: str = "open") -> dict[str, Any]:
    source = None if repository is None else {"full_name": repository}
    return {"html_url": branch, "state": state, "head": {"ref": branch, "repo": source}}


def test_a_round_waits_for_open_promotions_and_open_issues_of_automation_only() -> None:
    github, waiting = Github(), script("waiting")
    github.pulls = [
        pull("loop/promote-staging-chat-v1.1"),
        pull("loop/promote-staging-chat-v1.0", state="closed"),
        pull("loop/promote-from-a-fork", "mallory/shop"),
        pull("loop/promote-from-a-deleted-fork", None),
        pull("feature"),
    ]
    github.issues = [
        {"html_url": "stopped", "state": "open", "body": f"{waiting.STOPPED}1 -->\n"},
        {"html_url": "looked at", "state": "closed", "body": f"{waiting.STOPPED}2 -->\n"},
        {"html_url": "other", "state": "open", "body": None},
    ]
    assert waiting.waiting(github.call, REPOSITORY) == ["loop/promote-staging-chat-v1.1", "stopped"]
    assert any(f"creator={AUTHOR}" in call for call in github.calls), "an outsider's issue stops nothing"


def test_a_round_that_waits_is_found_by_the_branch_that_promotions_use() -> None:
    from runner.promotion.readiness import Step
    from runner.promotion.request import branch_of

    assert branch_of(Step.TRIAL, "chat-v1.1--0123456789ab", "staging").startswith(script("waiting").BRANCHES)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("protocol=https\nhost=github.com\n", f"username=x-access-token\npassword={TOKEN}\n"),
        ("protocol=https\nhost=github.com.example.org\n", ""),
        ("protocol=http\nhost=github.com\n", ""),
        ("protocol=https\nhost=store.example.org\n", ""),
    ],
)
def test_the_token_goes_to_the_service_that_holds_the_repository_and_to_nobody_else(
    asked: str, answer: str
) -> None:
    environ = {"PATH": os.environ["PATH"], "GITHUB_TOKEN": TOKEN, "GITHUB_SERVER_URL": "https://github.com"}
    helper = ["sh", str(SCRIPTS / "credentials.sh"), "get"]
    done = subprocess.run(helper, input=f"{asked}\n", env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == answer


def test_the_state_of_a_deployment_that_is_not_on_this_machine_is_an_error(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "LOOP_STATE": str(tmp_path / "nowhere")}
    done = subprocess.run(
        ["bash", SCRIPTS / "state.sh"], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "LOOP_RUNNER" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("code", "passes"), [(0, True), (1, False), (2, True), (130, False)])
def test_pending_is_an_answer_and_an_error_is_none(tmp_path: Path, code: int, passes: bool) -> None:
    output, summary = tmp_path / "output", tmp_path / "summary"
    environ = {"PATH": os.environ["PATH"], "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
    command = ["bash", str(SCRIPTS / "summary.sh"), "sh", "-c", f"echo told; exit {code}"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert (done.returncode == 0) == passes
    assert (output.read_text(), summary.read_text()) == (f"code={code}\n", "told\n")


@pytest.mark.parametrize("value", ["two\nlines", 7, None])
def test_an_output_of_a_step_is_one_line(tmp_path: Path, value: Any) -> None:
    (tmp_path / "file.json").write_text(json.dumps({"version": value}))
    command = [sys.executable, SCRIPTS / "field.py", "name", tmp_path / "file.json", "version"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not one line of text" in done.stderr
