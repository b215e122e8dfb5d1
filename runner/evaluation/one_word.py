"""Asking a model for one word about texts that it must not obey; what every judge shares, whatever it judges.

Each text stands between markers that nobody could know who wrote it, since they are made of the texts themselves: no
text can end its own part, or begin another. Instructions in a text may still move a weak judge, against which stand
asking in both orders and calibration.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from runner import digest
from runner.evaluation.chat import ChatClient, Reply
from runner.evaluation.price import Meter, upper_bound

MAX_TOKENS = 8
"""Longest verdict; enough for one word in any tokenizer."""
_DRESSED = r"[\s\"'*`]*({})[\s\"'*`.!]*"


@dataclass(frozen=True, slots=True)
class OneWord:
    """What a model is told, and the words of which it may say one."""

    rules: str
    words: Collection[str]

    async def ask(self, client: ChatClient, said: str, meter: Meter) -> Reply:
        """Return what a model says at temperature 0, and count it. Raises as `ChatClient.ask` does."""
        messages = [{"role": "system", "content": self.rules}, {"role": "user", "content": said}]
        reply = await client.ask(messages, 0.0, MAX_TOKENS)
        meter.count(reply, upper_bound(self.rules, said), MAX_TOKENS)
        return reply

    def most(self, said: str) -> int:
        """Return more tokens than asking can take."""
        return upper_bound(self.rules, said) + MAX_TOKENS

    def read(self, reply: Reply) -> str | None:
        """Return the word in capitals, None for anything that is not exactly one of them, however it is dressed."""
        match = re.fullmatch(_DRESSED.format("|".join(self.words)), reply.text, re.IGNORECASE)
        return match[1].upper() if match else None

    def confusion(self, reply: Reply) -> str:
        """Return what to say of a reply that is no verdict."""
        return f"the judge said {reply.text[:80]!r}, which is none of {', '.join(self.words)}"


def fenced(**texts: str) -> str:
    """Return texts by their names, each between markers of its own."""
    mark = digest.short(digest.of_value(texts))
    return "\n".join(f"<{name}-{mark}>\n{text}\n</{name}-{mark}>" for name, text in texts.items())
