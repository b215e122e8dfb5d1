"""What the tagger knows about single words: whether they are given names, surnames, parts of place names, common words.

Called by the features; written by the training into the model file. A word has a few flags, each one letter of `FLAGS`.
Street, company and title words are few and stand in `lists.toml`.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from runner.feedback.privacy.tagger.lists import LISTS

FLAGS = {
    "g": "given name",
    "s": "surname",
    "p": "part of the name of a town",
    "r": "part of the name of a country or region",
    "n": "nationality or language",
    "C": "one of the commonest English words",
    "c": "common English word",
}
"""Letter -> what it says of a word."""

STREET = frozenset(LISTS["street"])
COMPANY = frozenset(LISTS["company"])
TITLE = frozenset(LISTS["title"])
"""Words beside streets, in names of companies, before names of people."""


@lru_cache(maxsize=65536)
def folded(word: str) -> str:
    """Return `word` in lower case without accents."""
    lower = word.lower()
    if lower.isascii():
        return lower
    return "".join(mark for mark in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(mark))


class Lexicon:
    """Folded word -> its flags, a string of letters of `FLAGS` in their order."""

    def __init__(self, flags: dict[str, str]) -> None:
        self._flags = flags

    def flags(self, word: str) -> str:
        """Return what is known of `word`; nothing for most."""
        return self._flags.get(folded(word), "")

    def text(self) -> str:
        """Return the lexicon as text: a line for each set of flags, its words sorted."""
        groups: dict[str, list[str]] = {}
        for word, flags in self._flags.items():
            groups.setdefault(flags, []).append(word)
        return "\n".join(f"{flags} {' '.join(sorted(groups[flags]))}" for flags in sorted(groups))

    @classmethod
    def parse(cls, text: str) -> Lexicon:
        """Return the lexicon that `text` wrote."""
        found: dict[str, str] = {}
        for line in text.splitlines():
            flags, *words = line.split(" ")
            found.update(dict.fromkeys(words, flags))
        return cls(found)
