"""The review tab: one item at a time, judged blind by several people, or settled where they disagree.

`people.frame` builds it inside its tab; `loop console` passes in the queue (`ReviewPorts`) and the gateway's client.
The queue decides which item is next; here it is shown, and what a person says of it is sent. Two answers stand on
random sides, and labels name them by the item's own sides. Everything that somebody else wrote is escaped.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from random import Random, SystemRandom
from typing import Any, Protocol

import gradio as gr
from gradio.context import Context

from runner.console.people.entrance import in_words
from runner.console.people.frame import Who
from runner.console.people.gateway import Gateway, Refused
from runner.console.people.markdown import escaped, safe
from runner.console.people.ports import Person
from runner.console.people.views import status
from runner.console.people.words import Words
from runner.errors import LoopError
from runner.feedback.labels.items import Item
from runner.feedback.labels.opinions import NOBODY, Key, Opinions
from runner.feedback.labels.queue import Mode, Progress, Seat, Turn
from runner.feedback.records import Choice, Label, Task

MOST_VALUES = 4
LONGEST = 20_000
"""Characters of a correction or comment."""
SOONEST_S = 0.3
"""Nobody judges an item that has been shown for less: it is the second press that was meant for the one before."""
_OPPOSITE = {Choice.LEFT.value: Choice.RIGHT.value, Choice.RIGHT.value: Choice.LEFT.value}
_STYLE = "#review-values .choice { gap: .55rem } " + "".join(
    f'.choice.key-{n}::after {{ content: "{n}" / "" }} ' for n in range(1, MOST_VALUES + 1)
)
_KEYS = """() => document.addEventListener("keydown", (event) => {
  const tab = document.getElementById("tab-review");
  const written = event.target.closest("input:not([type=radio]):not([type=checkbox]), textarea, [contenteditable]");
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing || written) return;
  if (localStorage.getItem("loop.keys") === "off" || !tab || !tab.getClientRects().length) return;
  const later = event.key.toLowerCase() === "n" || event.code === "KeyN";
  const name = later ? "review-next" : /^[1-4]$/.test(event.key) ? `review-${event.key}` : "";
  const found = name && document.getElementById(name);
  const button = found && (found.matches("button") ? found : found.querySelector("button"));
  if (button && !button.disabled && button.getClientRects().length) { event.preventDefault(); button.click(); }
})"""
Updates = dict[Any, Any]


class ReviewPorts(Protocol):
    """What the tab asks of the queue. Raises LoopError or OSError where it cannot be read."""

    async def turn(self, seat: Seat) -> Turn:
        """Return a person's next item, leased to them, and how far the queue is."""

    async def stored(self, label: Label) -> None:
        """Count a label that the gateway has stored."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one person has before them; it stays on the server."""

    user: str
    """Their keyed hash."""
    mode: Mode
    item: Item | None = None
    others: Opinions = NOBODY
    passed: tuple[Key, ...] = ()
    turned: bool = False
    """Whether the item's left answer stands on the right."""
    shown_at: float = 0.0
    """Monotonic seconds."""

    @property
    def values(self) -> tuple[str, ...]:
        """The words of the item's task, in the order of the buttons."""
        return self.item.task.values if self.item else ()

    def on_screen(self, value: str) -> str:
        """Return a label's word by the sides of the screen; the same the other way round."""
        return _OPPOSITE.get(value, value) if self.turned else value


def build(ports: ReviewPorts, gateway: Gateway, who: Who, words: Words) -> None:
    """Lay the tab out inside the current `gr.Tab`."""
    Review(ports, gateway, words).lay_out(who)


class Review:
    """The tab's parts, and what its events do."""

    def __init__(
        self,
        ports: ReviewPorts,
        gateway: Gateway,
        words: Words,
        random: Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ports, self._gateway, self._words = ports, gateway, words
        self._random, self._clock = random or SystemRandom(), clock
        self._say = texts(words.language)

    def lay_out(self, who: Who) -> None:
        """Make the tab's parts inside the current block."""
        say = self._say
        self._sheet = gr.State(None)
        gr.HTML(f'<style>{_STYLE}</style><p class="lead">{say("lead")}</p>')
        self.progress = gr.HTML(elem_id="review-progress")
        modes = [(say(f"mode.{mode}"), mode.value) for mode in Mode]
        self.mode = gr.Radio(modes, value=Mode.REVIEW.value, label=say("mode"), elem_id="review-mode")
        self.status = gr.HTML(status(""), elem_id="review-status")
        with gr.Column(visible=False, elem_id="review-sheet") as self.sheet:
            self.question = gr.HTML(elem_id="review-question", elem_classes="card answer-body")
            with gr.Row(elem_id="review-answers"):
                self.left = gr.HTML(elem_id="review-left", elem_classes="card answer-body", min_width=280)
                self.right = gr.HTML(elem_id="review-right", elem_classes="card answer-body", min_width=280)
            self.others = gr.HTML(elem_id="review-others", visible=False)
            self.task = gr.HTML(elem_id="review-task")
            with gr.Row(elem_id="review-values"):
                self.values = [
                    gr.Button("", elem_id=f"review-{number}", elem_classes=f"choice key-{number}")
                    for number in range(1, MOST_VALUES + 1)
                ]
            with gr.Accordion(say("more"), open=False, elem_id="review-more"):
                self.correction = gr.Textbox(
                    label=say("correction"),
                    lines=3,
                    max_lines=10,
                    max_length=LONGEST,
                    elem_id="review-correction",
                )
                self.comment = gr.Textbox(label=say("comment"), max_length=LONGEST, elem_id="review-comment")
        self.next = gr.Button(say("begin"), variant="primary", elem_id="review-next")
        self._connect(who)

    def _connect(self, who: Who) -> None:
        quiet: dict[str, Any] = {
            "show_progress": "hidden",
            "api_visibility": "private",
            "trigger_mode": "once",
        }

        async def later(sheet: Sheet | None, mode: str, request: gr.Request) -> Updates:
            return await self.later(sheet, who(request), mode)

        for changed in (self.next.click, self.mode.change):
            changed(later, [self._sheet, self.mode], self._all, **quiet)
        said = [self._sheet, self.correction, self.comment]
        for number, button in enumerate(self.values):
            button.click(self._sayer(number, who), said, self._all, **quiet)
        root = Context.root_block
        if root is not None:
            root.load(None, None, None, js=_KEYS, api_visibility="private")

    @property
    def _all(self) -> list[Any]:
        parts = [self._sheet, self.progress, self.status, self.sheet, self.question, self.left, self.right]
        return [*parts, self.others, self.task, *self.values, self.correction, self.comment, self.next]

    async def later(self, sheet: Sheet | None, person: Person | None, mode: str) -> Updates:
        """Put the item off, if there is one, and show the next."""
        wished = Mode(mode)
        if sheet is not None and sheet.item is not None and sheet.mode is wished:
            rest = tuple(key for key in sheet.passed if key != sheet.item.key)
            sheet = replace(sheet, passed=(*rest, sheet.item.key))
        elif sheet is not None:
            sheet = replace(sheet, mode=wished, passed=())
        return await self._next(sheet, person, wished)

    def _sayer(self, number: int, who: Who) -> Any:
        """Return what a button does; a function of its own, since Gradio looks at what it takes."""

        async def act(
            sheet: Sheet | None, correction: str, comment: str, request: gr.Request
        ) -> AsyncIterator[Updates]:
            if sheet is None or sheet.item is None or number >= len(sheet.values):
                yield {self.status: gr.skip()}
            elif self._clock() - sheet.shown_at < SOONEST_S:
                yield {self.status: status(self._say("too_early"), "ask")}
            else:
                written = correction, comment
                yield await self.say(sheet, who(request), sheet.values[number], written)

        return act

    async def say(
        self, sheet: Sheet, person: Person | None, pressed: str, written: tuple[str, str]
    ) -> Updates:
        """Send what a person says of their item, by the sides of the screen, and show the next one."""
        item = sheet.item
        if person is None or item is None:
            return self._trouble(self._words("trouble.signed_out"))
        correction, comment = (text.strip() for text in written)
        value = sheet.on_screen(pressed)
        final = sheet.mode is Mode.ADJUDICATION
        texts_ = {name: text for name, text in (("correction", correction), ("comment", comment)) if text}
        taken_ms = (self._clock() - sheet.shown_at) * 1000
        body = {
            "item": item.id,
            "task": item.task.value,
            "value": value,
            "final": final,
            "taken_ms": taken_ms,
        }
        try:
            await self._gateway.label(person, body | texts_)
        except Refused as refused:
            return self._trouble(in_words(self._words, refused))
        label = Label(
            id=f"here-{item.id}-{item.task}-{sheet.user}",
            item=item.id,
            task=item.task,
            value=value,
            user=sheet.user,
            at_us=time.time_ns() // 1000,
            final=final,
            **texts_,
        )
        await self._ports.stored(label)
        return await self._next(sheet, person, sheet.mode, status(self._say("stored"), "good"))

    async def _next(self, sheet: Sheet | None, person: Person | None, mode: Mode, told: str = "") -> Updates:
        if person is None:
            return self._trouble(self._words("trouble.signed_out"))
        if sheet is None or sheet.user != person.user:
            sheet = Sheet(person.user, mode)
        try:
            turn = await self._ports.turn(Seat(sheet.user, sheet.mode, sheet.passed))
        except (LoopError, OSError):
            return self._trouble(self._say("unknown"))
        turned = turn.item is not None and turn.item.task is Task.PREFERENCE and self._random.random() < 0.5
        sheet = replace(sheet, item=turn.item, others=turn.others, turned=turned, shown_at=self._clock())
        return self._shown(sheet, turn.progress, told)

    def _trouble(self, text: str) -> Updates:
        return {self.status: status(text, "bad")}

    def _shown(self, sheet: Sheet, progress: Progress, told: str) -> Updates:
        say, item = self._say, sheet.item
        common = {self._sheet: sheet, self.progress: progress_html(say, progress)}
        if item is None:
            return common | {
                self.status: told + status(say("nothing")),
                self.sheet: gr.update(visible=False),
                self.next: gr.update(value=say("begin"), variant="primary"),
            }
        one, other = cards(say, sheet)
        return common | {
            self.status: told or status(""),
            self.sheet: gr.update(visible=True),
            self.question: question_html(say, item),
            self.left: one,
            self.right: gr.update(value=other, visible=bool(other)),
            self.others: gr.update(value=others_html(say, sheet), visible=bool(sheet.others.votes)),
            self.task: task_html(say, item),
            **{
                button: gr.update(
                    value=say(f"value.{sheet.values[at]}") if at < len(sheet.values) else "",
                    visible=at < len(sheet.values),
                )
                for at, button in enumerate(self.values)
            },
            self.correction: "",
            self.comment: "",
            self.next: gr.update(value=say("skip"), variant="secondary"),
        }


@cache
def texts(language: str) -> Words:
    """Return the tab's texts in a language. Raises KeyError for one that there is none of."""
    file = resources.files(__package__) / "review_words.json"
    return Words(language, json.loads(file.read_text(encoding="utf-8"))[language])


def progress_html(say: Words, found: Progress) -> str:
    """Return how far the queue is, and this person with it."""
    own = say("progress", own=found.own, items=found.items, settled=found.settled)
    left = say("left", open_to=found.open_to, disputed=found.disputed)
    return f'<p class="quiet"><strong>{own}</strong> · {left}</p>'


def question_html(say: Words, item: Item) -> str:
    """Return the conversation, and why the item was taken."""
    turns = "".join(
        f'<p class="quiet">{escaped(say.get(f"role.{role}", role))}</p><p class="as-is">{escaped(text)}</p>'
        for role, text in ((each.get("role", ""), each.get("content", "")) for each in item.prompt)
    )
    reasons = ", ".join(escaped(say.get(f"reason.{reason}", reason)) for reason in item.reasons)
    return f'<h2>{say("asked")}</h2>{turns}<p class="quiet">{say("why")}: {reasons}</p>'


def cards(say: Words, sheet: Sheet) -> tuple[str, str]:
    """Return the two cards from left to right, the second empty where there is one answer only."""
    item = sheet.item
    if item is None:
        return "", ""
    names = {
        Task.ANSWER: ("answer", "shadow"),
        Task.CORRECTION: ("given", "instead"),
        Task.PREFERENCE: ("first", "second"),
    }[item.task]
    both = (item.answer, item.other or "")
    one, other = both[::-1] if sheet.turned else both
    second = "" if item.other is None else _card(say(names[1]), other)
    return _card(say(names[0]), one), second


def others_html(say: Words, sheet: Sheet) -> str:
    """Return what the others said, without who said it, by the sides of this screen."""
    told = "".join(
        f"<li><strong>{say(f'value.{sheet.on_screen(label.value)}')}</strong> {_written(label)}</li>"
        for label in sheet.others.votes
    )
    return f"<h2>{say('others')}</h2><ul>{told}</ul>"


def task_html(say: Words, item: Item) -> str:
    """Return what is asked of a person, and the keys."""
    refusal = f" {say('refused_too')}" if item.task is Task.ANSWER and "refusal" in item.reasons else ""
    keys = say("keys", last=len(item.task.values))
    return f'<p class="status ask">{say(f"task.{item.task}")}{refusal}</p><p class="keys">{keys}</p>'


def _card(title: str, text: str) -> str:
    return f'<h2>{title}</h2><div class="text" lang="">{safe(text)}</div>'


def _written(label: Label) -> str:
    return " ".join(
        f'<span class="as-is">{escaped(text)}</span>' for text in (label.correction, label.comment) if text
    )
