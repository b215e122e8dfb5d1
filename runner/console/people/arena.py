"""The arena's tab: a question, blind answers side by side, one vote, and then the names.

What the browser gets before the vote holds no version, digest or id of an answer: those stay in the round, which lives
in the state of the page on the server. Built by `frame`; talks to the gateway through the desk.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any

import gradio as gr

from runner.console.people import rounds, views
from runner.console.people.desk import Desk
from runner.console.people.entrance import in_words
from runner.console.people.gateway import Refused
from runner.console.people.ports import Person, Week
from runner.console.people.rounds import Round
from runner.console.people.views import LETTERS, status
from runner.console.people.words import Words
from runner.errors import LoopError
from runner.feedback.matchmaking import MOST_SHOWN, Kind, Suggestion, Tally, seats, suggestions

SUGGESTED = 3
QUESTION_CHARACTERS = 8000
AT_ONCE = 64
"""Rounds that are being answered at a time; more wait."""
Updates = dict[Any, Any]


class Arena:
    """Builds the tab inside the current `gr.Tab`, and answers its events."""

    def __init__(self, desk: Desk, say: Words, kinds: tuple[Kind, ...]) -> None:
        self._desk, self._say = desk, say
        self.round = gr.State(None)
        self.offers = gr.State(())
        gr.HTML(f'<p class="lead">{say("arena.lead")}</p>')
        self.progress = gr.HTML(elem_id="progress")
        self._lay_out_question(kinds)
        self._lay_out_answers()
        self._lay_out_vote()
        self._connect()

    def _lay_out_question(self, kinds: tuple[Kind, ...]) -> None:
        say = self._say
        with gr.Column(elem_id="asking", elem_classes="card"):
            self.question = gr.Textbox(
                label=say("arena.question"),
                placeholder=say("arena.placeholder"),
                lines=1,
                max_lines=6,
                max_length=QUESTION_CHARACTERS,
                elem_id="question",
            )
            with gr.Row(elem_id="ask-row"):
                choices = [
                    (say("arena.kind_none"), ""),
                    *((say.kind(each.name), each.name) for each in kinds),
                ]
                self.kind = gr.Dropdown(
                    choices, value="", label=say("arena.kind"), filterable=False, elem_id="kind"
                )
                self.shown = gr.Radio(
                    [2, 3, 4], value=2, label=say("arena.shown"), visible=False, elem_id="shown"
                )
                self.ask = gr.Button(say("arena.ask"), variant="primary", elem_id="ask")
            with gr.Column(elem_id="suggested") as self.offered:
                gr.HTML(f'<p class="quiet">{say("arena.suggested")}</p>')
                with gr.Row(elem_id="suggestions"):
                    self.suggested = [
                        gr.Button("", size="sm", elem_id=f"suggestion-{number}", visible=False)
                        for number in range(SUGGESTED)
                    ]

    def _lay_out_answers(self) -> None:
        self.status = gr.HTML(status(""), elem_id="status")
        with gr.Row(elem_id="answers", visible=False) as self.answers:
            self.columns, self.heads, self.bodies = [], [], []
            for number in range(MOST_SHOWN):
                with gr.Column(elem_classes="card answer", visible=number < 2, min_width=280) as column:
                    self.columns.append(column)
                    self.heads.append(gr.HTML(elem_id=f"head-{number}"))
                    self.bodies.append(gr.HTML(elem_id=f"answer-{number}", elem_classes="answer-body"))

    def _lay_out_vote(self) -> None:
        say = self._say
        with gr.Column(elem_id="voting", visible=False) as self.voting:
            with gr.Row(elem_id="choices"):
                self.better = [
                    gr.Button(
                        say("arena.better", letter=letter),
                        elem_id=f"vote-{number}",
                        elem_classes=f"choice key-{letter.lower()}",
                        interactive=False,
                        visible=number < 2,
                    )
                    for number, letter in enumerate(LETTERS)
                ]
                self.tie = gr.Button(
                    say("arena.tie"), elem_id="vote-tie", elem_classes="choice key-t", interactive=False
                )
                self.neither = gr.Button(
                    say("arena.neither"),
                    elem_id="vote-neither",
                    elem_classes="choice key-x",
                    interactive=False,
                )
            with gr.Accordion(say("arena.more"), open=False, elem_id="more") as self.more:
                self.reason = gr.Textbox(
                    label=say("arena.reason"),
                    placeholder=say("arena.reason_placeholder"),
                    max_length=2000,
                    elem_id="reason",
                )
                self.correction = gr.Textbox(
                    label=say("arena.correction"),
                    placeholder=say("arena.correction_placeholder"),
                    lines=3,
                    max_lines=10,
                    max_length=QUESTION_CHARACTERS,
                    elem_id="correction",
                )
        self.next = gr.Button(
            say("arena.next"), variant="primary", visible=False, elem_id="next", elem_classes="key-n"
        )
        gr.HTML(views.keys(say))

    def _connect(self) -> None:
        quiet: dict[str, Any] = {
            "show_progress": "hidden",
            "api_visibility": "private",
            "trigger_mode": "once",
            "concurrency_limit": AT_ONCE,
        }
        gr.on(
            [self.ask.click, self.question.submit],
            self.answer,
            [self.question, self.kind, self.shown],
            self._asked,
            **quiet,
        )
        for number, button in enumerate(self.suggested):
            button.click(partial(_offered, number), self.offers, [self.question, self.kind], **quiet)
        choices: list[tuple[int | str, gr.Button]]
        choices = [*enumerate(self.better), ("tie", self.tie), ("neither", self.neither)]
        for choice, button in choices:
            button.click(
                self._voter(choice), [self.round, self.reason, self.correction], self._voted, **quiet
            )
        self.next.click(self.clear, self.shown, self._cleared, **quiet)

    @property
    def _choices(self) -> list[gr.Button]:
        return [*self.better, self.tie, self.neither]

    @property
    def _asked(self) -> list[Any]:
        parts = [
            self.round,
            self.status,
            self.answers,
            self.voting,
            self.ask,
            self.offered,
            self.next,
            self.more,
            self.reason,
            self.correction,
        ]
        return [*parts, *self.columns, *self.heads, *self.bodies, *self._choices]

    @property
    def _voted(self) -> list[Any]:
        return [
            self.status,
            self.next,
            self.more,
            self.progress,
            self.ask,
            *self.heads,
            *self.columns,
            *self._choices,
        ]

    @property
    def opened(self) -> list[Any]:
        """The components that `open` writes to."""
        return [self.progress, self.shown, self.offers, self.offered, *self.suggested]

    @property
    def _cleared(self) -> list[Any]:
        return [
            *self.opened,
            self.round,
            self.question,
            self.kind,
            self.status,
            self.answers,
            self.voting,
            self.next,
            self.ask,
        ]

    async def open(self, person: Person | None, shown: int = 2) -> Updates:
        """Return what a page shows when it is opened: progress, and which questions are needed most.

        `shown` is how many answers the person wants; where fewer versions are live, it becomes what can be had.
        """
        if person is None:
            return {self.progress: views.progress(self._say, None)}
        week = await self._week()
        kinds = week.kinds if week else ()
        offers = suggestions(kinds, SUGGESTED, self._desk.random, self._say.language)
        try:
            live = len(await self._desk.versions(person))
        except Refused:
            live = 0
        most = max(2, min(live, MOST_SHOWN))  # one version alone answers twice
        return {
            self.progress: views.progress(self._say, week),
            self.shown: gr.update(choices=list(range(2, most + 1)), value=min(shown, most), visible=live > 2),
            self.offers: offers,
            self.offered: gr.update(visible=bool(offers)),
            **{
                button: gr.update(
                    value=offers[at].question if at < len(offers) else "", visible=at < len(offers)
                )
                for at, button in enumerate(self.suggested)
            },
        }

    async def _week(self) -> Week | None:
        try:
            return await self._desk.week()
        except LoopError:
            return None

    async def answer(
        self, question: str, kind: str, shown: int, request: gr.Request
    ) -> AsyncIterator[Updates]:
        """Ask the versions and show their answers as they grow."""
        say, person = self._say, self._desk.person(request)
        if person is None:
            yield {self.status: status(say("trouble.signed_out"), "bad")}
            return
        if not question.strip():
            yield {self.status: status(say("arena.empty"), "bad")}
            return
        try:
            made = await self._begin(person, question.strip(), kind, shown)
        except Refused as refused:
            yield {self.status: status(in_words(say, refused), "bad")}
            return
        except ValueError:
            yield {self.status: status(say("trouble.no_versions"), "bad")}
            return
        yield self._begun(made)
        said = [""] * len(made.places)
        async with aclosing(made.run(self._desk.gateway)) as steps:
            async for _ in steps:
                now = [views.place_body(say, place) for place in made.places]
                yield {
                    self.bodies[at]: html
                    for at, (html, before) in enumerate(zip(now, said, strict=True))
                    if html != before
                } or {self.status: gr.skip()}
                said = now
        yield self._ended(made)

    async def _begin(self, person: Person, question: str, kind: str, shown: int) -> Round:
        """Return a new round. Raises Refused, and ValueError where no version is live."""
        live = await self._desk.versions(person)
        try:
            votes = await self._desk.ports.tally()
        except LoopError:
            votes = Tally()
        return rounds.begun(person, question, kind, seats(live, votes, shown, self._desk.random))

    def _begun(self, made: Round) -> Updates:
        number, say = len(made.places), self._say
        words_of_neither = say("arena.neither" if number == 2 else "arena.neither_many")
        return {
            self.round: made,
            self.status: status(say("arena.writing")),
            self.answers: gr.update(visible=True),
            self.voting: gr.update(visible=True),
            self.ask: gr.update(interactive=False),
            self.offered: gr.update(visible=False),
            self.next: gr.update(visible=False),
            self.more: gr.update(visible=True, open=False),
            self.reason: "",
            self.correction: "",
            **{
                column: gr.update(visible=at < number, elem_classes="card answer")
                for at, column in enumerate(self.columns)
            },
            **{head: views.place_head(say, at) for at, head in enumerate(self.heads)},
            **{
                body: views.place_body(say, place)
                for body, place in zip(self.bodies, made.places, strict=False)
            },
            **{
                button: gr.update(visible=at < number, interactive=False, variant="secondary")
                for at, button in enumerate(self.better)
            },
            self.tie: gr.update(interactive=False, variant="secondary"),
            self.neither: gr.update(interactive=False, variant="secondary", value=words_of_neither),
        }

    def _ended(self, made: Round) -> Updates:
        if not made.complete:
            return {
                self.status: status(self._say("arena.failed"), "bad"),
                self.ask: gr.update(interactive=True),
                self.next: gr.update(visible=True),
            }
        return {
            self.status: status(self._say("arena.judge"), "ask"),
            **{button: gr.update(interactive=True) for button in self._choices},
        }

    def _voter(self, choice: int | str) -> Any:
        """Return what a button does; a function of its own, since Gradio looks at what it takes."""

        async def vote(
            made: Round | None, reason: str, correction: str, request: gr.Request
        ) -> AsyncIterator[Updates]:
            async for update in self.vote(choice, made, reason, correction, self._desk.person(request)):
                yield update

        return vote

    async def vote(
        self, choice: int | str, made: Round | None, reason: str, correction: str, person: Person | None
    ) -> AsyncIterator[Updates]:
        """Send the vote, once, and then say who wrote what."""
        say = self._say
        if person is None or made is None or made.person != person:
            yield {self.status: status(say("trouble.signed_out"), "bad")}
            return
        if not made.claim():
            yield {self.status: gr.skip()}
            return
        yield {self.status: status(say("arena.storing")), **self._able(False)}
        counted = not made.gives_itself_away(self._desk.own_names)
        try:
            await self._desk.gateway.vote(person, made.vote(choice, counted, reason, correction))
        except Refused as refused:
            made.release()
            yield {self.status: status(in_words(say, refused), "bad"), **self._able(True)}
            return
        if counted and isinstance(choice, int):
            self._desk.stored(made.kind, len(made.places) - 1)
        yield self._told(made, choice, counted) | {self.progress: views.progress(say, await self._week())}

    def _able(self, able: bool) -> Updates:
        return {button: gr.update(interactive=able) for button in self._choices}

    def _told(self, made: Round, choice: int | str, counted: bool) -> Updates:
        say = self._say
        text = say("arena.stored" if counted else "arena.not_counted")
        if len({place.reply.version for place in made.places}) == 1:
            text = f"{text} {say('arena.one_version')}"
        pressed = {"tie": self.tie, "neither": self.neither}.get(str(choice)) or self.better[int(choice)]
        return {
            self.status: status(text, "good"),
            self.more: gr.update(visible=False),
            self.next: gr.update(visible=True),
            self.ask: gr.update(interactive=True),
            **{
                self.heads[at]: views.place_head(say, at, place, at == choice)
                for at, place in enumerate(made.places)
            },
            **{
                self.columns[at]: gr.update(elem_classes="card answer preferred")
                for at in range(len(made.places))
                if at == choice
            },
            pressed: gr.update(variant="primary", interactive=False),
        }

    async def clear(self, shown: int, request: gr.Request) -> Updates:
        """Make room for the next question."""
        return await self.open(self._desk.person(request), shown) | {
            self.round: None,
            self.question: "",
            self.kind: "",
            self.status: status(""),
            self.answers: gr.update(visible=False),
            self.voting: gr.update(visible=False),
            self.next: gr.update(visible=False),
            self.ask: gr.update(interactive=True),
        }


def _offered(number: int, offers: tuple[Suggestion, ...]) -> tuple[Any, Any]:
    """Return the question and the kind of one suggestion."""
    return (offers[number].question, offers[number].kind) if number < len(offers) else (gr.skip(), gr.skip())
