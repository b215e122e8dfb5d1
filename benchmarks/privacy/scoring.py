"""Counts what a system masked of what the labels call personal data, token by token and span by span.

Called by the parts of `benchmarks.privacy`. A token is a stretch without white space, seen without the marks at its
ends; it is personal where a label holds one of its letters or digits, and masked where a system's span does. A span is
masked whole where none of its letters and digits is left.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Span = tuple[int, int, str]
"""Start, end and kind of personal data."""

STRUCTURED = ("email", "phone", "card", "iban", "ip", "url", "national_number")
NAMES = ("name",)
PLACES = ("place", "address")
_TOKEN = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text, its personal data, and what its labels name besides."""

    text: str
    spans: tuple[Span, ...]
    others: tuple[Span, ...] = ()


@dataclass
class Counts:
    """Tokens and spans of many texts."""

    tokens: Counter[str] = field(default_factory=Counter)
    """Of a kind: labelled."""
    masked: Counter[str] = field(default_factory=Counter)
    """Of a kind: labelled and masked as anything."""
    typed: Counter[str] = field(default_factory=Counter)
    """Of a kind: labelled and masked as that kind."""
    predicted: Counter[str] = field(default_factory=Counter)
    """Of a kind: masked as that kind."""
    spans: Counter[str] = field(default_factory=Counter)
    whole: Counter[str] = field(default_factory=Counter)
    """Of a kind: spans, and those that are masked whole."""
    either: Counter[str] = field(default_factory=Counter)
    """`all`, `personal`, `masked`, `both`; `labelled` and `both_labelled` with the labels that are no personal data."""

    def add(self, labelled: Labelled, found: Sequence[Span]) -> None:
        """Count one text."""
        gold, others, masked = (
            _kinds(labelled.text, each) for each in (labelled.spans, labelled.others, found)
        )
        for match in _TOKEN.finditer(labelled.text):
            inside = [at for at in range(*match.span()) if labelled.text[at].isalnum()]
            if inside:
                self._token(
                    *(next((kinds[at] for at in inside if kinds[at]), "") for kinds in (gold, others, masked))
                )
        for start, end, kind in labelled.spans:
            self.spans[kind] += 1
            self.whole[kind] += all(masked[at] for at in range(start, end) if labelled.text[at].isalnum())

    def _token(self, gold: str, other: str, masked: str) -> None:
        self.either["all"] += 1
        self.either["personal"] += bool(gold)
        self.either["masked"] += bool(masked)
        self.either["both"] += bool(gold and masked)
        self.either["labelled"] += bool(gold or other)
        self.either["both_labelled"] += bool((gold or other) and masked)
        if gold:
            self.tokens[gold] += 1
            self.masked[gold] += bool(masked)
            self.typed[gold] += _same(gold, masked)
        if masked:
            self.predicted[masked] += 1

    @property
    def recall(self) -> float:
        """Personal tokens that are masked, as anything."""
        return self.either["both"] / max(1, self.either["personal"])

    @property
    def precision(self) -> float:
        """Masked tokens that are personal."""
        return self.either["both"] / max(1, self.either["masked"])

    @property
    def f1(self) -> float:
        """The harmonic mean of the two."""
        return 2 * self.either["both"] / max(1, self.either["personal"] + self.either["masked"])

    @property
    def f1_labelled(self) -> float:
        """The same where every label counts as personal data, also titles, ages, organisations and nationalities."""
        return 2 * self.either["both_labelled"] / max(1, self.either["labelled"] + self.either["masked"])

    @property
    def damage(self) -> float:
        """Masked tokens of 1,000."""
        return 1000 * self.either["masked"] / max(1, self.either["all"])

    @property
    def needless(self) -> float:
        """Masked tokens that are nobody's data, of 1,000."""
        return 1000 * (self.either["masked"] - self.either["both"]) / max(1, self.either["all"])

    def whole_of(self, kinds: Iterable[str]) -> float:
        """Return the share of the spans of some kinds that are masked whole."""
        listed = tuple(kinds)
        return sum(self.whole[kind] for kind in listed) / max(1, sum(self.spans[kind] for kind in listed))

    def masked_of(self, kinds: Iterable[str]) -> float:
        """Return the share of the tokens of some kinds that are masked."""
        listed = tuple(kinds)
        return sum(self.masked[kind] for kind in listed) / max(1, sum(self.tokens[kind] for kind in listed))

    def precision_of(self, kind: str) -> float | None:
        """Return the share of the tokens masked as a kind that are labelled so; places and addresses are one."""
        group = PLACES if kind in PLACES else (kind,)
        predicted = sum(self.predicted[each] for each in group)
        return sum(self.typed[each] for each in group) / predicted if predicted else None


def _same(gold: str, masked: str) -> bool:
    return gold == masked or (gold in PLACES and masked in PLACES)


def _kinds(text: str, spans: Iterable[Span]) -> list[str]:
    """Return the kind that each letter of a text is labelled with."""
    found = [""] * len(text)
    for start, end, kind in spans:
        found[start:end] = [kind] * (end - start)
    return found
