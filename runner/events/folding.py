"""One spelling for many: the copy of a text on which personal data is looked for.

Called by `masking`. Full-width and other digits become ASCII ones, every dash `-`, every space ` `, every dot in
the middle `.`, and characters without width vanish, so that a recogniser need know one spelling only. Never
shown to anyone: a place in the copy is mapped back to the text as it was written. No I/O.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

_DOTS = frozenset("·•‧∙⋅・･。")
_DASHES = frozenset("−⁃ー˗")
_DIGIT_OR_AT = re.compile("[0-9@]")
# and where the signs are that fold into one: every script's digits, but no Hangul, Kana or Han
_PERHAPS = re.compile("[0-9@\u00b2-\u2e7f\u3200-\u33ff\ua620-\uabff\ufe00-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text; `ends`: for each character of the original, where its folded form ends, None if all are alike."""

    text: str
    ends: Sequence[int] | None = None

    def origin(self, places: Sequence[int]) -> list[int]:
        """Return where ascending places of the folded text lie in the original."""
        if self.ends is None:
            return list(places)
        found: list[int] = []
        original = 0
        for place in places:
            while original < len(self.ends) and self.ends[original] <= place:
                original += 1
            found.append(original)
        return found


def telling(text: str) -> Folded | None:
    """Return the folded copy of a text, None where it has no digit and no at sign and so nothing to find."""
    if not (_DIGIT_OR_AT if text.isascii() else _PERHAPS).search(text):
        return None
    folded = fold(text)
    return folded if _DIGIT_OR_AT.search(folded.text) else None


def fold(text: str) -> Folded:
    """Return the folded copy of a text; the time is linear in its length."""
    if text.isascii():
        return Folded(text)
    changed = {ord(c): folded for c in set(text) if (folded := _folded(c)) != c}
    if not changed:
        return Folded(text)
    if all(len(folded) == 1 for folded in changed.values()):
        return Folded(text.translate(changed))
    sizes = dict.fromkeys(text, 1) | {chr(c): len(folded) for c, folded in changed.items()}
    return Folded(text.translate(changed), list(accumulate(map(sizes.__getitem__, text))))


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    kind = unicodedata.category(character)
    if kind == "Nd":
        return str(unicodedata.decimal(character))
    if kind == "Pd" or character in _DASHES:
        return "-"
    if kind == "Zs":
        return " "
    if kind == "Cf" or "\ufe00" <= character <= "\ufe0f":
        return ""
    return "." if character in _DOTS else unicodedata.normalize("NFKC", character)
