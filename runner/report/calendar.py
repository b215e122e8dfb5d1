"""What `loop calendar` shows: the month, the quarter and the rounds of training as text and as JSON.

`gantt` draws the same for Mermaid, `icalendar` writes it for calendar programs. Formats an agenda; decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from textwrap import wrap
from typing import Any, Final

from runner.economics.agenda import Agenda, Turn, is_whole_days, last_day
from runner.economics.rounds import Piece, Round
from runner.report import figures
from runner.spec.cadence import Frequency

FORMAT: Final = 1
WIDTH: Final = 100
"""Characters of a line of words."""
CYCLES: Final = {Frequency.MONTHLY: "month", Frequency.QUARTERLY: "quarter"}
"""What one round of each cycle is called."""


def to_text(agenda: Agenda, name: str) -> str:
    """Return the calendar for a terminal."""
    blocks = [
        _head(agenda, name),
        ["On today", *_listed([_told(turn, piece) for turn, piece in agenda.now], "nothing is planned")],
        [
            "Next",
            *_listed([_told(turn, piece, True) for turn, piece in agenda.following], "nothing is planned"),
        ],
        *(_turn(agenda, turn) for turn in (*agenda.earlier, *agenda.turns)),
        _rounds(agenda),
        *([shut] if (shut := _closed(agenda)) else []),
    ]
    return "\n\n".join("\n".join(block) for block in blocks)


def to_json(agenda: Agenda) -> dict[str, Any]:
    """Return it as JSON values; `format` changes when a field changes its meaning. Ends are not part of what ends."""
    return {
        "format": FORMAT,
        "at": agenda.at.isoformat(),
        "phase": agenda.phase.value,
        "frequency": agenda.frequency.value,
        "cycles": [_turn_json(agenda, turn) for turn in agenda.turns],
        "earlier": [_turn_json(agenda, turn) for turn in agenda.earlier],
        "rounds": [
            {**_span_json(each), "trained": [done.version for done in agenda.trained_in(each)]}
            for each in agenda.due
        ],
        "trained": [
            {"version": each.version, "type": each.type.value, "on": each.on.isoformat()}
            for each in agenda.trained
        ],
        "frozen": [
            {
                "environment": each.environment,
                "begins": each.begins.isoformat(),
                "ends": each.ends.isoformat(),
                "reason": each.reason,
            }
            for each in agenda.closed
        ],
    }


def due(agenda: Agenda) -> str:
    """Return how it stands with rounds of training, in one sentence."""
    own = agenda.round
    done = agenda.trained_in(own)
    said = ", ".join(f"'{each.version}' was trained on {each.on}" for each in done)
    return (
        f"A round of training is due {agenda.frequency.value} (phase '{agenda.phase.value}'): this one began on "
        f"{day(own.begins)}, {said or 'nothing was trained in it yet'}; the next begins on {day(own.ends)}."
    )


def day(at: date) -> str:
    """Return a day with its weekday."""
    return f"{at:%a %Y-%m-%d}"


def until(piece: Piece) -> str:
    """Return until when a piece lasts: its last day, or a moment where it ends within a day."""
    return day(last_day(piece)) if is_whole_days(piece.begins, piece.ends) else _moment(piece.ends)


def since(piece: Piece) -> str:
    """Return from when a piece lasts: its first day, or a moment where it begins or ends within a day."""
    return day(piece.begins.date()) if is_whole_days(piece.begins, piece.ends) else _moment(piece.begins)


def _head(agenda: Agenda, name: str) -> list[str]:
    told = (f"  {line}" for line in wrap(due(agenda), WIDTH))
    return [f"{name}: {_moment(agenda.at)} ({agenda.at.tzinfo})", *told]


def _listed(lines: Sequence[str], otherwise: str) -> list[str]:
    return [f"  {line}" for line in lines or [otherwise]]


def _told(turn: Turn, piece: Piece, is_next: bool = False) -> str:
    when = f"from {since(piece)}" if is_next else f"until {until(piece)}"
    return figures.printable(f"{CYCLES[turn.cycle]}: {piece.name} {when}: {piece.work}")


def _turn(agenda: Agenda, turn: Turn) -> list[str]:
    rows = [("what", "from", "until", "", "work")]
    rows += [
        (piece.name, since(piece), until(piece), _state(agenda, piece), piece.work) for piece in turn.pieces
    ]
    title = f"{CYCLES[turn.cycle].capitalize()} from {day(turn.round.begins)} to {day(_last(turn.round))}"
    if turn in agenda.earlier:
        title += ", what is not over"
    return [title, *figures.table(rows)]


def _state(agenda: Agenda, piece: Piece) -> str:
    if piece.is_on(agenda.at):
        return "on"
    return "over" if piece.ends <= agenda.at else ""


def _rounds(agenda: Agenda) -> list[str]:
    rows = [("from", "until", "", "trained")]
    for each in agenda.due:
        done = ", ".join(f"{one.version} ({one.type.value}, {one.on})" for one in agenda.trained_in(each))
        state = "on" if each == agenda.round else "over" if each.ends <= agenda.at.date() else ""
        rows.append((day(each.begins), day(_last(each)), state, done or figures.NOTHING))
    others = [each for each in agenda.trained if not each.is_round]
    first = ", ".join(f"{each.version} ({each.type.value}, {each.on})" for each in others)
    return [
        f"Rounds of training, {agenda.frequency.value}",
        *figures.table(rows),
        *([f"  first versions, from the base model: {first}"] if first else []),
    ]


def _closed(agenda: Agenda) -> list[str]:
    """Return the freeze windows that are not over."""
    rows = [
        (each.environment, _moment(each.begins), _moment(each.ends), each.reason)
        for each in agenda.closed
        if each.ends > agenda.at
    ]
    head = ("environment", "from", "until", "because")
    return ["Freeze windows, nothing is promoted", *figures.table([head, *rows])] if rows else []


def _last(span: Round) -> date:
    return span.ends - timedelta(days=1)


def _moment(at: datetime) -> str:
    return f"{at:%a %Y-%m-%d %H:%M}"


def _turn_json(agenda: Agenda, turn: Turn) -> dict[str, Any]:
    return {
        "cycle": turn.cycle.value,
        **_span_json(turn.round),
        "work": [
            {
                "name": piece.name,
                "work": piece.work,
                "begins": piece.begins.isoformat(),
                "ends": piece.ends.isoformat(),
                "is_on": piece.is_on(agenda.at),
            }
            for piece in turn.pieces
        ],
    }


def _span_json(span: Round) -> dict[str, Any]:
    return {"number": span.number, "begins": span.begins.isoformat(), "ends": span.ends.isoformat()}
