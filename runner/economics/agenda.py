"""What a team's calendar shows: the cycles that run and come with their work, the rounds of training, and their places.

`loop calendar` shows it, and the weekly report takes from it what is on and what is next. Dates follow from
`policies/cadence.yaml`; when versions were trained and when nothing may be promoted come in from the caller. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from runner.economics import rounds
from runner.economics.rounds import Piece, Round
from runner.spec.cadence import CadencePolicy, Cycle, Frequency, PhaseName
from runner.spec.model import TrainingType


@dataclass(frozen=True, slots=True)
class Turn:
    """One round of a cycle with its work, in the order of the policy."""

    cycle: Frequency
    """Monthly or quarterly."""
    round: Round
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Trained:
    """A version that was trained; `is_round` where it came from another one, as every round of training does."""

    version: str
    type: TrainingType
    on: date
    is_round: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """When nothing is promoted in an environment: from a moment to one that is not its own any more."""

    environment: str
    begins: datetime
    ends: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Agenda:
    """The calendar at a moment, whose zone is that of every other moment in it."""

    at: datetime
    phase: PhaseName
    frequency: Frequency
    """How often a round of training is due in this phase."""
    turns: tuple[Turn, ...]
    """The months, then the quarters that they lie in, each in order; the first of both are those of `at`."""
    due: tuple[Round, ...]
    """The rounds of training of the phase, from the one in which the first month begins."""
    trained: tuple[Trained, ...]
    """The oldest first."""
    earlier: tuple[Turn, ...] = ()
    """Rounds of both cycles before those of `turns` with what of their work is not over, each in order."""
    closed: tuple[Closed, ...] = ()

    @property
    def begins(self) -> date:
        """First day of the earliest cycle."""
        return min(turn.round.begins for turn in self.turns)

    @property
    def ends(self) -> date:
        """First day after the latest cycle."""
        return max(turn.round.ends for turn in self.turns)

    @property
    def now(self) -> tuple[tuple[Turn, Piece], ...]:
        """What is on at this moment."""
        return tuple((turn, piece) for turn, piece in self._pieces() if piece.is_on(self.at))

    @property
    def following(self) -> tuple[tuple[Turn, Piece], ...]:
        """What begins next: of each cycle the pieces that begin first of all that are still to come."""
        found: list[tuple[Turn, Piece]] = []
        for cycle in dict.fromkeys(turn.cycle for turn in self.turns):
            later = [each for each in self._pieces() if each[0].cycle is cycle and each[1].begins > self.at]
            first = min((piece.begins for _, piece in later), default=None)
            found += [each for each in later if each[1].begins == first]
        return tuple(found)

    @property
    def round(self) -> Round:
        """The round of training in which this moment lies."""
        day = self.at.date()
        return next(each for each in self.due if each.begins <= day < each.ends)

    def trained_in(self, span: Round) -> tuple[Trained, ...]:
        """Return the rounds of training that were trained in a span of days."""
        return tuple(each for each in self.trained if each.is_round and span.begins <= each.on < span.ends)

    def _pieces(self) -> Iterator[tuple[Turn, Piece]]:
        for turn in (*self.earlier, *self.turns):
            for piece in turn.pieces:
                yield turn, piece


def agenda(
    cadence: CadencePolicy, at: float, months: int, trained: Sequence[Trained] = (), zone: tzinfo = UTC
) -> Agenda:
    """Return the calendar at `at`, seconds since 1970, over so many rounds of the month and the quarters they touch."""
    day = rounds.day_of(at, zone)
    monthly = _turns(Frequency.MONTHLY, cadence.monthly, day, months, zone)
    until = monthly[-1].round.ends
    quarters = 1 + sum(1 for _ in _following(Frequency.QUARTERLY, cadence.quarterly.anchor, day, until))
    now = datetime.fromtimestamp(at, zone)
    return Agenda(
        at=now,
        phase=cadence.phase,
        frequency=cadence.phases[cadence.phase].frequency,
        turns=(*monthly, *_turns(Frequency.QUARTERLY, cadence.quarterly, day, quarters, zone)),
        due=tuple(_due(cadence, monthly[0].round.begins, until)),
        trained=tuple(sorted(trained, key=lambda each: (each.on, each.version))),
        earlier=(
            *_earlier(Frequency.MONTHLY, cadence.monthly, now),
            *_earlier(Frequency.QUARTERLY, cadence.quarterly, now),
        ),
    )


def _turns(cycle: Frequency, of: Cycle, day: date, number: int, zone: tzinfo) -> list[Turn]:
    found: list[Turn] = []
    for _ in range(number):
        own = rounds.round_at(cycle, of.anchor, day)
        found.append(Turn(cycle, own, rounds.pieces(of, own.begins, zone)))
        day = own.ends
    return found


def _earlier(cycle: Frequency, of: Cycle, now: datetime) -> tuple[Turn, ...]:
    """Return the rounds before that of `now` of which a piece is not over, with these pieces."""
    longest = timedelta(seconds=max(each.starts + each.lasts for each in of.work))
    since = (now - longest - timedelta(days=1)).date()
    own, found = rounds.round_at(cycle, of.anchor, now.date()), list[Turn]()
    while own.begins > since:
        own = rounds.round_at(cycle, of.anchor, own.begins - timedelta(days=1))
        left = tuple(each for each in rounds.pieces(of, own.begins, now.tzinfo or UTC) if each.ends > now)
        if left:
            found.append(Turn(cycle, own, left))
    return tuple(reversed(found))


def _following(cycle: Frequency, anchor: date, day: date, until: date) -> Iterator[Round]:
    """Yield the rounds after that of a day, as far as they begin before `until`."""
    found = rounds.round_at(cycle, anchor, day)
    while found.ends < until:
        found = rounds.round_at(cycle, anchor, found.ends)
        yield found


def _due(cadence: CadencePolicy, since: date, until: date) -> Iterator[Round]:
    day = since
    while day < until:
        found = rounds.round_of(cadence, day)
        yield found
        day = found.ends


def last_day(piece: Piece) -> date:
    """Return the last day on which a piece is done; that of its begin where it is shorter than an instant."""
    return max(piece.begins, piece.ends - timedelta(microseconds=1)).date()


def is_whole_days(begins: datetime, ends: datetime) -> bool:
    """Return whether a span goes from midnight to midnight of its own zone."""
    return begins.time() == ends.time() == datetime.min.time()
