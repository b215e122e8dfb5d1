"""What `loop shadow` shows: how the answers of a shadowed version differ from those that users got.

Formats what `rollout.shadow` found; decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from runner.report import figures
from runner.rollout.shadow import Comparison, Latency, Side
from runner.rollout.verdict import Estimate

CERTAIN = 100.0
"""An e-value from which a change of refusals is called certain."""


def to_text(found: Sequence[Comparison]) -> str:
    """Return every shadowed version for a terminal."""
    return "\n\n".join("\n".join(_version(each)) for each in found)


def to_json(found: Sequence[Comparison]) -> list[dict[str, Any]]:
    """Return the same as plain JSON values."""
    return [asdict(each) for each in found]


def _version(found: Comparison) -> Iterator[str]:
    yield (
        f"shadow {found.served}: {found.copies} copies in {found.sessions} sessions, {found.dropped} dropped, "
        f"{found.unmatched} of unknown requests, {found.compared} compared word for word"
    )
    yield from figures.table([("", "value [interval] n (sessions)"), *_rows(found)])
    for each in found.disagreements:
        yield f"  least alike: request {each.request}, {figures.share(each.similarity)} alike"
        yield f"    asked:      {figures.line(each.question)}"
        yield f"    users got:  {figures.line(each.answer)}"
        yield f"    the copy:   {figures.line(each.copy)}"


def _rows(found: Comparison) -> Iterator[tuple[str, str]]:
    yield "word for word the same", figures.of_share(found.same)
    yield "similarity of words", figures.of_share(found.similarity)
    yield "length, copy / answer", _ratio(found.length_ratio)
    for side, estimate in found.errors:
        yield f"errors, {side.value}", figures.of_share(estimate)
    for each in found.latencies:
        yield f"latency p{100 * each.q:.0f}, {_side(each)}", figures.estimate("latency_p50", each.estimate)
    yield "refusals gained", figures.of_share(found.refusals_gained)
    yield "refusals lost", figures.of_share(found.refusals_lost)
    certain = "certain" if found.refusal_evidence >= CERTAIN else "not certain"
    yield "refusals changed", f"evidence {figures.evidence(found.refusal_evidence)}: {certain}"


def _side(latency: Latency) -> str:
    return Side(latency.side).value


def _ratio(found: Estimate) -> str:
    if found.value is None or found.low is None or found.high is None:
        return figures.NOTHING
    return figures.spread(f"{found.value:.2f}", f"{found.low:.2f}", f"{found.high:.2f}", found.n)
