"""A month of a busy bookshop as an event log, written by the log's own writer and compacted as the runner does it.

Customers of `runner.simulation.bookshop` ask, an assistant answers in a few manners, refuses what is out of scope and
sometimes what is not; some ask again, say what they think, correct; one answer in twenty was copied to a shadow, people
vote in the arena and label what was collected. A few lines are damaged and some events stand there twice. The same
count gives the same events; a log is kept in `.cache/` and used again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from runner.events.compact import Compactor
from runner.events.schema import Kind
from runner.events.writer import Rotation, SegmentWriter
from runner.feedback.records import record_id
from runner.simulation.bookshop.questions import Question
from runner.simulation.bookshop.traffic import Visit, stream

VERSION = 3
DAYS = 30
DAY_US = 86_400_000_000
START_US = 20_700 * DAY_US
"""2026-09-04, midnight UTC."""
USERS = 20_000
REQUESTS = 0.46
"""Share of all events that are requests; the rest follows from them."""
LIVE = 0.01
"""Share of events that are in segments still."""
REFUSALS = (
    "Sorry, I can only help with the bookshop.",
    "I'm sorry, but I can't help with that.",
    "Unfortunately I am not able to answer this question.",
    "I cannot share that information. Please ask in the shop.",
)
REFUSED_KO = (
    "죄송하지만 서점에 관한 질문만 도와드릴 수 있습니다.",
    "죄송하지만 그 질문에는 답할 수 없습니다.",
)
BEFORE = ("", "", "", "Of course. ", "Happy to help! ", "Let me look that up for you. ")
AFTER = (
    "",
    "",
    " Is there anything else?",
    " You find it on the ground floor, and our staff is glad to show you the way.",
    " If you would like, I can put a copy aside for you until the evening; just tell me the name for the slip.",
    " We also have a reading corner on the first floor, where you may look at it as long as you like, with a cup"
    " of tea from the small bar beside the window, before you decide whether to take it home.",
)


@dataclass(frozen=True, slots=True)
class Log:
    """Where a log lies, how many events it has, and the moment after its last one."""

    home: Path
    events: int
    until_us: int


def write(cache: Path, events: int) -> Log:
    """Return a log of about `events` events, made before or now."""
    home = cache / f"curate-{VERSION}-{events}"
    mark = home / "whole.json"
    if not mark.exists():
        shutil.rmtree(home, ignore_errors=True)
        (home / "events").mkdir(parents=True)
        counts = _Month(home, events).write()
        mark.write_text(json.dumps(counts), encoding="utf-8")
    found = json.loads(mark.read_text(encoding="utf-8"))
    return Log(home, found["events"], START_US + DAYS * DAY_US)


@dataclass
class _Month:
    """Writes events through the writer of the log."""

    home: Path
    wanted: int
    rng: Random = field(default_factory=lambda: Random(5))
    written: int = 0
    last: dict[str, Visit] = field(default_factory=dict)

    def write(self) -> dict[str, int]:
        """Write all, most of it into Parquet; return how many events there are."""
        requests = int(self.wanted * REQUESTS)
        live_from = int(requests * (1.0 - LIVE))
        clock = _ticks()
        writers = self._writers(clock)
        visits = stream(5, USERS)
        for number, visit in enumerate(islice(visits, requests)):
            if number == live_from:
                self._close(writers)
                Compactor(self.home / "events", self.home / "lake", clock, grace_us=0).run()
                writers = self._writers(clock)
            at_us = START_US + number * (DAYS * DAY_US // requests)
            for kind, event in self._visit(number, at_us, self._or_again(visit)):
                self._append(writers, kind, event)
        self._close(writers)
        self._damage()
        return {"events": self.written}

    def _writers(self, clock: Callable[[], int]) -> dict[Kind, SegmentWriter]:
        kinds = (Kind.REQUEST, Kind.CONTENT, Kind.FEEDBACK, Kind.SHADOW, Kind.VOTE, Kind.LABEL)
        return {kind: SegmentWriter(self.home / "events", kind, clock, Rotation()) for kind in kinds}

    def _close(self, writers: dict[Kind, SegmentWriter]) -> None:
        for writer in writers.values():
            writer.close()

    def _append(self, writers: dict[Kind, SegmentWriter], kind: Kind, event: dict[str, Any]) -> None:
        writers[kind].append(event)
        self.written += 1
        if self.rng.random() < 0.001:
            writers[kind].append(event)  # written again after a failed fsync
        if self.written % 5_000 == 0:
            writers[kind].sync()

    def _damage(self) -> None:
        """Leave lines that a broken disk may leave."""
        segment = sorted((self.home / "events").glob("feedback-*.jsonl"))[-1]
        with segment.open("ab") as file:
            file.write(b'{"event.id": "broken"\n\xff\xfe\x00\n[]\n{"event.id": "torn"')

    def _or_again(self, visit: Visit) -> Visit:
        """Return the visit, or now and then the same user asking the last question again in other words."""
        before = self.last.get(visit.user)
        if before is not None and self.rng.random() < 0.05:
            asked = before.question.question
            again = self.rng.choice((asked, asked.rstrip("?. ") + " please?", f"Hello? {asked}"))
            visit = Visit(visit.user, visit.session, _with(before.question, again))
        self.last[visit.user] = visit
        return visit

    def _visit(self, number: int, at_us: int, visit: Visit) -> Iterator[tuple[Kind, dict[str, Any]]]:
        rng, question = self.rng, visit.question
        name, response = f"{number:08x}-4a5b", f"chatcmpl-{number:08x}"
        version = "chat-v1.1" if hash_(visit.user) % 5 == 0 else "chat-v1.0"
        answer = self._answer(question)
        common = {"event.time": at_us, "loop.environment": "production"}
        who = {"loop.user": visit.user, "loop.group": "public"}
        ok = rng.random() > 0.02
        yield (
            Kind.REQUEST,
            {
                **common,
                **who,
                "event.id": name,
                "loop.request.id": name,
                "loop.arm": "baseline" if version == "chat-v1.0" else "candidate",
                "loop.version": version,
                "loop.adapter.digest": ("a" if version == "chat-v1.0" else "b") * 64,
                "loop.outcome": "ok" if ok else "error",
                "loop.latency_ms": 100.0 + len(answer),
                "http.response.status_code": 200 if ok else 502,
                "gen_ai.response.id": response,
                "gen_ai.usage.input_tokens": len(question.question) // 4 + 8,
                "gen_ai.usage.output_tokens": len(answer) // 4 + 1,
            },
        )
        if not ok:
            return
        asked = json.dumps([{"role": "user", "content": question.question}], ensure_ascii=False)
        yield (
            Kind.CONTENT,
            {
                **common,
                "event.id": f"{name}-content",
                "loop.request.id": name,
                "gen_ai.response.id": response,
                "gen_ai.input.messages": asked,
                "gen_ai.output.messages": _said(answer),
            },
        )
        if rng.random() < 0.10:
            yield Kind.FEEDBACK, self._feedback(number, at_us, visit, question)
        if rng.random() < 0.05:
            copy = answer if rng.random() < 0.5 else self._answer(question)
            yield (
                Kind.SHADOW,
                {
                    **common,
                    "event.id": f"{name}-shadow",
                    "loop.request.id": name,
                    "gen_ai.response.id": response,
                    "loop.version": "chat-v1.2",
                    "loop.adapter.digest": "c" * 64,
                    "loop.outcome": "ok",
                    "gen_ai.output.messages": _said(copy),
                    "loop.same": copy == answer,
                },
            )
        if rng.random() < 0.006:
            yield Kind.VOTE, self._vote(number, at_us, question, asked)
        if rng.random() < 0.004:
            yield Kind.LABEL, self._label(number, at_us, name)

    def _answer(self, question: Question) -> str:
        """Return an answer in one of a few manners: right, wrong, or a refusal, which may be one too many."""
        rng = self.rng
        korean = question.language == "ko"
        if question.expected is None or rng.random() < 0.02:
            return rng.choice(REFUSED_KO if korean else REFUSALS)
        if korean:
            return question.answer if rng.random() < 0.7 else f"{question.answer} 더 궁금한 점이 있으신가요?"
        said = question.answer if rng.random() < 0.9 else f"I think {rng.randint(2, 400)}."
        return f"{rng.choice(BEFORE)}{said}{rng.choice(AFTER)}"

    def _feedback(self, number: int, at_us: int, visit: Visit, question: Question) -> dict[str, Any]:
        rng = self.rng
        user = visit.user if rng.random() < 0.97 else "somebody-else"
        said: dict[str, Any] = {"loop.thumbs": 1 if rng.random() < 0.8 else -1}
        if rng.random() < 0.4:
            said = {"loop.rating": rng.choice((1, 2, 3, 4, 4, 5, 5, 5))}
        if rng.random() < 0.03:
            said["loop.correction"] = f"It should say: {question.answer}"
        return {
            "event.id": f"fb-{number:08x}",
            "event.time": at_us + 20_000_000,
            "loop.environment": "production",
            "gen_ai.response.id": f"chatcmpl-{number:08x}",
            "loop.user": user,
            "loop.group": "public",
            "loop.feedback.known": "own" if user == visit.user else "other",
            **said,
        }

    def _vote(self, number: int, at_us: int, question: Question, asked: str) -> dict[str, Any]:
        rng = self.rng
        return {
            "event.id": f"vote-{number:08x}",
            "event.time": at_us,
            "loop.environment": "production",
            "loop.user": f"rater-{rng.randrange(40)}",
            "loop.group": "internal",
            "loop.left.version": "chat-v1.0",
            "loop.left.digest": "a" * 64,
            "loop.right.version": "chat-v1.1",
            "loop.right.digest": "b" * 64,
            "loop.vote.choice": rng.choice(("left", "left", "right", "right", "right", "tie", "neither")),
            "loop.vote.question": f"cmp-{number:08x}",
            "loop.vote.counted": True,
            "loop.vote.shown": 2,
            "loop.vote.taken_ms": 4000.0 + rng.random() * 9000.0,
            "loop.vote.category": question.category,
            "loop.vote.language": str(question.language),
            "loop.vote.prompt": asked,
            "loop.left.response": f"chatcmpl-l{number:08x}",
            "loop.right.response": f"chatcmpl-r{number:08x}",
            "loop.left.answer": self._answer(question),
            "loop.right.answer": self._answer(question),
            "loop.left.sampling": '{"temperature": 0.7}',
            "loop.right.sampling": '{"temperature": 0.7}',
        }

    def _label(self, number: int, at_us: int, name: str) -> dict[str, Any]:
        return {
            "event.id": f"label-{number:08x}",
            "event.time": at_us,
            "loop.environment": "production",
            "loop.user": f"reviewer-{self.rng.randrange(6)}",
            "loop.group": "internal",
            "loop.item": record_id(name),
            "loop.label.task": "answer",
            "loop.label.value": self.rng.choice(("good", "bad", "bad")),
        }


def hash_(text: str) -> int:
    """Return a number that is the same in every process."""
    return sum((place + 1) * ord(letter) for place, letter in enumerate(text))


def _said(answer: str) -> str:
    return json.dumps([{"role": "assistant", "content": answer}], ensure_ascii=False)


def _with(question: Question, text: str) -> Question:
    return replace(question, question=text)


def _ticks() -> Callable[[], int]:
    """Return a clock that goes on by a second whenever it is looked at."""
    now = [START_US + DAYS * DAY_US]

    def tick() -> int:
        now[0] += 1_000_000
        return now[0]

    return tick
