"""What the signals say that a rollout has to wait for: written by whoever measures, read by the reconciler.

The two are processes of their own, so that this is a file between them: a signal may stop a stage, and nothing waits
for the one who measures. What is old says nothing. Values in, values out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.report.signals import interval, value
from runner.signals.reading import Holds, Reading, Snapshot
from runner.spec.signals import SignalPolicy

FORMAT = 1
NAME = "standing.json"
"""Of the file, in the folder of signals."""
FRESH_S = 900.0
"""Seconds after which it says nothing any more: whoever measured is gone."""
HOLD = "hold"


def to_json(snapshot: Snapshot, policy: SignalPolicy) -> dict[str, Any]:
    """Return every hold that is certain, by the version it is about ("" for all), as JSON values."""
    holds = [
        {"version": one.version, "arm": one.arm, "text": _text(one, policy)}
        for one in snapshot.readings
        if dict(one.conditions).get(HOLD) is Holds.YES and not one.segment
    ]
    return {"format": FORMAT, "at": snapshot.at, "holds": holds}


def holding(document: Any, candidate: str, now: float) -> tuple[str, ...]:
    """Return what keeps a candidate (its version) at its stage, in words; nothing where the document is old.

    Raises KeyError, TypeError or ValueError where the document is something else.
    """
    if not isinstance(document, Mapping) or document["format"] != FORMAT:
        raise ValueError("not what signals are written as")
    if not 0.0 <= now - float(document["at"]) <= FRESH_S:
        return ()
    return tuple(
        str(hold["text"])
        for hold in document["holds"]
        if not hold["arm"] or (hold["arm"] == "candidate" and hold["version"] in ("", candidate))
    )


def _text(reading: Reading, policy: SignalPolicy) -> str:
    condition = policy.signals[reading.metric].thresholds.hold
    ends = interval(reading)
    figures = f"{value(reading.metric, reading.value)}{f' ({ends})' if ends else ''}"
    return f"{reading.metric} is {figures}: {condition}"
