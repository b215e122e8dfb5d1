"""Questions that training may not see: those of the evaluation suites, and those that are kept for new cases.

A suite that was trained on measures memory. So everything that was said in a conversation, by its user, in its system
message or in earlier answers, is compared with every question of every suite, both as written and with personal data
masked, as what was collected is. It leaks where it is the same after folding, nearly the same, or holds a question
whole, be it with a few words put in: a greeting makes no new question. What the user said leaks also where it is a
whole part of a question. Accents, spaces and what cannot be seen make no difference.

Questions kept for cases are drawn by a hash of the question alone: the draw is the same in every snapshot, so that what
was trained on last month is no case this month. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from runner import digest
from runner.feedback.preferences.likeness import Match, Neighbours, fold, likeness
from runner.feedback.preferences.pairs import asked
from runner.feedback.preferences.quoted import Quoted
from runner.feedback.records import Messages

Mask = Callable[[str], str]
"""Takes personal data out of a text, as it was taken out of what was collected."""
_WHOLE = 1 << 48
_MARKS = re.compile("[\u0300-\u036f]")
_NO_LETTERS = str.maketrans("ı", "i", "<>")


@dataclass(frozen=True, slots=True)
class Suite:
    """The questions of an evaluation suite by their ids."""

    name: str
    questions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Leak:
    """A question of a suite that a conversation asks."""

    suite: str
    question: str
    """Its id there."""
    likeness: float

    def __str__(self) -> str:
        return f"{self.suite}/{self.question} ({self.likeness:.2f} alike)"


class Guarded:
    """The questions of the suites, which a conversation is looked for in."""

    def __init__(self, suites: Sequence[Suite], floor: float, mask: Mask) -> None:
        self._owners: dict[str, tuple[str, str]] = {}
        for suite in suites:
            for name, question in suite.questions.items():
                for text in (question, mask(question)):
                    self._owners.setdefault(bare(text), (suite.name, name))
        self._near = Neighbours(self._owners, floor)
        self._quoted = Quoted(self._owners)
        self._known: dict[tuple[str, bool], Match | None] = {}  # people ask the same again and again

    def leak(self, prompt: Messages) -> Leak | None:
        """Return the question of a suite that a conversation asks most nearly, None where it asks none."""
        said = {(bare(each.get("content", "")), each.get("role") == "user") for each in prompt}
        found = [match for text, is_asked in said if (match := self._nearest(text, is_asked))]
        if not found:
            return None
        nearest = max(found, key=lambda match: (match.likeness, match.text))
        return Leak(*self._owners[nearest.text], nearest.likeness)

    def _nearest(self, text: str, is_asked: bool) -> Match | None:
        key = (text, is_asked)
        if key not in self._known:
            self._known[key] = next(iter(self._near.of(text) or self._standing(text, is_asked)), None)
        return self._known[key]

    def _standing(self, text: str, is_asked: bool) -> list[Match]:
        """Return the questions that stand in a text, or of which a text that was asked is a part; likest first."""
        held = self._quoted.within(text)
        if is_asked:
            held |= self._quoted.around(text)
        found = (Match(question, likeness(question, text)) for question in held)
        return sorted(found, key=lambda match: (-match.likeness, match.text))


def bare(text: str) -> str:
    """Return a text folded, without accents and without the brackets of pseudonyms."""
    letters = _MARKS.sub("", unicodedata.normalize("NFD", text)) if not text.isascii() else text
    return " ".join(fold(letters).translate(_NO_LETTERS).split())


class HeldOut:
    """The questions among those collected that are kept for new cases: a share of all by hash, and what is near one."""

    def __init__(self, prompts: Iterable[Messages], share: float, floor: float) -> None:
        texts = {fold(text) for prompt in prompts for text in asked(prompt)}
        self._near = Neighbours((text for text in texts if is_drawn(text, share)), floor)

    def holds(self, prompt: Messages) -> bool:
        """Return whether a conversation asks such a question."""
        return any(self._near.of(text) for text in asked(prompt))


def is_drawn(question: str, share: float) -> bool:
    """Return whether the draw keeps a question, as happens to a share of all; its case and punctuation do not count."""
    return int(digest.of_value(["held out", fold(question)])[:12], 16) < share * _WHOLE
