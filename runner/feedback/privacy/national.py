"""Finds numbers by which a state or its insurers know a person: our own patterns, and those that Presidio brings.

Called by `engine`, on folded text. Presidio's recognisers of many countries know form and checksum, but most of the
numbers look like any other: they are asked only where a word in the text names such a number, and believed only
beside it. Forms that nothing else has (letters and figures with a checksum) need no word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from runner.feedback.privacy import presidio
from runner.feedback.privacy.found import DIGIT, Context, Finder, Found
from runner.spec.privacy import Entity

if TYPE_CHECKING:
    from presidio_analyzer import PatternRecognizer

_WORDS = {
    "ssn": r"\bssns?\b|social.?security",
    "itin": r"\bitins?\b|taxpayer",
    "passport": r"passports?|여권",
    "licence": r"\blicen[cs]es?\b|\bdl\b|permit|면허|führerschein|patente|permis",
    "insurance": r"insurance|\bninos?\b|\bni\b|versicherung",
    "health": r"\bnhs\b|health|medicare|patient|\bmbi\b",
    "tax": r"\btax\b|\btfn\b|\btin\b|steuer|codice fiscale|partita iva|\bvat\b",
    "identity": r"\bids?\b|identity|identification|national (?:number|id)|resident|personal number|personnummer"
    r"|\bpesel\b|\bn(?:if|ie|in)\b|\bdni\b|aadhaar|\buid\b|\bpan\b|\bsin\b|henkilötunnus|\bnric\b|\bfin\b|kimlik|\btckn\b|voter"
    r"|주민|외국인|등록|신분",
    "business": r"\babn\b|\bacn\b|business|사업자",
}
"""What a number is called, by kind."""
_NAMED = {kind: Context(re.compile(words, re.IGNORECASE), left=48) for kind, words in _WORDS.items()}
_ANY = re.compile("|".join(_WORDS.values()), re.IGNORECASE)

_OWN = (
    # Korea: residents and foreigners, drivers, companies
    ("identity", r"[0-9]{6} ?- ?[1-8](?:[0-9]{6}|[*xX]{6})|[0-9]{6}[1-8][0-9]{6}"),
    ("licence", r"(?:[0-9]{2}[ -]|[가-힣]{2} ?)[0-9]{2}[ -][0-9]{6}[ -][0-9]{2}"),
    ("business", r"[0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{5}|[0-9]{6}-[0-9]{7}"),
    # United States
    ("ssn", r"[0-9]{3}[- ./]?[0-9]{2}[- ./]?[0-9]{4}"),
    ("itin", r"9[0-9]{2}[- ]?[5-9][0-9][- ]?[0-9]{4}"),
    # United Kingdom
    ("insurance", r"[A-Z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]"),
    ("health", r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}"),
    # India: Presidio's own pattern takes time quadratic in the text
    ("identity", r"[A-Z]{5}[0-9]{4}[A-Z]"),
    # anywhere: what is called a passport or a licence, with enough figures
    ("passport", r"(?=(?:[A-Z]*[0-9]){6})[A-Z]{0,3}[0-9]{5,9}[A-Z0-9]{0,3}"),
    ("licence", r"(?=(?:[A-Z]*[0-9-]){4})[A-Z0-9]{1,5}(?:[- ]?[A-Z0-9]{2,14}){1,3}"),
)
_OWN_PATTERNS = tuple(
    (kind, re.compile(rf"(?<![A-Za-z0-9_-])(?:{pattern})(?![A-Za-z0-9_-])", re.IGNORECASE))
    for kind, pattern in _OWN
)
_FIGURES = re.compile(r"(?!(?:19|20)[0-9]{2}\Z)(?:[^0-9]*[0-9]){4}")
"""No such number has fewer figures, and none is a year."""

_PRESIDIO = {
    "ssn": "UsSsn",
    "itin": "UsItin",
    "passport": "DePassport InPassport ItPassport KrPassport UkPassport UsPassport",
    "licence": "ItDriverLicense KrDriverLicense UsLicense",
    "insurance": "DeHealthInsurance DeSocialSecurity",
    "health": "AuMedicare Nhs UsMbi",
    "tax": "AuTfn DeTaxId ItVatCode",
    "identity": "CaSin DeIdCard InAadhaar InVoter ItIdentityCard KrFrn KrRrn NgNin PlPesel SePersonnummer ThTnin"
    " TrNationalId ZaIdNumber",
    "business": "AuAbn AuAcn",
}
"""Presidio's recognisers, by the words that must stand beside what they find; the shipped names end in `Recognizer`."""
_PROVING = ("EsNif", "EsNie", "FiPersonalIdentityCode", "ItFiscalCode", "SgFin", "UkNino")
"""Presidio's recognisers of forms that are their own."""
_PROVABLE = re.compile(
    "(?<![\\w])(?:"
    + "|".join(
        (
            "[0-9]{6}[-+A-FYXWVU][0-9]{3}[0-9A-Y]",
            "[A-Z]{6}[0-9]{2}[A-Z][0-9]{2}[A-Z][0-9]{3}[A-Z]",
            "[STFGM][0-9]{7}[A-Z]",
            "[0-9XYZ]-?[0-9]{7}-?[A-Z]",
            "[A-CEGHJ-PR-TW-Z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]",
        )
    )
    + ")(?![\\w])"
)
"""What those forms look like: one search instead of one for each of them."""


def _numbers(text: str) -> Iterator[Found]:
    if _PROVABLE.search(text):
        yield from _proven(text)
    if _ANY.search(text):
        for kind, context in _NAMED.items():
            if context.words.search(text):
                yield from _named(kind, text)


def _proven(text: str) -> Iterator[Found]:
    for recogniser in _shipped(_PROVING):
        for result in recogniser.analyze(text, recogniser.supported_entities):
            if result.score == recogniser.MAX_SCORE:
                yield Found(result.start, result.end, Entity.NATIONAL_NUMBER, 0.9)


def _named(kind: str, text: str) -> Iterator[Found]:
    spans = [match.span() for of, pattern in _OWN_PATTERNS if of == kind for match in pattern.finditer(text)]
    for recogniser in _shipped(tuple(_PRESIDIO[kind].split())):
        spans += [
            (result.start, result.end) for result in recogniser.analyze(text, recogniser.supported_entities)
        ]
    for start, end in set(spans):
        if _FIGURES.match(text, start, end) and _NAMED[kind].near(text, (start, end)):
            yield Found(start, end, Entity.NATIONAL_NUMBER, 0.85)


@lru_cache(maxsize=len(_PRESIDIO) + 1)
def _shipped(names: tuple[str, ...]) -> tuple[PatternRecognizer, ...]:
    return tuple(presidio.shipped(f"{name}Recognizer") for name in names)


FINDERS = (Finder("national numbers", frozenset({Entity.NATIONAL_NUMBER}), DIGIT, _numbers),)
