"""Whether an answer gives away which model or version wrote it, so that a vote on it is no blind one. Pure.

A name of this deployment (version, served name, base model) counts wherever it stands. A name that the whole world
uses counts only where the answer speaks of itself, since one may well be asked about llamas.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

FAMILIES = (
    *(
        "alpaca",
        "bard",
        "bloom",
        "chatglm",
        "chatgpt",
        "claude",
        "command r",
        "copilot",
        "dbrx",
        "deepseek",
        "exaone",
    ),
    *(
        "falcon",
        "gemini",
        "gemma",
        "gpt",
        "granite",
        "grok",
        "hyperclova",
        "kimi",
        "llama",
        "mistral",
        "mixtral",
    ),
    *("nemotron", "olmo", "palm", "phi", "qwen", "smollm", "solar", "vicuna", "yi"),
)
MAKERS = (
    *(
        "alibaba",
        "anthropic",
        "cohere",
        "deepmind",
        "deepseek",
        "google",
        "hugging face",
        "lg ai",
        "meta",
        "microsoft",
    ),
    *("mistral ai", "moonshot", "naver", "nvidia", "openai", "upstage", "xai", "01.ai"),
)
_KOREAN = ("큐웬", "라마", "지피티", "클로드", "제미나이", "미스트랄")
_UNMISTAKABLE = "chatglm|chatgpt|claude|deepseek|exaone|gpt|hyperclova|mixtral|qwen|smollm"
"""Families whose names mean nothing else, so that "as" before them is enough."""
_SELF = r"(?:i am|i'm|this is|my name is|call me|speaking as|저는|나는|제 이름은|내 이름은|저의 이름은)"
_BETWEEN = (
    "an?|the|called|named|your|ai|assistant|model|language|large|helpful|friendly|bookshop|인공지능|모델"
)
_MADE = r"(?:made|built|created|developed|trained|released|provided)"
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad]")
_MARKS = re.compile(r"[*_`~\"“”]+")


def names_itself(answer: str, own: Iterable[str]) -> bool:
    """Return whether an answer tells who wrote it. `own` are the names of this deployment."""
    text = _plain(answer)
    return bool(_own(frozenset(filter(None, map(_plain, own)))).search(text) or _world().search(text))


def _plain(text: str) -> str:
    """Return a text as one reads it: without marks, invisible characters and differences of width or case."""
    folded = unicodedata.normalize("NFKC", text).replace("’", "'")
    return " ".join(_MARKS.sub("", _UNSEEN.sub("", folded)).lower().split())


@lru_cache(maxsize=64)
def _own(names: frozenset[str]) -> re.Pattern[str]:
    """Return what finds a name of this deployment: not inside a longer word, and with any or no sign in its gaps."""
    written = sorted((_spread(name) for name in names), key=len, reverse=True)
    return re.compile(rf"(?<![\w.-])(?:{'|'.join(written)})(?!\w|[.-]\d)" if written else r"(?!)")


def _spread(name: str) -> str:
    if not any(each.isdigit() for each in name):
        return re.escape(name)  # without its signs it may be two words of everyday use
    return r"[\s_-]*".join(re.escape(part) for part in re.split(r"[\s_-]+", name))


@lru_cache(maxsize=1)
def _world() -> re.Pattern[str]:
    """Return what finds an answer that speaks of itself by a name that the whole world uses."""
    families = "|".join([*map(re.escape, FAMILIES), *_KOREAN])
    makers = "|".join(map(re.escape, MAKERS))
    before = rf"(?:(?:{_BETWEEN})[\s,]+){{0,6}}"
    return re.compile(
        rf"(?<!\w){_SELF},?\s+{before}(?:{families})(?![a-z])"
        rf"|(?<!\w)as {before}(?:{_UNMISTAKABLE})(?![a-z])"
        rf"|(?<!\w)(?:i am|i'm|i was|model|assistant)\b[^.!?]{{0,60}}\b{_MADE} by (?:{makers})(?![a-z])"
        rf"|(?<!\w)(?:저는|나는)\s[^.!?]{{0,40}}(?:{makers}|알리바바|구글|오픈ai|네이버|메타|앤트로픽)[^.!?]{{0,20}}(?:만든|개발한|학습)"
    )
