"""The sampler and a suite against the real vLLM, with questions of the small world."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runner import digest
from runner.evaluation.chat import ChatClient, Endpoint
from runner.evaluation.choice import spent
from runner.evaluation.compare import ByTexts
from runner.evaluation.price import Budget
from runner.evaluation.sample_log import SampleLog
from runner.evaluation.sampler import Sampled, Sampler, Sampling
from runner.evaluation.suites import EvaluationLog, Examiner, Outcome, load, to_ask
from runner.events.lake import Lake
from runner.serving.engine import EngineClient
from runner.signals.consistency.agreement import lexical
from runner.signals.readings.paired import forgetting, pairs
from runner.signals.refusal.rules import refuses
from runner.spec.evaluation import Suite, SuiteKind
from runner.spec.load import VersionDigest
from tests.cli.workbench import CHECKOUT
from tests.engine.models import MODELS
from tests.evaluation.scripted import events_in, logged

pytestmark = pytest.mark.engine
ASKED = (
    ("When do you open on Sunday?", "11 am."),
    ("Who wrote The Lantern Ledger?", "Mirel Oakhart."),
    ("카페는 어디에 있나요?", "2층입니다."),
)
LIMIT = 20_000


def test_three_questions_of_the_bookshop_are_asked_five_times_within_the_budget(
    engine: Any, tmp_path: Path
) -> None:
    adapter = MODELS / "chat-v1.0"
    content = digest.of_directory(adapter)
    answers = [
        logged(
            number,
            adapter_digest=content,
            messages=({"role": "user", "content": question},),
            answer=answer,
        )
        for number, (question, answer) in enumerate(ASKED)
    ]
    clock = itertools.count(1_790_000_000_000_000)

    async def go() -> Sampled:
        async with aiohttp.ClientSession() as session:
            replica = EngineClient(engine.url, session, 60.0)
            await replica.load(answers[0].served, str(adapter))

            def client(served: str) -> ChatClient:
                return ChatClient(Endpoint(engine.url, served), session)

            try:
                with SampleLog(tmp_path, "production", lambda: next(clock)) as log:
                    sampler = Sampler(client, Sampling(5, 0.7), ByTexts(lexical), log)
                    assert sum(map(sampler.most, answers)) <= LIMIT
                    return await sampler.run(answers, Budget(LIMIT, 0))
            finally:
                await replica.unload(answers[0].served)

    found = asyncio.run(go())
    events = events_in(tmp_path)
    assert found.examined == 3 and found.left == found.gone == found.unclear == 0
    assert [event["loop.sample.count"] for event in events] == [5, 5, 5]
    assert all(0.0 <= event["loop.sample.value"] <= 1.0 for event in events)
    assert all(event["gen_ai.usage.output_tokens"] >= 5 for event in events)
    assert spent(events, 0) == found.budget.spent <= LIMIT
    # What this version was taught it says again; chance alone would agree on next to nothing.
    assert sum(found.values) / 3 > 0.5, found.values


def test_two_versions_are_asked_the_suite_and_a_little_noise_in_the_weights_forgets_little(
    engine: Any, make_adapter: Any, tmp_path: Path
) -> None:
    noisy = make_adapter("suite-v1.1", seed=5)
    adapters = {"chat-v1.0": MODELS / "chat-v1.0", "chat-v1.1": noisy}
    versions = [VersionDigest(name, digest.of_directory(path)) for name, path in adapters.items()]
    suite = Suite(kind=SuiteKind.FORGETTING, dataset="bookshop-regression", questions=20)
    rows = load(CHECKOUT / "datasets" / "bookshop" / "regression.jsonl", "forgetting", suite)
    clock = itertools.count(1_790_000_000_000_000)

    async def go() -> Outcome:
        async with aiohttp.ClientSession() as session, AsyncExitStack() as loaded:
            replica = EngineClient(engine.url, session, 60.0)
            for version in versions:
                served = digest.served_name(*version)
                await replica.load(served, str(adapters[version.name]))
                loaded.push_async_callback(replica.unload, served)

            def client(served: str) -> ChatClient:
                return ChatClient(Endpoint(engine.url, served), session)

            with EvaluationLog(tmp_path, "production", lambda: next(clock)) as log:
                examiner = Examiner(client, suite.max_tokens, lambda _question, answer: refuses(answer), log)
                return await examiner.run(to_ask("forgetting", rows, versions, (), None))

    outcome = asyncio.run(go())
    taught = outcome.scores["chat-v1.0"]
    assert outcome.asked == 40 and taught.right >= 16, outcome
    with Lake(tmp_path / "lake", tmp_path) as lake:
        found = forgetting(pairs(lake.evaluations(), "forgetting", "chat-v1.0", "chat-v1.1"))
    assert found.n == 20 and found.value is not None and found.value <= 0.25, found
