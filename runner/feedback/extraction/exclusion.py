"""Conversations that go into no data set, because one of the policy's entities is in them: whole, not turn by turn.

Called by `extract`. What was found in one turn, in an answer, a correction, a comment, a vote's reason or a reviewer's
words forbids all that was taken from the conversation. Whatever was not taken itself is asked only around what was:
turns in which the gateway masked such an entity, and what anybody said of an answer. Reads the lake, writes nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import pyarrow as pa

from runner.events.lake import Engine
from runner.feedback.extraction import words
from runner.feedback.extraction.masks import Excluded
from runner.feedback.extraction.rules import Scrubber
from runner.feedback.extraction.tables import Tables, gateway_masked, remarks
from runner.feedback.labels.items import judgeable
from runner.feedback.privacy.pseudonyms import logged
from runner.feedback.records import Ballot, Label, Messages, Record
from runner.signals.language import language
from runner.spec.privacy import Entity

Value = TypeVar("Value", Record, Ballot, Label)
Key = tuple[str, ...]
"""Names a conversation, an item that is judged, or a comparison; what shares one is forbidden together."""
AT_ONCE: Final = 10_000
"""Rows that are Python values at one time."""


@dataclass(frozen=True, slots=True)
class Taken(Generic[Value]):
    """Something that was taken from the log, masked, and all that it belongs to."""

    keys: tuple[Key, ...]
    value: Value | Excluded


@dataclass(slots=True)
class Forbidden:
    """What may go into no data set, and for which entities."""

    entities: defaultdict[Key, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, keys: Iterable[Key], entities: Iterable[str]) -> bool:
        """Forbid what has these keys; return whether that says anything new."""
        found = set(entities)
        fresh = [key for key in keys if found - self.entities.get(key, set())]
        for key in fresh:
            self.entities[key] |= found
        return bool(fresh)

    def of(self, keys: Iterable[Key]) -> Set[str]:
        """Return the entities for which something with these keys is forbidden, none where it may be used."""
        return set[str]().union(*(self.entities.get(key, ()) for key in keys))

    def spread(self, taken: Sequence[Taken[Any]]) -> None:
        """Forbid all that belongs together with what is forbidden already, or is excluded by itself."""
        for each in taken:
            if isinstance(each.value, Excluded):
                self.add(each.keys, each.value.entities)
        # a label's words forbid a record, the record its conversation, that a vote: until nothing follows any more
        while sum(self.add(each.keys, self.of(each.keys)) for each in taken):
            pass


def conversation(user: str, session: str | None, opening: str) -> Key:
    """Return the key of a conversation: the session where the client named one, else how the user began it.

    So conversations that one user begins in the same words count as one: too much is left out rather than too little.
    """
    return ("session", user, session) if session else ("opening", user, words.folded(opening))


def opening(messages: Messages) -> str:
    """Return the first thing that the user said, "" where that is nothing."""
    return next((each["content"] for each in messages if each["role"] == "user"), "")


def of_record(record: Record, session: str | None) -> tuple[Key, ...]:
    """Return what a record belongs to."""
    return conversation(record.user, session, opening(record.prompt)), *_items(judgeable([record], ()))


def of_ballot(ballot: Ballot) -> tuple[Key, ...]:
    """Return what a vote belongs to: the voter's conversation, and all votes on the same comparison."""
    talk = conversation(ballot.user, None, opening(ballot.prompt))
    return talk, ("comparison", ballot.comparison), *_items(judgeable((), [ballot]))


def of_label(label: Label) -> tuple[Key, ...]:
    """Return what a label belongs to."""
    return (("item", label.item),)


def items(taken: Iterable[Taken[Any]]) -> frozenset[str]:
    """Return the ids under which people judge what was taken, also what is excluded."""
    return frozenset(key[1] for each in taken for key in each.keys if key[0] == "item")


def elsewhere(
    engine: Engine, tables: Tables, scrubber: Scrubber, entities: Sequence[Entity], around: Set[Key]
) -> Forbidden:
    """Return what is forbidden of some conversations for turns that were not taken, and for what was said of any."""
    found = Forbidden()
    users = sorted({key[1] for key in around if key[0] in ("session", "opening")})
    if not entities or not users:
        return found
    kinds = {kind: entity.value for entity in entities for kind in logged(entity)}
    if kinds:
        for key, row in _near(engine.arrow(gateway_masked(tables, kinds, users)), around):
            found.add([key], {entity for kind, entity in kinds.items() if kind in _masked(row["masked"])})
    for key, row in _near(engine.arrow(remarks(tables, users)), around):
        said = [words.whole(text) for text in (row["correction"], row["comment"]) if text]
        found.add([key], scrubber.scrub(said, language(" ".join(said))).excluded)
    return found


def _near(table: pa.Table, around: Set[Key]) -> Iterator[tuple[Key, Mapping[str, Any]]]:
    """Yield the rows of some conversations."""
    for row in (row for batch in table.to_batches(AT_ONCE) for row in batch.to_pylist()):
        key = conversation(row["user"], row["session"], words.opening(row["asked"]))
        if key in around:
            yield key, row


def _masked(counts: str) -> Set[str]:
    """Return the kinds that the gateway masked, as its event says."""
    try:
        found = json.loads(counts)
    except ValueError:
        return frozenset()
    return found.keys() if isinstance(found, dict) else frozenset()


def _items(ids: Iterable[str]) -> Iterator[Key]:
    return (("item", each) for each in sorted(ids))
