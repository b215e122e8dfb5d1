"""A question in other words by rules of our own, where no model is there to say it: English and Korean.

Each rule keeps the question's own words and puts them into another frame, form or manner of typing, so that nothing of
its meaning can be lost. That makes little variety; a model makes more. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from zlib import crc32

from runner.signals.facts.values import values
from runner.signals.language import KOREAN, language

LONGEST_GROWTH = 4
"""A paraphrase of a model is at most so many times as long as the question, and `SLACK` more."""
SLACK = 80
_Rewrite = Callable[[str], str]
_Rules = tuple[tuple[str, _Rewrite], ...]


@dataclass(frozen=True, slots=True)
class Wording:
    """A question in other words; `rule` names the rule of ours, empty where a model said it."""

    text: str
    rule: str = ""


def rewrites(question: str) -> Iterator[Wording]:
    """Yield a question in other words, forms before all else; each text once, never the question itself.

    Frames come in an order drawn by the question, so that not every question gets the same one.
    """
    asked = " ".join(question.split())
    forms, frames = _KOREAN_RULES if language(asked) == KOREAN else _ENGLISH_RULES
    turn = crc32(asked.encode("utf-8", "surrogatepass")) % len(frames)
    seen = {question, asked}
    for rule, rewrite in (*forms, *frames[turn:], *frames[:turn]):
        text = rewrite(asked)
        if text and text not in seen:
            seen.add(text)
            yield Wording(text, rule)


def keeps(question: str, paraphrase: str) -> bool:
    """Return whether a model's paraphrase may mean the same: language, figures and about the length are the same."""
    longest = LONGEST_GROWTH * len(question) + SLACK
    return (
        0 < len(paraphrase.strip()) <= longest
        and "\n" not in paraphrase.strip()
        and language(question) == language(paraphrase)
        and values(question) == values(paraphrase)
    )


def _framed(frame: str) -> _Rewrite:
    return lambda asked: frame.format(asked)


def _imperative(asked: str) -> str:
    match = _COMMAND.fullmatch(asked)
    return f"Could you {match[1].lower()} {match[2]}?" if match else ""


def _subject(asked: str) -> str:
    """Ask about the subject of a sentence, whose order of words stays the same inside another question."""
    match = _SUBJECT.fullmatch(asked)
    return f"Do you know {match[1].lower()} {match[2]}?" if match else ""


def _hurried(asked: str) -> str:
    """Return a question as somebody types it on the way: no capital at the start, no mark at the end."""
    return f"hi, {asked[:1].lower()}{asked[1:].rstrip('?!. ')}"


def _ending(asked: str) -> str:
    for pattern, ending in _ENDINGS:
        if pattern.search(asked):
            return pattern.sub(ending, asked)
    return ""


def _hurried_korean(asked: str) -> str:
    return f"저기요 {asked.rstrip('?!. ')}"


_COMMAND = re.compile(
    r"(describe|explain|find|give|list|make up|name|recommend|show|suggest|tell|write) (.+?)[.!]?",
    re.IGNORECASE,
)
_SUBJECT = re.compile(r"(who|what) ((?!is\b|are\b|was\b|were\b|do\b|does\b|did\b|has\b|have\b|can\b|will\b|would\b|"
                      r"could\b|should\b)[a-z]+s? .+)\?", re.IGNORECASE)  # fmt: skip
_ENDINGS = tuple(
    (re.compile(rf"{old}\??$"), new)
    for old, new in (
        ("얼마예요", "얼마인지 알려 주세요."),
        ("얼마인가요", "얼마인지 알려 주세요."),
        ("인가요", "인지 알려 주세요."),
        ("있나요", "있는지 알려 주세요."),
        ("있어요", "있는지 알려 주세요."),
        ("하나요", "하는지 알려 주세요."),
        ("되나요", "되는지 알려 주세요."),
        ("누구예요", "누구인지 알려 주세요."),
        ("언제예요", "언제인지 알려 주세요."),
        ("어디예요", "어디인지 알려 주세요."),
    )
)
_ENGLISH_RULES: tuple[_Rules, _Rules] = (
    (("form.request", _imperative), ("form.subject", _subject)),
    (
        ("frame.polite", _framed("Excuse me. {} Thank you.")),
        ("frame.brief", _framed("A short question: {}")),
        ("frame.wondering", _framed("I was wondering. {}")),
        ("frame.help", _framed("{} Please help me with this.")),
        ("typing.hurried", _hurried),
    ),
)
_KOREAN_RULES: tuple[_Rules, _Rules] = (
    (("form.request", _ending),),
    (
        ("frame.polite", _framed("안녕하세요. {} 감사합니다.")),
        ("frame.brief", _framed("짧은 질문입니다. {}")),
        ("frame.wondering", _framed("궁금해서 여쭤봅니다. {}")),
        ("frame.help", _framed("{} 좀 알려 주세요.")),
        ("typing.hurried", _hurried_korean),
    ),
)
