"""What people are asked to judge: items made of records and ballots.

An item is a question about texts, under an id that labels name. Two answers stand in one fixed order (`sides`), so that
`left` means the same answer in every label, wherever it stood on anybody's screen. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from runner import digest
from runner.feedback.labels.opinions import Key
from runner.feedback.records import Answer, Ballot, Choice, Label, Messages, Reason, Record, Task

JUDGED = frozenset({Reason.REFUSAL, Reason.REASK, Reason.THUMBS_DOWN, Reason.LOW_RATING, Reason.SHADOW})
"""Reasons that only say that an answer may be wrong: a person has to say whether it is."""
VOTED = "vote"
"""The reason of an item that was made of a comparison."""
_OPPOSITE = {Choice.LEFT: Choice.RIGHT, Choice.RIGHT: Choice.LEFT}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to judge; texts are masked.

    `answer` is what is judged; `other` what it is judged beside: the second answer of a PREFERENCE, what somebody wrote
    instead for a CORRECTION, the shadowed version's answer for an ANSWER where there is one.
    """

    id: str
    task: Task
    prompt: Messages
    answer: str
    other: str | None
    reasons: tuple[str, ...]
    """Why it was taken, in the order of `Reason`."""
    involved: frozenset[str]
    """Whose conversation or vote it is: they do not judge it."""
    category: str
    language: str
    at_us: int

    @property
    def key(self) -> Key:
        """What its labels are found by."""
        return self.id, self.task


def items(records: Iterable[Record], ballots: Iterable[Ballot]) -> tuple[Item, ...]:
    """Return all items, by time; each key occurs once.

    A record whose answer may be wrong is one of task ANSWER, one with a correction is one of task CORRECTION (under the
    record's id), which may be the same record. Two answers of a comparison are one of task PREFERENCE where somebody
    said which is better (`preference_id`), and a correction that came with a vote is one of task CORRECTION under the
    ballot's id. Votes that do not count make none.
    """
    votes = [ballot for ballot in ballots if ballot.counted]
    found = [*_of_records(records), *_of_pairs(votes), *_of_corrections(votes)]
    by_key = {item.key: item for item in sorted(found, key=_order, reverse=True)}
    return tuple(sorted(by_key.values(), key=_order))


def judgeable(records: Iterable[Record], ballots: Iterable[Ballot]) -> frozenset[str]:
    """Return every id under which a label may speak of these; a label of another item is about nothing here.

    Ids of votes that do not count, and of what nobody has to judge any more, are among them: what was said of them is
    kept.
    """
    names = {each.id for each in records}
    for ballot in ballots:
        names |= {ballot.id, preference_id(ballot)}
    return frozenset(names)


def independent(labels: Iterable[Label], judged: Iterable[Item]) -> tuple[Label, ...]:
    """Return the labels whose writer had no part in the item; the queue shows nobody his own, a client of its own may.

    A label of an item that is not there stays: nobody is known to have a part in it.
    """
    involved = {item.key: item.involved for item in judged}
    return tuple(each for each in labels if each.user not in involved.get((each.item, each.task), ()))


def preference_id(ballot: Ballot) -> str:
    """Return under which id a ballot's two answers are judged: the comparison's, or one of the pair's own.

    A comparison of more than two answers is several pairs, which are judged apart.
    """
    if ballot.shown == 2:
        return ballot.comparison
    pair = sorted((_identity(ballot.left), _identity(ballot.right)))
    return f"pair-{digest.short(digest.of_value([ballot.comparison, pair]))}"


def sides(ballot: Ballot) -> tuple[Answer, Answer]:
    """Return the two answers as items show them, left and right: the same order for every ballot on them."""
    return (ballot.right, ballot.left) if _turned(ballot) else (ballot.left, ballot.right)


def as_voted(ballot: Ballot, value: str) -> Choice:
    """Return a label's word for a ballot's two answers by the ballot's own sides, as `Ballot.choice` has them."""
    said = Choice(value)
    return _OPPOSITE.get(said, said) if _turned(ballot) else said


def _of_records(records: Iterable[Record]) -> Iterator[Item]:
    for record in records:
        if JUDGED.intersection(record.reasons):
            yield _of_record(record, Task.ANSWER, record.other)
        if record.correction:
            yield _of_record(record, Task.CORRECTION, record.correction)


def _of_record(record: Record, task: Task, other: str | None) -> Item:
    return Item(
        id=record.id,
        task=task,
        prompt=record.prompt,
        answer=record.answer,
        other=other,
        reasons=tuple(reason.value for reason in Reason if reason in record.reasons),
        involved=frozenset({record.user}),
        category=record.category,
        language=record.language,
        at_us=record.at_us,
    )


def _of_pairs(ballots: Iterable[Ballot]) -> Iterator[Item]:
    """Yield one item for each two answers that somebody took one of; whoever voted on them is involved."""
    pairs: defaultdict[str, list[Ballot]] = defaultdict(list)
    for ballot in ballots:
        pairs[preference_id(ballot)].append(ballot)
    for name, votes in pairs.items():
        if any(vote.chosen for vote in votes):
            first = min(votes, key=lambda vote: (vote.at_us, vote.id))
            left, right = sides(first)
            yield _of_ballot(first, name, Task.PREFERENCE, (left.text, right.text), votes)


def _of_corrections(ballots: Iterable[Ballot]) -> Iterator[Item]:
    for ballot in ballots:
        if ballot.correction:
            best = ballot.chosen or sides(ballot)[0]
            yield _of_ballot(ballot, ballot.id, Task.CORRECTION, (best.text, ballot.correction), [ballot])


def _of_ballot(
    ballot: Ballot, name: str, task: Task, texts: tuple[str, str], votes: Sequence[Ballot]
) -> Item:
    return Item(
        id=name,
        task=task,
        prompt=ballot.prompt,
        answer=texts[0],
        other=texts[1],
        reasons=(VOTED,),
        involved=frozenset(vote.user for vote in votes),
        category=ballot.category,
        language=ballot.language,
        at_us=ballot.at_us,
    )


def _turned(ballot: Ballot) -> bool:
    return _identity(ballot.left) > _identity(ballot.right)


def _identity(answer: Answer) -> str:
    return answer.response or digest.of_value([answer.version, answer.digest, answer.text])


def _order(item: Item) -> tuple[int, str, str]:
    return item.at_us, item.id, item.task.value
