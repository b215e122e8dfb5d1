"""`loop labels` on collected items and logged labels, and the desk that gives items to reviewers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from runner.cli.labels_desk import FRESH_S, Desk
from runner.events.schema import Kind
from runner.feedback import collected
from runner.feedback.collected import Collected
from runner.feedback.labels.queue import Mode, Seat, Turn
from runner.feedback.records import Reason, Task
from tests.cli.workbench import Bench, refused
from tests.doubles.event_files import START_US, line, segment
from tests.feedback.labels.made import ballot, label, record

PEOPLE = ("ann", "bob", "cy")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path / "repo")
    records = [record(number, Reason.THUMBS_DOWN) for number in range(1, 7)]
    collected.write(made.root / collected.FOLDER, Collected(tuple(records), (ballot(20),)))
    return made


def said(number: int, user: str, item: str, value: str, **changes: Any) -> bytes:
    event = {
        "event.id": f"label-{number}",
        "event.time": START_US + number,
        "loop.environment": "production",
        "loop.user": f"{user}-of-a-long-keyed-hash",
        "loop.group": "internal",
        "loop.item": item,
        "loop.label.task": "answer",
        "loop.label.value": value,
        "loop.label.final": False,
    }
    return line(event | {f"loop.label.{name}": change for name, change in changes.items()})


def log(bench: Bench, lines: list[bytes]) -> None:
    segment(bench.state("events"), lines, kind=Kind.LABEL)


def agreed(bench: Bench) -> None:
    """Three people on four items: they agree on three, and none agrees with another on the fourth."""
    lines = []
    for number in range(1, 4):
        lines += [
            said(10 * number + at, user, f"rec-{number}", ("good", "bad")[number % 2])
            for at, user in enumerate(PEOPLE)
        ]
    lines += [
        said(90 + at, user, "rec-4", value)
        for at, (user, value) in enumerate(zip(PEOPLE, Task.ANSWER.values, strict=True))
    ]
    log(bench, [*lines, said(99, "di", "rec-of-last-year", "good")])


def test_items_agreement_and_reviewers_are_told_by_task(bench: Bench) -> None:
    agreed(bench)

    told = bench.loop("labels")

    assert told.code == 0, told
    assert (
        "answer: 6 items; 3 settled (3 by majority, 0 by a last word), 2 waiting for 3 people, 1 disputed"
        in told.out
    )
    assert "wait for a last word: rec-4" in told.out
    assert "agreement: NOT USED: alpha 0.5" in told.out
    assert "preference: 1 items; 0 settled" in told.out
    assert "ann-of-a-lon " in told.out
    assert "keyed-hash" not in told.out
    assert "not collected any more, which count nowhere: 1" in told.out


def test_json_has_all_figures(bench: Bench) -> None:
    agreed(bench)

    value = json.loads(bench.loop("labels", "--json").out)

    answer, preference = value["tasks"]
    assert (answer["task"], answer["settled"], answer["disputed"]) == ("answer", 3, ["rec-4"])
    assert set(answer["agreement"]) >= {
        "krippendorff",
        "fleiss",
        "cohen",
        "pairs",
        "reviewers",
        "usable",
        "verdict",
    }
    assert len(answer["agreement"]["pairs"]) == 3
    assert preference["agreement"] is None
    assert value["unknown"] == 1


def test_one_item_is_shown_with_everything_that_was_said_of_it(bench: Bench) -> None:
    log(bench, [said(1, "ann", "rec-1", "bad", comment="\x1b[2Jwrong\nhour", correction=None)])

    told = bench.loop("labels", "--item", "rec-1")

    assert told.code == 0
    assert "rec-1, answer: factual_qa, en; taken for: thumbs_down" in told.out
    assert "asked:   question 1" in told.out
    assert "not settled: 1 of 3 people have spoken" in told.out
    assert "\x1b" not in told.out
    assert (
        json.loads(bench.loop("labels", "--item", "rec-1", "--json").out)["tasks"][0]["labels"][0]["value"]
        == "bad"
    )


def test_an_item_that_does_not_exist_is_an_error(bench: Bench) -> None:
    refused(bench.loop("labels", "--item", "rec-77"), "no item 'rec-77'")


def test_before_anything_is_collected_there_is_nothing_to_review(tmp_path: Path) -> None:
    told = Bench(tmp_path / "repo").loop("labels")

    assert told.code == 0
    assert told.out.startswith("nothing to review")


class Hands:
    """A desk with a clock that only the test moves."""

    def __init__(self, bench: Bench) -> None:
        self.now = 2_000_000_000.0
        self.desk = Desk(bench.root, "production", 3, lambda: self.now)

    def turn(self, user: str, mode: Mode = Mode.REVIEW) -> Turn:
        return asyncio.run(self.desk.turn(Seat(f"{user}-of-a-long-keyed-hash", mode)))

    def say(self, user: str, item: str, value: str) -> None:
        name = f"{user}-of-a-long-keyed-hash"
        asyncio.run(self.desk.stored(label(name, value, item, at=int(self.now * 1e6))))


def test_a_label_that_was_stored_here_counts_before_the_log_is_read_again(bench: Bench) -> None:
    hands = Hands(bench)
    first = hands.turn("ann").item
    assert first is not None

    hands.say("ann", first.id, "good")

    after = hands.turn("ann")
    assert after.item is not None
    assert after.item.id != first.id
    assert after.progress.own == 1


def test_labels_of_others_are_found_once_the_log_is_read_again(bench: Bench) -> None:
    hands = Hands(bench)
    assert hands.turn("judge", Mode.ADJUDICATION).item is None
    agreed(bench)

    hands.now += FRESH_S
    turn = hands.turn("judge", Mode.ADJUDICATION)

    assert turn.item is not None
    assert turn.item.id == "rec-4"
    assert [each.value for each in turn.others.votes] == ["good", "bad", "unclear"]


def test_a_reviewer_sees_nothing_of_what_others_said(bench: Bench) -> None:
    agreed(bench)

    turn = Hands(bench).turn("new")

    assert turn.item is not None
    assert turn.others.votes == ()


def test_two_people_at_once_do_not_get_the_last_place_of_one_item(bench: Bench) -> None:
    log(bench, [said(1, "ann", "rec-5", "good"), said(2, "bob", "rec-5", "good")])
    hands = Hands(bench)

    found = [hands.turn(user).item for user in ("cy", "di")]

    assert [item.id if item else None for item in found] == ["rec-5", "rec-1"]
