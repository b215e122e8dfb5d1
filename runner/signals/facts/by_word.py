"""Judges a statement that has no value to compare: by its names and other words, or by its yes or no.

Called by `check`, after `by_value`. A word contradicts where facts have shown its place: who knows that one book "was
written by" X and that Y stands there for another book knows that Y answers wrongly. Pure.
"""

from __future__ import annotations

import re

from runner.signals.consistency.words import Sort, words
from runner.signals.facts.decision import Asked, Decision, Verdict, closest
from runner.signals.facts.reference import Fact, Keys, Match, telling
from runner.signals.text import plain

COVERED = 0.6
"""Share of what is known of a question that a fact must hold for a yes, a no or an unheard word to be judged by it."""
HELD = 0.6
"""Weight of an answer's words that one fact must hold to support them."""

LONGEST = 6
"""Words of a name or title at most, where its place is looked for."""

_YES = re.compile(r"^\W*(?:yes|yeah|yep|sure|of course|certainly|네|예|그렇습니다|물론)(?![\w가-힣])[\s,.!]*")
_NO = re.compile(r"^\W*(?:no|nope|아니요|아니오|아뇨)(?![\w가-힣])[\s,.!]*")
_DENIES = re.compile(
    r"\b(?:not|no|never|none|cannot|neither|without|closed|sold out|out of stock)\b|n't\b"
    r"|않|안 (?:됩|돼|하|받)|없(?:습|어|다|는)|못하|못 |불가|금지|품절|휴무"
)

Place = tuple[str, str]


def by_words(asked: Asked, text: str) -> Decision | None:
    """Return what the words that a statement adds to its question come to; None where no fact tells."""
    said = telling(_bare(text)) - telling(asked.question)
    if not said:
        return _picked(asked, text)
    holds = next((match.fact for match in asked.near if _held(asked, said, match.fact) >= HELD), None)
    if holds is not None:
        return Decision(Verdict.SUPPORTED, holds)
    other = _in_its_place(asked, said) or _another_name(asked, text, said) or _only_answer(asked, said)
    return None if other is None else Decision(Verdict.CONTRADICTED, other)


def by_assent(asked: Asked, text: str) -> Decision | None:
    """Return whether a leading yes or no agrees with the one fact that covers the question."""
    spoken = plain(text)
    if not (_YES.match(spoken) or _NO.match(spoken)):
        return None
    facts = closest(asked.near)
    if len(facts) > 1 or asked.near[0].share < COVERED:
        return None
    denies_question = bool(_DENIES.search(plain(asked.question)))
    agrees = bool(_NO.match(spoken)) == (bool(_DENIES.search(plain(facts[0].text))) != denies_question)
    return Decision(Verdict.SUPPORTED if agrees else Verdict.CONTRADICTED, facts[0])


def _bare(text: str) -> str:
    """Return a statement without its leading yes or no; capitals stay, for they make names."""
    spoken = text.strip()
    lead = _YES.match(spoken.casefold()) or _NO.match(spoken.casefold())
    return spoken[lead.end() :] if lead else spoken


def _held(asked: Asked, said: Keys, fact: Fact) -> float:
    """Return the share of an answer's words, by weight, that a fact holds."""
    whole = asked.reference.weight(said)
    return asked.reference.weight(said & fact.keys) / whole if whole else 0.0


def _picked(asked: Asked, text: str) -> Decision | None:
    """Judge an answer that repeats a part of the question: supported by a fact on it that says nothing new else."""
    picked, question = telling(_bare(text)), telling(asked.question)
    if not picked:
        return None
    for match in asked.near:
        if picked < match.fact.keys <= question:
            return Decision(Verdict.SUPPORTED, match.fact)
    return None


def _in_its_place(asked: Asked, said: Keys) -> Fact | None:
    """Return a fact on the question that holds something else in a place where facts hold what was said."""
    holding = {fact.text: fact for key in said for fact in asked.reference.holding(key)}.values()
    places = {place for fact in holding if _held(asked, said, fact) >= HELD for place in _places(fact, said)}
    known = telling(asked.question)
    for match in asked.near:
        if places & _places(match.fact, match.fact.keys - known):
            return match.fact
    return None


def _places(fact: Fact, which: Keys) -> set[Place]:
    """Return the words before and after each stretch of some words in a fact, "" at its ends.

    Function words may stand inside a stretch, as they do in titles.
    """
    found: set[Place] = set()
    said, others = fact.said, fact.keys - which
    for start in (place for place, key in enumerate(said) if key in which):
        for end in range(start + 1, min(len(said), start + LONGEST) + 1):
            if said[end - 1] in others:
                break
            if said[end - 1] in which:
                found.add((said[start - 1] if start else "", said[end] if end < len(said) else ""))
    return found


def _another_name(asked: Asked, text: str, said: Keys) -> Fact | None:
    """Return a closest fact with a name that the question lacks, where the answer gives names that nobody knows."""
    names = {word.key for word in words(_bare(text)) if word.sort is Sort.NAME} & said
    if not names or any(map(asked.reference.knows, names)):
        return None
    known = telling(asked.question)
    named: list[Match] = [match for match in asked.near if match.fact.names - known]
    return closest(named)[0] if named else None


def _only_answer(asked: Asked, said: Keys) -> Fact | None:
    """Return the one fact that covers the question, where its answer is a word and nothing of it was said."""
    facts, known = closest(asked.near), telling(asked.question)
    if len(facts) > 1 or asked.near[0].share < COVERED or facts[0].values or said & facts[0].keys:
        return None
    return facts[0] if facts[0].keys - known else None
