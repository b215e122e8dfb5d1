"""What kind of answer a question wants: a person, a time, a price, or yes or no.

Two questions on one subject that want different kinds are a follow-up ("do you have it", then "how much is it").
Called by `question`. A kind is claimed only where words say so; "what" and a bare statement claim none. Pure.
"""

from __future__ import annotations

import re
from enum import IntFlag


class Frame(IntFlag):
    """Kinds of answers that a question asks for; 0 is none that can be told."""

    NONE = 0
    PERSON = 1
    TIME = 2
    PLACE = 4
    REASON = 8
    PRICE = 16
    NUMBER = 32
    LASTING = 64
    POLAR = 128


_KINDS = (
    (Frame.PERSON, re.compile(r"\bwh(?:o|om|ose)\b(?!')|누구|누가")),
    (
        Frame.TIME,
        re.compile(
            r"\bwhen\b|\b(?:what|which) (?:time|day|date|year|month|hours?)\b|언제|몇 ?(?:시|월|일)(?!간)"
        ),
    ),
    (Frame.PLACE, re.compile(r"\bwhere\b|어디")),
    (Frame.REASON, re.compile(r"\bwhy\b|\bhow come\b|(?<![가-힣])왜(?![가-힣])")),
    (
        Frame.PRICE,
        re.compile(
            r"\bhow much (?:is|are|was|were|do|does|did|for|would|will)\b|\b(?:price|cost)s?\b"
            r"|가격|얼마(?:예|에|인|죠|입|지)"
        ),
    ),
    (Frame.NUMBER, re.compile(r"\bhow many\b|몇 ?(?:명|개|권|번|가지|마리|장)")),
    (
        Frame.LASTING,
        re.compile(r"\bhow (?:long|often|soon)\b|얼마나|몇 ?(?:시간|분|일간|주|달|개월|년)(?![가-힣])"),
    ),
)
_OPEN = re.compile(r"\b(?:what|which|how)\b|뭐|뭘|무엇|무슨|어떤|어느|어떻|몇")
_POLAR = re.compile(
    r"(?:^|[,.;] ?|\bso |\band |\bbut )(?:do|does|did|is|are|was|were|has|have|had|can|could|will|would|should|may)"
    r"(?:n't)? (?:the |a |an |you|i|we|they|he|she|it|there|this|that|\w+)"
    r"|(?:나요|까요?|가요|은지요|니|습니까)[\s?!.~]*$"
)


def frame(text: str) -> Frame:
    """Return what a text in `plain` spelling asks for; several kinds where it asks for several."""
    found = Frame.NONE
    for kind, words in _KINDS:
        if words.search(text):
            found |= kind
    if found or _OPEN.search(text):
        return found
    return Frame.POLAR if _POLAR.search(text.strip()) else Frame.NONE
