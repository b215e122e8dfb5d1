"""From what was collected to the rows that one may train on, and what is said about them.

`build` is pure: the same input, in any order, gives the same snapshot. Everything that was collected is used for what
it can be used for, and each use ends in exactly one row or among what was rejected, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runner.feedback.augmentation import made
from runner.feedback.collected import Collected
from runner.feedback.datasets import corrections, rows, thumbs
from runner.feedback.datasets.rows import Row
from runner.feedback.labels import Settled, independent, items, resolve
from runner.feedback.preferences.findings import Finding, Verdict, overall
from runner.feedback.preferences.leakage import Guarded, HeldOut, Mask, Suite
from runner.feedback.preferences.pairs import Dropped, Pair, Use, Why, more_detailed
from runner.feedback.preferences.reviews import Reviews
from runner.feedback.preferences.screen import Screen
from runner.feedback.preferences.selection import Selector
from runner.feedback.preferences.sets import findings
from runner.feedback.preferences.votes import judged
from runner.feedback.records import Ballot, Messages, Record
from runner.spec.collection import CollectionPolicy

_NO_PARENT = frozenset({Why.OUTVOTED, Why.CONTRADICTORY, Why.LEAKED, Why.HELD_OUT, Why.REVIEWED_OTHERWISE})
"""What was rejected for one of these reasons may have no synthetic pair made from it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rows of every data set, in order of their ids, and what became of everything else."""

    preferences: tuple[Row, ...]
    corrections: tuple[Row, ...]
    thumbs: tuple[Row, ...]
    cases: tuple[Row, ...]
    rejected: tuple[Dropped, ...]
    checks: tuple[Finding, ...]
    settled: Settled
    more_detailed: float | None
    """Share of pairs whose chosen answer has more sentences, None without pairs."""

    @property
    def verdict(self) -> Verdict:
        """The verdict on the pairs as a set."""
        return overall(self.checks)


def build(
    collected: Collected, policy: CollectionPolicy, suites: Sequence[Suite], mask: Mask = str
) -> Snapshot:
    """Return the snapshot. `mask` takes personal data out of the suites' questions as it was taken out of the rest.

    Raises KeyError, TypeError or ValueError where a line of augmentation is no pair.
    """
    records = sorted(collected.records, key=lambda record: (record.at_us, record.id))
    ballots = sorted(collected.ballots, key=lambda ballot: (ballot.at_us, ballot.id))
    synthetic = [made.from_json(line).pair for line in collected.synthetic or ()]
    settled = resolve(independent(collected.labels, items(records, ballots)), policy.agreement)
    reviews = Reviews(settled, records, ballots)
    prompts = [
        *(record.prompt for record in records),
        *(ballot.prompt for ballot in ballots),
        *(pair.prompt for pair in synthetic),
    ]
    screen = _screen(prompts, policy, suites, mask)

    voted = judged(ballots, policy, reviews)
    written = corrections.corrections(records, ballots, reviews, policy.corrections.trusted_groups)
    corrected = corrections.select(written, screen, reviews)
    liked = thumbs.thumbs(records, screen, reviews, policy.pairs.majority)
    pairs = [*voted.pairs, *synthetic]
    if policy.corrections.as_pairs:
        pairs += map(corrections.as_pair, corrected.accepted)
    lost = [*voted.dropped, *corrected.dropped, *liked.dropped, *_silent(records, reviews)]
    parents = _parents(records, ballots, lost)
    selected = Selector(policy, screen, reviews).select(pairs, parents)
    return Snapshot(
        preferences=_by_id(map(rows.of_pair, selected.pairs)),
        corrections=_by_id(map(rows.of_correction, corrected.rows)),
        thumbs=_by_id(map(rows.of_thumb, liked.rows)),
        cases=_by_id(map(rows.of_case, corrected.cases)),
        rejected=tuple(sorted((*lost, *selected.dropped), key=lambda each: (each.item, each.use))),
        checks=findings(selected.pairs, [ballot for ballot in ballots if ballot.counted], policy),
        settled=settled,
        more_detailed=_more_detailed(selected.pairs),
    )


def _screen(
    prompts: Iterable[Messages], policy: CollectionPolicy, suites: Sequence[Suite], mask: Mask
) -> Screen:
    floor = policy.sets.near_duplicate
    return Screen(
        Guarded(suites, floor, mask),
        HeldOut(prompts, policy.cases.share, floor),
        frozenset(policy.categories),
    )


def _silent(records: Iterable[Record], reviews: Reviews) -> list[Dropped]:
    """Return the records of which nobody said anything that makes a row; they wait for reviewers."""
    return [
        Dropped(
            Use.RECORD,
            record.id,
            (Why.NOTHING_SAID,),
            ", ".join(reason.value for reason in record.reasons),
            record.category,
            record.language,
        )
        for record in records
        if record.correction is None and not thumbs.is_judged(record, reviews)
    ]


def _parents(records: Iterable[Record], ballots: Iterable[Ballot], lost: Iterable[Dropped]) -> set[str]:
    """Return from what a synthetic pair may have been made, beside the pairs that stay."""
    unfit = {each.item for each in lost if _NO_PARENT.intersection(each.reasons)}
    return ({record.id for record in records} | {ballot.id for ballot in ballots}) - unfit


def _more_detailed(pairs: Sequence[Pair]) -> float | None:
    return sum(map(more_detailed, pairs)) / len(pairs) if pairs else None


def _by_id(found: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(sorted(found, key=lambda row: str(row["id"])))
