"""Examinations as events; what was paid for is durable before the next question is asked.

Called by the sampler and the factual check. Several processes may write to one directory.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.evaluation.choice import Answered, Detector, key
from runner.evaluation.price import NOTHING, Tokens
from runner.events.masking import Masking
from runner.events.schema import Kind
from runner.events.writer import SegmentWriter

QUOTED = 200
"""Characters of a sentence that evidence keeps."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What an examination came to. `count` is None where it was broken off: it may be begun again.

    `value` is 0 to 1, None where nothing could be said; `evidence` JSON values, masked before they are written.
    """

    value: float | None
    count: int | None
    evidence: dict[str, Any]
    spent: Tokens = NOTHING


@dataclass
class SampleLog:
    """Writes to the events of one environment; use it in a `with` statement. `clock`: microseconds since 1970 UTC.

    `keep_texts` false leaves out evidence: where the policy keeps no content, it keeps no quotations either.
    """

    events: Path
    environment: str
    clock: Callable[[], int]
    keep_texts: bool = True
    written: int = 0
    _writer: SegmentWriter | None = field(default=None, repr=False)

    def __enter__(self) -> SampleLog:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def record(self, answered: Answered, detector: Detector, found: Examined) -> None:
        """Write one examination, durable when this returns. Raises LogUnwritable."""
        self.append(answered, detector, found).sync()

    def append(self, answered: Answered, detector: Detector, found: Examined) -> SegmentWriter:
        """Write one examination, durable when the block ends. Raises LogUnwritable."""
        if self._writer is None:
            self.events.mkdir(parents=True, exist_ok=True)
            self._writer = SegmentWriter(self.events, Kind.SAMPLE, self.clock)
        self._writer.append(self._event(answered, detector, found))
        self.written += 1
        return self._writer

    def _event(self, answered: Answered, detector: Detector, found: Examined) -> dict[str, Any]:
        evidence = json.dumps(Masking().value(found.evidence), ensure_ascii=False)
        event = {
            "event.id": _id(answered, detector, found),
            "event.time": self.clock(),
            "loop.environment": self.environment,
            "loop.request.id": answered.request_id,
            "loop.version": answered.version,
            "loop.adapter.digest": answered.adapter_digest,
            "loop.arm": answered.arm or None,
            "loop.group": answered.group or None,
            "loop.detector": detector.value,
            "loop.sample.value": found.value,
            "loop.sample.count": found.count,
            "loop.sample.evidence": evidence if self.keep_texts and found.evidence else None,
            "gen_ai.usage.input_tokens": found.spent.input,
            "gen_ai.usage.output_tokens": found.spent.output,
        }
        return {name: value for name, value in event.items() if value is not None}


def _id(answered: Answered, detector: Detector, found: Examined) -> str:
    """Return an id that two runs give alike to one finished examination, so that its value counts once.

    Those of broken ones differ behind their common beginning, so that they can be counted.
    """
    name = key(answered.event_id, detector)
    return name if found.count is not None else f"{name}-{uuid.uuid4().hex[:8]}"


def quoted(text: str) -> str:
    """Return the beginning of a text, as evidence keeps it."""
    return text if len(text) <= QUOTED else f"{text[: QUOTED - 1]}…"
