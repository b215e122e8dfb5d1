"""From ballots to pairs: everybody who judged the same two answers makes one pair together, or none.

The same are answers to nearly the same conversation whose texts are nearly the same, whatever comparison they were
shown in and on whichever side. A person counts once, with the latest ballot. A pair needs a clear majority; where
there is none, all its ballots are dropped as contradictory, and a minority is dropped as outvoted. Pure; the order of
ballots makes no difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from runner import digest
from runner.feedback.preferences.likeness import fold, leaders
from runner.feedback.preferences.pairs import Answers, Dropped, Origin, Pair, Use, Why, orientation, talk
from runner.feedback.preferences.reviews import Reviews
from runner.feedback.records import Ballot, Choice
from runner.spec.collection import CollectionPolicy

_UNDECIDED = {Choice.TIE: Why.TIE, Choice.NEITHER: Why.NEITHER}
_CUT = "length"


@dataclass(frozen=True, slots=True)
class Judged:
    """The pairs of ballots, and the ballots that are in none."""

    pairs: tuple[Pair, ...]
    dropped: tuple[Dropped, ...]


@dataclass(slots=True)
class _Bout:
    """Ballots on the same two answers; each with 1 where those stood as in the first one, -1 the other way round."""

    answers: Answers
    ballots: list[tuple[Ballot, int]] = field(default_factory=list)


def judged(ballots: Iterable[Ballot], policy: CollectionPolicy, reviews: Reviews) -> Judged:
    """Return the pairs that ballots come to; every ballot is a source of one pair or dropped, once."""
    ordered = sorted(ballots, key=lambda ballot: (ballot.at_us, ballot.id))
    dropped: list[Dropped] = []
    fit: list[Ballot] = []
    for ballot in ordered:
        if not ballot.counted:
            dropped.append(_drop(ballot, Why.UNCOUNTED))
        elif fold(ballot.left.text) == fold(ballot.right.text):
            dropped.append(_drop(ballot, Why.ALIKE, "both answers are the same"))
        else:
            fit.append(ballot)
    pairs: list[Pair] = []
    for bout in _bouts(fit, policy.sets.near_duplicate):
        pair, lost = _settled(bout, policy.pairs.majority, reviews)
        pairs += [pair] if pair else []
        dropped += lost
    return Judged(tuple(pairs), tuple(dropped))


def _bouts(ballots: Sequence[Ballot], floor: float) -> list[_Bout]:
    """Return ballots by the answers that they judge; a bout is known by its first ballot."""
    same_talk = leaders((talk(ballot.prompt) for ballot in ballots), floor)
    by_talk: defaultdict[str, list[_Bout]] = defaultdict(list)
    exact: dict[tuple[str, Answers], tuple[_Bout, int]] = {}
    for ballot in ballots:
        spoken = fold(talk(ballot.prompt))
        texts = (fold(ballot.left.text), fold(ballot.right.text))
        found = exact.get((spoken, texts)) or _place(by_talk[same_talk[spoken]], texts, floor)
        bout, turn = found
        exact[spoken, texts] = found
        exact[spoken, (texts[1], texts[0])] = (bout, -turn)
        bout.ballots.append((ballot, turn))
    return [bout for bouts in by_talk.values() for bout in bouts]


def _place(bouts: list[_Bout], texts: Answers, floor: float) -> tuple[_Bout, int]:
    """Return the bout of two answers and which way round they stand in it; a new one where there is none."""
    for bout in bouts:
        if turn := orientation(bout.answers, texts, floor):
            return bout, turn
    bouts.append(_Bout(texts))
    return bouts[-1], 1


def _settled(bout: _Bout, majority: float, reviews: Reviews) -> tuple[Pair | None, list[Dropped]]:
    """Return the pair that a bout comes to, None where it comes to none, and the ballots that do not support it."""
    latest = {ballot.user: (ballot, turn) for ballot, turn in bout.ballots}
    counted = sorted(latest.values(), key=lambda each: (each[0].at_us, each[0].id))
    kept = {ballot.id for ballot, _ in counted}
    lost = [_drop(ballot, Why.REPEATED) for ballot, _ in bout.ballots if ballot.id not in kept]
    sides = {side: [ballot for ballot, turn in counted if _side(ballot, turn) == side] for side in (1, -1, 0)}
    winner = max((1, -1), key=lambda side: len(sides[side]))
    supporters, others = sides[winner], [*sides[-winner], *sides[0]]
    if not supporters:
        return None, lost + [_drop(ballot, _UNDECIDED[ballot.choice]) for ballot in others]
    if len(supporters) < majority * len(counted):
        told = f"{len(sides[1])} and {len(sides[-1])} for one side each, {len(sides[0])} for none"
        return None, lost + [_drop(ballot, Why.CONTRADICTORY, told) for ballot, _ in counted]
    lost += [_drop(ballot, Why.OUTVOTED, f"{len(supporters)} of {len(counted)}") for ballot in others]
    if any(reviews.preferred(ballot) not in (None, ballot.choice) for ballot in supporters):
        return None, lost + [_drop(ballot, Why.REVIEWED_OTHERWISE) for ballot in supporters]
    return _pair(supporters), lost


def _side(ballot: Ballot, turn: int) -> int:
    return turn * {Choice.LEFT: 1, Choice.RIGHT: -1}.get(ballot.choice, 0)


def _pair(supporters: Sequence[Ballot]) -> Pair:
    """Return the pair of ballots that agree; its texts are those of the first."""
    first = supporters[0]
    chosen, rejected = first.chosen, first.rejected
    assert chosen is not None and rejected is not None  # noqa: S101 - a supporter names one side
    texts = sorted((fold(chosen.text), fold(rejected.text)))
    cut = any(answer.sampling.get("finish_reason") == _CUT for answer in (chosen, rejected))
    return Pair(
        id=f"pair-{digest.short(digest.of_value([fold(talk(first.prompt)), texts]))}",
        prompt=first.prompt,
        chosen=chosen.text,
        rejected=rejected.text,
        category=next((ballot.category for ballot in supporters if ballot.category), ""),
        language=next((ballot.language for ballot in supporters if ballot.language), ""),
        origin=Origin.VOTE,
        sources=tuple(sorted(ballot.id for ballot in supporters)),
        at_us=first.at_us,
        votes=len(supporters),
        raters=tuple(sorted(ballot.user for ballot in supporters)),
        versions=(chosen.version, rejected.version),
        cut_off=cut,
    )


def _drop(ballot: Ballot, why: Why, detail: str = "") -> Dropped:
    return Dropped(Use.PREFERENCE, ballot.id, (why,), detail, ballot.category, ballot.language)
