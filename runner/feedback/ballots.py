"""Votes of the arena, from events to ballots: of several votes of one person on one comparison the latest counts.

The standings, the collection plan, the arena's choice of pairs and extraction start from here, so that all of them
count the same votes. Vote events are read on their own and joined to nothing: a vote carries what it is about.
Events may come in any order and more than once. Pure; no I/O.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner import digest
from runner.feedback.records import Answer, Ballot, Choice, Messages, question
from runner.signals.language import language

Kinds = Callable[[Sequence[str]], Sequence[str]]
"""Questions -> the category of each, "" where none is known."""


@dataclass(frozen=True, slots=True)
class Votes:
    """What was read: ballots by time, events that are no vote, and events that a later vote made void."""

    ballots: tuple[Ballot, ...]
    broken: int = 0
    replaced: int = 0


def ballots(votes: Iterable[Mapping[str, Any]]) -> tuple[Ballot, ...]:
    """Return the ballots of vote events, by time; events that are no vote are left out (`read` counts them)."""
    return read(votes).ballots


def read(votes: Iterable[Mapping[str, Any]]) -> Votes:
    """Return the ballots of vote events, by time, and how many events are not among them; raises nothing.

    An event is read once, however often it comes. Fields that the schema does not require may be absent: a vote
    without texts is a ballot with empty texts.
    """
    found: dict[str, Ballot] = {}
    broken = 0
    for event in votes:
        try:
            ballot = _ballot(event)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
            broken += 1
            continue
        found.setdefault(ballot.id, ballot)
    whole: defaultdict[tuple[str, str], list[Ballot]] = defaultdict(list)
    for ballot in sorted(found.values(), key=_when):
        whole[ballot.user, ballot.comparison].append(ballot)
    kept = sorted((each for one in whole.values() for each in _latest(one)), key=_when)
    return Votes(tuple(kept), broken, len(found) - len(kept))


def placed(found: Sequence[Ballot], kinds: Kinds) -> tuple[Ballot, ...]:
    """Return the ballots with the category and language of those that name none: by likeness, and by their letters.

    Whoever types a question of his own rarely says what kind it is; without this those votes would be of no kind.
    """
    unsaid = [question(each.prompt) for each in found if not each.category]
    likely = iter(kinds(unsaid) if unsaid else ())
    return tuple(
        replace(
            each,
            category=each.category or next(likely),
            language=each.language or language(question(each.prompt)),
        )
        for each in found
    )


def pair(ballot: Ballot) -> frozenset[str]:
    """Return which two answers a ballot is about, whichever stood on the left."""
    return frozenset((identity(ballot.left), identity(ballot.right)))


def identity(answer: Answer) -> str:
    """Return what tells an answer from others: its response id, or its content where it has none."""
    return answer.response or digest.of_value([answer.version, answer.digest, answer.text])


def _when(ballot: Ballot) -> tuple[int, str]:
    return ballot.at_us, ballot.id


def _latest(own: Iterable[Ballot]) -> list[Ballot]:
    """Return the last vote of one person on one comparison: one ballot for each pair of answers that it was about.

    The events of a vote on several answers have the same time. The earlier vote goes whole, also where it was about
    other pairs: who takes B after A does not mean A over C any more.
    """
    ballots = list(own)
    last = max(ballot.at_us for ballot in ballots)
    return list({pair(ballot): ballot for ballot in ballots if ballot.at_us == last}.values())


def _ballot(event: Mapping[str, Any]) -> Ballot:
    """Return the ballot of an event. Raises one of the errors that `read` knows where it is none."""
    left, right = _answer(event, "left"), _answer(event, "right")
    prompt = _prompt(_optional(event, "loop.vote.prompt"))
    shown, counted = event.get("loop.vote.shown"), event.get("loop.vote.counted")
    taken = event.get("loop.vote.taken_ms")
    return Ballot(
        id=_word(event["event.id"]),
        comparison=_optional(event, "loop.vote.question") or _comparison(prompt, left, right),
        prompt=prompt,
        left=left,
        right=right,
        choice=Choice(event["loop.vote.choice"]),
        user=_word(event["loop.user"]),
        group=_word(event["loop.group"]),
        category=_optional(event, "loop.vote.category"),
        language=_optional(event, "loop.vote.language"),
        at_us=int(event["event.time"]),
        shown=2 if shown is None else int(shown),
        counted=True if counted is None else bool(counted),
        taken_ms=None if taken is None else float(taken),
        reason=_optional(event, "loop.vote.reason") or None,
        correction=_optional(event, "loop.vote.correction") or None,
    )


def _answer(event: Mapping[str, Any], side: str) -> Answer:
    sampling = json.loads(_optional(event, f"loop.{side}.sampling") or "{}")
    if not isinstance(sampling, dict):
        raise TypeError("how an answer was sampled is an object")
    return Answer(
        version=_word(event[f"loop.{side}.version"]),
        digest=_optional(event, f"loop.{side}.digest"),
        response=_optional(event, f"loop.{side}.response"),
        text=_optional(event, f"loop.{side}.answer"),
        sampling=sampling,
    )


def _prompt(text: str) -> Messages:
    messages = json.loads(text or "[]")
    return tuple({"role": _word(each["role"]), "content": _text(each["content"])} for each in messages)


def _comparison(prompt: Messages, left: Answer, right: Answer) -> str:
    """Return an id for a comparison whose event names none: the same whichever side the answers stood on."""
    return digest.short(digest.of_value([list(prompt), sorted((identity(left), identity(right)))]))


def _word(value: Any) -> str:
    """Return a text that is not empty. Raises ValueError for anything else."""
    if not _text(value):
        raise ValueError("a name is empty")
    return str(value)


def _optional(event: Mapping[str, Any], name: str) -> str:
    """Return a text that need not be there, empty where it is not. Raises TypeError for anything else."""
    value = event.get(name)
    return "" if value is None else _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} instead of text")
    return value
