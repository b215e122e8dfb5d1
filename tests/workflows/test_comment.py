"""The script that comments: one comment, updated in place, and never where the plan does not belong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.github import AUTHOR, HEAD, Github
from tests.workflows.scripts import script

comment = script("comment")


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    (tmp_path / "number").write_text("7\n")
    (tmp_path / "plan.md").write_text("## Plan\n")
    return tmp_path


def test_the_first_plan_becomes_a_comment_and_every_later_one_updates_it(plan: Path) -> None:
    github = Github()
    assert comment.publish(github.call, plan, HEAD) == "commented on #7"
    (plan / "plan.md").write_text("## Another plan\n")
    assert comment.publish(github.call, plan, HEAD) == "updated the comment on #7"
    assert [c["body"] for c in github.comments] == [f"{comment.MARKER}\n## Another plan\n"]


def test_the_comment_is_found_behind_many_others(plan: Path) -> None:
    github = Github()
    github.comments = [github.comment("ada", f"remark {i}") for i in range(250)]
    github.comments.append(github.comment(AUTHOR, f"{comment.MARKER}\nold"))
    assert comment.publish(github.call, plan, HEAD) == "updated the comment on #7"
    assert len(github.comments) == 251


@pytest.mark.parametrize(
    ("author", "body"), [("ada", "<!-- loop plan -->\n"), ("github-actions[bot]", "other\n")]
)
def test_comments_of_others_are_left_alone(plan: Path, author: str, body: str) -> None:
    github = Github()
    github.comments = [github.comment(author, body)]
    assert comment.publish(github.call, plan, HEAD) == "commented on #7"
    assert github.comments[0]["body"] == body


@pytest.mark.parametrize("pull", [{"state": "closed"}, {"head": {"sha": "another"}}])
def test_a_pull_request_whose_head_was_not_planned_gets_no_comment(plan: Path, pull: dict[str, Any]) -> None:
    github = Github()
    github.pull |= pull
    assert "nothing was posted" in comment.publish(github.call, plan, HEAD)
    assert github.comments == []


@pytest.mark.parametrize("number", ["", "7/../8", "../../../user", "seven", "7 8"])
def test_a_number_that_is_none_reaches_nobody(plan: Path, number: str) -> None:
    (plan / "number").write_text(number)
    github = Github()
    assert comment.publish(github.call, plan, HEAD) == "there is no plan to post"
    assert github.calls == []


def test_a_link_in_place_of_the_plan_is_not_followed(plan: Path) -> None:
    (plan / "plan.md").unlink()
    (plan / "plan.md").symlink_to("/proc/self/environ")
    github = Github()
    assert "links" in comment.publish(github.call, plan, HEAD)
    assert github.calls == []


def test_a_run_without_a_plan_is_no_error(tmp_path: Path) -> None:
    assert comment.publish(Github().call, tmp_path, HEAD) == "there is no plan to post"


def test_a_plan_mentions_nobody_and_fits_into_a_comment(plan: Path) -> None:
    (plan / "plan.md").write_bytes(b"@everybody \xff" + b"x" * 100_000)
    github = Github()
    comment.publish(github.call, plan, HEAD)
    body = github.comments[0]["body"]
    assert "@everybody" not in body
    assert len(json.dumps(body)) < 65_536
