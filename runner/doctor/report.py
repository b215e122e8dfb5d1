"""What was found as text for people and as JSON for programs. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.doctor.examine import Examined
from runner.doctor.finding import Verdict

_WORDS = {
    Verdict.OK: "ok",
    Verdict.WARNING: "warning",
    Verdict.FAILED: "FAILED",
    Verdict.UNCHECKED: "not checked",
}
_WIDTH = max(map(len, _WORDS.values()))


def to_text(found: Examined) -> str:
    """Return all findings by area, with what to do below each that is not well, and how many there are of each kind."""
    return "\n".join(_lines(found))


def _lines(found: Examined) -> Iterator[str]:
    widest = max((len(each.what) for _, findings in found.areas for each in findings), default=0)
    for area, findings in found.areas:
        yield f"{area}:"
        for each in findings:
            yield f"  {_WORDS[each.verdict]:<{_WIDTH}}  {each.what:<{widest}}  {each.evidence}"
            if each.fix and each.verdict is not Verdict.OK:
                yield f"  {'':<{_WIDTH}}  {'':<{widest}}  fix: {each.fix}"
    counts = ", ".join(f"{found.count(verdict)} {verdict.value}" for verdict in Verdict)
    yield f"{found.environment}: {counts}; nothing was changed"


def to_json(found: Examined) -> dict[str, Any]:
    """Return the same as JSON values."""
    return {
        "environment": found.environment,
        "counts": {verdict.value: found.count(verdict) for verdict in Verdict},
        "findings": [
            {
                "area": area,
                "what": each.what,
                "verdict": each.verdict.value,
                "evidence": each.evidence,
                "fix": each.fix or None,
            }
            for area, findings in found.areas
            for each in findings
        ],
    }
