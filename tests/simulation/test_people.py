"""Simulated customers have tastes and habits, and stay who they are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import Any

import pytest
from aiohttp import web

from runner.simulation.bookshop.oracle import judge
from runner.simulation.bookshop.questions import Question
from runner.simulation.people.crowd import Habits, Seen, crowd
from runner.simulation.people.novelty import readers
from runner.simulation.people.person import NOVELTY, Person, interests, person, react, reworded, sentence

PEOPLE = [person(number, seed=1, speaks=0.5) for number in range(200)]


def asked(count: int) -> Iterator[tuple[Person, Question]]:
    for number in range(count):
        who = PEOPLE[number % len(PEOPLE)]
        yield who, next(interests(who, Random(number)))


def test_a_person_is_the_same_whenever_he_comes_back_and_people_differ() -> None:
    assert [person(number, seed=1, speaks=0.5) for number in range(200)] == PEOPLE
    assert len({(each.insists, each.speaks) for each in PEOPLE}) == len(PEOPLE)
    assert {each.language for each in PEOPLE} == {q.language for who, q in asked(200) if who}


def test_everybody_asks_in_his_own_language_only() -> None:
    assert all(question.language is who.language for who, question in asked(200))


def test_a_right_answer_pleases_and_a_wrong_one_does_not_whatever_is_said_of_it() -> None:
    for number, (who, question) in enumerate(asked(300)):
        good = react(who, question, question.answer, Random(number))
        bad = react(who, question, "Flying elephants.", Random(number))
        assert good.pleased and good.again is None
        assert not bad.pleased


def test_who_is_not_served_well_may_ask_the_same_in_other_words_and_nobody_else_does() -> None:
    again = [
        (question, reaction.again)
        for number, (who, question) in enumerate(asked(400))
        if (reaction := react(who, question, "Flying elephants.", Random(number))).again
    ]
    assert 60 < len(again) < 300, "some do, some do not"
    for question, other in again:
        assert other is not None and other.question != question.question
        assert (other.fact, other.language) == (question.fact, question.language)


def test_feedback_is_what_the_gateway_takes_and_a_correction_says_what_is_right() -> None:
    kinds = set()
    for number, (who, question) in enumerate(asked(1500)):
        answer = question.answer if number % 2 else "Flying elephants."
        said = react(who, question, answer, Random(number)).said
        kinds |= set(said)
        assert set(said) <= {"thumbs", "rating", "correction"}
        assert said.get("rating", 1) in range(1, 6)
        if "correction" in said:
            assert said["thumbs"] == "down" and judge(question, said["correction"]).good
    assert kinds == {"thumbs", "rating", "correction"}


def test_people_with_a_taste_for_sentences_rate_a_bare_value_lower_than_a_sentence() -> None:
    found: dict[tuple[bool, bool], set[int]] = {}
    for number, (who, question) in enumerate(asked(3000)):
        text = sentence(question)
        if text is None or len(question.answer.split()) > 3:
            continue
        for full in (True, False):
            said = react(who, question, text if full else question.answer, Random(number)).said
            found.setdefault((who.likes_sentences, full), set()).add(said.get("rating", 0))
    assert 5 in found[True, True] and 5 not in found[True, False]
    assert 4 in found[True, False] and 4 not in found[False, False]


def test_no_answer_of_the_shop_serves_a_question_about_what_it_sells_since_lately() -> None:
    new = list(islice(readers(Random(1)), 50))
    assert len({each.question for each in new}) > 30
    for question in new:
        assert question.trait == NOVELTY and reworded(question, Random(1)) is None
        assert not react(
            PEOPLE[0], question, "I can only help with questions about the bookshop.", Random(2)
        ).pleased


class Shop:
    """A gateway that gives one answer to everything and keeps what it was sent."""

    def __init__(self, answer: str, status: int = 200) -> None:
        self.answer, self.status = answer, status
        self.asked: list[dict[str, Any]] = []
        self.sessions: list[tuple[str, str]] = []
        self.said: list[dict[str, Any]] = []
        self.wanted, self.enough = 0, asyncio.Event()

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        if len(self.asked) >= self.wanted:
            self.enough.set()
        self.sessions.append((request.headers["x-loop-session"], body["user"]))
        if self.status != 200:
            return web.json_response({"error": {"type": "no_engine", "message": "away"}}, status=self.status)
        one = {"id": f"r-{len(self.asked)}", "model": "chat-v1.0", "usage": {}}
        if not body.get("stream"):
            choices = [{"message": {"role": "assistant", "content": self.answer}}]
            return web.json_response({**one, "choices": choices})
        lines = [json.dumps({**one, "choices": [{"delta": {"content": self.answer}}]}), "[DONE]"]
        return web.Response(
            body="".join(f"data: {line}\n\n" for line in lines), content_type="text/event-stream"
        )

    async def feedback(self, request: web.Request) -> web.StreamResponse:
        self.said.append(await request.json())
        return web.json_response({})


async def visited(shop: Shop, questions: int, **habits: Any) -> list[Seen]:
    """Let people at a shop until they have asked so many questions."""
    shop.wanted = questions
    application = web.Application()
    application.router.add_post("/v1/chat/completions", shop.complete)
    application.router.add_post("/feedback", shop.feedback)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    (port,) = {address[1] for address in runner.addresses}
    try:
        async with crowd(f"http://127.0.0.1:{port}", Habits(rate=400.0, people=20, **habits)) as people:
            await asyncio.wait_for(shop.enough.wait(), 60)
        return people.seen
    finally:
        await runner.cleanup()


def test_people_come_back_ask_on_in_visits_and_say_what_they_think_of_the_answer_they_got() -> None:
    shop = Shop("Flying elephants.")
    seen = asyncio.run(visited(shop, 200, speaks=0.8))
    assert len(seen) == len(shop.asked), "every answer under way was waited for"
    visits: dict[str, set[str]] = {}
    for session, user in shop.sessions:
        visits.setdefault(session, set()).add(user)
    assert all(len(users) == 1 for users in visits.values()), "a visit is one person's"
    assert len({user for users in visits.values() for user in users}) < len(visits), "people come back"
    assert len(visits) < len(shop.asked), "and ask more than once"
    assert {each["response_id"] for each in shop.said} <= {f"r-{n + 1}" for n in range(len(shop.asked))}
    assert shop.said and all(each["user"].startswith("customer-") for each in shop.said)


def test_a_request_that_fails_is_seen_as_failed_and_nothing_is_said_of_it() -> None:
    shop = Shop("", status=503)
    seen = asyncio.run(visited(shop, 40))
    assert all(each.failure is not None and each.reaction is None for each in seen) and shop.said == []


@pytest.mark.parametrize("novelty", [0.0, 1.0])
def test_the_share_of_visits_about_something_new_is_as_said(novelty: float) -> None:
    shop = Shop("Yes.")
    asyncio.run(visited(shop, 60, novelty=novelty))
    about = [("e-reader" in each["messages"][0]["content"]) for each in shop.asked]
    assert all(about) if novelty else not any(about)
