"""Better answers that people wrote: which are used, and as what.

A correction is used where reviewers called it good, or where its author's group is trusted; what reviewers wrote
themselves while they called the answer bad is used too. Of several to one question the one with more say stays, then
the latest. A question that is drawn for it becomes a new regression case instead of a row to train on. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from runner import digest
from runner.feedback.labels.items import preference_id, sides
from runner.feedback.preferences.likeness import fold
from runner.feedback.preferences.pairs import Dropped, Origin, Pair, Use, Why, asked, talk
from runner.feedback.preferences.reviews import BAD, GOOD, Reviews
from runner.feedback.preferences.screen import Screen
from runner.feedback.preferences.validity import is_cut_off, is_error, is_garbled
from runner.feedback.records import Ballot, Messages, Record, Task


class Say(IntEnum):
    """How much the word of a correction's author counts."""

    NONE = 0
    TRUSTED = 1
    """The author's group is trusted."""
    REVIEWED = 2
    """Reviewers called it good."""
    REVIEWER = 3
    """A reviewer wrote it."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A better answer to a conversation; texts are masked."""

    item: str
    """The record or ballot that it came with; `ITEM/TASK` for a reviewer's."""
    use: Use
    prompt: Messages
    answer: str
    replaces: str
    """The answer that it is better than."""
    category: str
    language: str
    at_us: int
    say: Say
    version: str = ""
    """The version that answered what it replaces."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """One correction for one conversation, and the ids of all that say the same."""

    correction: Correction
    sources: tuple[str, ...]

    @property
    def key(self) -> str:
        """Digits that stay the same as long as the conversation does."""
        return digest.short(digest.of_value([fold(talk(self.correction.prompt))]))


@dataclass(frozen=True, slots=True)
class Corrections:
    """What corrections come to: rows to train on, new cases, pairs with what they correct, and what is not used."""

    rows: tuple[Chosen, ...]
    cases: tuple[Chosen, ...]
    accepted: tuple[Correction, ...]
    """All that are in `rows`, each on its own."""
    dropped: tuple[Dropped, ...]


def corrections(
    records: Sequence[Record],
    ballots: Sequence[Ballot],
    reviews: Reviews,
    trusted: Sequence[str],
) -> list[Correction]:
    """Return all corrections that were written, with how much they count."""
    return [
        *_of_records(records, reviews, trusted),
        *_of_ballots(ballots, reviews, trusted),
        *_of_reviewers(records, ballots, reviews),
    ]


def select(found: Iterable[Correction], screen: Screen, reviews: Reviews) -> Corrections:
    """Return what corrections come to; each is a source of one row or case, or dropped."""
    train: defaultdict[str, list[Correction]] = defaultdict(list)
    cases: defaultdict[str, list[Correction]] = defaultdict(list)
    lost: list[Dropped] = []
    for each in sorted(found, key=_order):
        why, detail = _against(each, screen, reviews)
        spoken = fold(talk(each.prompt))
        if not why:
            train[spoken].append(each)
        elif why == (Why.HELD_OUT,) and len(asked(each.prompt)) == 1:
            cases[spoken].append(each)
        else:
            lost.append(_drop(each, why, detail))
    rows = [_one(same, lost) for same in train.values()]
    new = [_one(same, lost) for same in cases.values()]
    accepted = {item for row in rows for item in row.sources}
    used = [each for same in train.values() for each in same if each.item in accepted]
    return Corrections(_by_key(rows), _by_key(new), tuple(used), tuple(lost))


def as_pair(correction: Correction) -> Pair:
    """Return the correction preferred to the answer that it replaces."""
    texts = sorted((fold(correction.answer), fold(correction.replaces)))
    return Pair(
        id=f"pair-{digest.short(digest.of_value([fold(talk(correction.prompt)), texts]))}",
        prompt=correction.prompt,
        chosen=correction.answer,
        rejected=correction.replaces,
        category=correction.category,
        language=correction.language,
        origin=Origin.CORRECTION,
        sources=(correction.item,),
        at_us=correction.at_us,
        versions=("", correction.version),
    )


def _of_records(records: Iterable[Record], reviews: Reviews, trusted: Sequence[str]) -> Iterator[Correction]:
    for record in records:
        if record.correction is not None:
            yield Correction(
                item=record.id,
                use=Use.CORRECTION,
                prompt=record.prompt,
                answer=record.correction,
                replaces=record.answer,
                category=record.category,
                language=record.language,
                at_us=record.at_us,
                say=_say(record.id, record.group, reviews, trusted),
                version=record.version,
            )


def _of_ballots(ballots: Iterable[Ballot], reviews: Reviews, trusted: Sequence[str]) -> Iterator[Correction]:
    for ballot in ballots:
        if ballot.correction is not None:
            best = ballot.chosen or sides(ballot)[0]
            yield Correction(
                item=ballot.id,
                use=Use.CORRECTION,
                prompt=ballot.prompt,
                answer=ballot.correction,
                replaces=best.text,
                category=ballot.category,
                language=ballot.language,
                at_us=ballot.at_us,
                say=_say(ballot.id, ballot.group, reviews, trusted),
                version=best.version,
            )


def _of_reviewers(
    records: Iterable[Record], ballots: Iterable[Ballot], reviews: Reviews
) -> Iterator[Correction]:
    """Yield what reviewers wrote who, with the others, called an answer or a correction bad."""
    subjects: dict[tuple[str, Task], tuple[Record | Ballot, str, str]] = {}
    for ballot in sorted(ballots, key=lambda ballot: (ballot.at_us, ballot.id)):
        best = ballot.chosen or sides(ballot)[0]
        subjects[ballot.id, Task.CORRECTION] = (ballot, best.text, best.version)
        subjects.setdefault((preference_id(ballot), Task.PREFERENCE), (ballot, best.text, best.version))
    for record in records:
        for task in (Task.ANSWER, Task.CORRECTION):
            subjects[record.id, task] = (record, record.answer, record.version)
    for (item, task), (about, replaces, version) in subjects.items():
        found = reviews.of(item, task)
        if found is None or found.correction is None or found.value == GOOD:
            continue
        yield Correction(
            item=f"{item}/{task.value}",
            use=Use.REVIEW,
            prompt=about.prompt,
            answer=found.correction,
            replaces=replaces,
            category=about.category,
            language=about.language,
            at_us=about.at_us,
            say=Say.REVIEWER,
            version=version,
        )


def _say(item: str, group: str, reviews: Reviews, trusted: Sequence[str]) -> Say:
    found = reviews.of(item, Task.CORRECTION)
    if found is not None and found.value == GOOD:
        return Say.REVIEWED
    return Say.TRUSTED if group in trusted else Say.NONE


def _against(each: Correction, screen: Screen, reviews: Reviews) -> tuple[tuple[Why, ...], str]:
    screened = screen.of(each.prompt, each.category)
    judged = reviews.of(each.item, Task.CORRECTION) if each.use is Use.CORRECTION else None
    called_bad = (judged is not None and judged.value == BAD) or reviews.bad(each.prompt, each.answer)
    against = {
        Why.EMPTY: not each.answer.strip(),
        Why.ERROR_TEXT: is_error(each.answer),
        Why.CUT_OFF: is_cut_off(each.answer),
        Why.GARBLED: is_garbled(each.answer),
        Why.ALIKE: fold(each.answer) == fold(each.replaces),
        Why.REVIEWED_OTHERWISE: called_bad,
        Why.UNREVIEWED: each.say is Say.NONE and not called_bad,
    }
    return (*(why for why, true in against.items() if true), *screened.reasons), screened.detail


def _one(same: Sequence[Correction], lost: list[Dropped]) -> Chosen:
    """Return the correction that stays of those to one conversation, which come best first."""
    best = same[0]
    agreeing = [each for each in same if fold(each.answer) == fold(best.answer)]
    lost += [_drop(each, (Why.REPLACED,), best.item) for each in same if each not in agreeing]
    return Chosen(best, tuple(sorted(each.item for each in agreeing)))


def _by_key(found: Iterable[Chosen]) -> tuple[Chosen, ...]:
    return tuple(sorted(found, key=lambda chosen: chosen.key))


def _order(each: Correction) -> tuple[int, int, str]:
    return -each.say, -each.at_us, each.item


def _drop(each: Correction, why: tuple[Why, ...], detail: str = "") -> Dropped:
    return Dropped(each.use, each.item, why, detail, each.category, each.language)
