"""The official client works unchanged, streaming and not."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from tests.doubles.stub_engine import RunningStub
from tests.gateway.running import BASELINE, RunningGateway


@pytest.fixture
def client(served: RunningGateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="anything", max_retries=0) as made:
        yield made


def ask(client: openai.OpenAI, **changes: object):
    return client.chat.completions.create(
        model="chat", messages=[{"role": "user", "content": "a b c"}], **changes
    )


def test_a_whole_answer_shows_the_version_and_the_usage(client: openai.OpenAI) -> None:
    answer = ask(client)
    assert answer.model == "chat-v1.0"
    assert answer.choices[0].message.content.startswith(BASELINE.served)
    assert answer.usage.completion_tokens > 0


def test_a_stream_says_the_same_as_a_whole_answer(client: openai.OpenAI) -> None:
    whole = ask(client).choices[0].message.content
    chunks = list(ask(client, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == whole
    assert {c.model for c in chunks} == {"chat-v1.0"}
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_usage_comes_as_a_chunk_only_to_those_who_asked(client: openai.OpenAI, engine: RunningStub) -> None:
    assert all(c.usage is None and c.choices for c in ask(client, stream=True))
    last = list(ask(client, stream=True, stream_options={"include_usage": True}))[-1]
    assert last.choices == []
    assert last.usage.prompt_tokens > 0
    assert all(body["stream_options"]["include_usage"] for body in engine.state.bodies)


def test_usage_is_logged_for_every_stream(client: openai.OpenAI, served: RunningGateway) -> None:
    list(ask(client, stream=True))
    (event,) = served.events()
    assert event["gen_ai.usage.output_tokens"] > 0
    assert event["gen_ai.response.finish_reason"] == "stop"


def test_text_completions_work_whole_and_as_a_stream(client: openai.OpenAI) -> None:
    whole = client.completions.create(model="chat", prompt="a b").choices[0].text
    chunks = client.completions.create(model="chat", prompt="a b", stream=True)
    assert "".join(c.choices[0].text for c in chunks) == whole


def test_models_are_the_aliases_and_the_versions_that_may_be_pinned(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["chat", "chat-v1.0"]


def test_a_model_can_be_looked_up_by_its_name(client: openai.OpenAI) -> None:
    assert client.models.retrieve("chat") == client.models.list().data[0]
    with pytest.raises(openai.NotFoundError) as unknown:
        client.models.retrieve("../chat")
    assert unknown.value.code == "model_not_found"


def test_a_pinned_version_answers_by_its_name(client: openai.OpenAI, served: RunningGateway) -> None:
    client.chat.completions.create(model="chat-v1.0", messages=[{"role": "user", "content": "x"}])
    (event,) = served.events()
    assert (event["loop.arm"], event["loop.alias"]) == ("pinned", "")


def test_an_unknown_model_is_the_clients_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model=BASELINE.served, messages=[{"role": "user", "content": "x"}])
    assert refused.value.code == "model_not_found"


def test_bad_input_that_only_the_engine_sees_is_passed_on(
    client: openai.OpenAI, served: RunningGateway
) -> None:
    with pytest.raises(openai.BadRequestError, match="temperature"):
        ask(client, temperature=7)
    (event,) = served.events()
    assert (event["loop.outcome"], event["loop.attempts"]) == ("refused", 1)
