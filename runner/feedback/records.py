"""What is collected, as values: a record of an answer, a ballot of the arena, a label of a reviewer.

`extraction` makes them from events and masks them, `datasets/collected/` keeps them as JSON lines, and everything
after that (labels, checks, data sets, lineage) starts from them. A record's id follows from the answer it is about, so
collecting again gives the same ids. Users are keyed hashes. Pure values; no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from runner import digest

Message = Mapping[str, str]
Messages = tuple[Message, ...]
"""A conversation: `{role, content}`, the question last."""


class Reason(StrEnum):
    """Why a record was taken from the log."""

    REFUSAL = "refusal"
    """It refuses, and nothing says that it should have."""
    REASK = "reask"
    """Its user asked the same again."""
    THUMBS_DOWN = "thumbs_down"
    THUMBS_UP = "thumbs_up"
    LOW_RATING = "low_rating"
    """1 or 2 of 5."""
    HIGH_RATING = "high_rating"
    """5 of 5."""
    CORRECTION = "correction"
    """Somebody wrote a better answer."""
    SHADOW = "shadow"
    """A shadowed version answered otherwise."""
    SHORT = "short"
    """Among the shortest answers: the lower tail of the token distribution."""
    LONG = "long"
    """Among the longest answers: the upper tail."""


class Choice(StrEnum):
    """How a comparison of two answers ended."""

    LEFT = "left"
    RIGHT = "right"
    TIE = "tie"
    NEITHER = "neither"


class Task(StrEnum):
    """What reviewers are asked of an item, and by which words they may answer."""

    ANSWER = "answer"
    """Is this the answer that the user should have got? (For a refusal: was it right to refuse?)"""
    CORRECTION = "correction"
    """Is what somebody wrote instead right, and better?"""
    PREFERENCE = "preference"
    """Which of two answers is better?"""

    @property
    def values(self) -> tuple[str, ...]:
        """The words that may be said."""
        return tuple(Choice) if self is Task.PREFERENCE else ("good", "bad", "unclear")


@dataclass(frozen=True, slots=True)
class Record:
    """One logged answer that is worth looking at; texts are masked."""

    id: str
    reasons: tuple[Reason, ...]
    prompt: Messages
    answer: str
    version: str
    digest: str
    group: str
    user: str
    category: str
    language: str
    at_us: int
    """Microseconds since 1970 UTC at which it was answered."""
    sources: tuple[str, ...]
    """Ids of the events that it was made from, the request's first."""
    correction: str | None = None
    other: str | None = None
    """What the shadowed version answered."""
    thumbs: int | None = None
    rating: int | None = None
    masked: Mapping[str, int] = field(default_factory=dict)
    """Entity -> how often it was masked here."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One of two answers of a comparison; text masked."""

    version: str
    digest: str
    response: str
    text: str
    sampling: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ballot:
    """One person's vote on two answers; texts are masked. `id` is the event's."""

    id: str
    comparison: str
    """The same for all who judge these answers to this question."""
    prompt: Messages
    left: Answer
    right: Answer
    choice: Choice
    user: str
    group: str
    category: str
    language: str
    at_us: int
    shown: int = 2
    counted: bool = True
    taken_ms: float | None = None
    reason: str | None = None
    correction: str | None = None
    masked: Mapping[str, int] = field(default_factory=dict)

    @property
    def chosen(self) -> Answer | None:
        """The better answer, None where there is none."""
        return {Choice.LEFT: self.left, Choice.RIGHT: self.right}.get(self.choice)

    @property
    def rejected(self) -> Answer | None:
        """The other one, None where there is none."""
        return {Choice.LEFT: self.right, Choice.RIGHT: self.left}.get(self.choice)


@dataclass(frozen=True, slots=True)
class Label:
    """What one reviewer said of one item, a record or a comparison; texts are masked. `id` is the event's."""

    id: str
    item: str
    task: Task
    value: str
    user: str
    at_us: int
    final: bool = False
    """It settles what others disagreed about."""
    correction: str | None = None
    comment: str | None = None


def record_id(request_event: str) -> str:
    """Return the id of the record about an answer, from the id of its request's event."""
    return f"rec-{digest.short(digest.of_value(['record', request_event]))}"


def question(prompt: Messages) -> str:
    """Return the last thing that the user said, empty where there is none."""
    return next((each.get("content", "") for each in reversed(prompt) if each.get("role") == "user"), "")


def to_json(value: Record | Ballot | Label) -> dict[str, Any]:
    """Return a value as one JSON line holds it, with every field, so that all lines are alike."""
    return asdict(value)


def record_from_json(line: Mapping[str, Any]) -> Record:
    """Read a record back. Raises KeyError, TypeError or ValueError for a line that is none."""
    return Record(
        **{
            **line,
            "reasons": tuple(map(Reason, line["reasons"])),
            "prompt": tuple(line["prompt"]),
            "sources": tuple(line["sources"]),
        }
    )


def ballot_from_json(line: Mapping[str, Any]) -> Ballot:
    """Read a ballot back. Raises KeyError, TypeError or ValueError for a line that is none."""
    return Ballot(
        **{
            **line,
            "prompt": tuple(line["prompt"]),
            "left": Answer(**line["left"]),
            "right": Answer(**line["right"]),
            "choice": Choice(line["choice"]),
        }
    )


def label_from_json(line: Mapping[str, Any]) -> Label:
    """Read a label back. Raises KeyError, TypeError or ValueError for a line that is none."""
    task = Task(line["task"])
    if line["value"] not in task.values:
        raise ValueError(f"'{line['value']}' is no word of task '{task.value}'")
    return Label(**{**line, "task": task})
