"""The calendar as iCalendar (RFC 5545), for calendar programs that subscribe to it or import it.

Formats an agenda; decides nothing. A piece of the round that begins in a month keeps its UID whatever its days become,
so that a program that reads the file again moves the event and makes no second one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Final

from runner.economics.agenda import Agenda, Turn, is_whole_days
from runner.economics.rounds import Piece

LONGEST: Final = 75
"""Octets of a line without its end (RFC 5545, 3.1)."""


@dataclass(frozen=True, slots=True)
class _Event:
    """An event; days where it takes whole days, else moments, and never its own end."""

    uid: str
    begins: date
    ends: date
    summary: str
    description: str
    category: str


def to_ics(agenda: Agenda, name: str) -> str:
    """Return the calendar of the repository `name`, lines ended by CR and LF."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//loop//calendar//EN",
        "CALSCALE:GREGORIAN",
        f"NAME:{_text(name)}",
        f"X-WR-CALNAME:{_text(name)}",
        "REFRESH-INTERVAL;VALUE=DURATION:P1D",
    ]
    for event in _events(agenda, name):
        lines += _lines(event, agenda.at)
    lines.append("END:VCALENDAR")
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def _events(agenda: Agenda, name: str) -> Iterator[_Event]:
    for turn in (*agenda.earlier, *agenda.turns):
        for piece in turn.pieces:
            yield _work(turn, piece, name)
    for each in agenda.due:
        yield _Event(
            f"round-{each.begins}@{name}.loop",
            each.begins,
            each.begins + timedelta(days=1),
            f"{name}: a round of training is due ({agenda.frequency.value})",
            "`loop decide` says whether to train, with every reason.",
            "round",
        )
    for done in agenda.trained:
        yield _Event(
            f"trained-{done.version}@{name}.loop",
            done.on,
            done.on + timedelta(days=1),
            f"{name}: {done.version} was trained ({done.type.value})",
            f"`loop models show {done.version}` has its lineage and figures.",
            "trained",
        )
    for shut in dict.fromkeys(agenda.closed):
        begins, ends = shut.begins.astimezone(UTC), shut.ends.astimezone(UTC)
        # Windows may overlap, from or to the same moment or both: each is an event of its own.
        window = f"{_moment(begins)}-{_moment(ends)}-{sha256(shut.reason.encode()).hexdigest()[:8]}"
        yield _Event(
            f"frozen-{shut.environment}-{window}@{name}.loop",
            begins,
            ends,
            f"{name}: {shut.environment} is frozen",
            f"{shut.reason}. Nothing is promoted; rollback and self-heal go on.",
            "frozen",
        )


def _work(turn: Turn, piece: Piece, name: str) -> _Event:
    # A cycle begins once in a month at most: year and month name its round also on another day of the month.
    uid = f"{turn.cycle.value}-{turn.round.begins:%Y-%m}-{piece.name}@{name}.loop"
    begins: date = piece.begins.astimezone(UTC)
    ends: date = piece.ends.astimezone(UTC)
    if is_whole_days(piece.begins, piece.ends):
        begins, ends = piece.begins.date(), piece.ends.date()
    whose = f"Part of the {turn.cycle.value} cycle that began on {turn.round.begins}"
    description = f"{whose}; policies/cadence.yaml sets it."
    return _Event(uid, begins, ends, f"{name}: {piece.work}", description, turn.cycle.value)


def _lines(event: _Event, stamp: datetime) -> list[str]:
    return [
        "BEGIN:VEVENT",
        f"UID:{_text(event.uid)}",
        f"DTSTAMP:{_moment(stamp.astimezone(UTC))}",
        f"DTSTART{_when(event.begins)}",
        f"DTEND{_when(event.ends)}",
        f"SUMMARY:{_text(event.summary)}",
        f"DESCRIPTION:{_text(event.description)}",
        f"CATEGORIES:{_text(event.category)}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def _when(at: date) -> str:
    return f":{_moment(at)}" if isinstance(at, datetime) else f";VALUE=DATE:{at:%Y%m%d}"


def _moment(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M%S}Z"


def _text(value: str) -> str:
    """Return a text as a property's value (RFC 5545, 3.3.11); what is no character of a text is left out."""
    escaped = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")
    return "".join(each for each in escaped if each.isprintable())


def _folded(line: str) -> str:
    """Return a line in pieces of at most 75 octets, each further one after a space; no character is cut in two."""
    pieces, size = [""], 0
    for each in line:
        octets = len(each.encode())
        if size + octets > LONGEST:
            pieces.append(" ")
            size = 1
        pieces[-1] += each
        size += octets
    return "\r\n".join(pieces)
