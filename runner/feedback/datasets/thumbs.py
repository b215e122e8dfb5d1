"""Single answers called good or bad, by their users or by reviewers, for training without pairs (KTO).

A thumb counts, else a rating of 5 (good) or of 1 or 2 (bad), else what reviewers settled. Equal answers to equal
questions make one row with the number of people; without a clear majority they make none. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runner import digest
from runner.feedback.preferences.likeness import fold
from runner.feedback.preferences.pairs import Dropped, Use, Why, talk
from runner.feedback.preferences.reviews import BAD, GOOD, Reviews
from runner.feedback.preferences.screen import Screen
from runner.feedback.preferences.validity import is_cut_off, is_error, is_garbled
from runner.feedback.records import Record, Task

_BEST, _LOW = 5, 2


@dataclass(frozen=True, slots=True)
class Thumb:
    """An answer called good or bad; `record` is the first of those that were."""

    record: Record
    good: bool
    votes: int
    sources: tuple[str, ...]

    @property
    def key(self) -> str:
        """Digits that stay the same as long as question and answer do."""
        return digest.short(digest.of_value([fold(talk(self.record.prompt)), fold(self.record.answer)]))


@dataclass(frozen=True, slots=True)
class Thumbs:
    """The rows, and the records of which somebody said something that is not used."""

    rows: tuple[Thumb, ...]
    dropped: tuple[Dropped, ...]


def is_judged(record: Record, reviews: Reviews) -> bool:
    """Return whether anybody said that a record's answer is good or bad."""
    return bool(_said(record, reviews))


def thumbs(records: Iterable[Record], screen: Screen, reviews: Reviews, majority: float) -> Thumbs:
    """Return what records come to; each that is judged is a source of one row or dropped."""
    lost: list[Dropped] = []
    alike: defaultdict[tuple[str, str], list[tuple[Record, bool]]] = defaultdict(list)
    for record in sorted(records, key=lambda record: (record.at_us, record.id)):
        said = _said(record, reviews)
        if not said:
            continue
        why, detail = _against(record, said, screen)
        if why:
            lost.append(_drop(record, why, detail))
        else:
            alike[fold(talk(record.prompt)), fold(record.answer)].append((record, said == {GOOD}))
    rows = [row for same in alike.values() if (row := _one(same, majority, lost))]
    return Thumbs(tuple(sorted(rows, key=lambda row: row.key)), tuple(lost))


def _said(record: Record, reviews: Reviews) -> set[str]:
    """Return what was said of an answer: good, bad, both or nothing."""
    said = set()
    if record.thumbs is not None:
        said.add(GOOD if record.thumbs > 0 else BAD)
    if record.rating is not None and (record.rating >= _BEST or record.rating <= _LOW):
        said.add(GOOD if record.rating >= _BEST else BAD)
    found = reviews.of(record.id, Task.ANSWER)
    if found is not None and found.value in (GOOD, BAD):
        said.add(found.value)
    return said


def _against(record: Record, said: set[str], screen: Screen) -> tuple[tuple[Why, ...], str]:
    screened = screen.of(record.prompt, record.category)
    against = {
        Why.EMPTY: not record.answer.strip(),
        Why.ERROR_TEXT: is_error(record.answer),
        Why.CUT_OFF: said == {GOOD} and is_cut_off(record.answer),
        Why.GARBLED: said == {GOOD} and is_garbled(record.answer),
        Why.CONTRADICTORY: len(said) > 1,
    }
    return (*(why for why, true in against.items() if true), *screened.reasons), screened.detail


def _one(same: Sequence[tuple[Record, bool]], majority: float, lost: list[Dropped]) -> Thumb | None:
    """Return the row of equal answers to equal questions, None where people contradict each other."""
    latest = {record.user: (record, good) for record, good in same}
    kept = {record.id for record, _ in latest.values()}
    lost += [_drop(record, (Why.REPEATED,)) for record, _ in same if record.id not in kept]
    ups = [record for record, good in latest.values() if good]
    downs = [record for record, good in latest.values() if not good]
    more, fewer = (ups, downs) if len(ups) >= len(downs) else (downs, ups)
    if len(more) < majority * len(latest):
        told = f"{len(ups)} good, {len(downs)} bad"
        lost += [_drop(record, (Why.CONTRADICTORY,), told) for record in (*ups, *downs)]
        return None
    lost += [_drop(record, (Why.OUTVOTED,), f"{len(more)} of {len(latest)}") for record in fewer]
    first = min(more, key=lambda record: (record.at_us, record.id))
    return Thumb(first, more is ups, len(more), tuple(sorted(record.id for record in more)))


def _drop(record: Record, why: tuple[Why, ...], detail: str = "") -> Dropped:
    return Dropped(Use.THUMB, record.id, why, detail, record.category, record.language)
