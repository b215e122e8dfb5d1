"""Which words say little of what is asked, and which say what kind of answer is wanted; English and Korean.

General knowledge of the two languages, in one place, for `pieces`, `repairs` and `frames`. Nothing here was fitted
to labels. Pure.
"""

from __future__ import annotations

import re

_FUNCTION = (
    "a an the of in on at to for by with from and or is are was were be been being am do does did has have had it its"
    " that this these those there s t as into about which what tell me please can could would will you i we us my our"
    " your just so then kindly want know like if any some"
)
FUNCTION = frozenset(_FUNCTION.split())
"""English words that a question keeps or drops without asking anything else."""

ASKING = {
    "who": 0.8,
    "whom": 0.8,
    "when": 0.8,
    "where": 0.8,
    "why": 0.8,
    "how": 0.6,
    "many": 0.6,
    "much": 0.6,
}
"""English question words: shared by many questions, but a question with another one asks something else."""

_NEGATIONS = (
    "not never without cannot isn aren wasn weren don doesn didn hasn haven hadn wouldn couldn shouldn"
)
NEGATION = dict.fromkeys(_NEGATIONS.split(), "not")
"""They turn a question around, whichever is used; the first halves of "isn't" and its like stand for it."""

COMMONEST = frozenset("이다는에하고가을지의로서은아한어도기사니있를해나리시그요인들자일게대라으수보까습")
"""Hangul syllables of particles, endings and auxiliaries, in almost every sentence."""

COMMON = frozenset(
    "제면정주전부여거과장했상안마구었데오야내원우신적것성국되세위와할무동생트드모미진문중말화공러비간없조저"
    "입개터계유치월같경회선년때연실음바관용더네당작려않합래된단재며운람행각만스겠거든래돼좀뭐"
)
"""Hangul syllables that are frequent in any text."""

_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen twenty"
)
DIGITS = {word: str(value) for value, word in enumerate(_NUMBERS.split()) if value != 1}
"""Numbers written out; "one" is left out, since it mostly is a pronoun."""

_DAYS = (
    "monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays thursdays fridays saturdays"
    " sundays weekend weekends weekday weekdays january february april june july"
    " august september october november december"
)
DAYS = frozenset(_DAYS.split())
"""Dates in words ("may" and "march" mean too much else)."""
KOREAN_DAY = re.compile(r"(?:월|화|수|목|금|토|일)요일|주말|평일")
"""How a Korean word begins that names a date; "today" and the like come and go without changing the question."""

HANGUL = re.compile(r"[가-힣]+")
WORD = re.compile(
    r"[가-힣]+|[\u3040-\u30ff\u4e00-\u9fff]|\d+(?:[.,:]\d+)*|[^\W\d_가-힣\u3040-\u30ff\u4e00-\u9fff]+"
)
"""What counts as a word: Hangul up to a space, one Chinese or Japanese character, a number, or letters."""


def is_figure(word: str) -> bool:
    """Whether a word is a number in digits, a date or a negation: with another one, another thing is asked."""
    return word[0].isdigit() or word in NEGATION or word in DAYS or KOREAN_DAY.match(word) is not None


def stem(word: str) -> str:
    """Return an English word without its commonest endings; crude, and the same for both questions."""
    for ending in ("ing", "ed", "es", "ly", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
