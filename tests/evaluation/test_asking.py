"""Questions are asked once: what was answered is read again, also after a run that was killed in the middle."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runner.errors import LoopError
from runner.evaluation.asking import IN_FLIGHT, REFUSED, Answers
from runner.evaluation.chat import ChatClient, Endpoint, Reply
from tests.evaluation.scripted import Said, Scripted, scripted

QUESTIONS = [f"question {number}?" for number in range(40)]
SERVED, BASE = "chat-v1.1--bbbbbbbbbbbb", "bookshop-base"


def echo(body: dict[str, Any]) -> str:
    return f"to {body['messages'][0]['content']}"


def ask(
    folder: Path,
    *script: Said,
    served: str = SERVED,
    key: str = "engine",
    questions: list[str] | None = None,
    **how: Any,
) -> tuple[list[Reply] | LoopError, Scripted, Answers]:
    """Ask a server that goes through a script; errors come back as values."""

    async def go() -> tuple[list[Reply] | LoopError, Scripted, Answers]:
        async with scripted(*script) as server, aiohttp.ClientSession() as session:

            async def at_once(_seconds: float) -> None:
                return None

            def client(name: str) -> ChatClient:
                return ChatClient(Endpoint(server.url, name), session, at_once)

            answers = Answers(folder, key, BASE, client)
            try:
                found: list[Reply] | LoopError = await answers(
                    served, questions or QUESTIONS, max_tokens=8, **how
                )
            except LoopError as error:
                found = error
            return found, server, answers

    return asyncio.run(go())


def test_every_question_gets_its_own_answer_with_many_at_once(tmp_path: Path) -> None:
    found, server, answers = ask(tmp_path, echo)
    assert isinstance(found, list)
    assert [each.text for each in found] == [f"to {question}" for question in QUESTIONS]
    assert 1 < server.most_in_flight <= IN_FLIGHT
    assert answers.asked == 40
    assert {body["temperature"] for body in server.asked} == {0.0}


def test_what_was_answered_is_not_asked_again(tmp_path: Path) -> None:
    first, _, _ = ask(tmp_path, echo)
    again, server, answers = ask(tmp_path, "something else")
    assert again == first and not server.asked and answers.asked == 0


@pytest.mark.parametrize("change", [{"key": "another engine"}, {"seed": 1}, {"temperature": 0.7}])
def test_another_engine_seed_or_temperature_is_another_answer(tmp_path: Path, change: dict[str, Any]) -> None:
    ask(tmp_path, echo)
    _, server, _ = ask(tmp_path, echo, **change)
    assert len(server.asked) == 40


def test_a_question_that_stands_twice_is_asked_once(tmp_path: Path) -> None:
    found, server, _ = ask(tmp_path, echo, questions=["same?", "other?", "same?"])
    assert isinstance(found, list) and found[0] == found[2] and len(server.asked) == 2


def test_an_interrupted_run_goes_on_with_what_is_left(tmp_path: Path) -> None:
    broken, _, answers = ask(tmp_path, *[echo] * 10, (503, "gone"))
    assert isinstance(broken, LoopError)
    kept = answers.asked
    assert 1 <= kept <= 10
    found, server, _ = ask(tmp_path, echo)
    assert isinstance(found, list) and len(server.asked) == 40 - kept
    assert [each.text for each in found] == [f"to {question}" for question in QUESTIONS]


def test_a_line_written_in_half_is_asked_again_and_spoils_no_other(tmp_path: Path) -> None:
    ask(tmp_path, echo, questions=QUESTIONS[:3])
    (path,) = tmp_path.glob("*.jsonl")
    path.write_bytes(path.read_bytes()[:-20])
    _, server, _ = ask(tmp_path, echo, questions=QUESTIONS[:5])
    assert len(server.asked) == 3
    _, server, _ = ask(tmp_path, echo, questions=QUESTIONS[:5])
    assert not server.asked


def test_the_base_is_asked_in_plain_text_up_to_the_end_of_the_line(tmp_path: Path) -> None:
    found, server, _ = ask(tmp_path, "11 am.", served=BASE, questions=["When?"])
    assert isinstance(found, list) and found[0].text == "11 am."
    assert server.asked[0]["prompt"] == "Question: When?\nAnswer:" and server.asked[0]["stop"] == ["\n"]


def test_a_question_that_the_engine_does_not_take_has_an_empty_answer(tmp_path: Path) -> None:
    found, _, _ = ask(tmp_path, (400, '{"error": {"message": "too long"}}'), questions=["long?"])
    assert found == [REFUSED]


def test_lines_of_other_alphabets_and_separators_are_read_back(tmp_path: Path) -> None:
    odd = "일요일\u2028다음 줄\u0085 end"
    ask(tmp_path, odd, questions=["odd?"])
    found, server, _ = ask(tmp_path, "another", questions=["odd?"])
    assert isinstance(found, list) and found[0].text == odd and not server.asked
