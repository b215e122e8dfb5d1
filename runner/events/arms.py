"""The first question to the lake: requests, errors, latency and tokens of each alias, version and arm.

Called by `loop status`. It builds an Ibis expression that names no backend and turns its rows into values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis.expr.types as ir


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """What one arm of one alias did; "" where a request never came as far as an alias, a version or an arm.

    `errors` are ours or the engine's; what the client caused (`refused`) or broke off (`cancelled`) stands
    apart and is no part of `error_rate`. Latencies are milliseconds over answered requests, None where
    there was none.
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
    outcome = requests["loop.outcome"]
    answered = outcome == "ok"
    latency = requests["loop.latency_ms"]
    keys = {
        "alias": requests["loop.alias"].coalesce(""),
        "version": requests["loop.version"].coalesce(""),
        "arm": requests["loop.arm"].coalesce(""),
    }
    return (
        requests.group_by(**keys)
        .agg(
            requests=requests.count(),
            errors=(outcome == "error").sum(),
            refused=(outcome == "refused").sum(),
            cancelled=(outcome == "cancelled").sum(),
            fell_back=requests["loop.fell_back"].sum().coalesce(0),
            latency_p50_ms=latency.quantile(0.5, where=answered),
            latency_p95_ms=latency.quantile(0.95, where=answered),
            latency_p99_ms=latency.quantile(0.99, where=answered),
            first_token_p50_ms=requests["loop.first_token_ms"].quantile(0.5, where=answered),
            input_tokens=requests["gen_ai.usage.input_tokens"].sum().coalesce(0),
            output_tokens=requests["gen_ai.usage.output_tokens"].sum().coalesce(0),
        )
        .order_by("alias", "arm", "version")
    )


def summaries(requests: ir.Table) -> tuple[ArmSummary, ...]:
    """Run the question over requests of a lake and return its rows, ordered by alias, arm and version."""
    rows: list[dict[str, Any]] = per_arm(requests).to_pyarrow().to_pylist()
    return tuple(ArmSummary(**row) for row in rows)
