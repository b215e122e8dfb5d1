"""Labels of reviewers: well formed, once, masked, and acknowledged when they are on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.events.schema import Kind
from runner.feedback.records import Task
from tests.gateway.consoles import SHA256, label, post
from tests.gateway.running import RunningGateway, gateway


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway that knows a console; labels need no engine."""
    with gateway(tmp_path_factory.mktemp("labels"), console_sha256=SHA256) as running:
        yield running


def said(gateway: RunningGateway, item: str) -> list[dict[str, Any]]:
    return [event for event in gateway.events(Kind.LABEL) if event["loop.item"] == item]


def send(gateway: RunningGateway, **changes: Any) -> str:
    answer = post(gateway, "/labels", label(**changes))
    assert answer.status_code == 200, answer.text
    identity: str = answer.json()["id"]
    return identity


@pytest.mark.parametrize("task", Task)
def test_a_task_takes_its_own_words_and_no_others(desk: RunningGateway, task: Task) -> None:
    words = {word for each in Task for word in each.values}
    for word in sorted(words):
        answer = post(desk, "/labels", label(item=f"rec-{task}-{word}", task=task, value=word))
        if word in task.values:
            assert answer.status_code == 200
            (event,) = said(desk, f"rec-{task}-{word}")
            assert (event["loop.label.task"], event["loop.label.value"]) == (task, word)
        else:
            assert answer.status_code == 400 and answer.json()["error"]["param"] == "value"


def test_all_that_is_said_with_a_label_is_in_its_event(desk: RunningGateway) -> None:
    send(desk, item="rec-all", final=True, correction="ask kim@example.com", comment="ok", taken_ms=90)
    (event,) = said(desk, "rec-all")
    assert event["loop.label.final"] is True and event["loop.label.taken_ms"] == 90
    assert event["loop.label.correction"] == "ask <EMAIL_1>" and event["loop.label.comment"] == "ok"


def test_the_same_label_twice_is_one_and_a_change_of_mind_is_another(desk: RunningGateway) -> None:
    ids = [send(desk, item="rec-twice", value=value) for value in ("good", "good", "bad", "good")]
    assert ids[0] == ids[1] and len(set(ids)) == 3
    assert [event["loop.label.value"] for event in said(desk, "rec-twice")] == ["good", "bad", "good"]


def test_tasks_of_one_item_are_labelled_apart(desk: RunningGateway) -> None:
    assert send(desk, item="rec-tasks") != send(desk, item="rec-tasks", task="correction")
    assert len(said(desk, "rec-tasks")) == 2


@pytest.mark.parametrize("content", ["off", "raw"])
def test_the_policy_says_whether_texts_are_kept(tmp_path: Path, content: str) -> None:
    with gateway(tmp_path, console_sha256=SHA256, content=content) as running:
        send(running, comment="ask kim@example.com")
        (event,) = running.events(Kind.LABEL)
    assert event.get("loop.label.comment") == {"off": None, "raw": "ask kim@example.com"}[content]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "item"),
        (label(item="kim@example.com"), "item"),
        (label(item=""), "item"),
        (label(task="guess"), "task"),
        (label(task=None), "task"),
        (label(value="fine"), "value"),
        (label(value=1), "value"),
        (label(final="yes"), "final"),
        (label(comment=7), "comment"),
        (label(correction="x" * 100_001), "correction"),
        (label(taken_ms=-1), "taken_ms"),
        (label(mood="fine"), "mood"),
    ],
)
def test_what_is_no_label_is_refused_with_the_field_that_is_wrong(
    desk: RunningGateway, body: Any, param: str
) -> None:
    before = len(desk.events(Kind.LABEL))
    answer = post(desk, "/labels", body)
    error = answer.json()["error"]
    assert answer.status_code == 400 and error["param"] == param
    assert f"'{param}'" in error["message"] and "example.com" not in error["message"]
    assert len(desk.events(Kind.LABEL)) == before


def test_a_comment_beyond_the_body_limit_is_too_large(desk: RunningGateway) -> None:
    answer = post(desk, "/labels", label(comment="x" * 2**20))
    assert answer.status_code == 413 and answer.json()["error"]["code"] == "body_too_large"
