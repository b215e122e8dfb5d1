"""Votes on answers side by side: every pair that a vote decides, all or none, once, masked, durable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import pytest

from runner.events.reader import EventReader
from runner.events.schema import Kind
from runner.events.writer import OsDisk
from tests.gateway.consoles import HEADERS, SHA256, VERSIONS, post, vote
from tests.gateway.running import RunningGateway, gateway

SIDES = ("left", "right")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway that knows a console; votes need no engine."""
    with gateway(tmp_path_factory.mktemp("votes"), console_sha256=SHA256) as running:
        yield running


def said(gateway: RunningGateway, comparison: str) -> list[dict[str, Any]]:
    """Return the events of one comparison; each test uses one of its own."""
    return [e for e in gateway.events(Kind.VOTE) if e["loop.vote.question"] == comparison]


def send(gateway: RunningGateway, count: int = 2, **changes: Any) -> Any:
    answer = post(gateway, "/votes", vote(count, **changes))
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_vote_decides_the_winner_against_each_other_answer_and_a_tie_every_pair(
    desk: RunningGateway, count: int
) -> None:
    for choice in (*range(count), "tie", "neither"):
        comparison = f"pairs-{count}-{choice}"
        ids = send(desk, count, comparison=comparison, choice=choice)["votes"]
        events = said(desk, comparison)
        assert [event["event.id"] for event in events] == ids
        decided = {}
        for event in events:
            left, right = (int(event[f"loop.{side}.response"].rpartition("-")[2]) for side in SIDES)
            decided[left, right] = event["loop.vote.choice"]
            for side, place in zip(SIDES, (left, right), strict=True):
                assert event[f"loop.{side}.version"] == VERSIONS[place].name
                assert event[f"loop.{side}.digest"] == VERSIONS[place].digest
                assert event[f"loop.{side}.answer"] == f"answer {place}"
                assert json.loads(event[f"loop.{side}.sampling"]) == {"temperature": 0.7, "seed": place}
        pairs = list(combinations(range(count), 2))
        if isinstance(choice, str):
            assert decided == dict.fromkeys(pairs, choice)
        else:
            wanted = {(i, j): "left" if i == choice else "right" for i, j in pairs if choice in (i, j)}
            assert decided == wanted


def test_all_that_is_said_with_a_vote_is_in_its_events(desk: RunningGateway) -> None:
    more = {"category": "orders", "language": "ko", "taken_ms": 1500, "counted": False}
    send(desk, comparison="all-1", reason="shorter", correction="at the harbour", **more)
    (event,) = said(desk, "all-1")
    assert event["loop.vote.category"] == "orders" and event["loop.vote.language"] == "ko"
    assert event["loop.vote.taken_ms"] == 1500 and event["loop.vote.counted"] is False
    assert event["loop.vote.reason"] == "shorter" and event["loop.vote.correction"] == "at the harbour"
    assert json.loads(event["loop.vote.prompt"]) == vote()["prompt"]
    assert event["loop.vote.shown"] == 2 and event["loop.group"] == "public"


def test_a_vote_counts_unless_it_says_otherwise(desk: RunningGateway) -> None:
    send(desk, comparison="counted-1")
    assert said(desk, "counted-1")[0]["loop.vote.counted"] is True


def test_events_of_one_vote_have_one_time_and_are_whole_for_readers(desk: RunningGateway) -> None:
    send(desk, 4, comparison="whole-1", choice="tie")
    found = EventReader(desk.state_dir / "events", Kind.VOTE).read()
    assert found.damaged == ()
    events = [event for event in found.events if event["loop.vote.question"] == "whole-1"]
    assert len(events) == 6
    assert len({event["event.time"] for event in events}) == 1


def test_the_same_vote_twice_is_one_and_a_change_of_mind_is_another(desk: RunningGateway) -> None:
    first, again = send(desk, comparison="twice-1"), send(desk, comparison="twice-1")
    assert first == again
    other = send(desk, comparison="twice-1", choice=1)
    back = send(desk, comparison="twice-1")
    assert len({first["id"], other["id"], back["id"]}) == 3
    assert [event["loop.vote.choice"] for event in said(desk, "twice-1")] == ["left", "right", "left"]


def test_two_people_who_say_the_same_are_two(desk: RunningGateway) -> None:
    send(desk, comparison="two-1")
    assert post(desk, "/votes", vote(comparison="two-1"), {"x-loop-user": "bob"}).status_code == 200
    events = said(desk, "two-1")
    assert len({event["loop.user"] for event in events}) == len({event["event.id"] for event in events}) == 2


def test_the_same_vote_after_a_restart_or_at_another_gateway_has_the_same_ids(tmp_path: Path) -> None:
    with gateway(tmp_path, console_sha256=SHA256) as one, gateway(tmp_path, console_sha256=SHA256) as two:
        ids = [send(each, 3)["votes"] for each in (one, two)]
    with gateway(tmp_path, console_sha256=SHA256) as again:
        ids.append(send(again, 3)["votes"])
    assert ids[0] == ids[1] == ids[2]
    assert len(EventReader(tmp_path / "events", Kind.VOTE).read().events) == 2


def test_one_value_has_one_placeholder_in_question_answers_reason_and_correction(
    desk: RunningGateway,
) -> None:
    body = vote(comparison="mask-1", reason="kim@example.com was asked for", correction="kim@example.com!")
    body["prompt"][0]["content"] = "write to lee@example.com or kim@example.com"
    body["answers"][1]["text"] = "kim@example.com it is"
    assert post(desk, "/votes", body).status_code == 200
    (event,) = said(desk, "mask-1")
    assert "example.com" not in json.dumps(event)
    assert "<EMAIL_1> or <EMAIL_2>" in event["loop.vote.prompt"]
    assert event["loop.right.answer"] == "<EMAIL_2> it is"
    assert event["loop.vote.reason"] == "<EMAIL_2> was asked for"
    assert event["loop.vote.correction"] == "<EMAIL_2>!"


@pytest.mark.parametrize(("content", "kept"), [("off", False), ("raw", True)])
def test_the_policy_says_whether_texts_are_kept(tmp_path: Path, content: str, kept: bool) -> None:
    with gateway(tmp_path, console_sha256=SHA256, content=content) as running:
        send(running, reason="ask kim@example.com", correction="12 euros")
        (event,) = running.events(Kind.VOTE)
    assert ("ask kim@example.com" in json.dumps(event)) is kept
    texts = {name for name in event if name.endswith((".prompt", ".answer", ".reason", ".correction"))}
    assert bool(texts) is kept
    assert event["loop.vote.choice"] == "left" and event["loop.left.response"] == "chatcmpl-0"


def changed(**changes: Any) -> dict[str, Any]:
    body = vote()
    body["answers"][0] |= changes
    return body


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "comparison"),
        (vote(comparison="kim@example.com"), "comparison"),
        (vote(comparison="010-1234-5678"), "comparison"),
        (vote(comparison="x" * 200), "comparison"),
        (vote(prompt=[]), "prompt"),
        (vote(prompt="hello"), "prompt"),
        (vote(prompt=[{"role": "user"}]), "prompt[0].content"),
        (vote(prompt=[{"role": "robot", "content": "x"}]), "prompt[0].role"),
        (vote(prompt=[{"role": "user", "content": [{"text": "x"}]}]), "prompt[0].content"),
        (vote(prompt=[{"role": "user", "content": "x", "name": "kim"}]), "prompt[0].name"),
        (vote(1), "answers"),
        (vote(answers=vote(4)["answers"] * 2), "answers"),
        (vote(answers=[vote()["answers"][0]] * 2), "answers"),
        (changed(response_id="kim@example.com"), "answers[0].response_id"),
        (changed(version="kim@example.com"), "answers[0].version"),
        (changed(digest="aa"), "answers[0].digest"),
        (changed(text=7), "answers[0].text"),
        (changed(sampling={"stop": "kim"}), "answers[0].sampling.stop"),
        (changed(sampling=[]), "answers[0].sampling"),
        (vote(choice=2), "choice"),
        (vote(choice=-1), "choice"),
        (vote(choice=True), "choice"),
        (vote(choice="left"), "choice"),
        (vote(choice=None), "choice"),
        (vote(category="kim lee"), "category"),
        (vote(language="korean"), "language"),
        (vote(reason=7), "reason"),
        (vote(correction="x" * 100_001), "correction"),
        (vote(taken_ms=-1), "taken_ms"),
        (vote(taken_ms="soon"), "taken_ms"),
        (vote(counted=1), "counted"),
        (vote(mood="fine"), "mood"),
    ],
)
def test_what_is_no_vote_is_refused_with_the_field_that_is_wrong(
    desk: RunningGateway, body: Any, param: str
) -> None:
    before = len(desk.events(Kind.VOTE))
    answer = post(desk, "/votes", body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["param"] == param
    assert f"'{param}'" in error["message"] and "example.com" not in error["message"]
    assert len(desk.events(Kind.VOTE)) == before


def test_answers_of_a_megabyte_are_too_large_and_smaller_ones_are_not(desk: RunningGateway) -> None:
    body = vote(comparison="large-1")
    body["answers"][0]["text"] = "x" * 2**20
    answer = post(desk, "/votes", body)
    assert answer.status_code == 413
    assert answer.json()["error"]["message"] == "the body is larger than 1048576 bytes"
    body["answers"][0]["text"] = "x" * 900_000
    assert post(desk, "/votes", body).status_code == 200
    assert len(said(desk, "large-1")) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"category": "kim lee"}, "'category': must be an id: up to 64 letters, digits, "),
        ({"comparison": "010-1234-5678"}, "'comparison': must be an id: "),
        ({"language": "한국어"}, "'language': must be the code of a language, such as 'en' or 'pt-BR'"),
        ({"taken_ms": "ten"}, "'taken_ms': input should be a valid number"),
        ({"counted": 1}, "'counted': input should be a valid boolean"),
    ],
)
def test_what_is_wrong_is_said_in_words_and_in_no_pattern(
    desk: RunningGateway, changes: Any, words: str
) -> None:
    message = post(desk, "/votes", vote(**changes)).json()["error"]["message"]
    assert message.startswith(words) and "pattern" not in message


@pytest.mark.parametrize(("field", "value"), [("digest", "D" * 64), ("sampling", {"Temperature": 1})])
def test_a_wrong_digest_or_name_of_a_setting_is_said_in_words(
    desk: RunningGateway, field: str, value: Any
) -> None:
    body = vote()
    body["answers"][0][field] = value
    message = post(desk, "/votes", body).json()["error"]["message"]
    assert ": must be a " in message and "pattern" not in message


def test_invariant_10_a_vote_is_acknowledged_only_after_all_its_events_are_on_the_disk(
    tmp_path: Path,
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
    with gateway(tmp_path, disk=disk, console_sha256=SHA256) as running:
        for choice in (0, 1, "tie"):
            for identity in send(running, 3, choice=choice)["votes"]:
                assert identity.encode() in disk.synced


def test_a_vote_that_the_disk_takes_only_in_part_leaves_none_of_its_events(tmp_path: Path) -> None:
    class Filling(OsDisk):
        """Takes part of a vote, and then nothing of it."""

        full = False

        def write(self, descriptor: int, data: bytes) -> int:
            if not self.full:
                return super().write(descriptor, data)
            if data.startswith(b'{"event.time"') or data.startswith(b'{"event.id"'):
                return super().write(descriptor, data[: len(data) * 2 // 3])
            raise OSError(28, "no space left on device")

    disk = Filling()
    with gateway(tmp_path, disk=disk, console_sha256=SHA256) as running:
        send(running, 4, comparison="before", choice="tie")
        disk.full = True
        assert post(running, "/votes", vote(4, comparison="lost", choice="tie")).status_code == 503
        assert said(running, "lost") == [] and len(said(running, "before")) == 6


def test_without_a_name_people_of_the_console_are_its_address(desk: RunningGateway) -> None:
    headers = {name: value for name, value in HEADERS.items() if name != "x-loop-user"}
    body = vote(comparison="nameless")
    assert httpx.post(f"{desk.url}/votes", json=body, headers=headers).status_code == 200
    assert len(said(desk, "nameless")) == 1
