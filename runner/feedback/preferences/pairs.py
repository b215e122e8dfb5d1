"""A pair, a better and a worse answer to one conversation, and what every single pair has to meet.

`faults` is the criteria of `policies/collection.yaml` under `pairs`. Pairs of votes, of corrections and of augmentation
are held to the same ones. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from runner.feedback.preferences.likeness import likeness
from runner.feedback.preferences.validity import is_cut_off, is_error, is_garbled, sentences
from runner.feedback.records import Messages
from runner.spec.collection import Detail, PairQuality

ROLES = ("system", "user", "assistant")
Answers = tuple[str, str]
"""Two answers to one conversation."""


class Origin(StrEnum):
    """Who said which answer is better."""

    VOTE = "vote"
    CORRECTION = "correction"
    """Somebody wrote the better answer."""
    SYNTHETIC = "synthetic"
    """A program made the pair; that stays with it for ever."""


class Why(StrEnum):
    """Why something that was collected is in no data set; these words stand in `rejected.jsonl`."""

    UNCOUNTED = "uncounted"
    """An answer gave its own model's name away."""
    TIE = "tie"
    NEITHER = "neither"
    REPEATED = "repeated"
    """The same person judged the same answers again later."""
    OUTVOTED = "outvoted"
    """Most said otherwise."""
    CONTRADICTORY = "contradictory"
    """Judged both ways, without a clear majority."""
    NO_QUESTION = "no_question"
    """The conversation does not end with what a user said."""
    CATEGORY = "category"
    """Of no category that is collected."""
    EMPTY = "empty"
    SHORT = "short"
    ERROR_TEXT = "error_text"
    CUT_OFF = "cut_off"
    GARBLED = "garbled"
    """What should be learnt holds halves of characters or control characters."""
    LENGTH = "length"
    """The chosen answer is too short beside the rejected one."""
    ALIKE = "alike"
    """Too little difference."""
    LESS_DETAILED = "less_detailed"
    LEAKED = "leaked"
    """A suite asks the same."""
    HELD_OUT = "held_out"
    """Its question is kept for new regression cases."""
    DUPLICATE = "duplicate"
    REPLACED = "replaced"
    """Somebody who has more say, or later, answered the same question otherwise."""
    UNREVIEWED = "unreviewed"
    """Nobody who may has accepted it."""
    REVIEWED_OTHERWISE = "reviewed_otherwise"
    """Reviewers said the contrary."""
    NOTHING_SAID = "nothing_said"
    """Nobody said what is good or better: it waits for a reviewer."""
    PARENT = "parent"
    """The pair from which it was made is not used."""
    SYNTHETIC_SHARE = "synthetic_share"
    """More synthetic pairs than the policy allows."""


class Use(StrEnum):
    """What a collected thing was to be used for; each use ends in a data set or is rejected, once."""

    PREFERENCE = "preference"
    CORRECTION = "correction"
    CORRECTION_PAIR = "correction_pair"
    """A correction preferred to the answer that it corrects."""
    REVIEW = "review"
    """What a reviewer wrote instead; the item is `ITEM/TASK`."""
    THUMB = "thumb"
    """Good or bad, as its user or reviewers said."""
    RECORD = "record"
    """A record of which nobody said anything that makes it a row."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A collected thing that is not used; `item` is its id in `datasets/collected/`."""

    use: Use
    item: str
    reasons: tuple[Why, ...]
    detail: str = ""
    category: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A better and a worse answer to the same conversation. Texts are masked."""

    id: str
    prompt: Messages
    chosen: str
    rejected: str
    category: str
    language: str
    origin: Origin
    sources: tuple[str, ...]
    """Ids in `datasets/collected/` that say so; of a synthetic pair, what it was made from."""
    at_us: int
    votes: int = 1
    """People who said so."""
    raters: tuple[str, ...] = ()
    """Keyed hashes of them; they are counted and do not leave this package."""
    versions: tuple[str, str] = ("", "")
    """The versions that answered, chosen and rejected; empty where none did."""
    cut_off: bool = False
    """The engine stopped one of the answers at its limit."""

    @property
    def synthetic(self) -> bool:
        """Whether a program made it."""
        return self.origin is Origin.SYNTHETIC


def talk(prompt: Messages) -> str:
    """Return a whole conversation as one text, to compare it with another."""
    return "\n".join(message.get("content", "") for message in prompt)


def asked(prompt: Messages) -> tuple[str, ...]:
    """Return everything that the user said in a conversation."""
    return tuple(message.get("content", "") for message in prompt if message.get("role") == "user")


def is_question(prompt: Messages) -> bool:
    """Return whether a conversation can be answered: known roles, and something that a user said at the end."""
    known = all(message.get("role") in ROLES for message in prompt)
    return bool(prompt) and known and prompt[-1]["role"] == "user" and bool(prompt[-1]["content"].strip())


def faults(pair: Pair, quality: PairQuality) -> tuple[Why, ...]:
    """Return what a pair does not meet; nothing where it is fit."""
    return tuple(_faults(pair, quality))


def _faults(pair: Pair, quality: PairQuality) -> Iterator[Why]:
    if not is_question(pair.prompt):
        yield Why.NO_QUESTION
    both = (pair.chosen.strip(), pair.rejected.strip())
    if not all(both):
        yield Why.EMPTY
        return
    if min(map(len, both)) <= quality.min_characters:
        yield Why.SHORT
    if any(map(is_error, both)):
        yield Why.ERROR_TEXT
    if pair.cut_off or any(map(is_cut_off, both)):
        yield Why.CUT_OFF
    if is_garbled(pair.chosen):
        yield Why.GARBLED
    if len(both[0]) <= len(both[1]) * quality.length_ratio:
        yield Why.LENGTH
    if likeness(*both) >= quality.max_similarity:
        yield Why.ALIKE
    if quality.more_detailed is Detail.REQUIRED and not more_detailed(pair):
        yield Why.LESS_DETAILED


def more_detailed(pair: Pair) -> bool:
    """Return whether the chosen answer has more sentences."""
    return sentences(pair.chosen) > sentences(pair.rejected)


def orientation(one: Answers, other: Answers, floor: float) -> int:
    """Return 1 where two comparisons are of nearly the same answers in the same order, -1 turned round, else 0."""
    if _both_alike(one, other, floor):
        return 1
    return -1 if _both_alike(one, (other[1], other[0]), floor) else 0


def _both_alike(one: Answers, other: Answers, floor: float) -> bool:
    return likeness(one[0], other[0]) >= floor and likeness(one[1], other[1]) >= floor


def pair_to_json(pair: Pair) -> dict[str, Any]:
    """Return a pair as plain JSON values; a line of `datasets/collected/synthetic.jsonl` holds it so."""
    return asdict(pair)


def pair_from_json(line: Mapping[str, Any]) -> Pair:
    """Read a pair back, also from a longer line. Raises KeyError, TypeError or ValueError for one that is none."""
    chosen, rejected = line.get("versions", ("", ""))
    return Pair(
        **{
            **{name: line[name] for name in Pair.__slots__ if name in line},
            "prompt": tuple(line["prompt"]),
            "origin": Origin(line["origin"]),
            "sources": tuple(line["sources"]),
            "raters": tuple(line.get("raters", ())),
            "versions": (str(chosen), str(rejected)),
        }
    )


def dropped(pair: Pair, reasons: Iterable[Why], detail: str = "") -> list[Dropped]:
    """Return everything that a pair came from as dropped; a synthetic pair came from nothing that was collected."""
    items = (pair.id,) if pair.synthetic else pair.sources
    use = Use.CORRECTION_PAIR if pair.origin is Origin.CORRECTION else Use.PREFERENCE
    return [Dropped(use, item, tuple(reasons), detail, pair.category, pair.language) for item in items]
