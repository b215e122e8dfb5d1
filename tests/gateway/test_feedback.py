"""What users say of answers: counted once, masked, and acknowledged only when it is on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from runner.events.schema import Kind
from runner.events.writer import OsDisk
from runner.serving.gateway.log import RecentAnswers
from tests.doubles.stub_engine import RunningStub
from tests.gateway.running import RunningGateway, gateway, table


def say(gateway: RunningGateway, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    return httpx.post(f"{gateway.url}/feedback", json={"response_id": "chatcmpl-1"} | body, headers=headers)


@pytest.mark.parametrize(
    ("said", "field", "value"),
    [
        ({"thumbs": "up"}, "loop.thumbs", 1),
        ({"thumbs": "-1"}, "loop.thumbs", -1),
        ({"thumbs": 1}, "loop.thumbs", 1),
        ({"rating": 5}, "loop.rating", 5),
        ({"correction": "it costs 12"}, "loop.correction", "it costs 12"),
        ({"comment": "call 010-1234-5678"}, "loop.comment", "call <PHONE_1>"),
    ],
)
def test_feedback_becomes_an_event(
    served: RunningGateway, said: dict[str, Any], field: str, value: Any
) -> None:
    assert say(served, **said).status_code == 200
    (event,) = served.events(Kind.FEEDBACK)
    assert event[field] == value
    assert event["gen_ai.response.id"] == "chatcmpl-1"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"thumbs": "sideways"},
        {"thumbs": True},
        {"rating": 0},
        {"rating": 6},
        {"rating": 4.5},
        {"comment": 7},
        {"rating": 3, "mood": "fine"},
        {"rating": 3, "response_id": ""},
        {"rating": 3, "response_id": "x" * 300},
        {"rating": 3, "response_id": "kim@example.com"},
        {"rating": 3, "response_id": "010-1234-5678"},
        {"rating": 3, "response_id": "chatcmpl-" + "a" * 200},
    ],
)
def test_what_is_no_feedback_is_refused(served: RunningGateway, body: dict[str, Any]) -> None:
    answer = say(served, **body)
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert served.events(Kind.FEEDBACK) == []


def test_the_same_said_twice_is_one_event(served: RunningGateway) -> None:
    first, again = say(served, thumbs="up"), say(served, thumbs="up")
    assert first.json() == again.json()
    assert len(served.events(Kind.FEEDBACK)) == 1
    assert say(served, thumbs="down").json()["id"] != first.json()["id"]
    assert say(served, {"x-loop-user": "somebody-else"}, thumbs="up").json()["id"] != first.json()["id"]


def test_the_same_after_a_restart_has_the_same_id(engine: RunningStub, tmp_path: Path) -> None:
    ids = []
    for _ in range(2):
        with gateway(tmp_path) as running:
            running.put(table(engine.url))
            ids.append(say(running, rating=4).json()["id"])
    assert ids[0] == ids[1]


def test_who_changes_his_mind_is_heard_every_time(served: RunningGateway) -> None:
    ids = [say(served, thumbs=vote).json()["id"] for vote in ("up", "down", "down", "up", "up")]
    assert ids[1] == ids[2]
    assert ids[3] == ids[4]
    assert len(set(ids)) == 3
    assert [e["loop.thumbs"] for e in served.events(Kind.FEEDBACK)] == [1, -1, 1]


def test_a_key_used_for_other_feedback_after_a_restart_loses_nothing(
    engine: RunningStub, tmp_path: Path
) -> None:
    ids = []
    for rating in (4, 4, 1):
        with gateway(tmp_path) as running:
            running.put(table(engine.url))
            ids.append(say(running, {"idempotency-key": "click-1"}, rating=rating).json()["id"])
    assert ids[0] == ids[1] != ids[2]


def test_feedback_says_whether_the_answer_was_given_to_this_user(served: RunningGateway) -> None:
    given = served.ask(user="ann").json()["id"]
    for user, answer in (("ann", given), ("bob", given), ("ann", "chatcmpl-00")):
        assert say(served, response_id=answer, user=user, rating=3).status_code == 200
    known = [e["loop.feedback.known"] for e in served.events(Kind.FEEDBACK)]
    assert known == ["own", "other", "unknown"]


def test_only_the_last_answers_are_remembered() -> None:
    recent = RecentAnswers(limit=2)
    for number in range(3):
        recent.remember(f"chatcmpl-{number}", f"user-{number}")
    assert [recent.whose(f"chatcmpl-{number}") for number in range(3)] == [None, "user-1", "user-2"]


def test_an_idempotency_key_stands_for_one_saying(served: RunningGateway) -> None:
    key = {"idempotency-key": "click-1"}
    first = say(served, key, rating=4)
    assert say(served, key, rating=4).json() == first.json()
    assert say(served, key, rating=1).status_code == 409
    assert len(served.events(Kind.FEEDBACK)) == 1


def test_invariant_10_feedback_is_acknowledged_only_after_it_is_on_the_disk(
    engine: RunningStub, tmp_path: Path
) -> None:
    class Watched(OsDisk):
        """Tells which bytes had been synced."""

        def __init__(self) -> None:
            self.written: dict[int, bytes] = {}
            self.synced = b""

        def write(self, descriptor: int, data: bytes) -> int:
            taken = super().write(descriptor, data)
            self.written[descriptor] = self.written.get(descriptor, b"") + data[:taken]
            return taken

        def sync(self, descriptor: int) -> None:
            before = self.written.get(descriptor, b"")
            super().sync(descriptor)
            self.synced += before

    disk = Watched()
    with gateway(tmp_path, disk=disk) as running:
        running.put(table(engine.url))
        for rating in (1, 2, 3):
            identity = say(running, rating=rating).json()["id"]
            assert identity.encode() in disk.synced
