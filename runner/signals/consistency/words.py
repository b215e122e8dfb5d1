"""What of a sentence can be borne out by another text: its numbers, its names and its other words of content.

`support` and `agreement` read texts through here alone, so that they agree on what a word is. English and Korean;
other languages are read as words without names. Anybody may write the texts, so that only a beginning of stated length
is read, in work that grows with that length. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Sort(StrEnum):
    """What a word is good for: a number or a name is wrong or right, a function word is neither."""

    NUMBER = "number"
    NAME = "name"
    CONTENT = "content"
    FUNCTION = "function"


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a sentence: its key is equal for all forms that count as the same word."""

    key: str
    sort: Sort


_TOKEN = re.compile(
    r"(?P<number>\d+(?:[.,:]\d+)*)(?:st|nd|rd|th|s)?(?![a-z])"
    r"|(?P<word>[^\W\d_]+\d+(?!\d)|[^\W_]+(?:'[^\W\d_]+)?)",
    re.IGNORECASE,
)
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_HALF_DAY = re.compile(r"(?<=\d)\s?([ap])\.?m\b\.?", re.IGNORECASE)
_MIXED = re.compile(r"(?<=[0-9])(?=[\uac00-\ud7a3])|(?<=[\uac00-\ud7a3])(?=[0-9])")
_ENDS = re.compile(
    r"(?<=[.!?。])[\"')\]”’]*\s+(?=[\"'(\[“‘]?[A-Z0-9\uac00-\ud7a3])"
    r"|\n+"
)
_ABBREVIATED = re.compile(r"(?:^|[\s(])(?:[A-Z]|[Mm]rs?|[Dd]r|[Ss]t|[Jj]r|[Ss]r|[Pp]rof|[Nn]o|[Vv]s)\.$")
_ENGLISH = """
a an the this that these those there here i me my we us our you your he him his she her hers it its they them
their who whom whose which what when where while why how and or but nor so yet if then than as at by for from in
into of off on onto out over per to up with within without about after again against all along also although
among another any are be became because become been before being below between both can could did do does done
down during each either else even ever every few first had has have having is just last later latter less many
may might more most much must never new next no not now once one only other others own same shall should since
some still such through throughout too two under until upon very was well were will would
"""
_KOREAN = "그 이 저 것 수 등 및 또 또는 그리고 그러나 하지만 네 예 아니요 있습니다 없습니다 합니다 입니다"
_FUNCTION = frozenset(_ENGLISH.split()) | frozenset(_KOREAN.split())
_SUFFIXES = ("'s", "ing", "edly", "ies", "ed", "es", "ly", "s", "e")
_PARTICLES = (
    "이었습니다", "였습니다", "했습니다", "됐습니다", "되었습니다", "입니다", "합니다", "됩니다", "습니다", "이에요",
    "예요", "에서는", "으로는", "에서", "으로", "까지", "부터", "에게", "한테", "이나", "이라", "이다", "하다", "했다",
    "였다", "에는", "은", "는", "이", "가", "을", "를", "의", "에", "로", "와", "과", "도", "만", "고", "요",
)  # fmt: skip
_STEM = 4
LONGEST = 8_000
"""Characters of a text, and of one sentence, that are read."""
MOST = 200
"""Sentences of a text that are read: each is compared with every sentence of the samples."""
REMEMBERED = 500
"""Characters of the longest sentence that is remembered among many; of longer ones only the last few are."""


def sentences(text: str) -> tuple[str, ...]:
    """Return the first sentences of a text, in order, `MOST` of them; an initial or a title such as `Dr.` ends none."""
    found: list[list[str]] = []
    for piece in _ENDS.split(text[:LONGEST].strip()):
        part = piece.strip()
        if not part:
            continue
        if found and _ABBREVIATED.search(found[-1][-1]):
            found[-1].append(part)
        elif len(found) < MOST:
            found.append([part])
        else:
            break
    return tuple(map(" ".join, found))


def words(sentence: str) -> tuple[Word, ...]:
    """Return the words of one sentence, in order; a capital makes a name unless the sentence begins with it."""
    return _remembered(sentence) if len(sentence) <= REMEMBERED else _remembered_long(sentence[:LONGEST])


def _read(sentence: str) -> tuple[Word, ...]:
    return tuple(_words(sentence))


_remembered = lru_cache(maxsize=1024)(_read)  # the sentences of samples are looked at from several sides
_remembered_long = lru_cache(maxsize=16)(_read)


def _words(sentence: str) -> Iterable[Word]:
    spelled = unicodedata.normalize("NFKC", sentence)[:LONGEST].replace("’", "'")
    text = _HALF_DAY.sub(r" \1m", _MIXED.sub(" ", spelled))
    for place, match in enumerate(_TOKEN.finditer(text)):
        if match["number"]:
            yield Word(_number(match["number"]), Sort.NUMBER)
            continue
        word = match["word"]
        folded = word.casefold()
        if _is_function(folded):
            yield Word(folded, Sort.FUNCTION)
        elif any(map(str.isdigit, word)):
            yield Word(folded, Sort.NUMBER)
        else:
            yield Word(_stem(folded), Sort.NAME if place and word[0].isupper() else Sort.CONTENT)


def _number(digits: str) -> str:
    """Write a number in one way: `1,200` as `1200`, `12.50` as `12.5`; a clock time stays."""
    plain = re.sub(r",(?=\d{3}(?!\d))", "", digits)
    if "." in plain and plain.count(".") == 1 and ":" not in plain and "," not in plain:
        plain = plain.rstrip("0").rstrip(".")
    return plain.lstrip("0") or "0"


def _is_function(folded: str) -> bool:
    return folded in _FUNCTION or (len(folded) == 1 and not folded.isdigit())


def _stem(folded: str) -> str:
    """Take off the commonest endings, so that `served` meets `serving`, and a Korean noun its other particle."""
    if _HANGUL.search(folded):
        ending = next((e for e in _PARTICLES if folded.endswith(e) and len(folded) - len(e) >= 2), "")
        return folded.removesuffix(ending)
    ending = next((e for e in _SUFFIXES if folded.endswith(e) and len(folded) - len(e) >= _STEM), "")
    return folded.removesuffix(ending)
