"""The way of one thing, from the events in which somebody said it to the row, the file, the commit and the versions.

Called by `loop data lineage`. A step that is not there is told with the reason, and the way goes on: what is broken is
what one looks for. This module follows ids through what was collected and the snapshot; where events, DVC and Git are
asked is the caller's. Users stand in it shortened. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from runner import digest
from runner.errors import terminal
from runner.feedback.collected import Collected
from runner.feedback.extraction import words
from runner.feedback.labels.items import preference_id
from runner.feedback.records import Answer, Ballot, Label, Record, question

SHOWN = 10
"""Ids that an ambiguous prefix names."""
EXCERPT = 80
"""Characters that are shown of an answer that differs, about where it does."""
Row = Mapping[str, Any]
_PLACEHOLDER = re.compile(r"<([A-Z_]+)_[0-9]+>")


class Step(StrEnum):
    """The steps of the way, in order."""

    EVENT = "event"
    REQUEST = "request"
    COLLECTED = "collected"
    LABEL = "label"
    CHECKS = "checks"
    ROW = "row"
    FILE = "file"
    COMMIT = "commit"
    VERSION = "version"


@dataclass(frozen=True, slots=True)
class Link:
    """One step: what it is about and what is known of it; `broken` says why the way does not go on here.

    `texts` are what people and versions wrote, masked: what each is -> the text.
    """

    step: Step
    id: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    broken: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Traced:
    """What an id leads to: rows by file, what was collected, labels on it, what was rejected of it."""

    rows: tuple[tuple[str, Row], ...]
    records: tuple[Record, ...]
    ballots: tuple[Ballot, ...]
    labels: tuple[Label, ...]
    rejected: tuple[Row, ...]
    synthetic: tuple[Row, ...] = ()
    """Pairs that were made of it by augmentation, or that it was about."""

    @property
    def events(self) -> tuple[str, ...]:
        """Ids of the events in which somebody said something; those of records begin with the request's."""
        found = [source for record in self.records for source in record.sources]
        return tuple(dict.fromkeys([*(ballot.id for ballot in self.ballots), *found]))

    @property
    def responses(self) -> tuple[str, ...]:
        """Ids of the answers that were compared."""
        sides = (answer for ballot in self.ballots for answer in (ballot.left, ballot.right))
        return tuple(dict.fromkeys(answer.response for answer in sides if answer.response))


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer as the log has it: the events of its request and of its content, None where they are not there."""

    response: str
    request: Mapping[str, Any] | None
    content: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a vote says of an answer; empty what it does not say."""

    vote: str
    version: str
    digest: str
    text: str


@dataclass(frozen=True, slots=True)
class Known:
    """Everything with an id: what was collected, and the snapshot's files (name -> lines)."""

    collected: Collected
    files: Mapping[str, Sequence[Row]]
    rejected: Sequence[Row]

    def trace(self, given: str) -> Traced:
        """Return what an id, or its beginning, leads to. Raises TerminalError where it is none, or several."""
        rows = [(name, row) for name, lines in self.files.items() for row in lines]
        starts = self._starts(rows)
        matches = [given] if given in starts else sorted(name for name in starts if name.startswith(given))
        if len(matches) != 1 or not given:
            raise _unclear(given, matches)
        return self._around(starts[matches[0]], rows)

    def _starts(self, rows: Iterable[tuple[str, Row]]) -> dict[str, set[str]]:
        """Return every id with the ids of what was collected, or made, that it stands for."""
        found: dict[str, set[str]] = {}
        for record in self.collected.records:
            for name in (record.id, *record.sources):
                found.setdefault(name, set()).add(record.id)
        for ballot in self.collected.ballots:
            for name in (ballot.id, ballot.comparison):
                found.setdefault(name, set()).add(ballot.id)
        for label in self.collected.labels:
            found.setdefault(label.id, set()).add(label.item)
        for made in self.collected.synthetic or ():
            found[str(made["id"])] = {str(made["id"]), *map(_item, made["sources"])}
        for _, row in rows:
            found.setdefault(row["id"], set()).add(row["id"])
        for row in self.rejected:
            found.setdefault(row["id"], set()).add(_item(row["id"]))
        return found

    def _around(self, start: set[str], rows: Sequence[tuple[str, Row]]) -> Traced:
        """Return everything that is linked to some ids: rows made from them, and what those were made from."""
        items = set(start)
        own = [each for each in rows if each[1]["id"] in items or items & set(map(_item, each[1]["sources"]))]
        for _, row in own:
            items |= {row["id"], *map(_item, row["sources"])}
        parents = [each for each in rows if each[1]["id"] in items and each not in own]
        for _, row in parents:
            items |= set(map(_item, row["sources"]))
        ballots = [each for each in self.collected.ballots if each.id in items]
        judged = items | {preference_id(ballot) for ballot in ballots}
        return Traced(
            (*own, *parents),
            tuple(each for each in self.collected.records if each.id in items),
            tuple(ballots),
            tuple(each for each in self.collected.labels if each.item in judged),
            tuple(each for each in self.rejected if _item(each["id"]) in items),
            tuple(each for each in self.collected.synthetic or () if each["id"] in items),
        )


def collected_links(traced: Traced) -> Iterator[Link]:
    """Yield what was collected, the labels on it, and what the checks said."""
    for ballot in traced.ballots:
        yield Link(Step.COLLECTED, ballot.id, _of_ballot(ballot), texts=_said_in_ballot(ballot))
    for record in traced.records:
        yield Link(Step.COLLECTED, record.id, _of_record(record), texts=_said_in_record(record))
    for made in traced.synthetic:
        texts = {"question": question(made["prompt"]), "chosen": made["chosen"], "rejected": made["rejected"]}
        yield Link(Step.COLLECTED, str(made["id"]), {"synthetic": True, **made["how"]}, texts=texts)
    for label in traced.labels:
        yield Link(Step.LABEL, label.id, _of_label(label))
    if not traced.ballots and not traced.records:
        why = "what it was made from is not in datasets/collected any more: forgotten, or collected anew"
        yield Link(Step.COLLECTED, "-", broken=why)
    for row in traced.rejected:
        told = f"{', '.join(row['reasons'])}{' (' + row['detail'] + ')' if row['detail'] else ''}"
        yield Link(Step.CHECKS, row["id"], {"not used as": row["use"], "because": told})


def row_links(traced: Traced, verdict: str) -> Iterator[Link]:
    """Yield the rows; `verdict` is what the checks of the whole set came to."""
    for name, row in traced.rows:
        facts = {
            key: row[key] for key in ("category", "language", "origin", "accepted", "votes") if key in row
        }
        yield Link(Step.CHECKS, row["id"], {"row": "passed every check", "set": verdict})
        yield Link(Step.ROW, row["id"], {"file": name, **facts, "sources": list(row["sources"])})
    if not traced.rows:
        yield Link(Step.ROW, "-", broken="no row of the snapshot was made from it")


def event_link(step: Step, name: str, event: Mapping[str, Any] | None, names: Sequence[str]) -> Link:
    """Return an event's link with those of its fields; broken where the log does not have it."""
    if event is None:
        why = "not in the event log of this machine: another one's, deleted, or older than what is kept"
        return Link(step, name, broken=why)
    facts = {each: event[each] for each in names if event.get(each) not in (None, "")}
    if "loop.user" in facts:
        facts["loop.user"] = digest.short(str(facts["loop.user"]))
    return Link(step, name, facts)


def answered_link(asked: Asked, names: Sequence[str], votes: Sequence[Claim]) -> Link:
    """Return the link of an answer that was compared; broken, too, where a vote says otherwise of it."""
    link = event_link(Step.REQUEST, asked.response, asked.request, names)
    return replace(link, broken="; ".join([*filter(None, [link.broken]), *_differences(asked, votes)]))


def claims(ballots: Iterable[Ballot], events: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Claim]]:
    """Return what votes say of each answer, by its response's id; `events` are those of votes that the log has.

    The text is the event's: that of what was collected is masked once more.
    """
    found: dict[str, list[Claim]] = {}
    for ballot in ballots:
        event = events.get(ballot.id, {})
        for side, answer in (("left", ballot.left), ("right", ballot.right)):
            text = str(event.get(f"loop.{side}.answer") or "")
            claim = Claim(ballot.id, answer.version, answer.digest, text)
            found.setdefault(answer.response, []).append(claim)
    return found


def _differences(asked: Asked, votes: Iterable[Claim]) -> Iterator[str]:
    """Yield where votes and the log contradict each other; what one of them does not say contradicts nothing."""
    request = asked.request or {}
    answered = words.reply((asked.content or {}).get("gen_ai.output.messages") or "")
    for vote in votes:
        for what, said, logged in (
            ("version", vote.version, request.get("loop.version")),
            ("digest", vote.digest, request.get("loop.adapter.digest")),
        ):
            if said and logged and said != logged:
                yield f"vote {vote.vote} says {what} '{said}', and the request '{logged}'"
        said, logged = _alike(vote.text), _alike(answered)
        if said and logged and said != logged:
            said, logged = _where_they_differ(said, logged)
            yield f"vote {vote.vote} says that the answer was '{said}', and the log '{logged}'"


def _alike(text: str) -> str:
    """Return a text as it counts for being the same: its vote and its request number placeholders on their own."""
    return " ".join(_PLACEHOLDER.sub(r"<\1>", text).split())


def _where_they_differ(one: str, other: str) -> tuple[str, str]:
    """Return the part of two texts that begins shortly before they differ."""
    pairs = enumerate(zip(one, other, strict=False))
    at = next((at for at, (mine, yours) in pairs if mine != yours), min(len(one), len(other)))
    begin = max(0, at - EXCERPT // 2)
    return one[begin : begin + EXCERPT], other[begin : begin + EXCERPT]


def _of_ballot(ballot: Ballot) -> dict[str, Any]:
    return {
        "comparison": ballot.comparison,
        "choice": ballot.choice.value,
        "left": _of_answer(ballot.left),
        "right": _of_answer(ballot.right),
        "user": digest.short(ballot.user),
        "at_us": ballot.at_us,
        "masked": dict(ballot.masked),
    }


def _said_in_ballot(ballot: Ballot) -> dict[str, str]:
    texts = {"question": question(ballot.prompt), "left": ballot.left.text, "right": ballot.right.text}
    return texts | ({"better": ballot.correction} if ballot.correction else {})


def _said_in_record(record: Record) -> dict[str, str]:
    texts = {"question": question(record.prompt), "answer": record.answer}
    others = {"other": record.other, "better": record.correction}
    return texts | {name: text for name, text in others.items() if text}


def _of_answer(answer: Answer) -> dict[str, Any]:
    served = digest.served_name(answer.version, answer.digest)
    return {"served": served, "response": answer.response, "sampling": dict(answer.sampling)}


def _of_record(record: Record) -> dict[str, Any]:
    return {
        "reasons": [reason.value for reason in record.reasons],
        "served": digest.served_name(record.version, record.digest),
        "user": digest.short(record.user),
        "at_us": record.at_us,
        "masked": dict(record.masked),
    }


def _of_label(label: Label) -> dict[str, Any]:
    return {
        "item": label.item,
        "task": label.task.value,
        "value": label.value,
        "user": digest.short(label.user),
        "at_us": label.at_us,
        "final": label.final,
    }


def _item(source: str) -> str:
    """Return the id of what was collected; a reviewer's own correction is named `ITEM/TASK`."""
    return source.partition("/")[0]


def _unclear(given: str, matches: Sequence[str]) -> Exception:
    if not matches:
        return terminal(
            f"nothing is known under '{given}'",
            "looked in datasets/collected and datasets/snapshot",
            fix="give the id of a row, record, vote, comparison or event, or its beginning",
        )
    more = f"and {len(matches) - SHOWN} more" if len(matches) > SHOWN else ""
    shown = ", ".join([*matches[:SHOWN], *([more] if more else [])])
    return terminal(f"'{given}' is the beginning of several ids", shown, fix="give more of it")
