"""How alike two texts are by their letters, and which of many texts are nearly the same as one.

Two answers, two questions, a question of a training row and one of a suite are all compared by this measure: the
cosine of the counts of runs of three characters, after folding, and 1 where only spaces differ. It needs no model,
takes time in proportion to the length (an edit distance takes its square, and answers may be a megabyte long), and
knows any script. Two texts of which each has a number that the other lacks are told apart by it, however much they
share: 10:00 is not 11:00. What means the same in other words is not found. `near`, which thins out what is extracted,
asks for more sameness and may miss some; here a typing error in a short question must not hide a leak, and one set is
looked for in another. Pure.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from runner.signals.text import plain

READ = 20_000
"""Characters of a text that are compared."""
OTHER_NUMBER = 0.6
"""What is left of the likeness of two texts that name different numbers."""
_RUN = 3
_ROUNDING = 1e-9
_DIGITS = 9
_KNOWN = 20_000

_PSEUDONYM = re.compile(r"<([a-z_]+?)_\d+>")
_BETWEEN = re.compile(r"(?:[^\w<>]|_)+")
_NUMBER = re.compile(r"\d+")
_SPACE = re.compile(r"(?<!\d) | (?!\d)")
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"""What takes no place on a screen and is no format character by its category: fillers, joiners, selectors."""
_LOOKS = str.maketrans(
    "авсԁеһіјӏкмнорԛѕтѵԝхуαβεζηικνορτυχγօսոհցզյɑɡ",
    "abcdehijlkmhopqstvwxyabezhikvoptuxyounhgqjag",
)
"""Small letters of other scripts that look like Latin ones, in one of their cases; the commonest of Unicode's list."""


def fold(text: str) -> str:
    """Return a text without what makes no difference to a reader.

    That is case, width, punctuation, how many spaces, what is not seen, which of several letters that look alike, and
    the numbers of pseudonyms. What is folded stays as it is when it is folded again.
    """
    spelled = plain(text) if text.isascii() else plain(_seen(text)).translate(_LOOKS)
    return _BETWEEN.sub(" ", _PSEUDONYM.sub(r"<\1>", spelled)).strip()


def squeezed(folded: str) -> str:
    """Return a folded text without spaces, save between two numbers: in Korean people leave out spaces as they like."""
    return _SPACE.sub("", folded)


def _seen(text: str) -> str:
    formats = {ord(each): None for each in set(text) if unicodedata.category(each) == "Cf"}
    return _UNSEEN.sub("", text.translate(formats))


@dataclass(frozen=True, slots=True)
class _Sketch:
    """A folded text as runs of characters with weights whose squares add up to 1, and its numbers."""

    weights: Mapping[str, float]
    numbers: frozenset[str]
    squeezed: str


def likeness(one: str, other: str) -> float:
    """Return how alike two texts are, from 0 (no run in common) to 1 (the same after folding, but for spaces)."""
    return _likeness(_sketch(fold(one)), _sketch(fold(other)))


@dataclass(frozen=True, slots=True)
class Match:
    """A text, folded, that is nearly the same as another, and how alike the two are."""

    text: str
    likeness: float


class Neighbours:
    """Texts that can be asked which of them are at least as alike as `floor` to another text.

    The search is exact. Runs of characters are ordered by rarity; two texts as alike as `floor` share one of the rarest
    runs of either, as long as what is left of each without those is lighter than `floor` (prefix filtering: Bayardo, Ma
    and Srikant, 2007). So few texts are compared.
    """

    def __init__(self, texts: Iterable[str], floor: float) -> None:
        self._floor = floor
        self._known: dict[str, list[Match]] = {}  # people ask the same again and again
        folded = sorted({fold(text) for text in texts})
        self._held = Counter(run for text in folded for run in _sketch(text).weights)
        self._by_run: dict[str, list[str]] = defaultdict(list)
        self._by_letters: dict[str, list[str]] = defaultdict(list)
        for text in folded:
            sketch = _sketch(text)
            self._by_letters[sketch.squeezed].append(text)
            for run in self._rarest(sketch):
                self._by_run[run].append(text)

    def of(self, text: str) -> list[Match]:
        """Return the texts that are alike enough, the most alike first; also the text itself where it is one."""
        folded = fold(text)
        if folded not in self._known:
            self._known[folded] = self._search(folded)
        return self._known[folded]

    def _search(self, folded: str) -> list[Match]:
        sketch = _sketch(folded)
        near = {other for run in self._rarest(sketch) for other in self._by_run.get(run, ())}
        near.update(self._by_letters.get(sketch.squeezed, ()))
        found = (Match(other, _likeness(sketch, _sketch(other))) for other in near)
        enough = (match for match in found if match.likeness >= self._floor - _ROUNDING)
        return sorted(enough, key=lambda match: (-match.likeness, match.text))

    def _rarest(self, sketch: _Sketch) -> list[str]:
        """Return the rarest runs, as few as leave a rest that cannot reach the floor alone."""
        runs = sorted(sketch.weights, key=lambda run: (self._held[run], run))
        taken: list[str] = []
        rest = 1.0
        for run in runs:
            if rest < self._floor**2 - _ROUNDING:
                break
            taken.append(run)
            rest -= sketch.weights[run] ** 2
        return taken


def leaders(texts: Iterable[str], floor: float) -> dict[str, str]:
    """Return folded text -> the first text, in order of the alphabet, that it is nearly the same as.

    Every text is near its leader, and no two leaders are near each other, so that a chain of small differences does not
    make one group of texts that have nothing in common.
    """
    folded = sorted({fold(text) for text in texts})
    neighbours = Neighbours(folded, floor)
    found: dict[str, str] = {}
    for text in folded:
        near = (match.text for match in neighbours.of(text) if found.get(match.text) == match.text)
        found[text] = next(near, text)
    return found


@lru_cache(maxsize=_KNOWN)
def _sketch(folded: str) -> _Sketch:
    text = f" {folded[:READ]} "
    counts = Counter(text[at : at + _RUN] for at in range(max(1, len(text) - _RUN + 1)))
    norm = math.sqrt(sum(count * count for count in counts.values()))
    weights = {run: count / norm for run, count in counts.items()}
    return _Sketch(weights, frozenset(_NUMBER.findall(text)), squeezed(text.strip()))


def _likeness(one: _Sketch, other: _Sketch) -> float:
    if one.squeezed == other.squeezed:
        return 1.0
    mine, yours = one.weights, other.weights
    # fsum: the order of a set differs from run to run, and no sum may.
    found = round(math.fsum(mine[run] * yours[run] for run in mine.keys() & yours.keys()), _DIGITS)
    if one.numbers - other.numbers and other.numbers - one.numbers:
        found *= OTHER_NUMBER
    return found
