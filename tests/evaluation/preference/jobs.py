"""Jobs of suites of kind `win_rate`: versions that answer from a table, and judges over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

from runner.evaluation.chat import Reply
from runner.evaluation.marking import Row
from runner.evaluation.preference.connect import judge_client
from runner.evaluation.preference.suite import win_rate
from runner.evaluation.preference_port import PreferenceJob
from runner.evaluation.results import SuiteResult
from runner.spec.evaluation import AnyJudge, Arbiter, SimulatedJudge, Suite, SuiteKind

ROOT = Path(__file__).parents[3]
BOOKSHOP = ROOT / "datasets/bookshop"
PREFERENCES = ROOT / "datasets/snapshot/preferences.jsonl"
CUSTOMERS = SimulatedJudge(simulated="bookshop", calibration="bookshop-preferences", repeats=1)
CANDIDATE, PARENT = "chat-v1.1--bbbbbbbbbbbb", "chat-v1.0--aaaaaaaaaaaa"

Answers = Mapping[str, str]
"""Question -> answer."""


def declines(question: str, answer: str) -> bool:
    return "only help" in answer or "만 도와" in answer


def read(name: str) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in (BOOKSHOP / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def asked(number: int) -> list[dict[str, Any]]:
    """Return questions about facts, the same every time."""
    return [row for row in read("regression") if row["fact"]][:number]


def brief(rows: Sequence[Mapping[str, Any]]) -> Answers:
    return {row["question"]: row["answer"] for row in rows}


def full(rows: Sequence[Mapping[str, Any]]) -> Answers:
    """Return answers in whole sentences, as people like them."""
    said = {(line["fact"], line["language"]): line["text"] for line in read("statements")}
    return {row["question"]: said[row["fact"], row["language"]] for row in rows}


def wrong(rows: Sequence[Mapping[str, Any]]) -> Answers:
    """Return answers that are right for none of these questions."""
    return {row["question"]: "I like trains." for row in rows}


def job(
    rows: Sequence[Mapping[str, Any]],
    candidate: Answers,
    parent: Answers,
    arbiter: Arbiter = Arbiter.JUDGE,
    **more: Any,
) -> PreferenceJob:
    tables = {CANDIDATE: candidate, PARENT: parent}

    async def ask(
        served: str, questions: Sequence[str], *, max_tokens: int, seed: int | None, temperature: float
    ) -> list[Reply]:
        assert temperature == 0.0 and max_tokens and seed is None
        return [Reply(tables[served][question], "stop", None, None) for question in questions]

    return PreferenceJob(
        name="preference",
        suite=Suite(kind=SuiteKind.WIN_RATE, dataset="bookshop-regression", arbiter=arbiter),
        rows=[Row(row["id"], row["question"], row["answer"]) for row in rows],
        candidate=CANDIDATE,
        parent=PARENT,
        ask=ask,
        declines=declines,
        alpha=0.05,
        segments={row["id"]: {"category": row["category"], "language": row["language"]} for row in rows},
        **more,
    )


def carried(planned: PreferenceJob, judge: AnyJudge | None = None, **more: Any) -> SuiteResult:
    """Carry a job through, with its judge on a loopback port."""

    async def go() -> SuiteResult:
        if judge is None:
            return await win_rate(planned)
        async with aiohttp.ClientSession() as session, judge_client(judge, session) as client:
            known = {"calibration": PREFERENCES, **more}
            return await win_rate(replace(planned, judge=judge, judge_client=client, **known))

    return asyncio.run(go())


Told = Callable[[dict[str, Any]], str]
