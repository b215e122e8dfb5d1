"""A day of events of a busy deployment, written as a lake the way compaction leaves one.

Called by `speed`. Users come back in sessions, days have a rhythm, a candidate gets a fifth of them, one answer in
twenty gets feedback. The same count and seed give the same events. Texts are put together from few parts, since
what they say is scored apart; everything else is drawn for each event.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from runner.events import columns, manifest
from runner.events.manifest import Manifest, Part
from runner.events.schema import Kind
from runner.signals.cube.rows import ANNOTATIONS, PAIR_BUCKETS, PAIRS_KEPT, REASKS

DAY_US = 86_400_000_000
START_US = 20_700 * DAY_US
"""2026-09-04, midnight UTC."""
PART_ROWS = 250_000
"""About what one pass of compaction puts into a part."""
SHARES = {
    Kind.REQUEST: 0.49,
    Kind.CONTENT: 0.46,
    Kind.FEEDBACK: 0.045,
    Kind.VOTE: 0.002,
    Kind.SAMPLE: 0.002,
    Kind.EVALUATION: 0.0009,
    Kind.PROBE: 0.0001,
}
SESSION_REQUESTS = 6.0
USER_SESSIONS = 3.0
PAUSE_S = 45.0
WORDS = 40
"""Words of an answer in the mean."""

Array = NDArray[Any]

_QUESTIONS = tuple(
    [
        f"Which book about {subject} number {n} can you recommend?"
        for n in range(20)
        for subject in ("sea", "law")
    ]
    + [f"Do you deliver order {n} to {place}?" for n in range(20) for place in ("Busan", "Oslo")]
    + [f"{n}번 주문은 언제 도착하나요?" for n in range(20)]
)
_PARTS = [
    "we",
    "have",
    "several",
    "fine",
    "copies",
    "of",
    "it",
    "on",
    "our",
    "second",
    "shelf",
    "and",
    "can",
    "send",
    "them",
    "to",
    "you",
    "by",
    "friday",
]


@dataclass(frozen=True, slots=True)
class Day:
    """Where a generated day lies: the lake, its scored texts, its re-asks, and how many events of each kind it has."""

    lake: Path
    annotations: Path
    reasks: Path
    events: int


@dataclass(frozen=True, slots=True)
class _Requests:
    """What later kinds refer to: columns of all requests in order of time."""

    ids: pa.Array
    responses: pa.Array
    times: Array
    users: Array
    groups: Array
    candidate: Array
    ok: Array


def write(directory: Path, events: int, seed: int = 4) -> Day:
    """Write a day of about `events` events; directories that are there already are added to."""
    draw = np.random.default_rng(seed)
    lake = directory / "lake"
    parts: list[Part] = []
    counts = {kind: max(8, int(events * share)) for kind, share in SHARES.items()}
    requests, table = _requests(draw, counts[Kind.REQUEST])
    parts += _store(lake, Kind.REQUEST, table)
    del table
    scored, said = _contents(draw, requests, counts[Kind.CONTENT])
    parts += said(lake)
    files = _annotations(directory, draw, requests, scored)
    others = {
        Kind.FEEDBACK: _feedback,
        Kind.VOTE: _votes,
        Kind.SAMPLE: _samples,
        Kind.EVALUATION: _evaluations,
        Kind.PROBE: _probes,
    }
    for kind, make in others.items():
        parts += _store(lake, kind, _table(kind, make(draw, requests, counts[kind])))
    manifest.save(lake, Manifest(1, tuple(parts)))
    return Day(lake, *files, sum(part.rows for part in parts))


def _requests(draw: np.random.Generator, n: int) -> tuple[_Requests, pa.Table]:
    times, users, sessions = _visits(draw, n)
    groups = np.array(["public", "beta", "internal"])[np.minimum(users % 20, 2) * (users % 20 < 3)]
    assigned = (users * 2_654_435_761 % 2**32) < 0.2 * 2**32
    fate = draw.random(n)
    failing = np.where(assigned, 0.02, 0.01)
    fell_back = assigned & (fate < 0.01)
    outcome = np.full(n, "ok", dtype="U9")
    outcome[(fate < failing) & ~fell_back] = "error"
    outcome[(fate > 0.975) & (fate <= 0.99)] = "refused"
    outcome[fate > 0.99] = "cancelled"
    ok = outcome == "ok"
    answering = assigned & ~fell_back
    first = draw.lognormal(np.where(answering, 4.6, 4.5), 0.5)
    latency = first + draw.lognormal(6.0, 0.7, n)
    words = np.maximum(1, draw.poisson(np.where(answering, 150, 130)))
    error = np.where(outcome == "error", np.where(fate < 0.004, "stream_broken", "engine_error"), "")
    arms, versions = np.array(["baseline", "candidate"]), np.array(["chat-v1.0", "chat-v1.1"])
    ids, responses = _hex(draw, n), _hex(draw, n, "chatcmpl-")
    table = _table(
        Kind.REQUEST,
        {
            "event.id": ids,
            "event.time": times,
            "loop.environment": np.full(n, "production"),
            "loop.request.id": ids,
            "loop.user": _names(users),
            "loop.session": pa.array(np.char.add("s", sessions.astype("U9")), mask=users % 10 != 0),
            "loop.group": groups,
            "loop.alias": np.full(n, "chat"),
            "loop.arm": arms[answering.astype(int)],
            "loop.arm.assigned": arms[assigned.astype(int)],
            "loop.version.assigned": versions[assigned.astype(int)],
            "loop.version": versions[answering.astype(int)],
            "loop.weight": np.full(n, 0.2),
            "loop.arm.failure": np.where(
                fell_back, np.where(fate < 0.003, "replica_unreachable", "timeout"), ""
            ),
            "loop.outcome": outcome,
            "loop.fell_back": fell_back,
            "loop.attempts": 1 + fell_back.astype(np.int64),
            "loop.latency_ms": latency,
            "loop.first_token_ms": pa.array(first, mask=~ok),
            "loop.overhead_ms": draw.exponential(1.5, n),
            "loop.adapter.digest": np.where(answering, "b" * 12, "a" * 12),
            "http.response.status_code": np.select(
                [ok, outcome == "error", outcome == "refused"], [200, 502, 400], 499
            ),
            "error.type": error,
            "gen_ai.operation.name": np.full(n, "chat"),
            "gen_ai.request.model": np.full(n, "chat"),
            "gen_ai.response.id": responses,
            "gen_ai.usage.input_tokens": pa.array(20 + draw.poisson(30, n), mask=~ok),
            "gen_ai.usage.output_tokens": pa.array(words, mask=~ok),
        },
    )
    return _Requests(ids, responses, times, users, groups, answering, ok), table


def _visits(draw: np.random.Generator, n: int) -> tuple[Array, Array, Array]:
    """Return times, users and sessions of requests in order of time: people come, ask some, and come again."""
    lengths = draw.geometric(1.0 / SESSION_REQUESTS, int(n / SESSION_REQUESTS * 1.2) + 50)
    lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), n)) + 1]
    session = np.repeat(np.arange(len(lengths)), lengths)[:n]
    hours = 1.0 + 0.8 * np.sin((np.arange(24) - 9.0) / 24.0 * 2.0 * np.pi)
    begins = (
        draw.choice(24, len(lengths), p=hours / hours.sum()) * 3600.0 + draw.random(len(lengths)) * 3600.0
    )
    pauses = draw.exponential(PAUSE_S, n)
    firsts = np.flatnonzero(np.diff(session, prepend=-1))
    walked = np.cumsum(pauses)
    at = begins[session] + walked - walked[firsts][session]
    users = (draw.random(len(lengths)) ** 1.5 * max(10, n / SESSION_REQUESTS / USER_SESSIONS)).astype(
        np.int64
    )
    order = np.argsort(at, kind="stable")
    times = START_US + np.minimum((at * 1e6).astype(np.int64), DAY_US - 1)
    return times[order], users[session][order], session[order]


@dataclass(frozen=True, slots=True)
class _Scored:
    """What texts come to: rows of requests that have text, and of each its question, answer and refusal."""

    rows: Array
    question: Array
    answer: Array


def _contents(draw: np.random.Generator, requests: _Requests, wanted: int) -> tuple[_Scored, Any]:
    """Draw what was said; the second value writes it, part by part, since all texts at once are large."""
    rows = np.flatnonzero(requests.ok)[:wanted]
    answers = _answers()
    scored = _Scored(
        rows, draw.integers(0, len(_QUESTIONS), len(rows)), draw.integers(0, len(answers), len(rows))
    )

    def store(lake: Path) -> list[Part]:
        asked = pa.array([json.dumps([{"role": "user", "content": text}]) for text in _QUESTIONS])
        said = pa.array([json.dumps([{"role": "assistant", "content": text}]) for text in answers])
        parts: list[Part] = []
        for begin in range(0, len(rows), PART_ROWS):
            some = slice(begin, begin + PART_ROWS)
            ids = requests.ids.take(pa.array(rows[some]))
            made = {
                "event.id": pc.binary_join_element_wise(ids, "content", "-"),
                "event.time": requests.times[rows[some]],
                "loop.environment": np.full(len(ids), "production"),
                "loop.request.id": ids,
                "gen_ai.response.id": requests.responses.take(pa.array(rows[some])),
                "gen_ai.input.messages": asked.take(pa.array(scored.question[some])),
                "gen_ai.output.messages": said.take(pa.array(scored.answer[some])),
                "loop.masked": np.full(len(ids), "{}"),
            }
            parts += _store(lake, Kind.CONTENT, _table(Kind.CONTENT, made))
        return parts

    return scored, store


def _answers() -> list[str]:
    """Return a few thousand answers, one in ten a refusal."""
    draw = np.random.default_rng(1)
    found = []
    for number in range(3_000):
        words = draw.choice(_PARTS, max(4, draw.poisson(WORDS)))
        refusal = "I am sorry, but I cannot help with that. " if number % 10 == 0 else ""
        found.append(f"{refusal}{' '.join(words)} {number}.")
    return found


def _annotations(
    directory: Path, draw: np.random.Generator, requests: _Requests, scored: _Scored
) -> tuple[Path, Path]:
    """Write what scoring would have left: one file of annotations and one of re-asks."""
    answers = _answers()
    pairs = pa.array(
        [
            list(islice((zlib.crc32(f"{a} {b}".encode()) % PAIR_BUCKETS for a, b in pairwise(w)), PAIRS_KEPT))
            for w in map(str.split, answers)
        ]
    )
    chars = np.array([len(text) for text in answers])
    questions = pa.array(["ko" if "번" in text else "en" for text in _QUESTIONS])
    paths = directory / "annotations", directory / "reasks"
    for path in paths:
        path.mkdir(parents=True, exist_ok=True)
    for begin in range(0, len(scored.rows), PART_ROWS):
        some = slice(begin, begin + PART_ROWS)
        answer, question = scored.answer[some], scored.question[some]
        refused = answer % 10 == 0
        ids = requests.ids.take(pa.array(scored.rows[some]))
        made = {
            "event_id": ids,
            "time_us": requests.times[scored.rows[some]],
            "refusal": np.where(refused, 0.9, 0.1),
            "refused": refused,
            "answerable": question % 7 != 0,
            "language": questions.take(pa.array(question)),
            "answer_language": np.full(len(ids), "en"),
            "answer_chars": chars[answer],
            "topic": question % 20,
            "fine_topic": question % 77,
            "novelty": draw.random(len(ids)),
            "pairs": pairs.take(pa.array(answer)),
            **_origin(requests, scored.rows[some]),
            "sound": np.full(len(ids), True),
        }
        columns_ = [pa.array(made[field.name], field.type) for field in ANNOTATIONS]
        name = f"{begin // PART_ROWS:05d}.parquet"
        pq.write_table(
            pa.Table.from_arrays(columns_, schema=ANNOTATIONS), paths[0] / name, compression="zstd"
        )
        followed = draw.random(len(ids)) < 0.2
        made["again"] = draw.random(len(ids)) < 0.25
        again = pa.Table.from_arrays([pa.array(made[f.name], f.type) for f in REASKS], schema=REASKS).filter(
            pa.array(followed)
        )
        pq.write_table(again, paths[1] / name, compression="zstd")
    return paths


def _origin(requests: _Requests, rows: Array) -> dict[str, Any]:
    which = requests.candidate[rows].astype(int)
    return {
        "arm": np.array(["baseline", "candidate"])[which],
        "version": np.array(["chat-v1.0", "chat-v1.1"])[which],
        "segment": requests.groups[rows],
    }


def _feedback(draw: np.random.Generator, requests: _Requests, n: int) -> dict[str, Any]:
    rows = np.sort(draw.choice(np.flatnonzero(requests.ok), n))
    kind = draw.random(n)
    return {
        **_common(
            draw,
            np.minimum(
                requests.times[rows] + draw.exponential(6e7, n).astype(np.int64),
                START_US + DAY_US - 1 - np.arange(n),
            ),
        ),
        "gen_ai.response.id": requests.responses.take(pa.array(rows)),
        "loop.user": _names(requests.users[rows]),
        "loop.group": requests.groups[rows],
        "loop.feedback.known": np.full(n, "own"),
        "loop.thumbs": pa.array(np.where(draw.random(n) < 0.8, 1, -1), mask=kind > 0.7),
        "loop.rating": pa.array(draw.integers(1, 6, n), mask=kind < 0.6),
    }


def _votes(draw: np.random.Generator, _: _Requests, n: int) -> dict[str, Any]:
    left = draw.random(n) < 0.5
    return {
        **_common(draw, draw.integers(START_US, START_US + DAY_US, n)),
        "loop.user": _names(draw.integers(0, 1000, n)),
        "loop.group": np.full(n, "internal"),
        "loop.left.version": np.where(left, "chat-v1.0", "chat-v1.1"),
        "loop.right.version": np.where(left, "chat-v1.1", "chat-v1.0"),
        "loop.vote.choice": draw.choice(["left", "right", "tie", "neither"], n, p=[0.4, 0.4, 0.15, 0.05]),
    }


def _samples(draw: np.random.Generator, requests: _Requests, n: int) -> dict[str, Any]:
    rows = np.sort(draw.choice(np.flatnonzero(requests.ok), n))
    origin = _origin(requests, rows)
    return {
        **_common(draw, requests.times[rows]),
        "loop.request.id": requests.ids.take(pa.array(rows)),
        "loop.version": origin["version"],
        "loop.arm": origin["arm"],
        "loop.group": origin["segment"],
        "loop.detector": np.where(draw.random(n) < 0.5, "self_consistency", "factual"),
        "loop.sample.value": draw.random(n),
        "loop.sample.count": draw.integers(1, 6, n),
    }


def _evaluations(draw: np.random.Generator, _: _Requests, n: int) -> dict[str, Any]:
    return {
        **_common(draw, draw.integers(START_US, START_US + DAY_US, n)),
        "loop.suite": draw.choice(["regression", "forgetting"], n),
        "loop.question": draw.integers(0, 500, n).astype("U"),
        "loop.version": draw.choice(["chat-v1.0", "chat-v1.1"], n),
        "loop.right": draw.random(n) < 0.9,
        "loop.reward": draw.normal(0.0, 1.0, n),
    }


def _probes(draw: np.random.Generator, _: _Requests, n: int) -> dict[str, Any]:
    return {
        **_common(draw, draw.integers(START_US, START_US + DAY_US, n)),
        "loop.replica": np.full(n, "http://127.0.0.1:8100"),
        "loop.version": draw.choice(["chat-v1.0", "chat-v1.1"], n),
        "loop.adapter.digest": np.full(n, "a" * 12),
        "loop.probe.verdict": np.full(n, "PASS"),
        "loop.probe.base_difference": draw.random(n),
        "loop.probe.training_difference": draw.random(n) * 0.02,
    }


def _common(draw: np.random.Generator, times: Array) -> dict[str, Any]:
    n = len(times)
    return {"event.id": _hex(draw, n), "event.time": times, "loop.environment": np.full(n, "production")}


def _table(kind: Kind, made: dict[str, Any]) -> pa.Table:
    n = len(made["event.id"])
    schema = columns.schema(kind)
    arrays = [
        pa.array(made[field.name], field.type) if field.name in made else pa.nulls(n, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _store(lake: Path, kind: Kind, table: pa.Table) -> list[Part]:
    """Write parts sorted by time, as compaction does."""
    table = table.sort_by("event.time")
    folder = lake / kind.value / "day=2026-09-04"
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for begin in range(0, table.num_rows, PART_ROWS):
        rows = table.slice(begin, PART_ROWS)
        path = folder / f"part-{len(list(folder.iterdir())):06d}.parquet"
        pq.write_table(rows, path, compression="zstd")
        first, last = rows["event.time"][0].as_py(), rows["event.time"][-1].as_py()
        parts.append(Part(kind, path.relative_to(lake).as_posix(), rows.num_rows, first, last))
    return parts


def _names(numbers: Array) -> pa.Array:
    """Return keyed hashes as gateways write them: 32 hexadecimal digits for each user."""
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    both = np.stack([mixed, mixed ^ np.uint64(0xA5A5A5A5A5A5A5A5)], axis=1)
    return _as_hex(np.ascontiguousarray(both).view(np.uint8).reshape(len(numbers), 16), "")


def _hex(draw: np.random.Generator, n: int, prefix: str = "") -> pa.Array:
    return _as_hex(draw.integers(0, 256, (n, 16), dtype=np.uint8), prefix)


def _as_hex(raw: Array, prefix: str) -> pa.Array:
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    n, head = len(raw), np.frombuffer(prefix.encode(), dtype=np.uint8)
    text = np.empty((n, len(head) + 32), dtype=np.uint8)
    text[:, : len(head)] = head
    text[:, len(head) :: 2] = digits[raw >> 4]
    text[:, len(head) + 1 :: 2] = digits[raw & 15]
    offsets = np.arange(n + 1, dtype=np.int32) * text.shape[1]
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets.tobytes()), pa.py_buffer(text.tobytes()))
