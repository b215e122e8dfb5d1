"""What `by_value` and `by_word` are asked and what they say. Pure values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from runner.signals.facts.reference import Fact, Match, Reference

EQUAL = 0.9
"""Facts of this share of the highest closeness are as close: the words they are told apart by are chance."""

RIVAL = 0.7
"""A fact that shares as much of the question, and is of this share of the highest closeness, may be what was meant."""


class Verdict(StrEnum):
    """What the facts say of a statement."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    NOT_COVERED = "not covered"


@dataclass(frozen=True, slots=True)
class Decision:
    """Supported or contradicted, and the fact that says so."""

    verdict: Verdict
    fact: Fact


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the facts that speak of what is judged, the closest first."""

    reference: Reference
    question: str
    near: tuple[Match, ...]


def closest(matches: Sequence[Match]) -> tuple[Fact, ...]:
    """Return the facts that are as close to the question as the first."""
    return tuple(match.fact for match in matches if match.closeness >= EQUAL * matches[0].closeness)


def rivals(matches: Sequence[Match]) -> tuple[Fact, ...]:
    """Return the facts that may have been meant as well as the first: they share as much, and say little more."""
    first = matches[0]
    return tuple(
        match.fact
        for match in matches
        if match.closeness >= RIVAL * first.closeness and match.share >= EQUAL * first.share
    )
