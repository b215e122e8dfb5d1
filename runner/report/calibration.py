"""What `loop judge calibrate` shows: how a judge did beside people. Reads JSON values; decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from runner.report import figures

Values = Mapping[str, Any]
_SAYS: Final = {
    "PASS": "it may decide gates",
    "FAIL": "it may decide no gate: people say otherwise too often",
    "INCONCLUSIVE": "it may decide no gate yet: too few pairs to know",
}


def to_text(found: Values) -> str:
    """Return a calibration for a terminal."""
    lines = [f"{found['judge']}: {found['verdict']}, {_SAYS[found['verdict']]}", f"  {found['reason']}"]
    return "\n".join([*lines, *figures.table([("", "value"), *_rows(found)])])


def _rows(found: Values) -> Iterator[tuple[str, str]]:
    agreement, n = found["agreement"], found["pairs"]
    ends = figures.share(found["low"]), figures.share(found["high"])
    told = figures.NOTHING if agreement is None else figures.spread(figures.share(agreement), *ends, n)
    yield "agreement with people", told
    yield "asked for", figures.share(found["min_agreement"])
    yield "beyond chance (Cohen's kappa)", _number(found["kappa"])
    yield "beyond chance (Krippendorff's alpha)", _alpha(found)
    yield "same verdict in both orders", _share(found["consistency"])
    yield "prefers the longer answer", _share(found["longer_judge"])
    yield "people prefer the longer answer", _share(found["longer_people"])
    yield "pairs without a verdict", str(found["errors"])


def _alpha(found: Values) -> str:
    if found["alpha"] is None:
        return figures.NOTHING
    ends = _number(found["alpha_low"]), _number(found["alpha_high"])
    return figures.spread(_number(found["alpha"]), *ends, found["pairs"])


def _number(value: float | None) -> str:
    return figures.NOTHING if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return figures.NOTHING if value is None else figures.share(value)
