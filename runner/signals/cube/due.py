"""Which parts of which hours have to be measured anew: those whose events, neighbours, detectors or policy changed.

Pure: `passes` gives it a census and what is stored, and does what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from runner import digest
from runner.events.schema import Kind
from runner.signals.cube.census import HEAD_US, NOTHING, Census
from runner.signals.cube.facts import ANSWER_HOURS, Part
from runner.signals.cube.rows import HOUR_US
from runner.signals.cube.store import Hour, State

LATE_US: Final = 5_000_000
"""How long after its window a re-ask is still waited for, since events take a moment to arrive."""
AHEAD_S: Final = 3600.0
"""How far another machine's clock may be ahead; what is dated later than that is counted when its time has come."""
VERSION: Final = 4
"""Raised whenever the same events give another cube."""

KINDS: Final[Mapping[Part, tuple[Kind, ...]]] = {
    Part.REQUESTS: (Kind.REQUEST,),
    Part.ANSWERS: (Kind.REQUEST, Kind.CONTENT),
    Part.FEEDBACK: (Kind.FEEDBACK,),
    Part.EXAMINED: (Kind.VOTE, Kind.SAMPLE, Kind.PROBE, Kind.EVALUATION),
}
"""Events of an hour itself that a part is made of."""
LEADING: Final[Mapping[Part, Kind]] = {
    Part.REQUESTS: Kind.REQUEST,
    Part.ANSWERS: Kind.CONTENT,
    Part.FEEDBACK: Kind.FEEDBACK,
}
"""Without events of this kind a part has no rows; the last part needs any of its kinds."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What measuring depends on beside events and detectors; times in seconds.

    `session_gap` of policies/rollout.yaml, `within` and `threshold` of the re-ask detector, `baseline`: the version
    that wins are counted against. `keep_hours`: older hours are forgotten. `memory` and `threads` bound DuckDB.
    """

    session_gap: float = 1800.0
    within: float = 30.0
    threshold: float = 0.6
    baseline: str = ""
    keep_hours: int = 35 * 24
    memory: str = "1GiB"
    threads: int = 2
    tell: Callable[[str], None] = field(default=lambda _: None, compare=False)
    """Hears how far a long pass is."""

    @property
    def gap_us(self) -> int:
        """The gap in microseconds."""
        return round(self.session_gap * 1e6)

    @property
    def within_us(self) -> int:
        """The window of re-asks in microseconds."""
        return round(self.within * 1e6)

    def closed_us(self, now: float) -> int:
        """Return from when on answers may still be asked again."""
        return round(now * 1e6) - self.within_us - LATE_US


@dataclass(frozen=True, slots=True)
class Detectors:
    """The digests of what scores texts."""

    annotator: str
    likeness: str


@dataclass(frozen=True, slots=True)
class Ground:
    """All that a pass decides by: what the lake has, the settings, the detectors, and the time (seconds since 1970)."""

    census: Census
    settings: Settings
    by: Detectors
    now: float

    @property
    def closed_us(self) -> int:
        """From when on answers may still be asked again."""
        return self.settings.closed_us(self.now)

    @property
    def oldest(self) -> int:
        """The first hour that is kept."""
        return int(self.now * 1e6) // HOUR_US - self.settings.keep_hours

    @property
    def newest(self) -> int:
        """The last hour that is counted."""
        return _newest(self.now)

    @property
    def waiting(self) -> int | None:
        """The first hour with events whose time has yet to come."""
        hours = self.census.hours
        return next((hour for hour in hours if hour > self.newest), None)

    def basis(self, part: Part, hour: int, unresolved: bool) -> str:
        """Return what a part of an hour is computed from, as a digest: while it is the same, so is the result."""
        seen: list[Any] = [VERSION, *(self.census.print_of(kind, hour) for kind in KINDS[part])]
        seen += _LOOKS_AT[part](self, hour)
        if unresolved and part is Part.FEEDBACK:
            seen += self.census.print_in(Kind.REQUEST, hour - ANSWER_HOURS, hour + 1)
        return digest.short(digest.of_value(seen))

    def due(self, state: State) -> dict[Part, list[int]]:
        """Return the hours of each part that have to be measured, in order; older and later ones are left alone."""
        hours = self.census.hours_in(self.oldest, self.newest + 1)
        return {part: [hour for hour in hours if self._is_due(part, hour, state.hour(hour))] for part in Part}

    def _is_due(self, part: Part, hour: int, known: Hour) -> bool:
        kinds = (LEADING[part],) if part in LEADING else KINDS[part]
        if all(self.census.print_of(kind, hour) == NOTHING for kind in kinds):
            return False
        if known.basis.get(part.value) != self.basis(part, hour, known.unresolved):
            return True
        opened = known.open_from_us if part is Part.ANSWERS else None
        return opened is not None and opened < self.closed_us


def _sessions_before(ground: Ground, hour: int) -> list[Any]:
    back = -(-ground.settings.gap_us // HOUR_US)
    before = [ground.census.print_of(Kind.REQUEST, hour - step) for step in range(1, back + 1)]
    return [ground.settings.gap_us, ground.census.print_of(Kind.CONTENT, hour)[0] > 0, *before]


def _questions_after(ground: Ground, hour: int) -> list[Any]:
    settings, by = ground.settings, ground.by
    begin = 2 if settings.within_us <= HEAD_US else 0
    after = [ground.census.print_of(kind, hour + 1)[begin:] for kind in KINDS[Part.ANSWERS]]
    return [by.annotator, by.likeness, settings.threshold, settings.within_us, *after]


def _opinions_before(ground: Ground, hour: int) -> list[Any]:
    return list(ground.census.print_in(Kind.FEEDBACK, hour - ANSWER_HOURS, hour))


_LOOKS_AT: Final[Mapping[Part, Callable[[Ground, int], list[Any]]]] = {
    Part.REQUESTS: _sessions_before,
    Part.ANSWERS: _questions_after,
    Part.FEEDBACK: _opinions_before,
    Part.EXAMINED: lambda ground, _hour: [ground.settings.baseline],
}
"""What a part depends on beside the events of its own hour."""


def time_has_come(state: State, settings: Settings, now: float) -> bool:
    """Return whether something is due though no event came: a window has closed, or an hour has begun.

    The window is one that was open when its answer's hour was measured; the hour had events before its time.
    """
    if state.waiting is not None and state.waiting <= _newest(now):
        return True
    closed = settings.closed_us(now)
    return any(hour.open_from_us is not None and hour.open_from_us < closed for hour in state.hours.values())


def _newest(now: float) -> int:
    return int((now + AHEAD_S) * 1e6) // HOUR_US
