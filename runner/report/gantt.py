"""The calendar as a Mermaid Gantt chart, for Markdown that a forge draws.

Formats an agenda; decides nothing. In Mermaid's grammar (its `gantt.jison`) `:` ends a task's name, `;` a line, `#` and
`%%` begin comments, and a line that begins as a statement does is that statement: all that is kept out of names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from runner.economics.agenda import Agenda, Turn, is_whole_days
from runner.economics.rounds import Piece
from runner.report import figures
from runner.report.calendar import CYCLES

When = Callable[[datetime], str]

_STATEMENTS: Final = (
    "gantt|dateFormat|inclusiveEndDates|topAxis|axisFormat|tickInterval|includes|excludes|todayMarker|weekday|"
    "weekend|title|accTitle|accDescr|section|click|call|href"
)
_BEGINS_ONE: Final = re.compile(rf"(?:{_STATEMENTS})\b|\d{{4}}-\d\d-\d\d", re.IGNORECASE)
_SIGNS: Final = str.maketrans(
    {":": ",", ";": ",", "#": " ", "%": " percent", "<": " ", ">": " ", "{": "(", "}": ")"}
)


def to_mermaid(agenda: Agenda, name: str) -> str:
    """Return the chart; in Markdown it stands in a block of `mermaid`."""
    whole = all(is_whole_days(begins, ends) for begins, ends in _spans(agenda))
    shape, written = ("YYYY-MM-DD", "%Y-%m-%d") if whole else ("YYYY-MM-DD HH:mm", "%Y-%m-%d %H:%M")

    def when(at: datetime) -> str:
        return at.strftime(written)

    return "\n".join(
        [
            "gantt",
            f"    title {_words(name)}, {agenda.begins} to {agenda.ends}",
            f"    dateFormat {shape}",
            "    axisFormat %d %b",
            *(line for turn in (*agenda.earlier, *agenda.turns) for line in _turn(agenda, turn, when)),
            *_trained(agenda, when),
            *_closed(agenda, when),
        ]
    )


def _spans(agenda: Agenda) -> Iterator[tuple[datetime, datetime]]:
    for turn in (*agenda.earlier, *agenda.turns):
        yield from ((piece.begins, piece.ends) for piece in turn.pieces)
    yield from ((each.begins, each.ends) for each in agenda.closed)


def _turn(agenda: Agenda, turn: Turn, when: When) -> Iterator[str]:
    yield f"    section {CYCLES[turn.cycle].capitalize()} from {turn.round.begins}"
    for piece in turn.pieces:
        yield _task(piece.work, _tags(agenda, piece), when(piece.begins), when(piece.ends))


def _tags(agenda: Agenda, piece: Piece) -> str:
    if piece.is_on(agenda.at):
        return "active, "
    return "done, " if piece.ends <= agenda.at else ""


def _trained(agenda: Agenda, when: When) -> Iterator[str]:
    own = [each for each in agenda.trained if agenda.begins <= each.on < agenda.ends]
    if own:
        yield "    section Trained"
    for each in own:
        begins = datetime(each.on.year, each.on.month, each.on.day)
        yield _task(f"{each.version} by {each.type.value}", "milestone, done, ", when(begins), "0d")


def _closed(agenda: Agenda, when: When) -> Iterator[str]:
    for environment in dict.fromkeys(each.environment for each in agenda.closed):
        yield f"    section Frozen, {_words(environment)}"
        for each in agenda.closed:
            if each.environment == environment:
                yield _task(each.reason, "crit, ", when(each.begins), when(each.ends))


def _task(words: str, tags: str, begins: str, ends: str) -> str:
    return f"    {_words(words)} :{tags}{begins}, {ends}"


def _words(text: str) -> str:
    """Return a name that Mermaid reads as one."""
    plain = " ".join(figures.line(text).translate(_SIGNS).split()) or "unnamed"
    return f"to {plain}" if _BEGINS_ONE.match(plain) else plain
