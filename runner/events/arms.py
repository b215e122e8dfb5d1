"""The first question to the lake: requests, errors, latency and tokens of each alias, version and arm.

Called by `loop status`. It builds an Ibis expression that names no backend and turns its rows into values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """What one arm of one alias did; "" where a request never came as far as an alias, a version or an arm.

    Counts are of the requests that were assigned to the arm, each once. `errors` are ours or the engine's, and
    those that another arm had to answer (`fell_back`), however that ended: a dead candidate has an error rate
    of 1 though no user saw it fail. What the client caused (`refused`) or broke off (`cancelled`) stands apart
    and is no part of `error_rate`. Latencies (milliseconds over complete answers, None where there was none)
    and tokens are of what the arm itself answered; an arm that only answered for another has 0 requests.
    """

    alias: str
    version: str
    arm: str
    requests: int
    errors: int
    refused: int
    cancelled: int
    fell_back: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    latency_p99_ms: float | None
    first_token_p50_ms: float | None
    input_tokens: int
    output_tokens: int

    @property
    def error_rate(self) -> float | None:
        """Errors among the requests that the arm had to answer, from 0 to 1; None where there was none."""
        owed = self.requests - self.refused - self.cancelled
        return self.errors / owed if owed else None


def per_arm(requests: ir.Table) -> ir.Table:
    """Return one row for each alias, version and arm, with the columns of `ArmSummary`, in that order."""
    rows = _as_assigned(requests).union(_as_answered(requests))
    answered = rows["outcome"] == "ok"
    latency = rows["latency"]
    return (
        rows.group_by("alias", "version", "arm")
        .agg(
            requests=rows["requests"].sum(),
            errors=rows["errors"].sum(),
            refused=rows["refused"].sum(),
            cancelled=rows["cancelled"].sum(),
            fell_back=rows["fell_back"].sum(),
            latency_p50_ms=latency.quantile(0.5, where=answered),
            latency_p95_ms=latency.quantile(0.95, where=answered),
            latency_p99_ms=latency.quantile(0.99, where=answered),
            first_token_p50_ms=rows["first_token"].quantile(0.5, where=answered),
            input_tokens=rows["input_tokens"].sum().coalesce(0),
            output_tokens=rows["output_tokens"].sum().coalesce(0),
        )
        .order_by("alias", "arm", "version")
    )


def _as_assigned(requests: ir.Table) -> ir.Table:
    """Return the counts of each request under the arm that had to answer it, whichever did.

    A request that was turned away before any arm was tried says nothing about an arm.
    """
    tried = requests["loop.arm"].notnull()
    fell_back = requests["loop.fell_back"].coalesce(False)

    def ended(outcome: str) -> ir.BooleanValue:
        return (requests["loop.outcome"] == outcome) & ~fell_back

    return requests.select(
        alias=requests["loop.alias"].coalesce(""),
        version=_text(tried.ifelse(requests["loop.version.assigned"], None), requests["loop.version"]),
        arm=_text(tried.ifelse(requests["loop.arm.assigned"], None), requests["loop.arm"]),
        requests=ibis.literal(1, "int64"),
        errors=(ended("error") | fell_back).cast("int64"),
        refused=ended("refused").cast("int64"),
        cancelled=ended("cancelled").cast("int64"),
        fell_back=fell_back.cast("int64"),
        outcome=ibis.null("string"),
        latency=ibis.null("float64"),
        first_token=ibis.null("float64"),
        input_tokens=ibis.null("int64"),
        output_tokens=ibis.null("int64"),
    )


def _as_answered(requests: ir.Table) -> ir.Table:
    """Return the figures of each answer under the arm that gave it; it counts no request a second time."""
    return requests.select(
        alias=requests["loop.alias"].coalesce(""),
        version=_text(requests["loop.version"]),
        arm=_text(requests["loop.arm"]),
        **dict.fromkeys(
            ("requests", "errors", "refused", "cancelled", "fell_back"), ibis.literal(0, "int64")
        ),
        outcome=requests["loop.outcome"],
        latency=requests["loop.latency_ms"],
        first_token=requests["loop.first_token_ms"],
        input_tokens=requests["gen_ai.usage.input_tokens"],
        output_tokens=requests["gen_ai.usage.output_tokens"],
    )


def _text(*columns: ir.StringValue) -> ir.StringValue:
    return ibis.coalesce(*columns, "")


def summaries(requests: ir.Table) -> tuple[ArmSummary, ...]:
    """Run the question over requests of a lake and return its rows, ordered by alias, arm and version."""
    rows: list[dict[str, Any]] = per_arm(requests).to_pyarrow().to_pylist()
    return tuple(ArmSummary(**row) for row in rows)
