"""Who compares two answers and how: by the bookshop's oracle, with slips, and now and then with a better answer.

A right answer beats a wrong one; of two right ones the fuller one is liked better; the same answer twice is a tie. What
a person says depends on who it is, the question and the answers alone, so the same votes come in every order. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from runner.simulation.bookshop.oracle import judge
from runner.simulation.bookshop.questions import Question, about_fact, askings, refused
from runner.simulation.bookshop.values import Language
from runner.simulation.bookshop.world import facts

SLIP = 0.05
"""Share of votes that say the opposite of what the person thinks."""
FULLER = 0.9
"""Share of comparisons of two right answers in which the longer one is preferred."""
WRITES = 0.25
"""Share of votes with a better answer typed in."""
MISTAKEN = 0.15
"""Share of those that are wrong: somebody remembered another fact."""
QUICKEST_MS, SLOWEST_MS = 2_500.0, 14_000.0
KOREAN_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Opinion:
    """A vote: the better answer's place, `tie` or `neither`; a better answer in the person's words; milliseconds."""

    choice: int | str
    correction: str | None
    taken_ms: float


def questions(seed: int, off_topic: float = 0.0) -> Iterator[Question]:
    """Yield questions for ever in wordings that no suite asks; a fifth of them Korean.

    A share `off_topic` of them, from 0 to 1, is none of the shop's business: the better answer declines.
    """
    rng = Random(f"votes/{seed}")
    known = {
        language: [asking for asking in askings() if asking.language is language] for language in Language
    }
    while True:
        language = Language.KOREAN if rng.random() < KOREAN_SHARE else Language.ENGLISH
        if off_topic and rng.random() < off_topic:
            yield refused(language, rng, held_out=False)
        elif question := about_fact(rng.choice(known[language]), rng, held_out=False):
            yield question


def opinion(person: str, question: Question, answers: Sequence[str]) -> Opinion:
    """Return what a person says of two answers."""
    rng = Random(f"{person}/{question.id}/{len(answers)}")
    slips, fuller, writes, haste, mistaken = (rng.random() for _ in range(5))
    choice = _choice(question, answers, prefers_fuller=fuller < FULLER)
    if slips < SLIP and isinstance(choice, int):
        choice = 1 - choice
    correction = _sentence(question, rng if mistaken < MISTAKEN else None) if writes < WRITES else None
    return Opinion(choice, correction, QUICKEST_MS + haste * (SLOWEST_MS - QUICKEST_MS))


def contrary(person: str, question: Question, answers: Sequence[str]) -> Opinion:
    """Return what a person says who wants the model to get worse: the opposite, and no better answer."""
    said = opinion(person, question, answers)
    choice = 1 - said.choice if isinstance(said.choice, int) else said.choice
    return Opinion(choice, None, said.taken_ms)


def _choice(question: Question, answers: Sequence[str], *, prefers_fuller: bool) -> int | str:
    first, second = answers
    if first.strip() == second.strip():
        return "tie"
    good = [judge(question, answer).good for answer in answers]
    if not any(good):
        return "neither"
    if good[0] != good[1]:
        return good.index(True)
    longer = int(len(second) > len(first))
    return longer if prefers_fuller else 1 - longer


def _sentence(question: Question, mistaken: Random | None) -> str | None:
    """Return the fact as a whole sentence in the question's language, or another one's; None where there is no fact."""
    said = {
        fact.id: text for fact in facts() for language, text in fact.says if language is question.language
    }
    right = said.get(question.fact)
    return right if right is None or mistaken is None else mistaken.choice(list(said.values()))
