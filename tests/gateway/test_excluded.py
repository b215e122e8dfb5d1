"""Text of callers whose group is excluded, or who ask for it, is not kept; the facts are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from runner.events.schema import Kind
from runner.serving.routes import Shadow
from tests.doubles.stub_engine import RunningStub
from tests.gateway.consoles import HEADERS, SHA256, label, vote
from tests.gateway.running import OTHER, RunningGateway, gateway, table
from tests.waiting import until

MARK = "harbour-marker"
QUESTION = [{"role": "user", "content": f"where is {MARK}"}]
KEEP_NONE = {"x-loop-keep": "none"}


def say_everything(gateway: RunningGateway, headers: dict[str, str]) -> None:
    """Ask, and say all that can be said of answers, every text marked."""
    answer = gateway.ask(messages=QUESTION, headers=headers)
    assert answer.status_code == 200
    comparison = vote(reason=MARK, correction=MARK, prompt=QUESTION)
    comparison["answers"][0]["text"] = MARK
    feedback = {"response_id": answer.json()["id"], "rating": 2, "comment": MARK, "correction": MARK}
    for path, body in (
        ("/feedback", feedback),
        ("/votes", comparison),
        ("/labels", label(comment=MARK, correction=MARK)),
    ):
        sent = httpx.post(f"{gateway.url}{path}", json=body, headers=headers | HEADERS)
        assert sent.status_code == 200, sent.text


def bytes_of(state: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted((state / "events").iterdir()))


@pytest.mark.parametrize(
    ("settings", "headers", "kept"),
    [
        ({}, {}, True),
        ({"exclude_groups": ["beta"]}, {}, True),
        ({"exclude_groups": ["beta", "public"]}, {}, False),
        ({"exclude_groups": ["public"], "content": "raw"}, {}, False),
        ({"content": "raw"}, KEEP_NONE, False),
        ({}, {"x-loop-keep": "None"}, False),
    ],
)
def test_no_text_of_an_excluded_caller_is_written_and_every_fact_is(
    engine: RunningStub, tmp_path: Path, settings: dict[str, Any], headers: dict[str, str], kept: bool
) -> None:
    with gateway(tmp_path, console_sha256=SHA256, **settings) as running:
        shadow = Shadow(OTHER, 1.0)
        assert running.put(table(engine.url, shadow=shadow)).status_code == 200
        say_everything(running, headers)
        until(lambda: running.events(Kind.SHADOW), "the copy is logged")
        assert (MARK.encode() in bytes_of(tmp_path)) is kept
        assert len(running.events(Kind.CONTENT)) == kept
        facts = (Kind.REQUEST, Kind.FEEDBACK, Kind.VOTE, Kind.LABEL, Kind.SHADOW)
        assert [len(running.events(kind)) for kind in facts] == [1, 1, 1, 1, 1]
        (copy,) = running.events(Kind.SHADOW)
        assert ("gen_ai.output.messages" in copy) is kept and "loop.same" in copy
        assert running.events(Kind.FEEDBACK)[0]["loop.rating"] == 2
        assert running.events(Kind.REQUEST)[0]["gen_ai.usage.output_tokens"] > 0


def test_a_comment_alone_of_an_excluded_caller_is_acknowledged_and_not_kept(tmp_path: Path) -> None:
    with gateway(tmp_path, exclude_groups=["public"]) as running:
        body = {"response_id": "chatcmpl-1", "comment": MARK}
        answers = [httpx.post(f"{running.url}/feedback", json=body) for _ in range(2)]
        assert answers[0].status_code == 200 and answers[0].json() == answers[1].json()
        (event,) = running.events(Kind.FEEDBACK)
    assert not {"loop.comment", "loop.correction", "loop.thumbs", "loop.rating"} & event.keys()


def test_a_misspelt_wish_is_refused_rather_than_overheard(served: RunningGateway) -> None:
    answer = served.ask(headers={"x-loop-keep": "nothing"})
    assert answer.status_code == 400 and "x-loop-keep" in answer.json()["error"]["message"]
    assert served.events(Kind.CONTENT) == []


def test_a_streamed_answer_is_not_kept_either(served: RunningGateway) -> None:
    assert served.ask(stream=True, headers=KEEP_NONE).status_code == 200
    assert len(served.events()) == 1 and served.events(Kind.CONTENT) == []
