"""What a question that corrects itself means in the end: "when, no, where is the shop" asks where.

Spoken corrections have three parts (Shriberg, 1994): what is taken back, a marker ("no wait", "I mean", "그게
아니라"), and the repair. How far back the repair reaches is not marked, so nothing before the marker is thrown away:
it may be meant, while what follows the last marker is meant for certain. Called by `question`. Pure.
"""

from __future__ import annotations

import re

from runner.signals.reask.words import FUNCTION, WORD

_STRONG = (
    r"(?<!there is )(?<!is there )(?<!are there )(?<!there are )(?<!there's )(?<!have )(?<!has )(?<!had )(?<!with )"
    r"no(?! longer\b| one\b| more\b)"
    r"|nope|sorry|(?<!to )(?<!long )(?<!i )(?<!we )(?<!the )(?<!a )wait|actually|oops|err?m?|uhm?|umm?|hmm+"
    r"|i meant?|or (?:maybe|better yet)|(?<!would )(?<!would you )(?<!'d )rather"
    r"|(?:scratch|strike|cancel|forget) (?:that|this|it)"
    r"|(?:make|change) (?:that|this|it)(?: to)?|correction|better yet|hold on|my (?:bad|mistake)|never ?mind"
    r"|let me rephrase|instead|(?:i )?should (?:say|have said)|ugh|ooh"
)
_WEAK = r"or|oh|ah|ok|okay|i|that|to say|tell me|(?:i )?want to know|well|excuse me|and"
_ENGLISH = rf"\b(?:{_STRONG})\b(?:[\s,.!;\-]+(?:{_STRONG}|{_WEAK})\b)*"
_KOREAN = (
    r"(?<![가-힣])(?:아니|아니다|아니요|아니아니|아 ?참|잠깐만?요?|정정|미안|죄송|죄송해요|죄송합니다"
    r"|(?:아니 )?그게 아니라|(?:아니 )?그게 아니고|그거 말고|제 ?말은|내 ?말은)(?![가-힣])"
)
_MARKER = re.compile(rf"{_ENGLISH}|{_KOREAN}(?:[\s,.!]+{_KOREAN})*")


def repaired(text: str) -> tuple[list[str], list[str]]:
    """Return the words before the last marker (its like left out) and those after it, of a text in `plain` spelling.

    A text that takes nothing back has all its words in the second list. In "X, no wait, Y not X" the second X is
    no part of what is meant.
    """
    markers = [found for found in _MARKER.finditer(text) if WORD.search(text, found.end())]
    if not markers:
        return [], WORD.findall(text)
    starts = [0, *(found.end() for found in markers)]
    ends = [*(found.start() for found in markers), len(text)]
    *before, meant = (WORD.findall(text[start:end]) for start, end in zip(starts, ends, strict=True))
    taken_back = [word for words in before for word in words]
    return taken_back, _without_named(meant, frozenset(taken_back) - FUNCTION)


def _without_named(meant: list[str], taken_back: frozenset[str]) -> list[str]:
    """Return a repair without "not X" where X was said before; the whole repair where nothing else is left."""
    kept: list[str] = []
    at = 0
    while at < len(meant):
        end = _end_of_named(meant, at, taken_back) if meant[at] == "not" else at
        if end == at:
            kept.append(meant[at])
            end += 1
        at = end
    return kept if set(kept) - FUNCTION else meant


def _end_of_named(meant: list[str], at: int, taken_back: frozenset[str]) -> int:
    """Return where "not X" that begins at `at` ends ("but" belongs to it), `at` itself where X is new."""
    end = at + 1
    if end < len(meant) and meant[end] in FUNCTION:
        end += 1
    first = end
    while end < len(meant) and meant[end] in taken_back:
        end += 1
    if end == first:
        return at
    return end + 1 if end < len(meant) and meant[end] == "but" else end
