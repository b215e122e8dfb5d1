"""Which answers are examined: a share of them, drawn by hash, so that every run chooses the same.

Drawn and remembered by the event id, which the gateway makes up: the request id is the caller's own choice, who could
pick one that is drawn, or never drawn, or examined already. Called by the sampler and the command line. Pure.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from runner import digest
from runner.signals.text import spoken

Event = Mapping[str, Any]

ATTEMPTS = 2
"""How often an examination is begun: what came to nothing twice would come to nothing every time."""
_CONTENT = "-content"
"""What the event of the words has behind the event id of its request."""
_KEY = 32


class Detector(StrEnum):
    """What examines an answer, as `loop.detector` of sample events has it."""

    SELF_CONSISTENCY = "self_consistency"
    FACTUAL = "factual"


@dataclass(frozen=True, slots=True)
class Answered:
    """A question that a version answered. `messages` is the prompt as it was logged, personal data masked.

    `time` in microseconds since 1970 UTC; tokens as the engine counted them, None where it did not.
    """

    event_id: str
    request_id: str
    time: int
    version: str
    adapter_digest: str
    arm: str
    group: str
    messages: tuple[Mapping[str, Any], ...]
    answer: str
    input_tokens: int | None = None
    output_tokens: int | None = None

    @property
    def question(self) -> str:
        """The text of the last thing the user said."""
        return spoken(list(self.messages), "user") or spoken(list(self.messages))

    @property
    def served(self) -> str:
        """The engine's name for the bytes that answered."""
        return digest.served_name(self.version, self.adapter_digest)


def answered(requests: Iterable[Event], contents: Iterable[Event]) -> list[Answered]:
    """Return the answers that users got, newest first, of which both the facts and the words are logged."""
    words = {content["event.id"].removesuffix(_CONTENT): content for content in contents}
    found = []
    for request in requests:
        content = words.get(request["event.id"])
        if content is None or request.get("loop.outcome") != "ok":
            continue
        if not request.get("loop.version") or not request.get("loop.adapter.digest"):
            continue
        one = _answered(request, content)
        if one is not None:
            found.append(one)
    return sorted(found, key=lambda each: (-each.time, each.event_id))


def _answered(request: Event, content: Event) -> Answered | None:
    messages, answer = _messages(content["gen_ai.input.messages"]), spoken(content["gen_ai.output.messages"])
    if not messages or not answer.strip():
        return None
    return Answered(
        event_id=request["event.id"],
        request_id=request["loop.request.id"],
        time=request["event.time"],
        version=request["loop.version"],
        adapter_digest=request["loop.adapter.digest"],
        arm=request.get("loop.arm") or "",
        group=request.get("loop.group") or "",
        messages=messages,
        answer=answer,
        input_tokens=request.get("gen_ai.usage.input_tokens"),
        output_tokens=request.get("gen_ai.usage.output_tokens"),
    )


def _messages(text: str) -> tuple[Mapping[str, Any], ...]:
    """Return the messages of a logged prompt; none where it has another form (a plain completion)."""
    try:
        value = json.loads(text)
    except ValueError:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, dict) and "role" in each for each in value):
        return ()
    return tuple(value)


def is_drawn(event_id: str, detector: Detector, share: float) -> bool:
    """Whether an answer is among the share that is examined; a larger share holds every smaller one."""
    drawn = int(digest.of_value([detector.value, event_id])[:13], 16) / 16**13
    return drawn < share


def key(event_id: str, detector: Detector) -> str:
    """Return the event id of the finished examination of an answer; that of a broken one begins with it."""
    return digest.of_value([detector.value, event_id])[:_KEY]


def to_examine(
    answers: Sequence[Answered], samples: Iterable[Event], detector: Detector, share: float
) -> list[Answered]:
    """Return the drawn answers that may still get a value, in the order given; those tried in vain come last.

    Left out is what an examination came to its end of, or was begun `ATTEMPTS` times.
    """
    done: set[str] = set()
    tried: Counter[str] = Counter()
    for sample in samples:
        name = sample["event.id"][:_KEY]
        if sample.get("loop.sample.count") is None:
            tried[name] += 1
        else:
            done.add(name)
    names = {each.event_id: key(each.event_id, detector) for each in answers}
    left = [
        each
        for each in answers
        if is_drawn(each.event_id, detector, share)
        and names[each.event_id] not in done
        and tried[names[each.event_id]] < ATTEMPTS
    ]
    return sorted(left, key=lambda each: tried[names[each.event_id]])


def spent(samples: Iterable[Event], since: int) -> int:
    """Return the tokens that examinations took from `since` on (microseconds since 1970 UTC)."""
    return sum(
        (sample.get("gen_ai.usage.input_tokens") or 0) + (sample.get("gen_ai.usage.output_tokens") or 0)
        for sample in samples
        if sample["event.time"] >= since
    )
