"""The playground's tab: a conversation with one version under chosen settings, and what one thinks of its answers.

Versions are named only once the tab is opened, so that none of them stands in a page that shows the arena.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr

from runner.console.people import views
from runner.console.people.desk import Desk
from runner.console.people.entrance import in_words
from runner.console.people.gateway import Ask, Refused
from runner.console.people.ports import Person
from runner.console.people.rounds import TICK_S
from runner.console.people.views import status
from runner.console.people.words import Words

MESSAGE_CHARACTERS = 16_000
AT_ONCE = 32
Updates = dict[Any, Any]
Given = dict[Any, Any]
"""What stands in components, by component."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation; `note` says what went wrong with it."""

    speaker: str
    """`you`, or the version that answered."""
    text: str
    response_id: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation of one person with one version."""

    person: Person
    turns: tuple[Turn, ...] = field(default=())

    def with_(self, *turns: Turn) -> Talk:
        """Return the conversation with further turns."""
        return replace(self, turns=self.turns + turns)

    @property
    def last_answer(self) -> str:
        """The id of the last answer, empty where there is none."""
        return self.turns[-1].response_id if self.turns else ""

    def messages(self, system: str) -> list[dict[str, str]]:
        """Return the conversation as the API takes it; what came to nothing is left out."""
        said = [
            {"role": "user" if turn.speaker == "you" else "assistant", "content": turn.text}
            for turn in self.turns
            if turn.text
        ]
        return [{"role": "system", "content": system}, *said] if system.strip() else said


class Playground:
    """Builds the tab inside the current `gr.Tab`, and answers its events."""

    def __init__(self, desk: Desk, say: Words) -> None:
        self._desk, self._say = desk, say
        self.talk = gr.State(None)
        gr.HTML(f'<p class="lead">{say("playground.lead")}</p>')
        with gr.Row(elem_id="playground"):
            with gr.Column(scale=1, min_width=240, elem_classes="card", elem_id="settings"):
                self._lay_out_settings()
            with gr.Column(scale=3, min_width=300, elem_id="conversation"):
                self._lay_out_talk()
        self._connect()

    def _lay_out_settings(self) -> None:
        say = self._say
        self.version = gr.Dropdown([], label=say("playground.version"), filterable=False, elem_id="version")
        self.temperature = gr.Slider(0, 2, value=0.7, step=0.1, label=say("playground.temperature"))
        self.top_p = gr.Slider(0.05, 1, value=1, step=0.05, label=say("playground.top_p"))
        self.max_tokens = gr.Slider(16, 2048, value=256, step=16, label=say("playground.max_tokens"))
        self.seed = gr.Textbox(label=say("playground.seed"), max_length=12, elem_id="seed")
        self.system = gr.Textbox(
            label=say("playground.system"),
            placeholder=say("playground.system_placeholder"),
            lines=3,
            max_lines=8,
            max_length=MESSAGE_CHARACTERS,
            elem_id="system",
        )

    def _lay_out_talk(self) -> None:
        say = self._say
        with gr.Column(elem_classes="card"):
            self.shown = gr.HTML(views.talk(say, []), elem_id="talk")
            self.status = gr.HTML(status(""), elem_id="talk-status")
            self.message = gr.Textbox(
                label=say("playground.message"),
                placeholder=say("playground.placeholder"),
                lines=1,
                max_lines=8,
                max_length=MESSAGE_CHARACTERS,
                elem_id="message",
            )
            with gr.Row(elem_id="talk-row"):
                self.send = gr.Button(say("playground.send"), variant="primary", elem_id="send")
                self.stop = gr.Button(say("playground.stop"), visible=False, elem_id="stop")
                self.clear = gr.Button(say("playground.clear"), elem_id="clear")
        with gr.Column(elem_classes="card", visible=False, elem_id="judging") as self.judging:
            gr.HTML(f"<h2>{say('playground.judge')}</h2>")
            choices = [(say("playground.up"), "up"), (say("playground.down"), "down")]
            self.thumbs = gr.Radio(choices, label=say("playground.judge"), container=False, elem_id="thumbs")
            self.rating = gr.Radio(
                [1, 2, 3, 4, 5],
                label=say("playground.rating"),
                info=say("playground.rating_hint"),
                elem_id="rating",
            )
            self.correction = gr.Textbox(
                label=say("playground.correction"), lines=2, max_length=MESSAGE_CHARACTERS
            )
            self.comment = gr.Textbox(label=say("playground.comment"), max_length=2000)
            self.submit = gr.Button(say("playground.submit"), elem_id="submit")
            self.judged = gr.HTML(status(""), elem_id="judged")

    def _connect(self) -> None:
        quiet: dict[str, Any] = {
            "show_progress": "hidden",
            "api_visibility": "private",
            "trigger_mode": "once",
            "concurrency_limit": AT_ONCE,
        }
        settings = [self.version, self.temperature, self.top_p, self.max_tokens, self.seed, self.system]
        sent = gr.on(
            [self.send.click, self.message.submit],
            self.say_it,
            {self.talk, self.message, *settings},
            [self.talk, self.message, *self._running, *self._judgement],
            **quiet,
        )
        self.stop.click(self.stopped, self.talk, [self.talk, *self._running], cancels=[sent], **quiet)
        gr.on(
            [self.clear.click, self.version.input],
            self.begin_again,
            None,
            [self.talk, *self._running, *self._judgement],
            **quiet,
        )
        given: set[Any] = {self.talk, self.thumbs, self.rating, self.correction, self.comment}
        self.submit.click(self.judge, given, [self.judged, self.submit], **quiet)

    @property
    def _running(self) -> list[Any]:
        return [self.shown, self.status, self.send, self.stop]

    @property
    def _judgement(self) -> list[Any]:
        return [
            self.judging,
            self.judged,
            self.submit,
            self.thumbs,
            self.rating,
            self.correction,
            self.comment,
        ]

    @property
    def opened(self) -> list[Any]:
        """The components that `open` writes to."""
        return [self.version, self.status]

    async def open(self, chosen: str | None, request: gr.Request) -> Updates:
        """Name the versions that are live, when the tab is opened; keep the one that is chosen."""
        person = self._desk.person(request)
        if person is None:
            return {self.status: status(self._say("trouble.signed_out"), "bad")}
        try:
            live = await self._desk.versions(person)
        except Refused as refused:
            return {self.status: status(in_words(self._say, refused), "bad")}
        kept = chosen if chosen in live else next(iter(live), None)
        said = status("") if live else status(self._say("trouble.no_versions"), "bad")
        return {self.version: gr.update(choices=list(live), value=kept), self.status: said}

    async def say_it(self, given: Given, request: gr.Request) -> AsyncIterator[Updates]:
        """Send one message, and show the answer as it grows."""
        say, person = self._say, self._desk.person(request)
        talk, message, version = given[self.talk], given[self.message], given[self.version]
        problem = self._problem(person, version, given[self.seed])
        if problem or not message.strip() or person is None:
            yield {self.status: status(problem, "bad")}
            return
        before = talk if talk is not None and talk.person == person else Talk(person)
        before = before.with_(Turn("you", message.strip()))
        ask = self._ask(given, before)
        yield self._shown(before, busy=True) | {self.message: "", self.judging: gr.update(visible=False)}
        answer = Turn(version, "")
        drawn = 0.0
        try:
            async with aclosing(self._desk.gateway.answer(person, ask)) as replies:
                async for reply in replies:
                    answer = Turn(version, reply.text, reply.response_id)
                    if self._desk.clock() - drawn >= TICK_S:
                        drawn = self._desk.clock()
                        yield self._shown(before.with_(answer), busy=True)
        except Refused as refused:
            answer = replace(answer, response_id="", note=in_words(say, refused))
        after = before.with_(answer)
        fresh = (
            {self.thumbs: None, self.rating: None, self.correction: "", self.comment: ""}
            if answer.response_id
            else {}
        )
        yield (
            self._shown(after, busy=False)
            | fresh
            | {
                self.judging: gr.update(visible=bool(answer.response_id)),
                self.judged: status(""),
                self.submit: gr.update(interactive=True),
            }
        )

    def _ask(self, given: Given, talk: Talk) -> Ask:
        seed = given[self.seed].strip()
        return Ask(
            given[self.version],
            talk.messages(given[self.system]),
            given[self.temperature],
            given[self.top_p],
            int(given[self.max_tokens]),
            int(seed) if seed else None,
        )

    def _problem(self, person: Person | None, version: str | None, seed: str) -> str:
        if person is None:
            return self._say("trouble.signed_out")
        if not version:
            return self._say("trouble.no_versions")
        if seed.strip() and not (seed.strip().isascii() and seed.strip().isdecimal()):
            return self._say("playground.wrong_seed")
        return ""

    def _shown(self, talk: Talk, busy: bool) -> Updates:
        turns = [(turn.speaker, turn.text, turn.note) for turn in talk.turns]
        return {
            self.talk: talk,
            self.shown: views.talk(self._say, turns),
            self.status: status(""),
            self.send: gr.update(visible=not busy),
            self.stop: gr.update(visible=busy),
        }

    async def stopped(self, talk: Talk | None) -> Updates:
        """Show a conversation whose last answer the person stopped; that answer is not judged."""
        if talk is None:
            return {self.status: status("")}
        *before, last = talk.turns
        note = self._say("playground.stopped")
        cut = Turn(last.speaker, last.text, "", note) if last.speaker != "you" else replace(last, note=note)
        return self._shown(replace(talk, turns=(*before, cut)), busy=False)

    async def begin_again(self, request: gr.Request) -> Updates:
        """Forget the conversation: of another version it would not be the same one."""
        person = self._desk.person(request)
        cleared = self._shown(Talk(person), busy=False) if person else {self.talk: None}
        return cleared | {self.judging: gr.update(visible=False)}

    async def judge(self, given: Given, request: gr.Request) -> Updates:
        """Store what the person says of the last answer."""
        say, person, talk = self._say, self._desk.person(request), given[self.talk]
        if person is None or talk is None or talk.person != person or not talk.last_answer:
            return {self.judged: status(say("trouble.signed_out"), "bad")}
        said = {
            "thumbs": given[self.thumbs],
            "rating": given[self.rating],
            "correction": given[self.correction].strip(),
            "comment": given[self.comment].strip(),
        }
        said = {name: value for name, value in said.items() if value}
        if not said:
            return {self.judged: status(say("playground.say_something"), "bad")}
        try:
            await self._desk.gateway.feedback(person, {"response_id": talk.last_answer, **said})
        except Refused as refused:
            return {self.judged: status(in_words(say, refused), "bad")}
        return {
            self.judged: status(say("playground.stored"), "good"),
            self.submit: gr.update(interactive=False),
        }
