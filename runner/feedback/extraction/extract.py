"""The recipe: mark answers, read their words, keep one of those alike, draw, sort into categories, mask.

Answers pass by some at a time, so that memory holds only those that something speaks for. The same events give the
same result, in whatever order and however often they stand in the log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import ibis.expr.types as ir

from runner.events.lake import Engine, Lake
from runner.events.schema import Kind
from runner.feedback import ballots as votes
from runner.feedback.extraction import census, exclusion, masks, reviews, words
from runner.feedback.extraction.candidates import Candidate, Distinct, drawn, without_near_duplicates
from runner.feedback.extraction.census import Census
from runner.feedback.extraction.exclusion import Forbidden, Taken, Value
from runner.feedback.extraction.marks import NOTHING, Marks, gather
from runner.feedback.extraction.masks import Excluded
from runner.feedback.extraction.refusals import Refusal, Refusals
from runner.feedback.extraction.rules import Ports, Rules
from runner.feedback.extraction.substance import differ
from runner.feedback.extraction.tables import Tables, answered, count, with_words
from runner.feedback.records import Ballot, Label, Reason, Record, question
from runner.signals.cube.pairs import request_id
from runner.signals.language import language

AT_ONCE: Final = 50_000
"""Answers whose words are in memory at one time."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was taken from the log, by time; `left_out` says how much was not and why, `excluded` for which entity."""

    records: tuple[Record, ...]
    ballots: tuple[Ballot, ...]
    labels: tuple[Label, ...]
    census: Census
    left_out: Mapping[str, int]
    excluded: Mapping[str, int]


@dataclass(frozen=True)
class _Run:
    """One extraction: what it reads, by which rules and whose help, and what it has left out so far."""

    lake: Lake
    engine: Engine
    rules: Rules
    ports: Ports
    left_out: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)

    def count(self, table: ir.Table) -> int:
        return count(self.engine, table)

    def rows(self, kind: Kind) -> list[dict[str, Any]]:
        """Return the events of a kind in the window, without those of users who are forgotten."""
        window = self.rules.window
        table = self.lake.table(kind, window.since_us, window.until_us, window.since_us)
        rows = self.engine.arrow(table).to_pylist()
        kept = [row for row in rows if not self.ports.is_forgotten(row["loop.user"], row["event.time"])]
        self.left_out["forgotten"] += len(rows) - len(kept)
        return kept


def extract(lake: Lake, engine: Engine, directory: Path, rules: Rules, ports: Ports) -> Found:
    """Return what of a lake's events is worth looking at; `directory` is the lake's.

    Raises LoopError where a detector's model cannot be used, OSError and duckdb.Error where the lake cannot be read.
    """
    run = _Run(lake, engine, rules, ports)
    ports.tell("counting events")
    counted = census.take(lake, engine, directory, rules.window)
    tables = Tables.of(lake, rules.window, ports.forgotten)
    _count_unmatched(run, tables)
    ports.tell("looking for feedback, questions asked again, shadows and tails")
    marks = gather(tables, engine, rules)
    run.left_out.update(marks.left_out)
    ports.tell("reading answers")
    candidates = _candidates(run, tables, marks)
    ports.tell(f"comparing {len(candidates):,} answers")
    chosen = _chosen(run, candidates)
    ports.tell(f"sorting and masking {len(chosen):,} answers")
    records = _records(run, chosen)
    ports.tell("masking votes and labels")
    ballots = _ballots(run, tables)
    labels = _labels(run, chosen, exclusion.items((*records, *ballots)))
    taken: tuple[Taken[Any], ...] = (*records, *ballots, *labels)
    around = {key for each in taken for key in each.keys}
    forbidden = exclusion.elsewhere(engine, tables, ports.scrubber, rules.exclude_with, around)
    forbidden.spread(taken)
    return Found(
        tuple(sorted(_allowed(run, records, forbidden), key=lambda each: (each.at_us, each.id))),
        tuple(_allowed(run, ballots, forbidden)),
        tuple(_allowed(run, labels, forbidden)),
        counted,
        {name: count for name, count in sorted(run.left_out.items()) if count},
        dict(sorted(run.excluded.items())),
    )


def _count_unmatched(run: _Run, tables: Tables) -> None:
    """Count contents whose request is not in the log, answers whose words are not, and what is forgotten."""
    window = run.rules.window
    said = run.lake.table(Kind.CONTENT, window.since_us, window.until_us, window.since_us)
    of = said.select(of=request_id(said["event.id"]))
    every = run.lake.table(Kind.REQUEST)
    run.left_out["without_request"] = run.count(of.anti_join(every, of["of"] == every["event.id"]))
    contents, answers = tables.contents, answered(tables.everyday).select("request")
    worded = contents.select(of=request_id(contents["event.id"]))
    run.left_out["without_content"] = run.count(answers.anti_join(worded, answers["request"] == worded["of"]))
    if run.ports.forgotten:
        asked = run.lake.table(Kind.REQUEST, window.since_us, window.until_us, window.since_us)
        run.left_out["forgotten"] += run.count(asked) - run.count(tables.requests)


def _candidates(run: _Run, tables: Tables, marks: Marks) -> list[Candidate]:
    """Return the answers that something speaks for, one of those that say the same."""
    refusals = Refusals(run.ports.refuses, run.ports.answerable)
    distinct = Distinct()
    seen: set[str] = set()
    for rows in _with_words(run, tables):
        told = refusals.of([row["asked"] for row in rows], [row["said"] for row in rows])
        # what people try on the console's pages is refused to nobody who needed an answer
        told = [Refusal.NONE if row["console"] else each for row, each in zip(rows, told, strict=True)]
        run.left_out["rightly_refused"] += sum(each is Refusal.RIGHT for each in told)
        for row, refusal in zip(rows, told, strict=True):
            if refusal is not Refusal.WRONG and row["request"] not in marks:
                continue
            candidate = _candidate(run, row, refusal, marks)
            if candidate is not None and candidate.request not in seen:
                seen.add(candidate.request)
                distinct.add(candidate)
    run.left_out["repeated"] = distinct.repeated
    return list(distinct.kept.values())


def _with_words(run: _Run, tables: Tables) -> Iterator[list[dict[str, Any]]]:
    """Return answers with their words, about `AT_ONCE` at a time, by the time of their contents."""
    times = tables.contents.select(at="event.time").order_by("at")
    ordered = run.engine.arrow(times)["at"]
    borders = sorted({ordered[place].as_py() for place in range(0, len(ordered), AT_ONCE)})
    for since_us, until_us in pairwise([*borders, ordered[-1].as_py() + 1] if borders else []):
        table = with_words(tables.requests, tables.contents_in(since_us, until_us))
        yield run.engine.arrow(table).sort_by("content").to_pylist()


def _candidate(run: _Run, row: Mapping[str, Any], refusal: Refusal, marks: Marks) -> Candidate | None:
    """Return an answer with all that speaks for looking at it, None where nothing does or it cannot be read."""
    marked, sources = marks.of(row["request"])
    copy = marks.copies.get(row["request"])
    prompt, answer = words.conversation(row["asked"]), words.reply(row["said"])
    if prompt is None or not answer:
        run.left_out["unreadable"] += 1
        return None
    opinion = marks.opinions.get(row["request"], NOTHING)
    reasons, correction = set(marked), opinion.correction
    if correction is not None and words.folded(correction) in ("", words.folded(answer)):
        run.left_out["unchanged_corrections"] += 1
        reasons.discard(Reason.CORRECTION)
        correction = None
    if refusal is Refusal.WRONG:
        reasons.add(Reason.REFUSAL)
    other = words.reply(copy.said) if copy is not None else ""
    if copy is not None and other and differ(answer, other):
        reasons.add(Reason.SHADOW)
        sources = (*sources, copy.id)
    if not reasons:
        return None
    return Candidate(
        request=row["request"],
        prompt=prompt,
        answer=answer,
        version=row["version"],
        digest=row["digest"],
        group=row["group"],
        user=row["user"],
        at_us=row["at_us"],
        session=row["session"],
        reasons=frozenset(reasons),
        sources=(row["request"], row["content"], *sources),
        correction=correction,
        other=other if Reason.SHADOW in reasons else None,
        thumbs=opinion.thumbs,
        rating=opinion.rating,
    )


def _chosen(run: _Run, candidates: Sequence[Candidate]) -> list[Candidate]:
    distinct = without_near_duplicates(candidates, run.rules.near_duplicate)
    run.left_out["near_duplicates"] = len(candidates) - len(distinct)
    chosen = drawn(distinct, run.rules.per_reason)
    run.left_out["beyond_per_reason"] = len(distinct) - len(chosen)
    return chosen


def _records(run: _Run, chosen: Sequence[Candidate]) -> list[Taken[Record]]:
    """Return the chosen answers as records, masked."""
    categories = run.ports.categories([question(each.prompt) for each in chosen])
    found = (_record(each, category) for each, category in zip(chosen, categories, strict=True))
    return [
        Taken(exclusion.of_record(record, each.session), masks.record(record, run.ports.scrubber))
        for each, record in zip(chosen, found, strict=True)
    ]


def _record(of: Candidate, category: str) -> Record:
    return Record(
        id=of.id,
        reasons=tuple(reason for reason in Reason if reason in of.reasons),
        prompt=of.prompt,
        answer=of.answer,
        version=of.version,
        digest=of.digest,
        group=of.group,
        user=of.user,
        category=category,
        language=language(question(of.prompt)),
        at_us=of.at_us,
        sources=of.sources,
        correction=of.correction,
        other=of.other,
        thumbs=of.thumbs,
        rating=of.rating,
    )


def _ballots(run: _Run, tables: Tables) -> list[Taken[Ballot]]:
    """Return the votes of the arena, masked; what a vote says of its category and language stays."""
    found = votes.read(run.rows(Kind.VOTE))
    responses = {answer.response for each in found.ballots for answer in (each.left, each.right)}
    served = tables.served(run.engine, responses)
    true = [each for each in found.ballots if not _contradicts(each, served)]
    run.left_out["broken_votes"], run.left_out["replaced_votes"] = found.broken, found.replaced
    run.left_out["votes_that_contradict_the_log"] = len(found.ballots) - len(true)
    whole = votes.placed(true, run.ports.categories)
    return [Taken(exclusion.of_ballot(each), masks.ballot(each, run.ports.scrubber)) for each in whole]


def _contradicts(ballot: Ballot, served: Mapping[str, tuple[str, str]]) -> bool:
    """Return whether the log says that another version gave one of the answers; what it has not, it does not deny."""
    return any(
        logged and said and logged != said
        for answer in (ballot.left, ballot.right)
        for logged, said in zip(
            served.get(answer.response, ()), (answer.version, answer.digest), strict=False
        )
    )


def _labels(run: _Run, chosen: Sequence[Candidate], items: Set[str]) -> list[Taken[Label]]:
    """Return what reviewers said of these items, masked in the language of what they looked at."""
    found = reviews.read(run.rows(Kind.LABEL))
    about = [each for each in found.labels if each.item in items]
    run.left_out["broken_labels"], run.left_out["replaced_labels"] = found.broken, found.replaced
    run.left_out["labels_about_nothing"] = len(found.labels) - len(about)
    spoken = {each.id: question(each.prompt) for each in chosen}
    return [
        Taken(
            exclusion.of_label(each),
            masks.label(
                each,
                language(spoken.get(each.item) or each.correction or each.comment or ""),
                run.ports.scrubber,
            ),
        )
        for each in about
    ]


def _allowed(run: _Run, taken: Iterable[Taken[Value]], forbidden: Forbidden) -> Iterator[Value]:
    """Return what may be used, and count the rest by the entities that forbid it."""
    for each in taken:
        entities = forbidden.of(each.keys)
        run.excluded.update(entities)
        if not entities and not isinstance(each.value, Excluded):
            yield each.value
