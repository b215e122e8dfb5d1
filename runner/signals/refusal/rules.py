"""Whether an answer declines to help, by rules for English and Korean; no model, so that it costs microseconds.

`outcomes` asks it about every answer. The rules look for an assistant that speaks of itself ("I cannot help
with that") and of its limits ("only about the bookshop"), never for a bare "cannot": "books on sale cannot be
returned" is an answer. They err the same way in both arms, and arms are what is compared. Pure.
"""

from __future__ import annotations

import re

from runner.signals.text import plain

_SERVE = (
    r"(?:help|assist|answer|respond|comply|do that|do this|discuss|advise|provide|share|give|offer|tell|"
    r"talk about|write|create|generate|translate|fulfil|continue|support)"
)
_NOT_ABLE = (
    r"(?:can(?:not| not|'t)|could(?: not|n't)|will not|won't|may not|"
    r"(?:am|'m|are|'re) (?:not able|unable|not allowed|not permitted) to|"
    r"(?:am|'m|are|'re) not in a position to)"
)
_ENGLISH = re.compile(
    rf"\b(?:i|we)\b ?{_NOT_ABLE} (?:really |currently |possibly |directly )?{_SERVE}\b"
    rf"|\b(?:unable|not able) to {_SERVE}\b"
    r"|\b(?:i|we) can only (?:help|assist|answer|talk)\b"
    r"|\b(?:i|we) only (?:help with|answer|know about)\b"
    r"|\b(?:i|we) (?:must|have to|need to) (?:decline|refuse)\b"
    r"|\b(?:i|we) (?:do not|don't) (?:know|have that book|have an answer|have information)\b"
    r"|\b(?:is|that's|are) not something (?:that )?(?:i|we) can\b"
    r"|\b(?:outside|beyond|out of) (?:of )?(?:my|our) (?:scope|area|expertise|abilities|capabilities)\b"
    r"|\b(?:against|violates?) (?:my|our) (?:guidelines|policy|policies|rules)\b"
    r"|\bas an ai\b.{0,60}\b(?:cannot|can't|unable|not able|don't|do not)\b"
)
_KOREAN = re.compile(
    r"만 (?:도와|답|안내)[가-힣 ]{0,6} ?수 있"
    r"|(?:도와|도움을?|답|답변|대답|안내|제공|설명|말씀|응)[가-힣 ]{0,8} ?수 ?(?:가|는)? ?없"
    r"|(?:도와드리|답변(?:을)? ?드리|답변하|안내(?:해)? ?드리|제공하)기(?:는|가)? ?(?:어렵|힘들|곤란)"
    r"|모르겠|잘 모릅|알지 못|알 수 ?(?:가|는)? ?없"
    r"|그 책은 (?:저희에게 |저희 서점에 )?없"
    r"|(?:저의|제) (?:능력|범위|권한)(?:을|를)? ?(?:밖|벗어)"
    r"|거절(?:하겠|해야|합니다)"
)


def refuses(answer: str, keywords: tuple[str, ...] = ()) -> bool:
    """Return whether an answer declines, wholly or in part; `keywords` are further phrases that always count."""
    text = plain(answer)
    if any(plain(keyword) in text for keyword in keywords):
        return True
    return bool(_ENGLISH.search(text)) or (not text.isascii() and bool(_KOREAN.search(text)))
