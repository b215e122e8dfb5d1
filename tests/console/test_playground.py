"""What the playground sends to a version, and what the console reads of the event log for its pages."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from runner.cli.console import Log, kinds
from runner.cli.repository import read_spec
from runner.events.schema import Kind
from runner.reconcile.state import StatePaths
from runner.spec.load import Spec

pytest.importorskip("gradio", reason="the group 'console' is not installed")

from runner.console.people.desk import Desk
from runner.console.people.playground import Talk, Turn
from runner.console.people.ports import Person, Week
from runner.feedback.matchmaking import Tally

ROOT = Path(__file__).parents[2]
AMY = Person("Amy")


def test_a_version_is_told_the_whole_conversation_in_order_and_the_system_prompt_first() -> None:
    talk = Talk(AMY).with_(Turn("you", "one"), Turn("chat-v1.0", "two", "chatcmpl-1"), Turn("you", "three"))
    said = [("user", "one"), ("assistant", "two"), ("user", "three")]
    assert [(each["role"], each["content"]) for each in talk.messages("  ")] == said
    assert [each["role"] for each in talk.messages("be kind")] == ["system", "user", "assistant", "user"]


def test_an_answer_that_came_to_nothing_is_neither_sent_nor_judged() -> None:
    talk = Talk(AMY).with_(Turn("you", "one"), Turn("chat-v1.0", "", note="it broke off"))
    assert [each["role"] for each in talk.messages("")] == ["user"]
    assert talk.last_answer == ""
    assert Talk(AMY).last_answer == ""


@pytest.fixture(scope="module")
def spec() -> Spec:
    return read_spec(ROOT)


def voted(root: Path, *choices: str, at: float, **fields: object) -> None:
    """Write votes into an event log: chat-v1.0 on the left, chat-v1.1 on the right, each of a person's own."""
    events = StatePaths(root, "production").events
    events.mkdir(parents=True, exist_ok=True)
    with (events / f"{Kind.VOTE}-1-1.jsonl").open("a") as file:
        for number, choice in enumerate(choices):
            event = {
                "event.id": f"{at}-{number}",
                "event.time": int(at * 1e6) + number,
                "loop.environment": "production",
                "loop.user": f"user {number}",
                "loop.group": "public",
                "loop.left.version": "chat-v1.0",
                "loop.right.version": "chat-v1.1",
                "loop.left.response": f"chatcmpl-{at}-{number}-l",
                "loop.right.response": f"chatcmpl-{at}-{number}-r",
                "loop.vote.choice": choice,
                "loop.vote.question": f"cmp-{at}-{number}",
                "loop.vote.category": "creative",
            }
            file.write(json.dumps(event | fields) + "\n")


def test_the_week_counts_preference_pairs_of_this_week_and_the_tally_all_votes(
    tmp_path: Path, spec: Spec
) -> None:
    now = time.time()
    voted(tmp_path, "left", "right", "tie", at=now - 1)
    voted(tmp_path, "left", at=now - 8 * 86_400)
    log = Log(tmp_path, spec, "production")
    week = asyncio.run(log.week())
    assert (week.pairs, week.wanted) == (2, spec.policies.collection.plan.target.samples_per_week)
    assert {kind.name: kind.votes for kind in week.kinds if kind.votes} == {"creative": 2}
    votes = asyncio.run(log.tally())
    assert votes.wins == {("chat-v1.0", "chat-v1.1"): 2.5, ("chat-v1.1", "chat-v1.0"): 1.5}


def test_an_environment_without_a_log_has_no_votes_and_every_kind_of_question(
    tmp_path: Path, spec: Spec
) -> None:
    week = asyncio.run(Log(tmp_path, spec, "production").week())
    assert week.pairs == 0
    assert [kind.name for kind in week.kinds] == list(spec.policies.collection.categories)
    assert kinds(spec.policies.collection) == week.kinds


class Ports:
    """A log that was read at a time, and saw some pairs."""

    def __init__(self, read_at: float, spec: Spec) -> None:
        self.read_at, self.kinds = read_at, kinds(spec.policies.collection)

    async def week(self) -> Week:
        return Week(10, 100, self.kinds, self.read_at)

    async def tally(self) -> Tally:
        return Tally()


def test_what_was_stored_since_the_log_was_read_counts_at_once_and_never_twice(spec: Spec) -> None:
    now = [100.0]
    ports = Ports(99.0, spec)
    desk = Desk("test", None, ports, clock=lambda: now[0])  # type: ignore[arg-type]
    desk.stored("creative", 2)
    week = asyncio.run(desk.week())
    assert week.pairs == 12
    assert {kind.name: kind.votes for kind in week.kinds if kind.votes} == {"creative": 2}
    ports.read_at = 101.0
    assert asyncio.run(desk.week()).pairs == 10
