"""The calendar of training: when a phase's rounds begin, which one runs now, and what is done when in a cycle.

`decide` asks it whether a round is due; a calendar shows its cycles. A policy gives days, not moments, so that every
moment here is midnight of such a day in a zone that the caller names. Rounds follow from the anchor itself, never from
the round before: an anchor on the 31st is the last day of a shorter month and the 31st again in the next longer one.
Days are days of the calendar: a cycle's tenth day stays the tenth where clocks are set. Pure.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import assert_never

from runner.spec.cadence import CadencePolicy, Cycle, Frequency

_WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Round:
    """One round: its number counted from the anchor (0 is the anchor's own), its first day, and the next one's."""

    number: int
    begins: date
    ends: date


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of work of a cycle, from a moment to a moment that is not its own any more."""

    name: str
    work: str
    begins: datetime
    ends: datetime

    def is_on(self, at: datetime) -> bool:
        """Return whether it is to be done at a moment."""
        return self.begins <= at < self.ends


def day_of(at: float, zone: tzinfo = UTC) -> date:
    """Return the day in a zone of a moment, seconds since 1970."""
    return datetime.fromtimestamp(at, zone).date()


def begin(day: date, zone: tzinfo = UTC) -> float:
    """Return when a day begins in a zone, seconds since 1970."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


def round_of(cadence: CadencePolicy, day: date) -> Round:
    """Return the round of the present phase that a day lies in."""
    frequency = cadence.phases[cadence.phase].frequency
    cycle = cadence.quarterly if frequency is Frequency.QUARTERLY else cadence.monthly
    return round_at(frequency, cycle.anchor, day)


def quarter_of(cadence: CadencePolicy, day: date) -> Round:
    """Return the quarter that a day lies in, from the quarterly cycle's anchor."""
    return round_at(Frequency.QUARTERLY, cadence.quarterly.anchor, day)


def round_at(frequency: Frequency, anchor: date, day: date) -> Round:
    """Return the round that a day lies in, before the anchor too."""
    match frequency:
        case Frequency.WEEKLY:
            return _by_weeks(1, anchor, day)
        case Frequency.BI_WEEKLY:
            return _by_weeks(2, anchor, day)
        case Frequency.MONTHLY:
            return _by_months(1, anchor, day)
        case Frequency.QUARTERLY:
            return _by_months(3, anchor, day)
        case _:
            assert_never(frequency)


def pieces(cycle: Cycle, first: date, zone: tzinfo = UTC) -> tuple[Piece, ...]:
    """Return the work of the round of a cycle that begins on a day, in the order of the policy."""
    midnight = datetime(first.year, first.month, first.day)

    def local(seconds: float) -> datetime:
        return (midnight + timedelta(seconds=seconds)).replace(tzinfo=zone)

    return tuple(
        Piece(each.name, each.work, local(each.starts), local(each.starts + each.lasts))
        for each in cycle.work
    )


def _by_weeks(weeks: int, anchor: date, day: date) -> Round:
    length = weeks * _WEEK_DAYS
    number = (day - anchor).days // length
    begins = anchor + timedelta(days=number * length)
    return Round(number, begins, begins + timedelta(days=length))


def _by_months(months: int, anchor: date, day: date) -> Round:
    number = ((day.year - anchor.year) * 12 + day.month - anchor.month) // months
    if _months_on(anchor, number * months) > day:
        number -= 1
    return Round(number, _months_on(anchor, number * months), _months_on(anchor, (number + 1) * months))


def _months_on(anchor: date, months: int) -> date:
    """Return the anchor's day so many months on, the month's last where it has no such day."""
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    return date(year, month + 1, min(anchor.day, monthrange(year, month + 1)[1]))
