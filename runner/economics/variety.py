"""Do the pairs cover all kinds of task, are there enough of them, and are they about what users ask?

Categories are counted against `policies/collection.yaml`, near-duplicate questions are told by `feedback`'s likeness,
and the pairs are compared with what was asked of the gateway. Pure; `diagnose` calls it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runner.economics.checks import Check, Limit, Rule, Unit, fact, held
from runner.feedback.preferences.likeness import fold, leaders
from runner.feedback.preferences.pairs import talk
from runner.signals.drift.divergence import SLIGHT_ABOVE, SURE, divergence
from runner.signals.readings.estimates import Estimate
from runner.spec.collection import CollectionPolicy

EVEN_ENOUGH: Final = 0.5
"""Of the effective number of categories that the policy's shares have."""
MOST_ALIKE: Final = 0.2
"""Share of pairs whose question is nearly the same as another's, from which on many of them say the same."""
PART: Final = 0.5
"""A category is covered from so much of its declared share on, as the snapshot counts it."""

_BRING: Final = "`dvc pull`, or `loop data snapshot`, brings the pairs here"
_COLLECT: Final = "collect pairs: `loop data progress` names the thin categories, then `loop data curate`"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows of a data set of preferences: of each its category, language and question."""

    categories: Mapping[str, int]
    languages: Mapping[str, int]
    questions: tuple[str, ...]

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Pairs:
        """Read rows as a snapshot writes them."""
        return cls(
            Counter(str(row.get("category", "")) for row in rows),
            Counter(str(row.get("language", "")) for row in rows),
            tuple(talk(row.get("prompt") or ()) for row in rows),
        )

    def groups(self, likeness: float) -> int:
        """Return how many questions are left where nearly the same ones count once."""
        same = leaders(self.questions, likeness)
        return len({same[fold(question)] for question in self.questions})


def diversity(pairs: Pairs | None, policy: CollectionPolicy) -> Iterator[Check]:
    """Yield whether all kinds of task are covered, and evenly; whether questions repeat."""
    declared = {name: category.share for name, category in policy.categories.items()}
    counts = pairs.categories if pairs else {}
    total = sum(counts.values())
    covered = [name for name, part in declared.items() if counts.get(name, 0) >= PART * part * total]
    thin = ", ".join(sorted(declared.keys() - covered))
    yield held(
        Rule(
            "coverage",
            "categories with at least half of their declared part",
            Unit.SHARE,
            Limit.AT_LEAST,
            policy.sets.category_coverage,
            f"ask more of: {thin}",
            _BRING,
        ),
        fact(len(covered) / len(declared), total) if total else None,
    )
    yield held(
        Rule(
            "even_categories",
            "effective number of categories (exponential of the entropy), over the declared shares' own",
            Unit.SHARE,
            Limit.AT_LEAST,
            EVEN_ENOUGH,
            f"most pairs are of few kinds; ask more of: {thin or 'the smaller ones'}",
            _BRING,
        ),
        fact(effective(counts) / effective(declared), total) if total else None,
    )
    yield held(
        Rule(
            "near_duplicates",
            "pairs whose question is nearly the same as another pair's",
            Unit.SHARE,
            Limit.AT_MOST,
            MOST_ALIKE,
            "ask other questions; `loop data augment` rewords some",
            _BRING,
        ),
        fact(1.0 - pairs.groups(policy.sets.near_duplicate) / total, total) if pairs and total else None,
    )


def volume(pairs: Pairs | None, policy: CollectionPolicy, least: int) -> Iterator[Check]:
    """Yield whether there are enough pairs, and enough that differ; `least` is what a round of the phase wants."""
    total = len(pairs.questions) if pairs else 0
    for name, meaning, value in (
        ("pairs", "pairs in the data set", total),
        (
            "different_pairs",
            "pairs where nearly the same questions count once",
            pairs.groups(policy.sets.near_duplicate) if pairs else 0,
        ),
    ):
        yield held(
            Rule(name, meaning, Unit.COUNT, Limit.AT_LEAST, float(least), _COLLECT, _BRING),
            fact(float(value), total) if pairs else None,
        )


def distribution(pairs: Pairs | None, asked: Mapping[str, Mapping[str, int]] | None) -> Iterator[Check]:
    """Yield how far what is asked is from what was trained; `asked` counts it by `category` and by `language`."""
    of_pairs = {"category": pairs.categories, "language": pairs.languages} if pairs else {}
    for name in ("category", "language"):
        yield held(
            Rule(
                f"{name}_mismatch",
                f"divergence of what users ask from what was trained, by {name}, without chance's part",
                Unit.NATS,
                Limit.AT_MOST,
                SLIGHT_ABOVE,
                "take questions from production: `loop data collect`, and ask in the arena what users ask",
                "serve users with the event log on, or look at the environment that has them (-e)",
            ),
            _divergence((asked or {}).get(name, {}), of_pairs.get(name, {})),
        )


def effective(weights: Mapping[str, float]) -> float:
    """Return the effective number of kinds: the exponential of Shannon's entropy of their shares (Hill, 1973)."""
    total = math.fsum(weights.values())
    shares = [each / total for each in weights.values() if each > 0]
    return math.exp(-math.fsum(each * math.log(each) for each in shares))


def _divergence(asked: Mapping[str, int], trained: Mapping[str, int]) -> Estimate | None:
    names = sorted(asked.keys() | trained.keys())
    if not sum(asked.values()) or not sum(trained.values()):
        return None
    found = divergence([asked.get(name, 0) for name in names], [trained.get(name, 0) for name in names])
    if found.value is None or found.sd is None:
        return None
    return Estimate(
        max(0.0, found.value), max(0.0, found.value - SURE * found.sd), found.value + SURE * found.sd, found.n
    )
