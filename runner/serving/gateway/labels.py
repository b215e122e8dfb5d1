"""What reviewers say of items in the review queue; the console passes it on.

Serves `POST /labels` for the public application. The gateway does not know the items: it takes what is well formed, and
collection leaves out what is about nothing. Of several labels of one user on one item and task the latest counts.
"""

from __future__ import annotations

from runner.events.schema import Kind
from runner.feedback.records import Task
from runner.serving.gateway.front import Front
from runner.serving.gateway.replies import Receive, Scope, Send, bad_request, reply_json
from runner.serving.gateway.sayings import Body, Milliseconds, Sayings, Words, hear, understand
from runner.serving.gateway.sayings import Label as Id


class Label(Body):
    """The body of a label."""

    item: Id
    task: str
    value: str
    final: bool = False
    correction: Words | None = None
    comment: Words | None = None
    taken_ms: Milliseconds | None = None


class Labels:
    """Takes labels."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._sayings = Sayings(front, Kind.LABEL, "label")

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 200 with the event's id once it is durable. Raises ApiError, ConnectionError."""
        front = self._front
        heard = await hear(front, scope, receive)
        label = understand(Label, heard.body)
        _check(label)
        user = front.hashed(heard.caller.identity(None))
        said = {"loop.label.correction": label.correction, "loop.label.comment": label.comment}
        texts = {name: text for name, text in said.items() if text}
        kept = await front.privacy.texts(texts, keeps=heard.caller.keeps)
        saying = self._sayings.said([user, label.item, label.task], heard.body)
        event = {
            "event.id": saying.id,
            "event.time": front.sources.wall_us(),
            "loop.environment": front.config.environment,
            "loop.user": user,
            "loop.group": heard.caller.group,
            "loop.item": label.item,
            "loop.label.task": label.task,
            "loop.label.value": label.value,
            "loop.label.final": label.final,
            **({} if label.taken_ms is None else {"loop.label.taken_ms": label.taken_ms}),
            **kept,
        }
        await self._sayings.keep(saying, event)
        await reply_json(send, 200, {"id": saying.id, "object": "label"})


def _check(label: Label) -> None:
    """Raise ApiError 400 where a task is unknown, or where the value is none of its words."""
    if label.task not in tuple(Task):
        raise bad_request(f"'task' must be one of {_quoted(tuple(Task))}", "task")
    words = Task(label.task).values
    if label.value not in words:
        raise bad_request(f"'value' must be one of {_quoted(words)} for task '{label.task}'", "value")


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f'"{word}"' for word in words)
