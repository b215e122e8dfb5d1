"""Simulated customers as a judge: what they say to a judge's prompt, and what they do not know."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runner.evaluation.preference.prompt import told
from runner.simulation.bookshop.oracle import judge
from runner.simulation.bookshop.questions import Split
from runner.simulation.bookshop.suites import shipped
from runner.simulation.votes.panel import NO_VERDICT, known, panel, verdict

ROOT = Path(__file__).parents[3]


def test_nearly_always_the_right_answer_is_preferred_in_either_place() -> None:
    questions = [each for each in shipped(Split.REGRESSION) if each.expected][:150]
    wrong = {
        each.id: next(o.answer for o in questions if not judge(each, o.answer).good) for each in questions
    }
    first = [verdict(told(each.question, each.answer, wrong[each.id])) for each in questions]
    second = [verdict(told(each.question, wrong[each.id], each.answer)) for each in questions]
    swapped = {"FIRST": "SECOND", "SECOND": "FIRST"}
    assert second == [swapped[word] for word in first]  # the same person judges a pair in both orders
    slips = first.count("SECOND")
    assert 0 < slips < 20 and first.count("FIRST") == len(questions) - slips


def test_two_wrong_answers_and_the_same_answer_twice_are_ties() -> None:
    question = "What is the price of The Lantern Ledger?"
    assert known(question) is not None
    assert verdict(told(question, "Tuesday.", "Mirel Oakhart.")) == "TIE"
    assert verdict(told(question, "$23.25.", "$23.25.")) == "TIE"


def test_a_question_is_known_by_what_it_asks_whatever_stands_around_it() -> None:
    bare, dressed = (
        known(text)
        for text in (
            "Who wrote The Lantern Ledger?",
            "This is <PERSON_1>, phone <PHONE_1>. WHO WROTE THE LANTERN LEDGER?",
        )
    )
    assert (
        bare is not None and dressed is not None and bare.fact == dressed.fact == "author/the-lantern-ledger"
    )
    preferences = (ROOT / "datasets/snapshot/preferences.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [json.loads(line)["prompt"][-1]["content"] for line in preferences]
    strange = [text for text in asked if not known(text)]
    assert len(strange) <= len(asked) / 100, f"masking may take the title out of a question: {strange}"


@pytest.mark.parametrize(
    "said", [told("What is the weather?", "Rain.", "Sun."), "Who wrote The Lantern Ledger?", ""]
)
def test_what_nobody_in_the_shop_knows_gets_no_verdict(said: str) -> None:
    assert verdict(said) == NO_VERDICT


def test_it_answers_as_a_model_does_and_is_gone_afterwards() -> None:
    said = told("Who wrote The Lantern Ledger?", "Mirel Oakhart.", "2021.")

    async def post(url: str, body: object) -> tuple[int, dict[str, Any]]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/chat/completions", json=body) as got,
        ):
            return got.status, await got.json()

    async def go() -> None:
        body = {"model": "m", "messages": [{"role": "user", "content": said}]}
        async with panel() as url:
            status, value = await post(url, body)
            assert status == 200
            assert value["choices"][0]["message"] == {"role": "assistant", "content": verdict(said)}
            assert value["usage"]["prompt_tokens"] > 0
            status, value = await post(url, {})
            assert status == 400 and "error" in value
        with pytest.raises(aiohttp.ClientConnectorError):
            await post(url, body)

    asyncio.run(go())
