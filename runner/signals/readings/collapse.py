"""Reward collapse: what training maximised goes up while people are less content, or answers grow long and alike.

The proof is the smaller of two e-values (both must hold); what it usually comes with is told beside it. Reports and
the page show it, the policy's own conditions decide. Computation only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from runner.signals.reading import Holds
from runner.signals.readings.estimates import Estimate
from runner.signals.readings.holds import Lookup as Lookup
from runner.signals.readings.holds import holds
from runner.spec.condition import parse


class Symptom(StrEnum):
    """What a collapsing reward looks like; the first is the thing itself."""

    GAMED = "the reward rises while people are less content"
    INFLATED = "answers grow longer without more content users"
    ALIKE = "answers grow alike"


_SIGNS = {
    Symptom.GAMED: parse("proxy_reward > baseline AND satisfaction < baseline"),
    Symptom.INFLATED: parse("answer_tokens > baseline * 1.2 AND NOT satisfaction > baseline"),
    Symptom.ALIKE: parse("answer_diversity < baseline * 0.9"),
}


@dataclass(frozen=True, slots=True)
class Sign:
    """One symptom of an arm, and whether it shows; candidate's and baseline's estimates in the order of its metrics."""

    symptom: Symptom
    shows: Holds
    figures: tuple[tuple[str, Estimate, Estimate], ...]


def signs(candidate: Lookup, baseline: Lookup) -> tuple[Sign, ...]:
    """Return every symptom with its figures."""
    found = []
    for symptom, condition in _SIGNS.items():
        metrics = dict.fromkeys(leaf.metric for leaf in condition.comparisons())
        figures = tuple((metric, candidate(metric), baseline(metric)) for metric in metrics)
        found.append(Sign(symptom, holds(condition.expression, candidate, baseline), figures))
    return tuple(found)
