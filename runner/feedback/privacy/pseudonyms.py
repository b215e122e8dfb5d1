"""One pseudonym for one value in a conversation, however it is spelled there: `Kim Minsu`, `Minsu Kim` and `Mr. Kim`.

Called by `scrubbing` with everything that was found in all texts of a conversation. Placeholders that are there
already, the gateway's, are kept, and numbers go on behind them. Pure; no I/O.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from runner.feedback.privacy.found import Found
from runner.spec.privacy import Entity

PLACEHOLDER = re.compile(r"<([A-Z_]{2,16})_([0-9]{1,9})>")
_LOGGED = {
    "RESIDENT_NUMBER": Entity.NATIONAL_NUMBER,
    "BUSINESS_NUMBER": Entity.NATIONAL_NUMBER,
    "SSN": Entity.NATIONAL_NUMBER,
}
"""What the gateway calls otherwise than the policy."""
_KINDS = {entity.value: entity for entity in Entity}

_TITLE = re.compile(
    r"\b(?:mrs?|ms|miss|mx|dr|prof(?:essor)?|sir|madam|lady|lord|herr|frau|mme|monsieur)\b\.?|'s\b|’s\b",
    re.IGNORECASE,
)
_HONORIFIC = re.compile(r"(?<=[가-힣]{2})\s?(?:님|씨|군|양)$")
_HANGUL_NAME = re.compile("[가-힣]{3}")
_WORDS = re.compile(r"[^\W\d_]+", re.UNICODE)
_MOST_NAMES = 200
"""Names of one conversation that are compared with one another; more come from a list, not from people speaking."""
_NUMBERED = frozenset({Entity.CARD, Entity.IBAN, Entity.NATIONAL_NUMBER})


def placeholders(text: str) -> Iterator[Found]:
    """Yield the placeholders of a text: the gateway's, and the pseudonyms of an earlier scrubbing."""
    if "<" not in text:
        return
    for match in PLACEHOLDER.finditer(text):
        if entity := _LOGGED.get(match[1]) or _KINDS.get(match[1].lower()):
            yield Found(*match.span(), entity, 1.0)


def logged(entity: Entity) -> tuple[str, ...]:
    """Return what the gateway calls an entity in its placeholders and counts; some of these it never masks."""
    return tuple(kind for kind, of in _LOGGED.items() if of is entity) or (entity.value.upper(),)


def highest(texts: Iterable[str]) -> Counter[str]:
    """Return the highest number that each kind of placeholder has in some texts."""
    numbers: Counter[str] = Counter()
    for text in texts:
        for match in PLACEHOLDER.finditer(text) if "<" in text else ():
            numbers[match[1]] = max(numbers[match[1]], int(match[2]))
    return numbers


def chosen(values: Sequence[tuple[Entity, str]], used: Mapping[str, int]) -> dict[tuple[Entity, str], str]:
    """Return what stands in the place of each value; `values` in the order in which they appear.

    `used`: the highest number of each kind that is there already.
    """
    names = _identities([value for entity, value in values if entity is Entity.NAME])
    numbers = Counter(used)
    given: dict[tuple[Entity, object], str] = {}
    placeholders: dict[tuple[Entity, str], str] = {}
    for entity, value in dict.fromkeys(values):
        key = (entity, names[value] if entity is Entity.NAME else _key(entity, value))
        if key not in given:
            kind = entity.value.upper()
            numbers[kind] += 1
            given[key] = f"<{kind}_{numbers[kind]}>"
        placeholders[entity, value] = given[key]
    return placeholders


def _key(entity: Entity, value: str) -> str:
    """Return what all spellings of one value have in common."""
    if entity in _NUMBERED:
        return re.sub(r"[\W_]", "", value).upper()
    if entity is Entity.PHONE:
        digits = re.sub("[^0-9]", "", re.split(r"x|ext|내선", value.lower())[0])
        return digits[-8:]  # with the country's number and without
    if entity is Entity.EMAIL:
        return re.sub(r"\s", "", value).casefold()
    if entity is Entity.URL:
        return re.sub(r"^[a-z]+://(?:www\.)?|^www\.|/$", "", value.casefold())
    return " ".join(re.findall(r"\w+", value.casefold()))


def _identities(names: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return whom each name means: a part of a name is that person's if only one person in the conversation has it."""
    words = {name: _name_words(name) for name in names}
    full = _longest(set(words.values()))
    return {name: _of_one(each, full) for name, each in words.items()}


def _longest(names: set[frozenset[str]]) -> list[frozenset[str]]:
    """Return the names that are no part of another one."""
    if len(names) > _MOST_NAMES:
        return []
    return [name for name in names if not any(name != other and _within(name, other) for other in names)]


def _of_one(name: frozenset[str], full: Sequence[frozenset[str]]) -> frozenset[str]:
    owners = [other for other in full if _within(name, other)]
    return owners[0] if len(owners) == 1 else name


def _within(part: frozenset[str], whole: frozenset[str]) -> bool:
    """Return whether every word of a name is in another one, a single letter as a first letter there."""
    return bool(part) and all(
        word in whole
        or (len(word) == 1 and any(other.startswith(word) for other in whole))
        or any(_given(other) == word for other in whole)
        for word in part
    )


def _name_words(name: str) -> frozenset[str]:
    plain = _HONORIFIC.sub("", _TITLE.sub(" ", name).strip())
    return frozenset(word.casefold() for word in _WORDS.findall(plain)) or frozenset({name.casefold()})


def _given(word: str) -> str:
    """Return the given name of a Korean name of three syllables, nothing for other words."""
    return word[1:] if _HANGUL_NAME.fullmatch(word) else ""
