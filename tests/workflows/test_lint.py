"""The workflows are clean, and as closed as they say they are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.scratch import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
_USES_TOKEN = re.compile(r"loop (data propose|promote|rollback)|scripts/(comment|issue|waiting)\.py")
BIN = Path(sys.executable).parent


def load(path: Path) -> dict[str, Any]:
    return dict(yaml.load(path.read_text(), Loader=yaml.BaseLoader))


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in load(path)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize(
    "command", [["actionlint"], ["zizmor", "--offline", "--no-progress", "--persona=pedantic"]]
)
def test_the_linter_finds_nothing(command: list[str]) -> None:
    tool, *options = command
    targets = [str(path) for path in WORKFLOWS]
    done = subprocess.run(
        [str(BIN / tool), *options, *targets], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_every_action_is_pinned_by_commit_and_says_its_version(path: Path) -> None:
    used = re.findall(r"\buses:\s*(.+)", path.read_text())
    assert used
    assert [u for u in used if not re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", u)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_nothing_is_permitted_that_a_job_does_not_name(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"]
        assert int(job["timeout-minutes"]) <= 360


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_the_code_of_a_pull_request_meets_no_token_that_may_write_no_secret_and_no_machine_of_ours(
    path: Path,
) -> None:
    workflow = load(path)
    assert "pull_request_target" not in workflow["on"]
    if "pull_request" in workflow["on"]:
        permitted = [p for job in workflow["jobs"].values() for p in job["permissions"].values()]
        assert set(permitted) == {"read"}
        assert [job["runs-on"] for job in workflow["jobs"].values()] == ["ubuntu-24.04"] * len(
            workflow["jobs"]
        )
        assert not re.search(r"secrets\.|vars\.|github\.token", path.read_text())


def test_what_follows_a_pull_request_with_a_token_that_may_write_runs_the_code_of_main() -> None:
    following = [path for path in WORKFLOWS if "workflow_run" in load(path)["on"]]
    assert [path.name for path in following] == ["plan-comment.yml"]
    checkouts = [s for path in following for s in steps(path) if "actions/checkout@" in s.get("uses", "")]
    assert ["ref" in s["with"] or "repository" in s["with"] for s in checkouts] == [False]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_a_workflow_that_may_write_is_never_ended_in_the_middle_and_never_runs_twice_at_once(
    path: Path,
) -> None:
    workflow = load(path)
    assert workflow["concurrency"]["group"]
    permitted = [p for job in workflow["jobs"].values() for p in job["permissions"].values()]
    if "write" in permitted or "vars.LOOP_STATE" in path.read_text():
        assert workflow["concurrency"]["cancel-in-progress"] == "false"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_a_token_is_in_the_steps_alone_that_use_it(path: Path) -> None:
    text = load(path)
    assert "env" not in text
    assert [job for job in text["jobs"].values() if "env" in job] == []
    meeting = [s["name"] for s in steps(path) if "GITHUB_TOKEN" in s.get("env", {})]
    using = [s["name"] for s in steps(path) if _USES_TOKEN.search(s.get("run", ""))]
    assert meeting == using


def test_the_environments_that_are_reconciled_are_those_of_loop_yaml() -> None:
    environments = list(yaml.safe_load((ROOT / "loop.yaml").read_text())["environments"])
    text = (ROOT / ".github/workflows/reconcile.yml").read_text()
    assert f"fromJSON(vars.LOOP_ENVIRONMENTS || '{json.dumps(environments)}')" in text


def test_no_checkout_leaves_credentials_behind() -> None:
    checkouts = [s for path in WORKFLOWS for s in steps(path) if "actions/checkout@" in s.get("uses", "")]
    assert [s["with"]["persist-credentials"] for s in checkouts] == ["false"] * len(checkouts)


def test_no_value_from_outside_stands_in_a_script() -> None:
    scripts = [s["run"] for path in WORKFLOWS for s in steps(path) if "run" in s]
    assert [script for script in scripts if "${{" in script] == []
