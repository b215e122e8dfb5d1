"""Finds postal addresses by their form: streets with numbers, flats, boxes and post codes, English and European.

Called by `engine` and `scrubbing`, on folded text. The tagger finds addresses too, by what stands around them; this
finds those whose form leaves no doubt, wherever they stand, and completes those that either has found. Every pattern
is bounded, so the time is linear in the text. Addresses in Korea are in `korea`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from runner.feedback.privacy.found import DIGIT, Finder, Found
from runner.spec.privacy import Entity

_UPPER = "A-Z\u00c0-\u00de\u0100-\u024f\u0386-\u03ab\u0410-\u042f"
_WORD = rf"[{_UPPER}][\w.'’-]{{0,24}}"
_PARTICLE = "(?:de|del|della|di|da|do|dos|la|le|les|du|des|d'|l')"
_NAME = rf"(?:(?:{_WORD}|{_PARTICLE}) ?){{1,5}}"
_HOUSE = r"[0-9]{1,6}[A-Za-z]?(?:[-/][0-9]{1,5})?"
_ALONE = r"(?<![\w.,$€£₩#-])"
_SUFFIX = (
    r"(?:Street|St|Avenue|Ave|Av|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Terrace|Ter|Way"
    r"|Parkway|Pkwy|Highway|Hwy|Crescent|Cres|Close|Grove|Row|Walk|Mews|Alley|Plaza|Trail|Circle|Cir|Quay|Parade"
    r"|Gardens|Hill|STREET|AVENUE|ROAD|LANE|DRIVE|RD|AVE|ST|BLVD)"
)
_LOWER_SUFFIX = r"(?:street|avenue|boulevard|blvd|ave|rd|lane|road|drive|parkway|terrace|crescent)"
_COUNTED = "(?:minutes|hours|days|books|miles|people|years|times)"
_DIRECTION = r"(?:(?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\.? )?"
_LEADING = (
    r"(?:Rue|Via|Viale|Vicolo|Piazza|Corso|Calle|Avenida|Av|Avda|Paseo|Plaza|Plaça|Carrer|Rua|Travessa|Alameda|Avenue"
    r"|Chemin|Boulevard|Allée|Impasse|Place|Quai|Route|Ulica|ulica|ul|Aleja|al|Strada|Calea|Camino|Carretera|Ctra|rue"
    r"|via|calle|avenida|rua|Straße der|Strasse der|Am|An der|Auf der|Im|Zum|Zur)\.?"
)
_JOINED = (
    r"(?:stra(?:ß|ss)e|str\.|gasse|weg|allee|platz|damm|ufer|straat|laan|gracht|plein|kade|steenweg|dreef|dijk"
    r"|singel|gatan|gata|vägen|gränd|veien|vegen|gade|vej|katu|kuja|polku|vænget|bakken|haugen|stræde|braut|götu|stígur)"
)
_STREET = "|".join(
    (
        rf"{_ALONE}{_HOUSE},? (?:[0-9]{{1,6}} )?{_DIRECTION}(?:(?:{_WORD}|[0-9]{{1,3}}(?:st|nd|rd|th)|of|the) ){{1,5}}"
        rf"{_SUFFIX}\b\.?(?: (?:N|S|E|W|NE|NW|SE|SW)\b)?",
        rf"{_ALONE}[0-9]{{1,6}} (?:[0-9]{{1,6}} )?(?!{_COUNTED})[a-z]{{3,20}} (?:[a-z]{{3,20}} )?{_LOWER_SUFFIX}\b",
        rf"(?<!\w)(?:{_HOUSE},? )?{_LEADING} {_NAME},? (?:n[°ºo]\.? ?)?[0-9]{{1,5}}[a-zA-Z]?(?!\w)",
        rf"{_ALONE}[0-9]{{1,5}}(?: ?(?:bis|ter))?,? {_LEADING} {_NAME}",
        rf"(?<!\w)(?:{_HOUSE} )?(?:{_WORD} ){{0,2}}[\w-]{{2,24}}{_JOINED} ?[0-9]{{1,5}} ?[a-zA-Z]?(?!\w)",
        rf"(?<!\w)the corner of {_WORD}[^.,;!?\n]{{1,60}} and (?:{_WORD} ){{0,4}}(?:{_SUFFIX}|street|road|avenue)\b",
    )
)
_MILITARY = r"(?:apo|fpo|dpo),? a[aep](?:[ ,]{1,2}[0-9]{5}(?:-[0-9]{4})?)?"
_BOX = "|".join(
    (
        r"(?<!\w)(?:p\. ?o\. ?|po |post office )box:? ?#?[0-9]{1,8}",
        r"(?<!\w)(?:postfach|apartado|casella postale|boîte postale|bp|postbus) [0-9]{2,8}",
        rf"(?<!\w)(?:psc|cmr|unit) [0-9]{{1,5}},? box [0-9]{{1,5}}(?:[\s,]{{1,3}}{_MILITARY})?",
        rf"(?<!\w)(?:usns|uss|uscgc|usnv) [\w' -]{{2,30}}?[\s,]{{1,3}}{_MILITARY}",
        rf"(?<!\w){_MILITARY}(?<=[0-9])",
    )
)
_FLAT = (
    r"(?<!\w)(?:apt|apartment|suite|ste|flat|appartement|wohnung)\b\.?(?: ?#| no\.?)? ?(?:[0-9]{1,5}[A-Za-z]?|[A-Z])\b"
    r"|(?<!\w)unit #?[0-9]{3,5}[A-Za-z]?\b"
)
_STATE = (
    "(?:A[LKZR]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT"
    "|V[AIT]|W[AIVY])"
)
_BRITISH = r"(?:[A-PR-UWYZ](?:[0-9]{1,2}|[A-HK-Y][0-9]{1,2}|[0-9][A-HJKPSTUW]|[A-HK-Y][0-9][ABEHMNPRV-Y]))"
_CODE = "|".join(
    (
        rf"(?<!\w){_STATE}(?:,? |\. )[0-9]{{5}}(?:-[0-9]{{4}})?(?![\w-])",
        rf"(?<!\w)(?:GIR ?0AA|{_BRITISH} [0-9][ABD-HJLNP-UW-Z]{{2}})(?!\w)",
        r"(?<!\w)[ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z] ?[0-9][ABCEGHJ-NPRSTV-Z][0-9](?!\w)",
        r"(?<![\w.,-])[0-9]{5}-[0-9]{4}(?![\w-])",
    )
)
_PATTERNS = (
    re.compile(_STREET),
    re.compile(_BOX, re.IGNORECASE),
    re.compile(_FLAT, re.IGNORECASE),
    re.compile(_CODE),
)
_ZIP = re.compile(r"(?<![\w.,-])(?:[0-9]{3,6}(?:[ -][0-9]{2,4})?|[0-9]{4} ?[A-Z]{2})(?![A-Za-z0-9_-])")
_ZIP_WORD = re.compile(
    r"(?:(?:\bzip(?: ?code)?|post ?codes?|postal codes?|\bplz|\bcap|code postal)(?: is| was|\b)|우편 ?번호[는은가]?)"
    r"[^\w\n]{0,12}$",
    re.IGNORECASE,
)
_NUMBER_BEFORE = re.compile(r"(?<![\w.,$€£₩#-])[0-9]{1,6}[ ,]{1,2}$")
_TOWN_AND_CODE = re.compile(
    rf"(?:[\s,>.?|]{{1,6}}(?:{_WORD}|[{_UPPER}]{{2,3}}|of|and|{_PARTICLE}|the|am|an der)(?=[\s,])){{0,8}}"
    r"[\s,>?|]{1,6}(?P<code>[0-9]{4,6}(?:-[0-9]{3,4})?)(?![\w-]|[.,][0-9])"
)


def _addresses(text: str) -> Iterator[Found]:
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            yield Found(match.start(), match.start() + len(match[0].rstrip()), Entity.ADDRESS, 0.7)
    for match in _ZIP.finditer(text):
        if _ZIP_WORD.search(text, max(0, match.start() - 32), match.start()):
            yield Found(*match.span(), Entity.ADDRESS, 0.8)


def completed(text: str, found: Iterable[Found]) -> Iterator[Found]:
    """Yield what belongs to addresses that were found: a number in front, and the post code behind the town."""
    for each in found:
        if each.entity is not Entity.ADDRESS:
            continue
        if before := _NUMBER_BEFORE.search(text, max(0, each.start - 10), each.start):
            yield Found(before.start(), each.end, Entity.ADDRESS, each.score)
        if behind := _TOWN_AND_CODE.match(text, each.end):
            yield Found(*behind.span("code"), Entity.ADDRESS, each.score)


FINDERS = (Finder("addresses", frozenset({Entity.ADDRESS}), DIGIT, _addresses),)
