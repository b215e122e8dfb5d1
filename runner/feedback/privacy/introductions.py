"""Finds the names with which people introduce themselves: `I am Hugo Hill`, `제 이름은 김민수입니다`.

Called by `engine`, on folded text. The tagger weighs all that stands around a word and now and then misses the plainest
case of all. Every pattern is bounded, so the time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.feedback.privacy.found import Finder, Found
from runner.spec.privacy import Entity

_WORD = r"[A-Z\u00c0-\u00de][\w'’-]{1,24}"
_INITIAL = r"(?:[A-Z]\. )?"
_NO_NAME = r"(?!(?:The|An?|My|Your|Our|Not|No|Very|So|Just|All|Only|Also|In|On|At|From|Mr|Mrs|Ms|Dr)\b)"
_SHORT = rf"(?P<short>{_NO_NAME}{_WORD}(?: {_INITIAL}{_WORD}){{0,2}})"
_LONG = rf"(?P<long>{_NO_NAME}{_WORD}(?: {_INITIAL}{_WORD}){{1,2}})"
_ENGLISH = re.compile(
    rf"\b(?:(?:[Mm]y|[Hh]er|[Hh]is) (?:full )?name(?: is|'s)|[Cc]all me) {_SHORT}"
    rf"|\b(?:I am|I'm|I’m|[Tt]his is) {_LONG}"
)
_FAMILY = (
    "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구나민진지엄채원천방공현함변염여추도"
    "소석선설마길연위표명기반왕금옥육인맹제모탁국어은편용"
)
_ENDING = r"(?=입니다|이에요|예요|이고|이라고|라고|인데|이며|\s|[.,!]|$)"
_KOREAN = re.compile(
    rf"(?:제|내) ?이름은 ?(?P<name>[가-힣]{{2,4}}?){_ENDING}"
    rf"|(?:저는|전|나는) ?(?P<self>[{_FAMILY}][가-힣]{{2}}?)(?=입니다|이라고|라고|이고|이에요|예요)"
)


def _names(text: str) -> Iterator[Found]:
    for pattern in (_ENGLISH, _KOREAN):
        for match in pattern.finditer(text):
            yield Found(*match.span(match.lastgroup or 0), Entity.NAME, 0.8)


FINDERS = (
    Finder(
        "introductions",
        frozenset({Entity.NAME}),
        re.compile(r"\bI am|\bI['’]m|[Tt]his is|name|[Cc]all me|이름|저는|전|나는").search,
        _names,
    ),
)
