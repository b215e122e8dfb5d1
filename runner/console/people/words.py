"""What the pages say, in English and Korean: one table a language, and the choice of one for a browser. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

LANGUAGES = ("en", "ko")


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of one language."""

    language: str
    table: Mapping[str, str]

    def __call__(self, name: str, /, **values: object) -> str:
        """Return a text with its gaps filled. Raises KeyError for one that does not exist."""
        return self.table[name].format(**values) if values else self.table[name]

    def get(self, name: str, otherwise: str) -> str:
        """Return a text, or `otherwise` where the table has none of that name."""
        return self.table.get(name, otherwise)

    def kind(self, name: str) -> str:
        """Return what people call a kind of question."""
        return self.get(f"kind.{name}", name.replace("_", " ").capitalize())


@cache
def words(language: str) -> Words:
    """Return the texts of a language. Raises KeyError for one that there is none of."""
    if language not in LANGUAGES:
        raise KeyError(language)
    file = resources.files(__package__) / "assets" / f"words.{language}.json"
    return Words(language, json.loads(file.read_text(encoding="utf-8")))


def wished(accept: str) -> str:
    """Return the language of ours that a browser's `accept-language` puts first; English where it names none."""
    weighed = []
    for place, each in enumerate(accept.split(",")):
        name, _, weight = each.strip().partition(";q=")
        try:
            weighed.append((-float(weight or 1), place, name.strip().lower().split("-")[0]))
        except ValueError:
            continue
    return next((name for _, _, name in sorted(weighed) if name in LANGUAGES), LANGUAGES[0])


def spoken(text: str) -> str:
    """Return the language of a question: Korean where one of six letters is Hangul, since titles are often English."""
    letters = [each for each in text if each.isalpha()]
    hangul = sum("가" <= each <= "힣" or "ㄱ" <= each <= "ㅣ" for each in letters)
    return "ko" if letters and 6 * hangul >= len(letters) else "en"
