"""The workflows are clean, and as closed as they say they are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.scratch import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
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
    used = re.findall(r"uses:\s*(.+)", path.read_text())
    assert used
    assert [u for u in used if not re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", u)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_nothing_is_permitted_that_a_job_does_not_name(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"]
        assert int(job["timeout-minutes"]) <= 60


def test_no_token_that_may_write_meets_the_code_of_a_pull_request() -> None:
    for path in WORKFLOWS:
        workflow = load(path)
        writes = [p for job in workflow["jobs"].values() for p in job["permissions"].values() if p != "read"]
        if "pull_request" in workflow["on"]:
            assert writes == []
        if writes:
            assert list(workflow["on"]) == ["workflow_run"]
            checkouts = [s for s in steps(path) if s.get("uses", "").startswith("actions/checkout")]
            assert ["ref" in s["with"] or "repository" in s["with"] for s in checkouts] == [False]


def test_no_checkout_leaves_credentials_behind() -> None:
    checkouts = [s for path in WORKFLOWS for s in steps(path) if "actions/checkout@" in s.get("uses", "")]
    assert [s["with"]["persist-credentials"] for s in checkouts] == ["false"] * len(checkouts)


def test_no_value_from_outside_stands_in_a_script() -> None:
    scripts = [s["run"] for path in WORKFLOWS for s in steps(path) if "run" in s]
    assert [script for script in scripts if "${{" in script] == []
