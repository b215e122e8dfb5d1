"""A synthetic pair with the story of its making, as `datasets/collected/synthetic.jsonl` holds it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from runner import digest
from runner.feedback.augmentation.rewrites import Wording
from runner.feedback.preferences.pairs import Answers, Origin, Pair, pair_from_json, pair_to_json
from runner.feedback.records import Messages


@dataclass(frozen=True, slots=True)
class How:
    """How a pair was made."""

    paraphraser: str
    """`rewrite` for a rule of ours, else the model that said it in other words."""
    rule: str
    """Which rule of ours; empty for a model."""
    version: str
    """The version that gave both answers."""
    digest: str
    """Digest of its adapter."""
    prompt_digest: str
    """Digest of the messages that it answered."""
    temperatures: tuple[float, float]
    """At which the chosen and the rejected answer were sampled."""
    evaluator: str
    """`facts` or `judge`."""
    evaluated_by: str
    """The data set of the facts, or the judge's model."""
    evaluator_digest: str
    """Digest of the facts' file, or of the judge's rules."""


@dataclass(frozen=True, slots=True)
class Made:
    """A synthetic pair; its origin says so, and its sources are those of the real pair that it was made from."""

    pair: Pair
    how: How


def made(parent: Pair, prompt: Messages, answers: Answers, how: How) -> Made:
    """Return a synthetic pair of a chosen and a rejected answer; of its parent's category, language and time.

    Nobody voted on it, and it says so.
    """
    chosen, rejected = answers
    pair = Pair(
        id=name(parent, prompt),
        prompt=prompt,
        chosen=chosen,
        rejected=rejected,
        category=parent.category,
        language=parent.language,
        origin=Origin.SYNTHETIC,
        sources=parent.sources,
        at_us=parent.at_us,
        votes=0,
        versions=(how.version, how.version),
    )
    return Made(pair, how)


def name(parent: Pair, prompt: Messages) -> str:
    """Return the id of the pair that is made of a parent by asking this instead."""
    return f"syn-{digest.short(digest.of_value([parent.id, list(prompt)]))}"


def asked_as(parent: Pair, wording: Wording) -> Messages:
    """Return a parent's conversation with its question in other words."""
    return (*parent.prompt[:-1], {**parent.prompt[-1], "content": wording.text})


def to_json(value: Made) -> dict[str, Any]:
    """Return a pair as one JSON line holds it."""
    return {**pair_to_json(value.pair), "synthetic": True, "how": asdict(value.how)}


def from_json(line: Mapping[str, Any]) -> Made:
    """Read a pair back. Raises KeyError, TypeError or ValueError for a line that is none, or that is not marked."""
    fields = dict(line)
    how, marked = dict(fields.pop("how")), fields.pop("synthetic")
    pair = pair_from_json(fields)
    if marked is not True or not pair.synthetic:
        raise ValueError("the pair is not marked as synthetic")
    chosen, rejected = how["temperatures"]
    return Made(pair, How(**{**how, "temperatures": (float(chosen), float(rejected))}))
