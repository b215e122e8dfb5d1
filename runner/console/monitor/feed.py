"""What the monitor page is given: a snapshot of the signals, and where the rollout, the runner and decisions stand.

`loop monitor` publishes a `Page` after every pass over the events; the app reads `Feed` and nothing else. The
functions at the end read what `loop status --json` and `loop log --json` show. No files, no network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from runner.report import explain
from runner.report.limits import Limits
from runner.rollout.verdict import Assessment
from runner.signals.reading import Level, Reading, Snapshot

Values = Mapping[str, Any]


class Kind(StrEnum):
    """What a decision was about; the page has a word and a shape for each."""

    ROLLED_BACK = "rolled back"
    ADVANCED = "advanced"
    ENTERED = "entered"
    APPLIED = "applied"
    FAILED = "failed"
    VERDICT = "verdict"
    """A signal's level changed."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing that was decided or done, `at` seconds since 1970, in words."""

    at: float
    kind: Kind
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is held: what, why in words, and what comes next ("" where nobody knows)."""

    subject: str
    text: str
    next: str


@dataclass(frozen=True, slots=True)
class Rollout:
    """Who serves whom, what the evidence says of a candidate, and what the rollout waits for.

    `weight` is the candidate's share of users. `unknown` is why the evidence cannot be read, "" where it can or
    there is nothing to read.
    """

    baseline: str
    candidate: str | None
    shadow: str | None
    weight: float
    assessment: Assessment | None
    unknown: str
    waits: tuple[Waiting, ...]


@dataclass(frozen=True, slots=True)
class Runner:
    """The process that acts: its id (None: none is at work), when it last looked, and what it found."""

    pid: int | None
    looked: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything the page shows. `stale` says in words why it is older than it should be; "" where it is not.

    `thresholds` are those of the policy by metric, as `report.limits.of_policy` returns them; without them the page
    tells levels only.
    """

    environment: str
    snapshot: Snapshot | None
    rollout: Rollout | None
    decisions: tuple[Decision, ...]
    runner: Runner
    stale: str = ""
    thresholds: Limits = field(default_factory=dict)


def to_json(page: Page) -> dict[str, Any]:
    """Return the page as plain JSON values; times are in seconds since 1970."""
    return asdict(page)


class Feed:
    """The newest page, and a wake-up for whoever shows it. Belongs to one event loop.

    `metrics` returns the text that Prometheus scrapes.
    """

    def __init__(self, environment: str, metrics: Callable[[], bytes] = bytes) -> None:
        self.page = Page(environment, None, None, (), Runner(None, None, ""))
        self.number = 0
        self.metrics = metrics
        self._changed = asyncio.Event()

    def publish(self, page: Page) -> None:
        """Replace the page and wake everyone who waits for it."""
        self.page, self.number = page, self.number + 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def after(self, number: int) -> None:
        """Return once a page newer than `number` is there."""
        while self.number <= number:
            await self._changed.wait()


def runner(status: Values) -> Runner:
    """Return the runner of `loop status --json`."""
    last = status["pass"]
    found = (None, "") if last is None else (last["at"], str(last["verdict"]))
    return Runner(status["runner"], *found)


def rollout(last: Values | None) -> Rollout | None:
    """Return the rollout of a pass, the value under `pass` of `loop status --json`; None before anything serves.

    Raises KeyError, TypeError or ValueError where an assessment is none.
    """
    arms = None if last is None else last["arms"]
    if last is None or arms is None:
        return None
    found = last.get("rollout") or {}
    unknown = str(found.get("unknown", ""))
    assessment = explain.from_json(found) if found and not unknown else None
    waits = tuple(
        Waiting(hold["subject"], f"{hold['why']}: {hold['text']}", hold.get("next") or "")
        for hold in last["holds"]
        if not explain.told_by_evidence(hold)
    )
    return Rollout(
        arms["baseline"], arms["candidate"], arms["shadow"], arms["weight"], assessment, unknown, waits
    )


def decisions(entries: Iterable[Values], most: int = 20) -> tuple[Decision, ...]:
    """Return what of a journal (`loop log --json`, oldest first) people want to know, the newest first."""
    told = [found for entry in entries if (found := _decision(entry))]
    return tuple(reversed(told[-most:]))


PASSED = {Level.WARN, Level.HOLD, Level.RETRAIN}
"""Levels that people want to hear of; what lies below only says how much is known yet."""


def verdicts(before: Snapshot | None, after: Snapshot) -> tuple[Decision, ...]:
    """Return which readings passed a threshold, or came back, between two snapshots; none without one before."""
    if before is None:
        return ()
    levels = {_place(each): each.level for each in before.readings}
    return tuple(
        Decision(after.at, Kind.VERDICT, _place(each), f"{levels[_place(each)].value} to {each.level.value}")
        for each in after.readings
        if levels.get(_place(each), each.level) is not each.level
        and PASSED & {each.level, levels.get(_place(each), each.level)}
    )


def _place(found: Reading) -> str:
    """Return what a reading is about: its metric, and arm and segment where it has them."""
    arm = f" of the {found.arm}" if found.arm else ""
    return f"{found.metric}{arm}{f' in {found.segment}' if found.segment else ''}"


def _decision(entry: Values) -> Decision | None:
    at, body = float(entry["at"]), entry["body"]
    match str(entry["kind"]), body.get("action"):
        case "attempted", "roll_back":
            rollback = body.get("rollback", {})
            first = next(iter(rollback.get("evidence", ())), "")
            text = ": ".join(part for part in (rollback.get("condition", ""), first) if part)
            return Decision(at, Kind.ROLLED_BACK, body["served"], text)
        case "done", ("advance_stage" | "conclude_rollout") as step:
            how = "asked for by pull request" if body.get("by_pull_request") else body.get("why", "")
            last = step == "conclude_rollout"
            way = f"{body['stage']} to the baseline" if last else f"{body['before']} to {body['stage']}"
            return Decision(at, Kind.ADVANCED, body["served"], f"{way}: {how}")
        case "entered", _:
            text = f"the routes give stage '{body['stage']}'"
            return Decision(at, Kind.ENTERED, f"rollout {body['rollout_id']}", text)
        case "in_sync", _:
            return Decision(at, Kind.APPLIED, str(body["revision"])[:12], "everything agrees with it")
        case "failed", _:
            lines = (line.strip() for line in str(body.get("message", "")).splitlines())
            return Decision(at, Kind.FAILED, str(body.get("target") or body.get("action")), "; ".join(lines))
        case _:
            return None
