"""What was served over a time, as money is counted by it: requests, tokens, how soon answers came.

Called by `loop cost` and the weekly report. Like `arms` it builds Ibis expressions that name no backend; what people
compare and try on the console's pages is no traffic, and only answers that came count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True, slots=True)
class Tokens:
    """Counts of tokens: how many answers have one, their total and the sum of their squares."""

    n: int
    total: float
    squares: float


@dataclass(frozen=True, slots=True)
class Times:
    """How often each time (seconds, ascending, rounded up to milliseconds) occurred."""

    values: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Served:
    """Answers over `seconds`: from the first one of the window to its end."""

    requests: int
    seconds: float
    input_tokens: Tokens
    output_tokens: Tokens
    latency: Times
    first_token: Times
    """Of streams alone: without one the first byte comes with the last."""


def served(requests: ir.Table, until: float) -> Served:
    """Return what requests of a lake, up to a moment (seconds since 1970), come to."""
    answered = requests.filter(
        (requests["loop.outcome"] == "ok")
        & ~requests["loop.console"].coalesce(False)
        & (requests["event.time"] < round(until * 1e6))
    )
    row: dict[str, Any] = _sums(answered).to_pyarrow().to_pylist()[0]
    streams = answered.filter(answered["gen_ai.request.stream"].coalesce(False))
    return Served(
        requests=row["requests"],
        seconds=until - row["first_us"] / 1e6 if row["requests"] else 0.0,
        input_tokens=_tokens(row, "input"),
        output_tokens=_tokens(row, "output"),
        latency=_times(answered, "loop.latency_ms"),
        first_token=_times(streams, "loop.first_token_ms"),
    )


def _sums(answered: ir.Table) -> ir.Table:
    sums: dict[str, ir.Value] = {"requests": answered.count(), "first_us": answered["event.time"].min()}
    for kind in ("input", "output"):
        tokens = answered[f"gen_ai.usage.{kind}_tokens"].cast("float64")
        sums |= {
            f"{kind}_n": tokens.count(),
            f"{kind}_total": tokens.sum(),
            f"{kind}_squares": (tokens * tokens).sum(),
        }
    return answered.agg(**sums)


def _tokens(row: dict[str, Any], kind: str) -> Tokens:
    return Tokens(row[f"{kind}_n"], row[f"{kind}_total"] or 0.0, row[f"{kind}_squares"] or 0.0)


def _times(answered: ir.Table, column: str) -> Times:
    known = answered.filter(answered[column].notnull())
    steps = known.select(step=known[column].ceil().cast("int64"))
    found = steps.group_by("step").agg(n=steps.count()).order_by("step").to_pyarrow()
    return Times(tuple(step / 1000 for step in found["step"].to_pylist()), tuple(found["n"].to_pylist()))
