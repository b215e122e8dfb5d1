"""Simulated customers as a judge: an OpenAI-compatible server on a port of the loopback.

Called by the evaluation where the policy says `judge: {simulated: bookshop}`. It exists so that the small world has
people without people: a real judge is a model, and who asks cannot tell the two apart by anything but their verdicts.
The server reads the question and both answers out of the judge's prompt, draws a person by hash, and returns what that
person thinks (`voter.opinion`, slips and all) as one word. A question that nobody in the shop knows is answered by
words that are no verdict. The same pair is judged by the same person in either order.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from random import Random
from typing import Any

from aiohttp import web

from runner import digest
from runner.simulation.bookshop.questions import Question, Split, askings, framed
from runner.simulation.bookshop.suites import shipped
from runner.simulation.votes.voter import opinion

PEOPLE = 40
MODEL = "bookshop-customers"
NO_VERDICT = "I do not know that shop."
_PARTS = re.compile(
    r"<question-(?P<mark>\w+)>\n(?P<question>.*)\n</question-(?P=mark)>\n"
    r"<first-(?P=mark)>\n(?P<first>.*)\n</first-(?P=mark)>\n"
    r"<second-(?P=mark)>\n(?P<second>.*)\n</second-(?P=mark)>",
    re.DOTALL,
)
_WORDS: Mapping[int | str, str] = {0: "FIRST", 1: "SECOND", "tie": "TIE", "neither": "TIE"}


@asynccontextmanager
async def panel() -> AsyncIterator[str]:
    """Answer on a free port of the loopback until the block ends; yields the base URL."""
    application = web.Application()
    application.router.add_post("/v1/chat/completions", _complete)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def _complete(request: web.Request) -> web.Response:
    try:
        body = await request.json()
        told = body["messages"][-1]["content"]
        model = body["model"]
        said = verdict(told)
    except (ValueError, KeyError, TypeError, IndexError, LookupError):
        return web.json_response({"error": {"message": "this is no chat completion"}}, status=400)
    return web.json_response(_completion(model, told, said))


def _completion(model: str, told: str, said: str) -> dict[str, Any]:
    read, written = len(told.split()), len(said.split())
    return {
        "id": f"chatcmpl-{digest.short(digest.of_value(told))}",
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
    }


def verdict(told: str) -> str:
    """Return what a customer says to a judge's prompt."""
    parts = _PARTS.search(told)
    asked = known(parts["question"]) if parts else None
    if parts is None or asked is None:
        return NO_VERDICT
    answers = [parts["first"], parts["second"]]
    drawn = int(digest.of_value([asked.id, sorted(answers)])[:8], 16) % PEOPLE
    return _WORDS[opinion(f"customer-{drawn:02d}", asked, answers).choice]


def known(text: str) -> Question | None:
    """Return the question that a text asks; None where it is none about the shop.

    Those of the files are known word for word, and every other one by what it asks, whatever stands around that:
    greetings, names, numbers that were masked.
    """
    if text in _asked():
        return _asked()[text]
    spoken = text.casefold()
    held = [core for core in _cores() if core in spoken]
    return _cores()[max(held, key=len)] if held else None


@cache
def _asked() -> Mapping[str, Question]:
    return {question.question: question for split in Split for question in shipped(split)}


@cache
def _cores() -> Mapping[str, Question]:
    bare = (
        framed(asking, "{q}", "plain", Random(0))
        for usual in (False, True)
        for asking in askings(fresh=usual)
    )
    return {question.question.casefold(): question for question in bare}
