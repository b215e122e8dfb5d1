"""The client of chat endpoints: what is tried again, what is not, and what a failure says."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from runner.errors import LoopError, TerminalError, TransientError
from runner.evaluation.chat import ChatClient, Endpoint, Reply, RequestRefused, UnknownModel
from tests.evaluation.scripted import HANG, RAW, Said, Scripted, Waits, client_of, scripted

HELLO = [{"role": "user", "content": "hello"}]


def ask(*script: Said, waits: Waits | None = None, **endpoint: Any) -> tuple[Reply | LoopError, Scripted]:
    async def go() -> tuple[Reply | LoopError, Scripted]:
        async with scripted(*script) as server, client_of(server.url, waits, **endpoint) as client:
            try:
                return await client.ask(HELLO, 0.7, 16), server
            except LoopError as error:
                return error, server

    return asyncio.run(go())


def test_an_answer_comes_with_its_tokens_and_the_request_says_what_was_asked() -> None:
    found, server = ask("11 am.", model="chat-v1.0--0123456789ab")
    assert found == Reply("11 am.", "stop", 10, 2)
    assert server.asked == [
        {"model": "chat-v1.0--0123456789ab", "messages": HELLO, "temperature": 0.7, "max_tokens": 16}
    ]


@pytest.mark.parametrize(
    "fault", [(429, "{}"), (500, "oops"), (503, ""), (408, ""), f"{RAW}<html>", f"{RAW}{{}}", f"{RAW}[]"]
)
def test_what_can_pass_is_tried_again_after_growing_pauses(fault: Said) -> None:
    waits: Waits = []
    found, server = ask(fault, fault, "yes", waits=waits, pause=0.5)
    assert isinstance(found, Reply) and found.text == "yes"
    assert len(server.asked) == 3 and waits == [0.5, 1.0]
    found, server = ask(fault, waits=[], tries=2)
    assert isinstance(found, TransientError) and len(server.asked) == 2


@pytest.mark.parametrize(
    ("fault", "kind", "part"),
    [
        ((400, '{"error": {"message": "too long"}}'), RequestRefused, "too long"),
        ((413, "large"), RequestRefused, "large"),
        ((401, ""), TerminalError, "api_key_env"),
        ((404, '{"error": {"message": "The model `m` does not exist."}}'), UnknownModel, "no model 'm'"),
        ((404, '{"detail": "Not Found"}'), TerminalError, "status 404"),
    ],
)
def test_what_cannot_pass_is_raised_at_once_in_the_servers_own_words(
    fault: Said, kind: type[LoopError], part: str
) -> None:
    found, server = ask(fault)
    assert type(found) is kind and part in str(found) and len(server.asked) == 1


def test_a_server_that_never_answers_or_is_not_there_is_transient() -> None:
    found, server = ask(HANG, timeout=0.05, tries=2)
    assert isinstance(found, TransientError) and "did not answer within 0.05 s" in str(found)
    assert len(server.asked) == 2

    async def nobody() -> None:
        async with scripted("yes") as server:
            url = server.url
        async with client_of(url, tries=1) as client:
            await client.ask(HELLO, 0.0, 1)

    with pytest.raises(TransientError, match="cannot be reached"):
        asyncio.run(nobody())


def test_the_key_is_taken_from_the_named_variable_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "s3cret")
    found, server = ask((401, "no"), api_key_env="JUDGE_KEY")
    assert server.keys == ["Bearer s3cret"] and "s3cret" not in str(found)
    monkeypatch.delenv("JUDGE_KEY")

    async def unset() -> None:
        async with aiohttp.ClientSession() as session:
            ChatClient(Endpoint("http://127.0.0.1:1", "m", "JUDGE_KEY"), session)

    with pytest.raises(TerminalError, match="JUDGE_KEY is not set"):
        asyncio.run(unset())


@pytest.mark.parametrize("base", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"])
def test_the_address_may_be_given_with_or_without_its_version(base: str) -> None:
    assert Endpoint(base, "m").url == "http://h:1/v1/chat/completions"


def test_an_address_that_is_none_and_a_missing_count_are_told_apart() -> None:
    async def go() -> Reply:
        async with scripted("yes", usage=False) as server, client_of(server.url) as client:
            return await client.ask(HELLO, 0.0, 1)

    assert asyncio.run(go()) == Reply("yes", "stop", None, None)

    async def wrong() -> None:
        async with client_of("not an address") as client:
            await client.ask(HELLO, 0.0, 1)

    with pytest.raises(TerminalError, match="is not a URL"):
        asyncio.run(wrong())
