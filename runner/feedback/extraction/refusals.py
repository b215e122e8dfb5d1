"""Which answers refuse though nothing says that they should; each pair of texts is read once.

Called by `extract` with batches of answers. A question that the policy's reference set, or harm that it asks for,
says should not be answered is refused rightly: that refusal is no failure, and is counted apart. Where nobody can say
(no reference set, a question at the border), the refusal is taken, and reviewers decide: the label's task asks them
whether it was right to refuse. So a refusal that is wrong is rarely lost, and reviewers are not kept busy with those
that the assistant was made for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from runner.feedback.extraction import words


class Refusal(IntEnum):
    """What an answer does."""

    NONE = 0
    WRONG = 1
    """It refuses, and nothing says that it should have."""
    RIGHT = 2


@dataclass(frozen=True)
class Refusals:
    """Tells refusals; remembers what it has told of a pair of texts, by their digest."""

    refuses: Callable[[Sequence[str], Sequence[str]], Sequence[bool]]
    answerable: Callable[[Sequence[str]], Sequence[bool | None]]
    _told: dict[bytes, Refusal] = field(default_factory=dict)

    def of(self, asked: Sequence[str], said: Sequence[str]) -> list[Refusal]:
        """Return what each answer does, prompts and answers given as JSON messages."""
        keys = [_key(one, other) for one, other in zip(asked, said, strict=True)]
        new = {key: place for place, key in enumerate(keys) if key not in self._told}
        questions = [words.asked(asked[place]) for place in new.values()]
        answers = [words.reply(said[place]) for place in new.values()]
        self._told.update(zip(new, self._judged(questions, answers), strict=True))
        return [self._told[key] for key in keys]

    def _judged(self, questions: Sequence[str], answers: Sequence[str]) -> list[Refusal]:
        found = [Refusal(bool(each)) for each in self.refuses(questions, answers)]
        distinct = list(dict.fromkeys(q for q, each in zip(questions, found, strict=True) if each))
        wanted = dict(zip(distinct, self.answerable(distinct), strict=True))
        return [
            Refusal.RIGHT if each and wanted[question] is False else each
            for question, each in zip(questions, found, strict=True)
        ]


def _key(asked: str, said: str) -> bytes:
    return hashlib.blake2b(f"{asked}\0{said}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
