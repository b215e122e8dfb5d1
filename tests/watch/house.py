"""A measured house: a log of known contents on disk, the shipped policies over it, and what measuring says.

Events are written as segments, as gateways leave them; times are seconds before `NOW`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from runner.events.compact import Compactor
from runner.events.schema import FIELDS, Kind
from runner.signals.lexical import Lexical
from runner.signals.reading import Reading, Snapshot
from runner.spec.load import Spec
from runner.watch.watch import Places, Watch
from tests.doubles.event_files import line, segment
from tests.spec.repository import ROOT, Repository

NOW = 1_790_000_000.0
ENVIRONMENT = "production"
BASELINE, CANDIDATE = "chat-v1.0", "chat-v1.1"
REFERENCE = Path("datasets/bookshop/reference.jsonl")
SHELF, REFUSAL = "It is on the third shelf, beside the window.", "I'm sorry, but I can't help with that."


def at(before: float) -> int:
    """Return the time so many seconds before `NOW` as events carry it."""
    return round((NOW - before) * 1e6)


def messages(role: str, text: str) -> str:
    return json.dumps([{"role": role, "content": text}])


@dataclass
class House:
    """One repository with a log; `spec` is what its policies say."""

    root: Path
    files: Repository = field(default_factory=Repository)
    written: int = 0
    said: list[str] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.root / ".loop" / ENVIRONMENT

    @property
    def state(self) -> Path:
        return self.home / "signals"

    @property
    def spec(self) -> Spec:
        found = self.files.load()
        assert found.spec is not None, "\n".join(map(str, found.diagnostics))
        return found.spec

    def watch(self) -> Watch:
        """Return measuring as a process that was just started has it."""
        places = Places(self.root, self.state, self.home / "lake", self.home / "events")
        return Watch(places, self.spec, ENVIRONMENT, Lexical(), self.said.append)

    def take(self, now: float = NOW) -> Snapshot:
        return self.watch().take(now)

    def refer_to(self, questions: Iterable[str] | None = None) -> None:
        """Put the shipped reference set in its place, or another one of these questions, all answered."""
        target = self.root / REFERENCE
        target.parent.mkdir(parents=True, exist_ok=True)
        if questions is None:
            shutil.copy(ROOT / REFERENCE, target)
        else:
            rows = [json.dumps({"question": each, "answer": SHELF}) for each in questions]
            target.write_text("\n".join(rows) + "\n", encoding="utf-8")

    def log(self, kind: Kind, *events: dict[str, Any]) -> None:
        """Write a segment of events, each with the fields that all have; the schema knows every field."""
        lines = []
        for event in events:
            self.written += 1
            whole = {"event.id": f"{kind.value}-{self.written}", "loop.environment": ENVIRONMENT, **event}
            names = {each.name for each in FIELDS[kind]}
            assert whole.keys() <= names, whole.keys() - names
            assert {each.name for each in FIELDS[kind] if each.required} <= whole.keys()
            lines.append(line(whole))
        segment(self.home / "events", lines, opened_us=at(0) + self.written, kind=kind)

    def asked(self, questions: Sequence[str], before: float, **fields: Any) -> list[str]:
        """Log conversations, one a second from `before` on; return the ids of their answers."""
        requests, contents, ids = [], [], []
        for number, question in enumerate(questions):
            identity = f"{self.written}-{number}"
            event = _request(identity, at(before - number), **fields)
            requests.append(event)
            ids.append(event["gen_ai.response.id"])
            contents.append(_content(event, question, fields.get("says", SHELF)))
        self.log(Kind.REQUEST, *requests)
        self.log(Kind.CONTENT, *contents)
        return ids

    def compact(self) -> None:
        """Move the segments into the lake, and see that it happened."""
        compactor = Compactor(
            self.home / "events", self.home / "lake", now_us=lambda: at(-3600), merge_at=3, grace_us=0
        )
        compactor.run()
        compactor.run()
        assert list((self.home / "lake").rglob("*.parquet")) and not list(
            (self.home / "events").glob("*.jsonl")
        )


def _request(identity: str, time_us: int, **fields: Any) -> dict[str, Any]:
    version = fields.get("version", BASELINE)
    arm = "candidate" if version == CANDIDATE else "baseline"
    return {
        "event.id": f"e-{identity}",
        "event.time": time_us,
        "loop.request.id": f"r-{identity}",
        "loop.user": fields.get("user") or f"u-{identity}",
        "loop.group": fields.get("group", "public"),
        "loop.alias": "chat",
        "loop.arm": arm,
        "loop.arm.assigned": arm,
        "loop.version": version,
        "loop.version.assigned": version,
        "loop.adapter.digest": "a" * 64,
        "loop.adapter.digest.assigned": "a" * 64,
        "loop.outcome": fields.get("outcome", "ok"),
        "loop.fell_back": False,
        "loop.latency_ms": 120.0,
        "loop.first_token_ms": 30.0,
        "http.response.status_code": 200 if fields.get("outcome", "ok") == "ok" else 502,
        "gen_ai.response.id": f"a-{identity}",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 20,
    }


def _content(request: dict[str, Any], question: str, answer: str) -> dict[str, Any]:
    return {
        "event.id": f"{request['event.id']}-content",
        "event.time": request["event.time"],
        "loop.request.id": request["loop.request.id"],
        "gen_ai.response.id": request["gen_ai.response.id"],
        "gen_ai.input.messages": messages("user", question),
        "gen_ai.output.messages": messages("assistant", answer),
    }


def failed(house: House, count: int, before: float, **fields: Any) -> None:
    """Log requests that got an error."""
    events = [
        _request(f"{house.written}-x{n}", at(before - n), outcome="error", **fields) for n in range(count)
    ]
    house.log(Kind.REQUEST, *events)


def thumbs(house: House, ids: Sequence[str], thumb: int, before: float, user: str = "") -> None:
    """Log what users said of the answers that they got, or what one `user` said of all."""
    events = [
        {
            "event.time": at(before),
            "gen_ai.response.id": each,
            "loop.user": user or f"u-{each.removeprefix('a-')}",
            "loop.group": "public",
            "loop.thumbs": thumb,
        }
        for each in ids
    ]
    house.log(Kind.FEEDBACK, *events)


def votes(house: House, before: float, **counts: int) -> None:
    """Log comparisons of the candidate (left) with the baseline (right), so many of each choice."""
    events = [
        {
            "event.time": at(before),
            "loop.user": f"judge-{choice}-{number}",
            "loop.group": "public",
            "loop.left.version": CANDIDATE,
            "loop.right.version": BASELINE,
            "loop.vote.choice": choice,
        }
        for choice, count in counts.items()
        for number in range(count)
    ]
    house.log(Kind.VOTE, *events)


def verdicts(house: House, version: str, right: Sequence[bool], before: float) -> None:
    """Log a version's answers to the questions of the suite against forgetting."""
    events = [
        {
            "event.time": at(before),
            "loop.suite": "forgetting",
            "loop.question": f"q-{number}",
            "loop.version": version,
            "loop.right": each,
        }
        for number, each in enumerate(right)
    ]
    house.log(Kind.EVALUATION, *events)


def samples(house: House, detector: str, values: Sequence[tuple[float, int]], before: float) -> None:
    """Log examinations of answers: value and count of each."""
    events = [
        {
            "event.time": at(before),
            "loop.request.id": f"examined-{number}",
            "loop.version": BASELINE,
            "loop.arm": "baseline",
            "loop.group": "public",
            "loop.detector": detector,
            "loop.sample.value": value,
            "loop.sample.count": count,
        }
        for number, (value, count) in enumerate(values)
    ]
    house.log(Kind.SAMPLE, *events)


def reading(snapshot: Snapshot, metric: str, arm: str = "", version: str = "") -> Reading:
    """Return one reading over all segments."""
    (found,) = [
        one
        for one in snapshot.readings
        if one.metric == metric and one.arm == arm and not one.segment and version in ("", one.version)
    ]
    return found


def figures(snapshot: Snapshot) -> list[Any]:
    """Return what a snapshot says, without when and how fast: counted anew, sums may differ in their last digit."""
    rounded: list[Any] = [_rounded(asdict(one)) for one in snapshot.readings]
    return rounded


def _rounded(value: Any) -> Any:
    match value:
        case dict():
            return {name: _rounded(each) for name, each in value.items()}
        case list() | tuple():
            return [_rounded(each) for each in value]
        case float():
            return float(f"{value:.9g}")
    return value
