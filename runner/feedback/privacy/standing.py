"""The placeholders that stand in a text already: what the search sees in their stead, and that it leaves them alone.

Nearly every text of the log has been masked by the gateway. A placeholder is nobody's data and is found by nothing,
but it speaks: `mail <NAME_1> at <EMAIL_1>` must read to the tagger as a sentence about somebody with an address, or it
takes the signs for a name or a street. Called by `scrubbing`. Every place stays where it was. Pure; no I/O.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from runner.feedback.privacy.found import Found
from runner.feedback.privacy.pseudonyms import PLACEHOLDER
from runner.feedback.privacy.resolution import plausible
from runner.spec.privacy import Entity

Place = tuple[int, int]
"""Where a placeholder begins and is over."""

_STANDING = re.compile(f"{PLACEHOLDER.pattern}|<(?:{'|'.join(Entity)})>")
"""Pseudonyms and tags."""
_EXTENSION = re.compile(
    r"(<PHONE_[0-9]{1,9}>) ?(?:x|ext\.?|extension|내선) ?[0-9]{1,6}(?![0-9a-zA-Z])", re.IGNORECASE
)
_BLOT = "\0"
_NUMBER, _WORD = "5", "it"
_WORDS = frozenset({"NAME", "PLACE", "ADDRESS"})
"""What the tagger finds; every other kind is written in figures, or as good as."""
_HANGING = re.compile(r"[\w-]+")
_DIVISIBLE = frozenset({Entity.NAME, Entity.PLACE, Entity.ADDRESS, Entity.URL})
"""A part of one is still one; half of a number is none."""


def placed(text: str) -> list[Place]:
    """Return where placeholders stand, from left to right."""
    return [match.span() for match in _STANDING.finditer(text)] if "<" in text else []


def blotted(text: str) -> str:
    """Return a text for recognisers of forms: no placeholder has a form."""
    return _STANDING.sub(lambda match: _BLOT * len(match[0]), text) if "<" in text else text


def told(text: str) -> str:
    """Return a text for the tagger: a number for what is one, a pronoun for people and places.

    Of the stand-ins that were tried (signs, values of the kind, the kind's name, nothing) these change least of what
    the tagger says of the rest: `make bench-privacy` measures it as `..._twice`.
    """
    return _STANDING.sub(_stand_in, text) if "<" in text else text


def _stand_in(match: re.Match[str]) -> str:
    size = len(match[0])
    kind = match[1] or match[0][1:-1].upper()
    return _WORD.ljust(size) if kind in _WORDS else _NUMBER * size


def around(text: str, found: Iterable[Found], places: Sequence[Place]) -> Iterator[Found]:
    """Yield what was found without the placeholders in it: the parts between them that still say something."""
    for each in found:
        first = bisect_right(places, each.start, key=lambda place: place[1])
        last = bisect_left(places, each.end, lo=first, key=lambda place: place[0])
        if first == last:
            yield each
        elif each.entity in _DIVISIBLE:
            yield from _parts(text, each, places[first:last])


def _parts(text: str, found: Found, inside: Sequence[Place]) -> Iterator[Found]:
    start = found.start
    for hole, behind in (*inside, (found.end, found.end)):
        if start < hole and (part := plausible(text, Found(start, hole, found.entity, found.score))):
            yield part
        start = behind
        # what hangs on a placeholder, a particle or `-Fax`, is nobody's data; a web address goes on behind it
        if found.entity is not Entity.URL and (hanging := _HANGING.match(text, behind)):
            start = hanging.end()


def extensions(text: str) -> Iterator[Found]:
    """Yield the extensions that the gateway leaves behind a telephone number: `<PHONE_1>x4587`."""
    for match in _EXTENSION.finditer(text) if "<PHONE_" in text else ():
        yield Found(match.end(1), match.end(), Entity.PHONE, 0.9)


def without_extensions(text: str) -> str:
    """Return a text in which a telephone's placeholder stands for its extension, too, as it does elsewhere."""
    return _EXTENSION.sub(r"\1", text) if "<PHONE_" in text else text
