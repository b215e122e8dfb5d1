"""The ways to find personal data that are compared: Presidio as it comes, the gateway's expressions, ours.

Called by the parts of `benchmarks.privacy`. Each takes a text and its language and returns spans.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from benchmarks.privacy.scoring import Span
from runner.events.masking import Masking
from runner.feedback.privacy import Scrubber
from runner.spec.privacy import PrivacyPolicy

Finds = Callable[[str, str], list[Span]]

_PRESIDIO = {
    "PHONE_NUMBER": "phone",
    "CREDIT_CARD": "card",
    "EMAIL_ADDRESS": "email",
    "URL": "url",
    "IBAN_CODE": "iban",
    "IP_ADDRESS": "ip",
    "DATE_TIME": "date",
    "PERSON": "name",
    "LOCATION": "place",
}
"""Presidio's kind to ours; every other kind of its is a number of some country."""
_PLACEHOLDER = re.compile(r"<([A-Z_]+)_[0-9]+>")


def presidio(threshold: float) -> Finds:
    """Return Presidio with the recognisers that it loads by default and a spaCy tokeniser without a model."""
    analyzer = _presidio()

    def finds(text: str, language: str) -> list[Span]:  # noqa: ARG001 - its default recognisers are English ones
        found = sorted(analyzer.analyze(text, "en", score_threshold=threshold), key=lambda each: each.score)
        return [(each.start, each.end, _PRESIDIO.get(each.entity_type, "national_number")) for each in found]

    return finds


@lru_cache(maxsize=1)
def _presidio() -> Any:
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    tldextract.extract = tldextract.TLDExtract(
        suffix_list_urls=()
    )  # it would ask the network for a newer list

    class Blank(SpacyNlpEngine):
        """Tokens and nothing else."""

        def __init__(self) -> None:
            super().__init__()
            self.nlp = {"en": spacy.blank("en")}

    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    return AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en"])


def gateway(text: str, language: str) -> list[Span]:  # noqa: ARG001 - the gateway looks for everything in every text
    """Return what the gateway masks, read off the masked text."""
    masked = Masking().text(text)
    kinds = _PLACEHOLDER.findall(masked)
    first, *others = re.split(r"<[A-Z_]+_[0-9]+>", masked)
    done = len(first)
    found: list[Span] = []
    for number, (kind, kept) in enumerate(zip(kinds, others, strict=True)):
        last = number == len(kinds) - 1
        start = len(text) - len(kept) if last else text.index(kept, done + 1)
        found.append((done, start, kind.lower()))
        done = start + len(kept)
    return found


def ours(public: Callable[[str], bool] | None = None) -> Finds:
    """Return the deep masking of data sets with the default policy; `public` says which values nobody owns."""
    scrubber = Scrubber(PrivacyPolicy(), *([public] if public else []))

    def finds(text: str, language: str) -> list[Span]:
        return [(each.start, each.end, each.entity.value) for each in scrubber.find(text, language)]

    return finds


def twice(finds: Finds) -> Finds:
    """Return what is masked where the gateway masks first and a system what is left, as it is with the log's text."""

    def found(text: str, language: str) -> list[Span]:
        first = gateway(text, language)
        masked = Masking().text(text)
        origin: list[int] = []
        done = 0
        for (start, end, _), placeholder in zip(first, _PLACEHOLDER.finditer(masked), strict=True):
            origin += range(done, start)
            origin += [start] * len(placeholder[0])
            done = end
        origin += range(done, len(text))
        again = [(origin[start], origin[end - 1] + 1, kind) for start, end, kind in finds(masked, language)]
        return first + again

    return found


def tagger(text: str, language: str) -> list[Span]:
    """Return what the tagger alone finds of names, places and addresses."""
    from runner.feedback.privacy.tagger import spans

    return [
        (each.start, each.end, each.entity) for each in spans(text, language) if each.entity != "organisation"
    ]
