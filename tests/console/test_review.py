"""What the review tab shows and sends, without a browser."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

pytest.importorskip("gradio", reason="the group 'console' is not installed")

import gradio as gr

from runner.console.people.gateway import Refused, Trouble
from runner.console.people.ports import Person
from runner.console.people.words import LANGUAGES, words
from runner.console.review import Review, Sheet, Updates, cards, others_html, question_html, texts
from runner.errors import transient
from runner.feedback.labels.items import items
from runner.feedback.labels.opinions import NOBODY, Opinions
from runner.feedback.labels.queue import Mode, Progress, Seat, Turn
from runner.feedback.records import Choice, Label, Task
from tests.feedback.labels.made import ballot, label, record

(PAIR,) = items([], [ballot(1)])
(ANSWER,) = items([record(2, answer="<script>no</script>")], [])
PERSON = Person("Amy", user="amy-hash")
PROGRESS = Progress(2, 0, 2, 0, 0, 2)


class Ports:
    """Gives one item, and remembers what was stored."""

    def __init__(self, broken: bool = False) -> None:
        self.seats: list[Seat] = []
        self.labels: list[Label] = []
        self.broken = broken

    async def turn(self, seat: Seat) -> Turn:
        if self.broken:
            raise transient("the log cannot be read")
        self.seats.append(seat)
        return Turn(PAIR, NOBODY, PROGRESS)

    async def stored(self, said: Label) -> None:
        self.labels.append(said)


class Gateway:
    """Takes labels, or refuses them all."""

    def __init__(self, refuses: bool = False) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.refuses = refuses

    async def label(self, _person: Person, body: dict[str, Any]) -> None:
        if self.refuses:
            raise Refused(Trouble.UNREACHABLE)
        self.bodies.append(body)


def play(
    ports: Ports, gateway: Gateway, act: Callable[[Review], Awaitable[Updates]]
) -> tuple[Review, Updates]:
    """Lay the tab out and let somebody act on it; all inside one event loop, for Gradio leaves one open otherwise."""

    async def go() -> tuple[Review, Updates]:
        with gr.Blocks():
            made = Review(ports, gateway, words("en"), Random(1), lambda: 10.0)  # type: ignore[arg-type]
            made.lay_out(lambda _: PERSON)
        return made, await act(made)

    return asyncio.run(go())


@pytest.mark.parametrize("turned", [False, True])
def test_a_label_names_the_answer_that_stood_under_the_button(turned: bool) -> None:
    ports, gateway = Ports(), Gateway()
    sheet = Sheet("amy-hash", Mode.REVIEW, PAIR, turned=turned)

    play(ports, gateway, lambda tab: tab.say(sheet, PERSON, "left", ("", "")))

    one, _ = cards(texts("en"), sheet)
    meant = {Choice.LEFT: PAIR.answer, Choice.RIGHT: str(PAIR.other)}[Choice(gateway.bodies[0]["value"])]
    assert meant in one
    assert [each.value for each in ports.labels] == [gateway.bodies[0]["value"]]
    assert gateway.bodies[0]["item"] == PAIR.id


def test_a_label_that_the_gateway_refused_is_not_counted_and_the_item_stays() -> None:
    ports, sheet = Ports(), Sheet("amy-hash", Mode.REVIEW, PAIR)

    made, updates = play(ports, Gateway(refuses=True), lambda tab: tab.say(sheet, PERSON, "tie", ("", "")))

    assert ports.labels == ports.seats == []
    assert list(updates) == [made.status]
    assert "does not answer" in updates[made.status]


def test_whoever_settles_a_disagreement_says_so() -> None:
    gateway = Gateway()

    sheet = Sheet("amy-hash", Mode.ADJUDICATION, ANSWER)
    play(Ports(), gateway, lambda tab: tab.say(sheet, PERSON, "bad", (" better ", "")))

    (body,) = gateway.bodies
    assert (body["final"], body["correction"], "comment" in body) == (True, "better", False)


def test_an_item_that_is_put_off_goes_behind_all_that_were_put_off_before() -> None:
    ports = Ports()
    before = (("rec-7", Task.ANSWER), PAIR.key)
    sheet = Sheet("amy-hash", Mode.REVIEW, PAIR, passed=before)

    play(ports, Gateway(), lambda tab: tab.later(sheet, PERSON, "review"))

    assert ports.seats == [Seat("amy-hash", Mode.REVIEW, (("rec-7", Task.ANSWER), PAIR.key))]


def test_a_queue_that_cannot_be_read_is_told() -> None:
    made, updates = play(Ports(broken=True), Gateway(), lambda tab: tab.later(None, PERSON, "review"))

    assert "cannot be read" in updates[made.status]


def test_who_is_not_signed_in_is_given_nothing() -> None:
    ports = Ports()

    play(ports, Gateway(), lambda tab: tab.later(None, None, "review"))

    assert ports.seats == []


def test_nothing_that_people_or_models_wrote_becomes_markup() -> None:
    say = texts("en")
    hostile = Opinions((label("x", "bad", comment="<b>x</b>"),))
    sheet = Sheet("amy-hash", Mode.ADJUDICATION, ANSWER, hostile)

    shown = "".join((question_html(say, ANSWER), *cards(say, sheet), others_html(say, sheet)))

    assert "<script" not in shown
    assert "<b>" not in shown


def test_others_are_shown_by_the_sides_of_the_screen_and_without_names() -> None:
    said = Opinions((label("somebody-else", "left", PAIR.id, task=Task.PREFERENCE),))

    shown = others_html(texts("en"), Sheet("amy-hash", Mode.ADJUDICATION, PAIR, said, turned=True))

    assert "Answer 2 is better" in shown
    assert "somebody-else" not in shown


def test_both_languages_say_everything_with_the_same_gaps() -> None:
    tables = [texts(language).table for language in LANGUAGES]

    assert tables[0].keys() == tables[1].keys()
    for name, text in tables[0].items():
        assert sorted(_gaps(text)) == sorted(_gaps(tables[1][name])), name
    assert {f"value.{value}" for task in Task for value in task.values} <= tables[0].keys()


def _gaps(text: str) -> list[str]:
    return [part.partition("}")[0] for part in text.split("{")[1:]]
