"""Freeze windows: when, in local time, nothing may be promoted. Computation only; for `intent` and for commands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from runner.errors import terminal
from runner.spec.environment import Environment

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Window:
    """A span of local time, once (`2026-12-20T00:00`) or weekly (`friday 16:00`), without its end."""

    zone: str
    start: str
    end: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Once:
    """From one local moment to another."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class _Weekly:
    """Every week, so long from a time after Monday 00:00 on."""

    begins: timedelta
    lasts: timedelta


def in_force(windows: tuple[Window, ...], now: float) -> Window | None:
    """Return the first window that holds at `now` (seconds since 1970 UTC), or None.

    Raises TerminalError where a zone or a time cannot be read: a guard that cannot be computed must refuse.
    """
    return next((window for window in windows if _holds(window, now)), None)


def closed(environment: Environment, now: float) -> str:
    """Return why nothing is promoted in an environment at `now`, in words; empty where it is open.

    Raises TerminalError as `in_force` does.
    """
    if environment.suspend:
        return "promotions are suspended"
    found = in_force(_windows(environment), now)
    return "" if found is None else f"frozen from {found.start} to {found.end} ({found.zone}): {found.reason}"


def spans(environment: Environment, since: float, until: float) -> Iterator[tuple[Window, float, float]]:
    """Yield each window with from when to when it holds, as far as that touches the time from `since` to `until`.

    All in seconds since 1970. Raises TerminalError as `in_force` does.
    """
    for window in _windows(environment):
        for begins, ends in _held(window, since, until):
            yield window, begins, ends


def _windows(environment: Environment) -> tuple[Window, ...]:
    return tuple(Window(each.zone, each.from_, each.to, each.reason) for each in environment.freeze)


def _held(window: Window, since: float, until: float) -> Iterator[tuple[float, float]]:
    zone, found = _zone(window.zone), _span(window)
    match found:
        case _Once():
            held = [(found.begins, found.ends)]
        case _Weekly():
            first = datetime.fromtimestamp(since, zone).date()
            before = datetime.combine(first - timedelta(days=first.weekday()), datetime.min.time()) - _WEEK
            weeks = int((until - since) / _WEEK.total_seconds()) + 4
            starts = [before + number * _WEEK + found.begins for number in range(weeks)]
            held = [(start, start + found.lasts) for start in starts]
    for start, end in held:
        begins, ends = (each.replace(tzinfo=zone).timestamp() for each in (start, end))
        if begins < min(until, ends) and ends > since:
            yield begins, ends


def _holds(window: Window, now: float) -> bool:
    local = datetime.fromtimestamp(now, tz=UTC).astimezone(_zone(window.zone)).replace(tzinfo=None)
    found = _span(window)
    match found:
        case _Once():
            return found.begins <= local < found.ends
        case _Weekly():
            monday = datetime.combine(local.date() - timedelta(days=local.weekday()), datetime.min.time())
            return (local - monday - found.begins) % _WEEK < found.lasts
        case _:
            assert_never(found)


def _span(window: Window) -> _Once | _Weekly:
    """Return when a window holds. Raises TerminalError where it cannot be read, or mixes both kinds."""
    start, end = _point(window.start), _point(window.end)
    if isinstance(start, datetime) and isinstance(end, datetime):
        return _Once(start, end)
    if isinstance(start, timedelta) and isinstance(end, timedelta):
        return _Weekly(start, (end - start) % _WEEK)
    raise terminal(
        f"freeze window '{window.start}' to '{window.end}' mixes a date with a weekday",
        fix="write both as '2026-12-20T00:00' or both as 'friday 16:00'",
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise terminal(f"unknown time zone '{name}'", fix="use an IANA name such as 'Asia/Seoul'") from error


def _point(text: str) -> datetime | timedelta:
    day, _, clock = text.strip().lower().partition(" ")
    try:
        if day in _DAYS:
            time = datetime.strptime(clock.strip() or "00:00", "%H:%M")
            return timedelta(days=_DAYS.index(day), hours=time.hour, minutes=time.minute)
        return datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise terminal(
            f"freeze window: cannot read the time '{text}'",
            fix="write '2026-12-20T00:00' or 'friday 16:00'",
        ) from error
