"""Questions that training may not see: those of the evaluation suites, and those that are kept for new cases.

A suite that was trained on measures memory. So everything that the user said in a conversation is compared with every
question of every suite, both as written and with personal data masked, as what was collected is. It leaks where it is
the same after folding, nearly the same, or where one holds the other whole: a greeting makes no new question.

Questions kept for cases are drawn by a hash of the question alone: the draw is the same in every snapshot, so that what
was trained on last month is no case this month. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from runner import digest
from runner.feedback.preferences.likeness import Match, Neighbours, fold, likeness
from runner.feedback.preferences.pairs import asked
from runner.feedback.records import Messages

Mask = Callable[[str], str]
"""Takes personal data out of a text, as it was taken out of what was collected."""
LONG = 12
"""Characters from which a question that stands whole in another one is taken for the same."""
_WHOLE = 1 << 48


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
                    self._owners.setdefault(fold(text), (suite.name, name))
        self._near = Neighbours(self._owners, floor)
        self._whole = [f" {text} " for text in sorted(self._owners) if len(text) >= LONG]
        self._all = "\n".join(self._whole)
        self._by_word = _by_rarest_word(self._whole)

    def leak(self, prompt: Messages) -> Leak | None:
        """Return the question of a suite that a conversation asks most nearly, None where it asks none."""
        found = [match for text in asked(prompt) for match in self._near.of(text)[:1] or self._within(text)]
        if not found:
            return None
        nearest = max(found, key=lambda match: (match.likeness, match.text))
        return Leak(*self._owners[nearest.text], nearest.likeness)

    def _within(self, text: str) -> list[Match]:
        """Return a question that stands whole in a text, or in which the text stands; the most alike."""
        folded = fold(text)
        padded = f" {folded} "
        known = {question for word in padded.split() for question in self._by_word.get(word, ())}
        held = [question for question in known if question in padded]
        if len(folded) >= LONG and padded in self._all:
            held += [question for question in self._whole if padded in question]
        found = (Match(question.strip(), likeness(question, text)) for question in held)
        return sorted(found, key=lambda match: (-match.likeness, match.text))[:1]


def _by_rarest_word(questions: Sequence[str]) -> dict[str, list[str]]:
    """Return questions by the word of theirs that fewest others have: a text that holds one whole has that word."""
    held = Counter(word for question in questions for word in set(question.split()))
    found: defaultdict[str, list[str]] = defaultdict(list)
    for question in questions:
        found[min(question.split(), key=lambda word: (held[word], word))].append(question)
    return dict(found)


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
