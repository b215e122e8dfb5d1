"""Which of many questions stand in a text, whatever stands around them, and in which of them a text stands.

Called by `leakage`. A question stands in a text letter by letter, wherever the spaces are; or word by word in its order
with a few words put in between ("who, by the way, wrote ..."), none of which tells one question from another ("how many
days does a parcel *to another country* take"). Questions that have no rare run or word in common with the text cost no
time. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from runner.feedback.preferences.likeness import READ, squeezed

LONG = 12
"""Characters from which a question that stands whole in another one is taken for the same."""
PUT_IN = 4
"""Most words between those of a question; always fewer than it has itself."""
FEWEST = 3
"""Words that a question needs to be looked for with others in between."""
TELLING = 0.05
"""A word that a smaller share of all questions has tells which of them is asked; one that none has says nothing."""
_RUN = 6  # characters; a question of `LONG` has as many without its spaces


class Quoted:
    """Questions, folded, that are looked for in texts, folded as well. Shorter ones than `LONG` are not."""

    def __init__(self, questions: Iterable[str]) -> None:
        long = sorted({each for each in questions if len(each) >= LONG})
        self._all = "\n".join(f" {each} " for each in long)
        self._long = long
        self._by_run = _by_rarest(long, lambda question: _runs(squeezed(question)))
        self._by_word = _by_rarest([each for each in long if each.count(" ") >= FEWEST - 1], str.split)
        held = Counter(word for each in long for word in set(each.split()))
        self._telling = frozenset(word for word, count in held.items() if count < TELLING * len(long))

    def within(self, text: str) -> set[str]:
        """Return the questions that stand in a text."""
        letters = squeezed(text)
        found = {each for run in set(_runs(letters)) for each in self._by_run.get(run, ())}
        found = {each for each in found if _holds(letters, squeezed(each))}
        words = text[:READ].split()
        places = _places(words)
        spread = {each for word in places for each in self._by_word.get(word, ())} - found
        return found | {each for each in spread if self._is_spread(each.split(), words, places)}

    def _is_spread(
        self, question: Sequence[str], words: Sequence[str], places: Mapping[str, Sequence[int]]
    ) -> bool:
        """Return whether a question's words come in its order, with few between them that tell nothing."""
        if not all(word in places for word in question):
            return False
        length = len(question) + min(PUT_IN, len(question) - 1)
        between = (_put_in(question, words[start : start + length]) for start in places[question[0]])
        return any(each is not None and self._telling.isdisjoint(each) for each in between)

    def around(self, text: str) -> set[str]:
        """Return the questions in which a text stands as whole words; none for a text shorter than `LONG`."""
        padded = f" {text} "
        if len(text) < LONG or padded not in self._all:
            return set()
        return {each for each in self._long if padded in f" {each} "}


def _holds(letters: str, question: str) -> bool:
    """Return whether a question stands in letters, with no number cut: page 1 is not in page 12."""
    at = letters.find(question)
    while at >= 0:
        end = at + len(question)
        if not (_inside_number(letters, at) or _inside_number(letters, end)):
            return True
        at = letters.find(question, at + 1)
    return False


def _inside_number(letters: str, at: int) -> bool:
    return 0 < at < len(letters) and letters[at - 1].isdecimal() and letters[at].isdecimal()


def _put_in(question: Sequence[str], words: Sequence[str]) -> list[str] | None:
    """Return the words that stand between those of a question, None where these do not come in its order."""
    found: list[str] = []
    left = iter(words)
    for wanted in question:
        for word in left:
            if word == wanted:
                break
            found.append(word)
        else:
            return None
    return found


def _places(words: Sequence[str]) -> dict[str, list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for place, word in enumerate(words):
        found[word].append(place)
    return dict(found)


def _runs(letters: str) -> list[str]:
    return [letters[at : at + _RUN] for at in range(len(letters) - _RUN + 1)]


def _by_rarest(questions: Sequence[str], marks: Callable[[str], Iterable[str]]) -> dict[str, list[str]]:
    """Return questions by the mark of theirs that fewest others have: a text that holds one has that mark."""
    own = {question: sorted(set(marks(question))) for question in questions}
    held = Counter(mark for each in own.values() for mark in each)
    found: defaultdict[str, list[str]] = defaultdict(list)
    for question, each in own.items():
        found[min(each, key=lambda mark: (held[mark], mark))].append(question)
    return dict(found)
