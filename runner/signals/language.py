"""Which language a text is in, by its script and a few function words; enough to see answers change their language.

Called by `cube.annotate`. It tells apart what scripts tell apart: Korean, Japanese, Chinese, and in Latin letters
English from everything else. No model, no tables of other languages. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

KOREAN, ENGLISH, JAPANESE, CHINESE, OTHER, NONE = "ko", "en", "ja", "zh", "other", "none"
CODES: Final = (KOREAN, ENGLISH, JAPANESE, CHINESE, OTHER, NONE)
"""All that `language` may return; `none` is a text without letters."""

READ: Final = 2_000
"""Characters of a text that are looked at."""
_OURS: Final = 0.25
"""Share of the letters from which a script makes a language: Korean and Japanese texts quote many Latin names."""
_FUNCTION: Final = 0.15
"""Share of the words that has to be function words for Latin letters to be English."""
_FEW: Final = 4
"""Up to so many Latin words say nothing: a title or a greeting is taken for English where all letters are ASCII."""

_HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]+(?:['’][A-Za-z]+)?")
_ENGLISH = frozenset(
    [
        "a",
        "about",
        "after",
        "all",
        "also",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "just",
        "me",
        "more",
        "my",
        "no",
        "not",
        "of",
        "on",
        "or",
        "our",
        "out",
        "she",
        "should",
        "so",
        "some",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "up",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
        "i'm",
        "i'd",
        "i'll",
        "i've",
        "it's",
        "don't",
        "can't",
        "isn't",
        "you're",
        "that's",
        "what's",
        "didn't",
    ]
)


def language(text: str) -> str:
    """Return one of `CODES`: the language that most of a text is in."""
    text = text[:READ]
    letters = len(_LETTER.findall(text))
    if not letters:
        return NONE
    hangul, kana, han = (len(script.findall(text)) / letters for script in (_HANGUL, _KANA, _HAN))
    if hangul >= _OURS:
        return KOREAN
    if kana + han >= _OURS:
        # Japanese writes its endings in kana; a text of Chinese characters alone is Chinese
        return JAPANESE if kana >= 0.1 * (kana + han) else CHINESE
    if len(_LATIN.findall(text)) < 0.5 * letters:
        return OTHER
    return ENGLISH if _is_english(text) else OTHER


def _is_english(text: str) -> bool:
    words = [word.casefold().replace("’", "'") for word in _WORD.findall(text)]
    if not words:
        return False
    counted = Counter(word in _ENGLISH for word in words)
    if len(words) <= _FEW:
        return counted[True] > 0 or all(word.isascii() for word in words)
    return counted[True] >= _FUNCTION * len(words)
