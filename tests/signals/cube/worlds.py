"""Small worlds of events for tests of the cube: strategies that reach every rule, and files that hold them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from runner.events.schema import Kind
from runner.signals.cube.annotate import Annotator
from tests.doubles.event_files import line, segment

HOUR_US = 3_600_000_000
HOUR = 496_800
"""2026-09-04, midnight UTC."""
START_US = HOUR * HOUR_US
SPAN_HOURS = 4
END_S = (HOUR + SPAN_HOURS) * 3600.0 + 60.0
"""Seconds at which every window of the world has closed."""
BASELINE = "v1"
SETTINGS = {"session_gap": 1800.0, "within": 30.0, "threshold": 0.5, "baseline": BASELINE}

World = dict[Kind, list[dict[str, Any]]]

QUESTIONS = ("where is my order", "WHERE is my order?", "do you sell maps", "주문은 어디에 있나요", "")
ANSWERS = (
    "I cannot help with that",
    "it will be there on friday and the maps too",
    "금요일에 도착합니다",
    "",
)

_minutes = st.one_of(
    st.integers(0, SPAN_HOURS * 60 - 1).map(lambda minute: minute * 60_000_000),
    st.sampled_from([HOUR_US, 2 * HOUR_US]).flatmap(
        lambda at: st.integers(-20, 20).map(lambda s: at + s * 1_000_000)
    ),
)
_versions = st.sampled_from(["v1", "v2", None])
_arms = st.sampled_from(["baseline", "candidate", None])
_milliseconds = st.none() | st.sampled_from([0.0, -1.0, 0.5, 1000.0]) | st.floats(0.01, 60_000)
_tokens = st.none() | st.integers(0, 400)

requests = st.fixed_dictionaries(
    {
        "event.time": _minutes,
        "loop.user": st.sampled_from(["ann", "bob"]),
        "loop.session": st.sampled_from([None, None, "s"]),
        "loop.group": st.sampled_from(["public", "beta"]),
        "loop.arm": _arms,
        "loop.arm.assigned": _arms,
        "loop.version": _versions,
        "loop.version.assigned": _versions,
        "loop.adapter.digest": st.sampled_from(["d", None]),
        "loop.outcome": st.sampled_from(["ok", "ok", "ok", "error", "refused", "cancelled"]),
        "loop.fell_back": st.sampled_from([False, False, True, None]),
        "loop.arm.failure": st.sampled_from(["", None, "replica_unreachable", "timeout"]),
        "error.type": st.sampled_from(["", None, "stream_broken", "engine_error"]),
        "loop.latency_ms": _milliseconds,
        "loop.first_token_ms": _milliseconds,
        "gen_ai.request.stream": st.sampled_from([True, True, False, None]),
        "http.response.status_code": st.sampled_from([200, 200, 400, 499, 502]),
        "gen_ai.usage.input_tokens": _tokens,
        "gen_ai.usage.output_tokens": _tokens,
        "question": st.sampled_from(QUESTIONS),
        "answer": st.sampled_from((*ANSWERS, None, None)),
    }
)
feedback = st.fixed_dictionaries(
    {
        "event.time": _minutes,
        "of": st.integers(0, 4),
        "loop.user": st.sampled_from(["ann", "bob"]),
        "loop.thumbs": st.sampled_from([None, 1, -1]),
        "loop.rating": st.sampled_from([None, 1, 3, 5]),
    }
)
votes = st.fixed_dictionaries(
    {
        "event.time": _minutes,
        "loop.left.version": st.sampled_from(["v1", "v2", "v3"]),
        "loop.right.version": st.sampled_from(["v1", "v2", "v3"]),
        "loop.vote.choice": st.sampled_from(["left", "right", "tie", "neither"]),
    }
)
samples = st.fixed_dictionaries(
    {
        "event.time": _minutes,
        "loop.version": st.sampled_from(["v1", "v2"]),
        "loop.arm": _arms,
        "loop.group": st.sampled_from(["public", None]),
        "loop.detector": st.sampled_from(["self_consistency", "factual"]),
        "loop.sample.value": st.sampled_from([None, 0.0, 0.25, 1.0]),
        "loop.sample.count": st.sampled_from([None, 0, 1, 4]),
    }
)
probes = st.fixed_dictionaries(
    {
        "event.time": _minutes,
        "loop.version": st.sampled_from(["v1", "v2"]),
        "loop.probe.training_difference": st.none() | st.sampled_from([0.0, 0.01, 0.3]),
    }
)
evaluations = st.fixed_dictionaries(
    {
        "event.time": _minutes,
        "loop.suite": st.sampled_from(["regression", "forgetting"]),
        "loop.version": st.sampled_from(["v1", "v2"]),
        "loop.right": st.sampled_from([True, False, None]),
        "loop.reward": st.sampled_from([None, -1.5, 2.0]),
    }
)
worlds = st.builds(
    lambda **drawn: _world(**drawn),
    asked=st.lists(requests, max_size=10),
    said=st.lists(feedback, max_size=8),
    compared=st.lists(votes, max_size=3),
    examined=st.lists(samples, max_size=3),
    probed=st.lists(probes, max_size=2),
    evaluated=st.lists(evaluations, max_size=3),
)


def _world(**drawn: list[dict[str, Any]]) -> World:
    """Return whole events of what was drawn: ids, messages and what every event must carry."""
    world: World = {kind: [] for kind in Kind}
    for number, row in enumerate(drawn["asked"]):
        event = {name: value for name, value in row.items() if name not in ("question", "answer")}
        common = {"loop.request.id": f"q{number}", "gen_ai.response.id": f"r{number}"}
        world[Kind.REQUEST].append(whole(f"e{number}", event | common))
        if row["answer"] is not None:
            said = {
                "event.time": row["event.time"],
                "gen_ai.input.messages": json.dumps([{"role": "user", "content": row["question"]}]),
                "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": row["answer"]}]),
            }
            world[Kind.CONTENT].append(whole(f"e{number}-content", common | said))
    for number, row in enumerate(drawn["said"]):
        event = {name: value for name, value in row.items() if name != "of"}
        event |= {"gen_ai.response.id": f"r{row['of']}", "loop.group": "public"}
        world[Kind.FEEDBACK].append(whole(f"f{number}", event))
    more = {"loop.user": "judge", "loop.group": "internal"}
    kinds = {
        Kind.VOTE: "compared",
        Kind.SAMPLE: "examined",
        Kind.PROBE: "probed",
        Kind.EVALUATION: "evaluated",
    }
    needed = {
        Kind.VOTE: more,
        Kind.SAMPLE: {"loop.request.id": "q0"},
        Kind.PROBE: {
            "loop.replica": "http://127.0.0.1:1",
            "loop.adapter.digest": "d",
            "loop.probe.verdict": "PASS",
        },
        Kind.EVALUATION: {"loop.question": "1"},
    }
    for kind, name in kinds.items():
        world[kind] = [whole(f"{kind}{n}", needed[kind] | row) for n, row in enumerate(drawn[name])]
    return world


def whole(name: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event as a gateway writes it: with id and environment, without what is not known."""
    full = {"event.id": name, "loop.environment": "staging", **event}
    full["event.time"] = START_US + full["event.time"]
    return {key: value for key, value in full.items() if value is not None}


def write(events: Path, world: Mapping[Kind, Iterable[dict[str, Any]]], opened: int = 0) -> None:
    """Write a world as segments whose writer has ended."""
    for kind, rows in world.items():
        if lines := [line(row) for row in rows]:
            segment(events, lines, kind=kind, opened_us=START_US + opened)


def refuses(questions: Any, answers: Any) -> np.ndarray[Any, Any]:
    """A detector for tests: who says "cannot" refuses."""
    return np.array([0.9 if "cannot" in text else 0.2 for text in answers])


def alike(first: Any, second: Any) -> np.ndarray[Any, Any]:
    """A likeness for tests: the same letters."""
    return np.array(
        [
            float(a.casefold().strip("?") == b.casefold().strip("?") != "")
            for a, b in zip(first, second, strict=True)
        ]
    )


def topics_of(questions: Any) -> tuple[list[int], list[int]]:
    """Topics for tests: how long a question is."""
    return [len(text) % 3 for text in questions], [len(text) % 7 for text in questions]


def annotator(digest: str = "one") -> Annotator:
    """Return detectors that an oracle can repeat."""
    return Annotator(
        digest,
        refusal=refuses,
        answerable=lambda questions: [None if not text else "maps" not in text for text in questions],
        topics=topics_of,
        likeness=alike,
        likeness_digest="letters",
    )
