"""Records, ballots and labels as short as tests can say them."""

from __future__ import annotations

from typing import Any

from runner.feedback.records import Answer, Ballot, Choice, Label, Reason, Record, Task


def record(number: int, *reasons: Reason, **changes: Any) -> Record:
    values: dict[str, Any] = {
        "id": f"rec-{number}",
        "reasons": reasons or (Reason.THUMBS_DOWN,),
        "prompt": ({"role": "user", "content": f"question {number}"},),
        "answer": f"answer {number}",
        "version": "chat-v1.0",
        "digest": "d" * 64,
        "group": "public",
        "user": f"customer-{number}",
        "category": "factual_qa",
        "language": "en",
        "at_us": number,
        "sources": (f"event-{number}",),
    }
    return Record(**values | changes)


def ballot(number: int, choice: Choice = Choice.LEFT, *, turned: bool = False, **changes: Any) -> Ballot:
    one = Answer("chat-v1.0", "a" * 64, "response-1", "the first answer")
    other = Answer("chat-v1.1", "b" * 64, "response-2", "the second answer")
    values: dict[str, Any] = {
        "id": f"vote-{number}",
        "comparison": "comparison-1",
        "prompt": ({"role": "user", "content": "which one?"},),
        "left": other if turned else one,
        "right": one if turned else other,
        "choice": choice,
        "user": f"voter-{number}",
        "group": "public",
        "category": "comparison",
        "language": "en",
        "at_us": number,
    }
    return Ballot(**values | changes)


def label(user: str, value: str, item: str = "rec-1", at: int = 0, **changes: Any) -> Label:
    task = changes.pop("task", Task.ANSWER)
    name = f"label-{user}-{item}-{task}-{at}-{value}-{changes.get('final', False)}"
    return Label(id=name, item=item, task=task, value=value, user=user, at_us=at, **changes)
