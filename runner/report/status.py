"""What `loop status` shows, as text. Reads the values that the runner wrote and the lake counted; decides nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from runner.report.explain import from_json, told_by_evidence
from runner.rollout import explain
from runner.rollout.verdict import Assessment

Values = Mapping[str, Any]
STALE_SECONDS = 30.0
_HEX = re.compile("[0-9a-f]{40,64}")
_COLOURS = {"in sync": "32", "changing": "33", "held": "33"}
_HEAD = (
    "arm",
    "version",
    "requests",
    "errors",
    "rate",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "tokens in/out",
    "fell back",
)


def to_text(status: Values, now: float, *, colour: bool) -> str:
    """Return the status for a terminal; `now` is in seconds since 1970 UTC."""
    last = status["pass"]
    if last is None:
        begun = f"runner {status['runner']} has begun and not looked yet"
        none = "no runner has looked at it yet; `loop up` begins"
        return f"{status['environment']}: {none if status['runner'] is None else begun}"
    lines = [_headline(status, last, now, colour), ""]
    was = "" if status["runner"] else " then"
    lines += [*_section(f"serving{was}", _serving(last)), *_section(f"systems{was}", _systems(last))]
    lines += _section("rollout", _rollout(last))
    lines += _section(f"requests, {_window(status['window_seconds'])}", _table(status["arms"]))
    lines += _section("held", (row for hold in last["holds"] for row in _hold(hold) if not _told(hold, last)))
    lines += _section("failed", (row for failed in last["failed"] for row in _failure(failed)))
    lines += _section("refused", _refusal(last["refused"]) if last["refused"] else ())
    return "\n".join(lines).rstrip()


def _headline(status: Values, last: Values, now: float, colour: bool) -> str:
    verdict, age = str(last["verdict"]), _ago(now - last["at"])
    shown = f"\x1b[{_COLOURS.get(verdict, '0')}m{verdict}\x1b[0m" if colour else verdict
    found = f"{shown} at {_revision(last['revision'])}"
    if status["runner"] is None:
        return f"{status['environment']}: no runner at work; the last one, {age} ago, found it {found}"
    about = f"runner {status['runner']}, looked {age} ago"
    if now - last["at"] > STALE_SECONDS:
        about += ", late"
    if last["refused"]:
        about += f"; {_revision(last['refused']['revision'])} is REFUSED, see below"
    return f"{status['environment']}: {found} ({about})"


def _told(hold: Values, last: Values) -> bool:
    """Return whether the section about the rollout says a hold already."""
    return bool(last.get("rollout")) and told_by_evidence(hold)


def _serving(last: Values) -> Iterator[str]:
    arms = last["arms"]
    if arms is None:
        yield "nothing yet"
        return
    yield f"{arms['alias']} -> {arms['baseline']} (route table {arms['generation']})"
    if arms["candidate"]:
        yield f"candidate {arms['candidate']}: {100 * arms['weight']:.4g}% of users"
    if arms["shadow"]:
        yield f"shadow {arms['shadow']}"
    for each in last["adapters"]:
        proven = f"verified on {len(each['verified'])} of {each['replicas']}"
        yield f"{each['role']:<10} {each['served']}  rank {each['rank']}  {proven}"
    if last["in_sync_since"]:
        yield f"agrees since {datetime.fromtimestamp(last['in_sync_since'], UTC):%Y-%m-%d %H:%M:%S} UTC"


def _rollout(last: Values) -> Iterator[str]:
    """Yield what the evidence says of the candidate, and the rollbacks that Git does not show yet."""
    found, rollbacks = last.get("rollout"), last.get("rollbacks") or ()
    pending = [each for each in rollbacks if each["git"] == "pending"]
    if found and "unknown" in found:
        yield f"the evidence cannot be read: {found['unknown']}"
    elif found and found["candidate"] not in {each["served"] for each in pending}:
        yield from _assessed(from_json(found), held=_held(last))
    landed = [each for each in rollbacks if each["git"] == "landed"]
    for rollback in (*pending, *landed[-1:]):
        yield from _rolled_back(rollback)


def _held(last: Values) -> bool:
    """Return whether something else than the evidence holds the rollout; the section about holds says what."""
    return any(
        each["subject"].startswith("rollout ") and not told_by_evidence(each) for each in last["holds"]
    )


def _assessed(found: Assessment, *, held: bool) -> Iterator[str]:
    yield explain.headline(found)
    against = f"{explain.capital(found.evidence, found.threshold)} of {found.threshold:.4g}"
    yield f"  evidence against it: {against}; `loop explain` has every figure"
    if not held:
        yield f"  next: {explain.next_step(found)}"


def _rolled_back(rollback: Values) -> Iterator[str]:
    """Yield what was rolled back when and why, and how far Git knows."""
    at = datetime.fromtimestamp(rollback["at"], UTC)
    pending = rollback["git"] == "pending"
    state = "rolled back (pending git)" if pending else "rolled back"
    yield f"{state}: {rollback['served']} at {at:%Y-%m-%d %H:%M:%S} UTC: {rollback['condition']}"
    if pending:
        written = rollback["written"]
        wait = (
            f"waits for {_revision(written)}" if written else "users are on the baseline, Git does not say so"
        )
        yield f"  {wait}"


def _systems(last: Values) -> Iterator[str]:
    for url, replica in last["replicas"].items():
        unknown = replica.get("unknown")
        yield f"replica {url}: " + (
            f"does not answer: {unknown}"
            if unknown
            else f"vLLM {replica['version']}, {_adapters(len(replica['adapters']))}"
        )
    for url, gateway in last["gateways"].items():
        unknown = gateway.get("unknown")
        yield f"gateway {url}: " + (
            f"does not answer: {unknown}"
            if unknown
            else f"route table {gateway['generation']}, {gateway['in_flight']} in flight"
        )


def _hold(hold: Values) -> Iterator[str]:
    yield from _lines(f"{hold['subject']}: {hold['why']}: {hold['text']}")
    if hold.get("next"):
        yield f"  next: {hold['next']}"


def _failure(failed: Values) -> Iterator[str]:
    yield from _lines(f"{failed['action']} ({failed['kind']}): {failed['message']}")


def _refusal(refused: Values) -> Iterator[str]:
    yield f"{_revision(refused['revision'])}; the last good one stays"
    yield from _lines(refused["message"])


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text, all but the first set in."""
    first, *more = text.splitlines() or [""]
    yield first
    for line in more:
        yield f"  {line}"


def _revision(revision: str) -> str:
    return revision[:12] if _HEX.fullmatch(revision) else revision


def _adapters(count: int) -> str:
    return f"{count} adapter{'' if count == 1 else 's'}"


def _table(arms: Sequence[Values]) -> list[str]:
    if not arms:
        return ["none"]
    rows = [_HEAD, *(_row(arm) for arm in arms)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return [
        "  ".join(
            _cell(cell, width, at) for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _cell(text: str, width: int, at: int) -> str:
    return text.ljust(width) if at < 2 else text.rjust(width)


def _row(arm: Values) -> tuple[str, ...]:
    rate = "-" if arm["error_rate"] is None else f"{arm['error_rate']:.2%}"
    times = (_ms(arm[f"latency_{name}_ms"]) for name in ("p50", "p95", "p99"))
    tokens = f"{arm['input_tokens']}/{arm['output_tokens']}"
    return (
        arm["arm"] or "(none)",
        arm["version"] or "-",
        str(arm["requests"]),
        str(arm["errors"]),
        rate,
        *times,
        tokens,
        str(arm["fell_back"]),
    )


def _section(title: str, rows: Any) -> list[str]:
    told = [f"  {row}" for row in rows]
    return [f"{title}:", *told, ""] if told else []


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _window(seconds: float | None) -> str:
    return "all" if seconds is None else f"last {_ago(seconds)}"


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"
