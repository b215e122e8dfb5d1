"""A diagnosis as text for people and as JSON: the likeliest cause first, then every question with its figures.

Values in, text out; it decides nothing.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from runner.economics.checks import Check, Unit
from runner.economics.diagnose import Answer, Diagnosis
from runner.report import figures
from runner.spec.model import GateVerdict

FORMAT: Final = 1


def to_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return a diagnosis as JSON values; `format` changes when a field changes its meaning."""
    cause = diagnosis.cause
    return {"format": FORMAT, "cause": None if cause is None else cause.question.value, **asdict(diagnosis)}


def to_text(diagnosis: Diagnosis) -> str:
    """Return the likeliest cause, and every question."""
    lines = [f"{diagnosis.name}, trained from {diagnosis.parent or 'the base model'}: {headline(diagnosis)}"]
    for answer in diagnosis.answers:
        lines += ["", *_answer(answer)]
    return "\n".join(lines)


def headline(diagnosis: Diagnosis) -> str:
    """Return in one line what may be the cause."""
    if diagnosis.cause is not None:
        failed = [check.name for check in diagnosis.cause.checks if check.verdict is GateVerdict.FAIL]
        return f"the likeliest cause is {diagnosis.cause.question.value} ({', '.join(failed)})"
    if diagnosis.verdict is GateVerdict.PASS:
        return "no cause found: all that was asked passed"
    open_ = [answer.question.value for answer in diagnosis.answers if answer.verdict is not GateVerdict.PASS]
    return f"no cause proven; not decided: {', '.join(open_)}"


def _answer(answer: Answer) -> list[str]:
    rows = [("check", "verdict", "figure", "wanted", "n", "what it is")]
    rows += [
        (check.name, check.verdict.value, _figure(check), _limit(check), f"{check.n:,}", check.meaning)
        for check in answer.checks
    ]
    # several checks may want the same figures, or the same cure
    fixes = dict.fromkeys(check.fix for check in answer.checks if check.fix)
    return [
        f"{answer.verdict.value}  {answer.question.value}: {answer.asked}",
        *figures.table(rows),
        *(f"  - {fix}" for fix in fixes),
    ]


def _figure(check: Check) -> str:
    if check.value is None:
        return figures.NOTHING
    shown = _value(check.unit, check.value)
    if check.low == check.high:
        return shown
    ends = ["?" if end is None else _value(check.unit, end) for end in (check.low, check.high)]
    return f"{shown} [{ends[0]} to {ends[1]}]"


def _limit(check: Check) -> str:
    return f"{check.side.value} {_value(check.unit, check.limit)}"


def _value(unit: Unit, number: float) -> str:
    match unit:
        case Unit.SHARE:
            return figures.share(number)
        case Unit.COUNT:
            return f"{number:,.0f}"
        case Unit.SECONDS:
            return figures.seconds(number)
        case Unit.NATS:
            return f"{number:.2f} nats"
        case Unit.TIMES:
            return f"{number:.2f}x"
        case Unit.PLAIN:
            return f"{number:.3g}"
