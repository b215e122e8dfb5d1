"""A small event log of people who ask an assistant, and what is collected from it; for tests of extraction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from runner.events.lake import DuckDB, Lake
from runner.events.schema import Kind
from runner.feedback.extraction import Found, Ports, Rules, Window, extract
from tests.doubles.event_files import START_US, line, segment

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
WINDOW = Window(START_US - HOUR_US, START_US + 100 * HOUR_US)
Event = dict[str, Any]


class Open:
    """Masks nothing."""

    def scrub(self, texts: Sequence[str], language: str) -> Any:
        return SimpleNamespace(texts=tuple(texts), counts={}, excluded=())


def says_sorry(questions: Sequence[str], answers: Sequence[str]) -> list[bool]:
    return [answer.startswith("Sorry") for answer in answers]


def no_kind(questions: Sequence[str]) -> list[str]:
    return ["factual_qa"] * len(questions)


PORTS = {"refuses": says_sorry, "scrubber": Open(), "categories": no_kind}


@dataclass
class Log:
    """Events in order; `ask` and the others return the event's id."""

    events: list[tuple[Kind, Event]] = field(default_factory=list)

    def add(self, kind: Kind, event: Event) -> str:
        kept = {"loop.environment": "production", "event.time": START_US, **event}
        self.events.append((kind, kept))
        return str(kept["event.id"])

    def ask(
        self, question: Any, answer: Any, user: str = "ann", at_s: float | None = None, **more: Any
    ) -> str:
        """Add a request and what was said; texts, or whole messages."""
        name = f"q{len(self.events):04d}"
        at_us = START_US + int((at_s if at_s is not None else 100 * len(self.events)) * SECOND_US)
        self.add(
            Kind.REQUEST,
            {
                "event.id": name,
                "event.time": at_us,
                "loop.request.id": "named by the client",
                "loop.user": user,
                "loop.group": "public",
                "loop.version": "chat-v1.0",
                "loop.adapter.digest": "a" * 64,
                "loop.outcome": "ok",
                "loop.latency_ms": 5.0,
                "http.response.status_code": 200,
                "gen_ai.response.id": f"chatcmpl-{name}",
                "gen_ai.usage.input_tokens": 9,
                **more,
            },
        )
        asked = [{"role": "user", "content": question}] if isinstance(question, str) else question
        said = [{"role": "assistant", "content": answer}] if isinstance(answer, str) else answer
        self.content(name, at_us, json.dumps(asked), json.dumps(said))
        return name

    def content(self, name: str, at_us: int, asked: str, said: str) -> str:
        return self.add(
            Kind.CONTENT,
            {
                "event.id": f"{name}-content",
                "event.time": at_us,
                "loop.request.id": "named by the client",
                "gen_ai.input.messages": asked,
                "gen_ai.output.messages": said,
            },
        )

    def feedback(self, of: str, user: str = "ann", after_s: float = 60, **said: Any) -> str:
        return self.add(
            Kind.FEEDBACK,
            {
                "event.id": f"f{len(self.events):04d}",
                "event.time": START_US + int((10_000 + after_s) * SECOND_US),
                "gen_ai.response.id": f"chatcmpl-{of}",
                "loop.user": user,
                "loop.group": "public",
                **{f"loop.{name}": value for name, value in said.items()},
            },
        )

    def shadow(self, of: str, answer: str) -> str:
        return self.add(
            Kind.SHADOW,
            {
                "event.id": f"{of}-shadow",
                "loop.request.id": "named by the client",
                "loop.version": "chat-v1.2",
                "loop.adapter.digest": "c" * 64,
                "loop.outcome": "ok",
                "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": answer}]),
            },
        )

    def label(self, item: str, value: str, user: str = "rita", **more: Any) -> str:
        return self.add(
            Kind.LABEL,
            {
                "event.id": f"l{len(self.events):04d}",
                "event.time": START_US + len(self.events) * SECOND_US,
                "loop.user": user,
                "loop.group": "internal",
                "loop.item": item,
                "loop.label.task": "answer",
                "loop.label.value": value,
                **more,
            },
        )

    def vote(self, question: str, left: str, right: str, choice: str = "left", **more: Any) -> str:
        return self.add(
            Kind.VOTE,
            {
                "event.id": f"v{len(self.events):04d}",
                "event.time": START_US + len(self.events) * SECOND_US,
                "loop.user": "rita",
                "loop.group": "internal",
                "loop.left.version": "chat-v1.0",
                "loop.right.version": "chat-v1.1",
                "loop.vote.choice": choice,
                "loop.vote.question": f"cmp-{len(self.events)}",
                "loop.vote.prompt": json.dumps([{"role": "user", "content": question}]),
                "loop.left.answer": left,
                "loop.right.answer": right,
                **more,
            },
        )

    def write(self, home: Path, order: Sequence[int] | None = None, extra: bytes = b"") -> Path:
        """Write the log as segments; `order` are places of events, some perhaps more than once."""
        chosen = [self.events[place] for place in (range(len(self.events)) if order is None else order)]
        for kind in {kind for kind, _ in chosen}:
            segment(home / "events", [*(line(event) for of, event in chosen if of is kind), extra], kind=kind)
        return home


def collected(
    home: Path, window: Window = WINDOW, ports: dict[str, Any] | None = None, **rules: Any
) -> Found:
    """Extract from the log in a folder."""
    engine = DuckDB(threads=1)
    try:
        with Lake(home / "lake", home / "events", engine) as lake:
            chosen = Ports(**{**PORTS, **(ports or {})})
            return extract(lake, engine, home / "lake", Rules(window, **rules), chosen)
    finally:
        engine.close()
