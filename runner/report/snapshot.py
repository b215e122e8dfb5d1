"""What `loop data snapshot` and `loop data curate` show of a snapshot: rows, checks with figures, what was rejected.

Formats an account that was made elsewhere; decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from runner.feedback.preferences.findings import Check, Finding, Verdict
from runner.feedback.snapshot import Provenance, provenance
from runner.report import figures

CHECKS: Final = {
    Check.CLEAR_WINNERS: "votes that name one side",
    Check.SIDE: "votes for one side of the screen",
    Check.LONGER: "pairs whose longer answer won",
    Check.LENGTH_GAIN: "times as long the chosen answer is",
    Check.RATER: "votes from one person",
    Check.QUESTION: "pairs with one question",
    Check.COVERAGE: "categories that have their part",
    Check.SYNTHETIC: "synthetic pairs of one category",
}
"""What each check measures, in words."""
_LEAST = frozenset({Check.CLEAR_WINNERS, Check.COVERAGE})
_SAYS: Final = {
    Verdict.PASS: "every check of the pairs passed",
    Verdict.FAIL: "a check of the pairs failed: do not train on them before it is looked into",
    Verdict.INCONCLUSIVE: "too little data to pass every check of the pairs; none failed",
}


def to_text(found: Provenance) -> str:
    """Return a snapshot's account for a terminal."""
    return "\n".join(_lines(found))


def to_json(found: Provenance) -> dict[str, Any]:
    """Return it as plain JSON values, as provenance.json holds them."""
    return provenance.to_json(found)


def _lines(found: Provenance) -> Iterator[str]:
    yield f"snapshot {found.id[:12]}: {found.verdict.value}: {_SAYS[found.verdict]}"
    yield from (f"  {line}".rstrip() for line in figures.table(_files(found)))
    if found.more_detailed is not None:
        yield f"  {figures.share(found.more_detailed)} of the chosen answers have more sentences"
    yield ""
    yield "checks of the pairs"
    yield from (f"  {line}".rstrip() for line in figures.table([check_row(each) for each in found.checks]))
    if found.rejected:
        yield ""
        yield "not used (datasets/snapshot/rejected.jsonl names each)"
        yield from (f"  {line}".rstrip() for line in figures.table(_rejected(found)))
    if found.agreement:
        yield ""
        yield "reviewers"
        for task, each in found.agreement.items():
            yield f"  {task}: {each['items']} items, {each['verdict']}: {each['reason']}"


def _files(found: Provenance) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, counts in found.counts.items():
        total = found.files[f"{name}.jsonl"].rows
        kinds = (f"{column}: {_numbers(each)}" for column, each in counts.items() if each)
        rows.append((name, f"{total:,}", "; ".join(kinds)))
    return rows


def check_row(each: Finding) -> tuple[str, ...]:
    """Return a check as cells: its verdict, what it measures, the value, the limit, what it rests on, names."""
    write = _times if each.check is Check.LENGTH_GAIN else figures.share
    if each.value is None:
        measured = figures.NOTHING
    elif each.low == each.value == each.high:
        measured = write(each.value)
    else:
        ends = (write(end) if end is not None else figures.NOTHING for end in (each.low, each.high))
        measured = f"{write(each.value)} [{' to '.join(ends)}]"
    bound = f"{'at least' if each.check in _LEAST else 'at most'} {write(each.limit)}"
    return each.verdict.value, CHECKS[each.check], measured, bound, f"n={each.n}", ", ".join(each.names)


def _rejected(found: Provenance) -> list[tuple[str, str]]:
    return [(use.replace("_", " "), _numbers(reasons)) for use, reasons in found.rejected.items()]


def _numbers(counts: Mapping[str, int]) -> str:
    most = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in most)


def _times(number: float) -> str:
    return f"{number:.2f}"
