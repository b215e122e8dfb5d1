"""Tables for people: what was measured now beside what the design measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.decisions.cases import Bad, Healthy, Kind
from benchmarks.decisions.trials import Alarms, Delays

_TITLES = {
    Kind.OURS: "this project: evidence that stays valid however often one looks",
    Kind.NAIVE: "point estimates, and tests of fixed size looked at again and again",
    Kind.FLAGGER: "Flagger-like: windows of 50 requests, 5 failed checks in a row, no data is a failure",
}


def false_rollbacks(rows: Sequence[tuple[Healthy, Alarms]]) -> str:
    """Return the table of false rollbacks, by whose rule it is."""
    lines = [
        f"{'healthy candidate':<34}{'P(false)':>9}{'+-':>8}{'design':>8}{'looks':>11}  replicates (rolled back)"
    ]
    for kind in Kind:
        lines += ["", _TITLES[kind]]
        lines += [_alarm(case, alarms) for case, alarms in rows if case.kind is kind]
    return "\n".join(lines)


def _alarm(case: Healthy, alarms: Alarms) -> str:
    many = ", ".join(f"{n} ({fired})" for n, fired in zip(alarms.started, alarms.fired, strict=True))
    return (
        f"  {case.key:<32}{alarms.probability:>9.4f}{alarms.error:>8.4f}{_number(case.design, 3):>8}"
        f"{alarms.looks:>11,}  {many}"
    )


def detection(rows: Sequence[tuple[Bad, Delays]]) -> str:
    """Return the table of delays, in requests of the candidate."""
    measured = f"{'median':>8}{'95%':>8}{'mean':>8}{'/bound':>8}"
    lines = [
        f"{'':<46}{'measured now':^32}   {'design':^32}",
        f"{'bad candidate':<38}{'bound':>8}{measured}   {measured}",
    ]
    for case, delays in rows:
        now = (delays.median, delays.late, delays.mean)
        lines.append(
            f"{case.key:<38}{_number(case.bound):>8}{_cells(now, case)}   {_cells(case.design, case)}"
        )
        if delays.early or delays.missed:
            lines.append(f"{'':<38}  {delays.early} rolled back before the change, {delays.missed} never")
    return "\n".join(lines)


def ratio(case: Bad, value: float | None) -> float | None:
    """Return a delay over the bound, None where either is unknown."""
    return None if value is None or case.bound is None else value / case.bound


def _cells(values: Iterable[float | None], case: Bad) -> str:
    numbers = tuple(values)
    cells = "".join(f"{_number(value):>8}" for value in numbers)
    return f"{cells}{_number(ratio(case, numbers[2]), 2):>8}"


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
