"""The probe: an adapter is served, it is the one that was trained, and nothing less passes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import Diagnostic, TerminalError
from runner.scaffold import first_version
from runner.serving import probe
from runner.serving.engine import EngineClient, LogProbs, Prompt, ServedModel
from runner.serving.probe import ProbeRecord, ProbeResult, RecordedPrompt, Verdict
from tests.conftest import RealEngine
from tests.doubles.stub_engine import RunningStub
from tests.engine.conftest import Server
from tests.engine.models import MODELS

Name = Callable[[], str]
Make = Callable[..., Path]
gaps = st.floats(0.0, 50.0, allow_nan=False)


def probed(server: Server, name: str, path: Path, record: ProbeRecord | None) -> ProbeResult:
    async def use(client: EngineClient) -> ProbeResult:
        await client.load(name, str(path))
        return await probe.probe(client, server.base, name, record)

    return server.with_client(use)


def test_a_served_adapter_passes_without_a_record(
    server: Server, fresh_name: Name, make_adapter: Make
) -> None:
    result = probed(server, fresh_name(), make_adapter("other", seed=5), None)
    assert result.verdict is Verdict.PASS, result.evidence
    assert result.training_difference is None


def test_an_adapter_that_is_not_there_is_an_error_and_not_a_verdict(server: Server, fresh_name: Name) -> None:
    name = fresh_name()
    result = server.with_client(lambda client: probe.probe(client, server.base, name, None))
    assert result.verdict is Verdict.ERROR
    assert (result.base_difference, result.training_difference) == (None, None)
    assert result.evidence


def test_an_adapter_that_differs_from_its_record_fails(
    server: Server, fresh_name: Name, make_adapter: Make
) -> None:
    record = ProbeRecord((RecordedPrompt("", (5, 6, 7), (None, -9.0, -9.0)),))
    result = probed(server, fresh_name(), make_adapter("other", seed=6), record)
    assert result.verdict is Verdict.FAIL
    assert result.base_difference is not None
    assert result.base_difference > probe.MINIMUM_BASE_DIFFERENCE


def test_hazard_7_an_adapter_served_as_the_base_fails(stub: RunningStub) -> None:
    server = Server(stub.url, stub.state.base_model, real=False)
    stub.load("chat--0123456789ab")
    stub.control(no_op_adapters=("chat--0123456789ab",))
    result = server.with_client(lambda client: probe.probe(client, server.base, "chat--0123456789ab", None))
    stub.restart()
    assert (result.verdict, result.base_difference) == (Verdict.FAIL, 0.0)


def test_hazard_8_a_replica_that_answers_for_unknown_names_fails() -> None:
    class Anybody(EngineClient):
        async def prompt_logprobs(self, model: str, prompts: Sequence[Prompt]) -> tuple[LogProbs, ...]:
            score = -1.0 if model == "base" else -2.0
            return tuple((None, score) for _ in prompts)

    async def go() -> ProbeResult:
        async with aiohttp.ClientSession() as session:
            return await probe.probe(Anybody("http://127.0.0.1:1", session, 1.0), "base", "chat--0", None)

    assert asyncio.run(go()).verdict is Verdict.FAIL


RUN = "base at http://127.0.0.1:1 since 1700000000"
"""What stands for a run of the replica that the doubles below are."""


class Busy(EngineClient):
    """Answers for the base with the adapter's weights, but for some of the prompts that are asked alone."""

    async def instance(self) -> str | None:
        return "1700000000"

    def __init__(self, *where: Any, mixed: int) -> None:
        super().__init__(*where)
        self.mixed, self.alone = mixed, 0

    async def prompt_logprobs(self, model: str, prompts: Sequence[Prompt]) -> tuple[LogProbs, ...]:
        if model.endswith("-unknown"):
            raise TerminalError(Diagnostic("there is no such model"))
        if model == "base" and len(prompts) == 1:
            self.alone += 1
        undisturbed = model == "base" and self.alone > self.mixed
        return tuple((None, -1.0 if undisturbed else -2.0) for _ in prompts)


@pytest.mark.parametrize(
    ("mixed", "verdict"), [(0, Verdict.PASS), (9, Verdict.PASS), (10_000, Verdict.ERROR)]
)
def test_a_base_that_answers_like_the_adapter_is_asked_again_prompt_by_prompt(
    mixed: int, verdict: Verdict
) -> None:
    record = ProbeRecord(tuple(RecordedPrompt("", (5, number), (None, -2.0)) for number in range(4)))

    async def go() -> ProbeResult:
        async with aiohttp.ClientSession() as session:
            engine = Busy("http://127.0.0.1:1", session, 1.0, mixed=mixed)
            return await probe.probe(engine, "base", "chat--0", record)

    result = asyncio.run(go())
    assert result.verdict is verdict, result.evidence
    assert result.training_difference == 0.0


@pytest.mark.parametrize(("answered", "verdict"), [(-1.0, Verdict.PASS), (-2.0, Verdict.ERROR)])
def test_a_base_that_was_told_apart_before_proves_an_adapter_beside_traffic_that_never_pauses(
    answered: float, verdict: Verdict
) -> None:
    record = ProbeRecord((RecordedPrompt("", (5, 6), (None, -2.0)),))
    bases: probe.Bases = {RUN: [(None, answered)] * len(probe.DEFAULT_PROMPTS)}

    async def go() -> ProbeResult:
        async with aiohttp.ClientSession() as session:
            engine = Busy("http://127.0.0.1:1", session, 1.0, mixed=10_000)
            return await probe.probe(engine, "base", "chat--0", record, bases)

    result = asyncio.run(go())
    assert result.verdict is verdict, result.evidence


class Crowded(Busy):
    """Tells its base and its adapters apart but for one other adapter, whose weights it answers with for the base."""

    def __init__(self, *where: Any, mixed_up: bool) -> None:
        super().__init__(*where, mixed=0)
        self.mixed_up = mixed_up

    async def prompt_logprobs(self, model: str, prompts: Sequence[Prompt]) -> tuple[LogProbs, ...]:
        if model.endswith("-unknown"):
            raise TerminalError(Diagnostic("there is no such model"))
        base = -3.0 if self.mixed_up else -1.0
        return tuple((None, {"base": base, "chat--0": -2.0, "chat--1": -3.0}[model]) for _ in prompts)

    async def models(self) -> tuple[ServedModel, ...]:
        return tuple(
            ServedModel(name, root="", parent=None if name == "base" else "base")
            for name in ("base", "chat--0", "chat--1")
        )


@pytest.mark.parametrize(("mixed_up", "kept"), [(False, {RUN}), (True, set())])
def test_a_base_that_answers_like_another_adapter_is_not_kept(mixed_up: bool, kept: set[str]) -> None:
    bases: probe.Bases = {}

    async def go() -> ProbeResult:
        async with aiohttp.ClientSession() as session:
            engine = Crowded("http://127.0.0.1:1", session, 1.0, mixed_up=mixed_up)
            return await probe.probe(engine, "base", "chat--0", None, bases)

    assert asyncio.run(go()).verdict is Verdict.PASS and bases.keys() == kept


def test_a_base_of_a_run_that_ended_proves_nothing() -> None:
    record = ProbeRecord((RecordedPrompt("", (5, 6), (None, -2.0)),))
    bases: probe.Bases = {RUN.replace("17", "16"): [(None, -1.0)] * len(probe.DEFAULT_PROMPTS)}

    async def go() -> ProbeResult:
        async with aiohttp.ClientSession() as session:
            engine = Busy("http://127.0.0.1:1", session, 1.0, mixed=10_000)
            return await probe.probe(engine, "base", "chat--0", record, bases)

    assert asyncio.run(go()).verdict is Verdict.ERROR


def test_an_adapter_that_is_not_the_trained_one_is_no_better_for_a_base_that_was_told_apart() -> None:
    record = ProbeRecord((RecordedPrompt("", (5, 6), (None, -3.0)),))
    bases: probe.Bases = {RUN: [(None, -1.0)] * len(probe.DEFAULT_PROMPTS)}

    async def go() -> ProbeResult:
        async with aiohttp.ClientSession() as session:
            engine = Busy("http://127.0.0.1:1", session, 1.0, mixed=10_000)
            return await probe.probe(engine, "base", "chat--0", record, bases)

    assert asyncio.run(go()).verdict is Verdict.FAIL


def test_how_a_base_answers_is_kept_from_the_first_probe_that_passes(
    server: Server, fresh_name: Name, make_adapter: Make
) -> None:
    bases: probe.Bases = {}
    name, path = fresh_name(), make_adapter("other", seed=9)

    async def use(client: EngineClient) -> ProbeResult:
        assert (await probe.probe(client, server.base, name, None, bases)).verdict is Verdict.ERROR
        assert not bases, "nothing is kept of a probe that failed"
        await client.load(name, str(path))
        return await probe.probe(client, server.base, name, None, bases)

    assert server.with_client(use).verdict is Verdict.PASS
    (kept,) = bases.values()
    again = server.with_client(lambda client: client.prompt_logprobs(server.base, probe.DEFAULT_PROMPTS))
    assert probe.difference(kept, again) < probe.MINIMUM_BASE_DIFFERENCE


@pytest.mark.engine
def test_hazard_7_an_adapter_without_any_effect_fails_on_vllm(
    fresh_name: Name, make_adapter: Make, real: Server
) -> None:
    result = probed(real, fresh_name(), make_adapter("idle", seed=0, scale=0.0), None)
    assert result.verdict is Verdict.FAIL
    assert result.base_difference == pytest.approx(0.0, abs=probe.MINIMUM_BASE_DIFFERENCE / 2)


@pytest.mark.engine
def test_the_shipped_adapter_matches_its_training_stack(real: Server, fresh_name: Name) -> None:
    result = probed(real, fresh_name(), MODELS / "chat-v1.0", shipped_record())
    assert result.verdict is Verdict.PASS, result.evidence
    assert result.training_difference is not None


@pytest.mark.engine
@pytest.mark.parametrize(("seed", "scale"), [(0, 2.0), (0, 0.5), (0, 1.1), (0, -1.0), (7, 1.0)])
def test_weights_that_were_not_trained_fail_against_the_record(
    real: Server, fresh_name: Name, make_adapter: Make, seed: int, scale: float
) -> None:
    changed = make_adapter("changed", seed=seed, scale=scale)
    result = probed(real, fresh_name(), changed, shipped_record())
    assert result.verdict is Verdict.FAIL, result.evidence


def shipped_record() -> ProbeRecord:
    record = probe.read_record(MODELS / "chat-v1.0")
    assert record is not None, "the shipped adapter has no probe.json"
    return record


@given(base=gaps, training=gaps)
def test_a_nearer_record_or_a_farther_base_never_turns_pass_into_fail(base: float, training: float) -> None:
    if probe.judge(base, training).verdict is Verdict.PASS:
        assert probe.judge(base, training / 2).verdict is Verdict.PASS
        assert probe.judge(base * 2, training).verdict is Verdict.PASS
        assert probe.judge(base, None).verdict is Verdict.PASS


@given(base=gaps, training=st.floats(probe.MAXIMUM_TRAINING_DIFFERENCE, 50.0, exclude_min=True))
def test_an_adapter_far_from_its_record_never_passes(base: float, training: float) -> None:
    assert probe.judge(base, training).verdict is Verdict.FAIL


@given(base=st.floats(0.0, probe.MINIMUM_BASE_DIFFERENCE, exclude_max=True), training=gaps)
def test_an_adapter_that_answers_as_the_base_never_passes(base: float, training: float) -> None:
    assert probe.judge(base, None).verdict is Verdict.FAIL
    as_trained = training <= probe.MAXIMUM_TRAINING_DIFFERENCE
    assert probe.judge(base, training).verdict is (Verdict.ERROR if as_trained else Verdict.FAIL)


scores = st.lists(st.one_of(st.none(), st.floats(-30.0, 0.0)), min_size=1, max_size=6).map(tuple)


@given(st.lists(scores.filter(lambda s: any(x is not None for x in s)), min_size=1, max_size=4))
def test_a_difference_is_a_distance(prompts: list[tuple[float | None, ...]]) -> None:
    moved = [tuple(None if x is None else x - 1.5 for x in prompt) for prompt in prompts]
    assert probe.difference(prompts, prompts) == 0.0
    assert probe.difference(prompts, moved) == pytest.approx(1.5)
    assert probe.difference(moved, prompts) == probe.difference(prompts, moved)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([(None, -1.0)], [(None,)]),
        ([(None, -1.0)], []),
        ([(None,)], [(None,)]),
        ([(None, -1.0)], [(None, float("-inf"))]),
        ([(None, float("nan"))], [(None, -1.0)]),
    ],
)
def test_nothing_to_compare_is_not_agreement(
    one: list[tuple[float | None, ...]], other: list[tuple[float | None, ...]]
) -> None:
    with pytest.raises(ValueError, match=r"tokens|finite"):
        probe.difference(one, other)


def test_an_adapter_without_a_record_has_none(tmp_path: Path) -> None:
    assert probe.read_record(tmp_path) is None


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    prompt = {"text": "a b", "token_ids": [1, 2], "logprobs": [None, -0.5]}
    (tmp_path / "probe.json").write_text(json.dumps({"format": 1, "prompts": [prompt]}))
    assert probe.read_record(tmp_path) == ProbeRecord((RecordedPrompt("a b", (1, 2), (None, -0.5)),))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2, "prompts": []}',
        '{"format": 1, "prompts": []}',
        '{"format": 1, "prompts": [{}]}',
        '{"format": 1, "prompts": [{"text": "a", "token_ids": [1, 2], "logprobs": [null]}]}',
        '{"format": 1, "prompts": [{"text": "a", "token_ids": [1], "logprobs": [null]}]}',
        '{"format": 1, "prompts": [{"text": "a", "token_ids": ["x", 2], "logprobs": [null, -1]}]}',
    ],
)
def test_a_record_that_is_none_is_named_with_its_path(tmp_path: Path, text: str) -> None:
    (tmp_path / "probe.json").write_text(text)
    with pytest.raises(TerminalError, match=r"probe\.json is not a probe record"):
        probe.read_record(tmp_path)


@pytest.mark.engine
def test_an_adapter_without_weights_is_served_and_answers_like_the_base(
    engine: RealEngine, fresh_name: Name, tmp_path: Path
) -> None:
    first = first_version.place(None, engine.base, tmp_path)
    record = probe.read_record(tmp_path / first.name)
    result = probed(Server(engine.url, engine.base, real=True), fresh_name(), tmp_path / first.name, record)
    assert (result.verdict, result.training_difference) == (Verdict.PASS, None), result.evidence
    assert result.base_difference is not None and result.base_difference < probe.MINIMUM_BASE_DIFFERENCE


def test_an_adapter_without_weights_that_answers_otherwise_is_no_proof_and_no_disproof(
    tmp_path: Path,
) -> None:
    first = first_version.place(None, "base", tmp_path)
    assert probe.read_record(tmp_path / first.name) == ProbeRecord((), is_base=True)

    class MixedUp(EngineClient):
        async def prompt_logprobs(self, model: str, prompts: Sequence[Prompt]) -> tuple[LogProbs, ...]:
            if model.endswith("-unknown"):
                raise TerminalError(Diagnostic("no such model"))
            return tuple((None, -1.0 if model == "base" else -2.0) for _ in prompts)

    async def go() -> ProbeResult:
        async with aiohttp.ClientSession() as session:
            client = MixedUp("http://127.0.0.1:1", session, 1.0)
            return await probe.probe(client, "base", "chat--0", ProbeRecord((), is_base=True))

    assert asyncio.run(go()).verdict is Verdict.ERROR
