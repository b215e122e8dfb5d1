"""A replay's result as a table for people and as JSON for programs, and its progress as one line.

Called by `loop replay` and by benchmarks. All read the same `ReplayResult`; nothing is decided or measured
here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from runner.simulation.replay.result import Progress, ReplayResult, Spread

SHOWN_IDS = 5
Row = tuple[str, str]


def to_text(result: ReplayResult) -> str:
    """Return the table; plain text, one figure a line."""
    rows = [*_asked(result), *_outcome(result), *_times(result), *_answers(result), *_log(result)]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}".rstrip() for name, value in rows)


def to_json(result: ReplayResult) -> dict[str, Any]:
    """Return the result as plain JSON values; the API key is left out."""
    value = asdict(result)
    value["plan"]["pace"] = str(result.plan.pace)
    value["plan"]["material"]["data"] = str(result.plan.material.data)
    target = value["plan"]["target"]
    del target["api_key"]
    target["events"] = None if target["events"] is None else str(target["events"])
    value["as_planned"] = result.as_planned
    return value


def progress_line(progress: Progress) -> str:
    """Return where a replay stands, in one line."""
    share = progress.sent / progress.planned
    waiting = f", {progress.waiting} waiting" if progress.waiting else ""
    heard = f", {progress.feedback} judged" if progress.feedback else ""
    return (
        f"{progress.elapsed_s:6.1f} s  {progress.sent}/{progress.planned} sent ({share:.0%}), "
        f"{progress.answered} answered, {progress.failed} failed, {progress.in_flight} in flight{waiting}{heard}"
    )


def _asked(result: ReplayResult) -> Iterator[Row]:
    plan = result.plan
    yield (
        "trace",
        f"{plan.material.trace}, {result.planned} arrivals in {result.planned_s:.1f} s, {plan.pace}",
    )
    yield (
        "questions",
        f"{plan.material.questions}, seed {plan.crowd.seed}, at most {plan.crowd.max_tokens} tokens",
    )
    yield "users", f"{result.users} in {result.sessions} sessions, {result.streams} requests as a stream"
    yield "run", result.run


def _outcome(result: ReplayResult) -> Iterator[Row]:
    rate = result.sent / result.elapsed_s if result.elapsed_s else 0.0
    yield "sent", f"{result.sent} in {result.elapsed_s:.1f} s ({rate:.1f}/s)"
    if result.stopped:
        yield "", f"stopped by hand: {result.unsent} not sent, {result.abandoned} given up"
    yield "answered", str(result.answered)
    yield "failed", str(result.failed)
    for each in result.failures:
        yield "", f"{each.count} x {each.kind} ({each.status or 'no status'}): {each.example[:120]}"
    yield "fell back", "unknown (no event log)" if result.log is None else str(result.log.fell_back)


def _times(result: ReplayResult) -> Iterator[Row]:
    yield "latency", _spread(result.latency)
    yield "first token", _spread(result.first_token)
    yield "gateway overhead", _spread(result.overhead)
    yield "sent late", _spread(result.lateness)
    cap = result.plan.target.in_flight
    if cap is not None:
        waited = f"{result.waiting.n} waited, {_spread(result.waiting)}" if result.waiting else "none waited"
        yield "cap", f"{cap} in flight; {waited}"
    yield "in flight", f"at most {result.peak_in_flight}"


def _answers(result: ReplayResult) -> Iterator[Row]:
    yield "tokens", f"{result.input_tokens} in, {result.output_tokens} out"
    for name, each in zip(["arms"] + [""] * len(result.arms), result.arms, strict=False):
        yield name, f"{each.arm or 'unnamed'} {each.version}: {each.answers} answers"
    if (said := result.feedback) is not None:
        refused = f", {said.failed} NOT taken by the gateway" if said.failed else ""
        yield "feedback", f"{said.given} answers judged, {said.pleased} of them well{refused}"


def _log(result: ReplayResult) -> Iterator[Row]:
    log = result.log
    if log is None:
        yield "events in the log", "not counted (no event directory was given)"
        return
    verdict = "each request exactly once" if log.found == result.sent else "NOT one for each request"
    yield "events in the log", f"{log.found} of {result.sent}: {verdict}"
    if log.missing:
        yield "", f"{len(log.missing)} answered without an event: {_some(log.missing)}"
    if log.duplicate:
        yield "", f"{len(log.duplicate)} with more than one event: {_some(log.duplicate)}"
    if log.unacknowledged:
        yield "", f"{log.unacknowledged} with neither an answer nor an event"
    if log.damaged:
        yield "", f"{log.damaged} damaged lines"


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    return (
        f"p50 {spread.p50:.1f} ms, p95 {spread.p95:.1f} ms, p99 {spread.p99:.1f} ms, max {spread.max:.1f} ms"
    )


def _some(ids: tuple[str, ...]) -> str:
    return ", ".join(ids[:SHOWN_IDS]) + (", ..." if len(ids) > SHOWN_IDS else "")
