"""The jobs run by act, on this host and without containers.

Run for real: every `run` step of plan.yml and plan-comment.yml, with the artifact handed from one to the
other. Stand-ins: the third-party actions, which cannot be fetched here, and GitHub's API, on loopback. Of
ci.yml the whole job is run with a `.ci/run` that only leaves a mark: the real one would run this test again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.scratch import Clone
from tests.waiting import PATIENCE_S
from tests.workflows.github import HEAD, Github, served

ACT = Path(sys.executable).parent / "act"
FINGERPRINT = (
    "sha256sum requirements/core.txt requirements/overrides.txt pyproject.toml | sha256sum | cut -c1-16"
)
STAND_INS = {
    "actions/checkout": "true",
    "actions/setup-python": "true",
    "actions/cache": "true",
    "actions/upload-artifact": 'rm -rf "{artifacts}" && cp -r "${{{{ inputs.path }}}}" "{artifacts}"',
    "actions/download-artifact": 'cp -r "{artifacts}" "${{{{ inputs.path }}}}"',
}


class Runner:
    """act in a scratch clone; `artifacts` is what one workflow leaves to the next."""

    def __init__(self, root: Path) -> None:
        self.clone, self.root = Clone(root / "clone"), root
        self.artifacts = root / "artifacts"
        self._keep_environment()

    def act(
        self, event: str, workflow: str, payload: dict[str, Any], *options: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one workflow to its end."""
        file = self.root / "event.json"
        file.write_text(json.dumps(payload))
        return subprocess.run(
            [
                *(str(ACT), event, "--workflows", f".github/workflows/{workflow}", "--eventpath", str(file)),
                *("--platform", "ubuntu-24.04=-self-hosted", "--no-cache-server", "--pull=false"),
                *("--use-gitignore=false", "--defaultbranch", "main", *self._stand_ins(workflow), *options),
            ],
            cwd=self.clone.root,
            env=self.clone.environ | {"XDG_CACHE_HOME": str(self.root / "cache")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def _keep_environment(self) -> None:
        """Mark the clone's environment as installed, so that the set-up finds nothing to do."""
        fingerprint = self.clone.run(FINGERPRINT).stdout
        (self.clone.root / ".venv/.installed-core").write_text(fingerprint)

    def _stand_ins(self, workflow: str) -> list[str]:
        text = yaml.safe_load((self.clone.root / ".github/workflows" / workflow).read_text())
        options = []
        for step in (s for job in text["jobs"].values() for s in job["steps"] if "uses" in s):
            action = step["uses"].partition("@")[0]
            folder = self.root / "actions" / action
            folder.mkdir(parents=True, exist_ok=True)
            run = STAND_INS[action].format(artifacts=self.artifacts)
            stand_in = {
                "name": action,
                "description": "stands in for the real one",
                "inputs": {name: {"default": ""} for name in step.get("with", {})},
                "runs": {"using": "composite", "steps": [{"run": run, "shell": "bash"}]},
            }
            (folder / "action.yml").write_text(json.dumps(stand_in))
            options += ["--local-repository", f"{step['uses']}={folder}"]
        return options


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def pull_request(runner: Runner, edit: Callable[[str], str]) -> subprocess.CompletedProcess[str]:
    """Commit an edit of loop.yaml on the clone, as the merge of a pull request would, and plan it."""
    file = runner.clone.root / "loop.yaml"
    file.write_text(edit(file.read_text()))
    runner.clone.git("commit", "--quiet", "--all", "--message", "change")
    payload = {"pull_request": {"number": 7, "head": {"sha": HEAD, "ref": "side"}, "base": {"ref": "main"}}}
    return runner.act("pull_request", "plan.yml", payload)


def comment(runner: Runner, github: Github, **changes: str) -> subprocess.CompletedProcess[str]:
    run = {"id": 1, "event": "pull_request", "conclusion": "success", "head_sha": HEAD} | changes
    with served(github, "octo/shop") as address:
        return runner.act(
            "workflow_run",
            "plan-comment.yml",
            {"workflow_run": run, "repository": {"full_name": "octo/shop"}},
            *("--env", f"GITHUB_API_URL={address}", "--env", "GITHUB_REPOSITORY=octo/shop"),
            *("--secret", "GITHUB_TOKEN=secret-token"),
        )


def test_the_plan_of_a_pull_request_becomes_one_comment_that_is_updated_in_place(runner: Runner) -> None:
    github = Github()
    first = pull_request(runner, lambda text: text.replace("prune_limit: 3", "prune_limit: 2"))
    assert first.returncode == 0, first.stdout + first.stderr
    planned = (runner.artifacts / "plan.md").read_text()
    assert "prune_limit" in planned
    posted = comment(runner, github)
    assert posted.returncode == 0, posted.stdout + posted.stderr
    assert github.comments[0]["body"].endswith(planned)
    assert github.tokens == {"Bearer secret-token"}
    second = pull_request(runner, lambda text: text.replace("poll: 2s", "poll: 3s"))
    assert second.returncode == 0, second.stdout + second.stderr
    comment(runner, github)
    assert len(github.comments) == 1
    assert "poll" in github.comments[0]["body"]


def test_a_pull_request_that_is_not_valid_fails_and_its_errors_are_posted(runner: Runner) -> None:
    github = Github()
    done = pull_request(runner, lambda text: text.replace("baseline: chat-v1.0", "baseline: chat-v9"))
    assert done.returncode == 1
    assert comment(runner, github, conclusion="failure").returncode == 0
    assert "chat-v9" in github.comments[0]["body"]
    assert "Traceback" not in github.comments[0]["body"]


def test_a_run_that_no_pull_request_started_posts_nothing(runner: Runner) -> None:
    github = Github()
    assert comment(runner, github, event="push").returncode == 0
    assert github.calls == []


def test_continuous_integration_runs_what_anybody_can_run(runner: Runner) -> None:
    script = runner.clone.root / ".ci/run"
    assert "make test" in script.read_text()
    script.write_text(f"#!/bin/sh\ntouch '{runner.root}/ran'\n")
    done = runner.act("push", "ci.yml", {"ref": "refs/heads/main"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert (runner.root / "ran").exists()
