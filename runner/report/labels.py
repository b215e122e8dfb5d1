"""What `loop labels` shows: how far the review is, how far people agree, and who is often alone.

Formats what `feedback.labels` found; decides nothing. What people wrote is shown in one line and without
control characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from runner import digest
from runner.feedback.labels.agreement import Reviewer, TaskAgreement
from runner.feedback.labels.overview import Detail, Overview, TaskOverview
from runner.feedback.labels.resolution import Resolved
from runner.feedback.records import question
from runner.report import figures

FORMAT = 1
NAMED = 5
_SIDES = {"preference": ("left", "right")}


def to_json(found: Overview) -> dict[str, Any]:
    """Return an overview as JSON values; `format` changes when a field changes its meaning."""
    return {"format": FORMAT, "unknown": found.unknown, "tasks": [_task_json(each) for each in found.tasks]}


def details_to_json(found: Sequence[Detail]) -> dict[str, Any]:
    """Return one item with its labels as JSON values."""
    return {"format": FORMAT, "tasks": [_detail_json(each) for each in found]}


def to_text(found: Overview, raters: int) -> str:
    """Return an overview for a terminal."""
    if not found.tasks:
        return "nothing to review: no answer or comparison was collected that a person has to judge"
    lines = [line for each in found.tasks for line in (*_task(each, raters), "")]
    if found.unknown:
        lines += [
            f"labels about items that are not collected any more, which count nowhere: {found.unknown}",
            "",
        ]
    return "\n".join(lines[:-1])


def details_to_text(found: Sequence[Detail]) -> str:
    """Return one item with all its labels for a terminal."""
    return "\n\n".join("\n".join(_detail(each)) for each in found)


def _task(found: TaskOverview, raters: int) -> Iterator[str]:
    yield (
        f"{found.task.value}: {found.items} items; {found.settled} settled ({found.by_majority} by majority, "
        f"{found.by_final} by a last word), {found.waiting} waiting for {raters} people, {len(found.disputed)} disputed"
    )
    if found.disputed:
        more = len(found.disputed) - NAMED
        named = ", ".join(found.disputed[:NAMED]) + (f" and {more} more" if more > 0 else "")
        yield f"  wait for a last word: {named}"
    if found.agreement is None:
        yield "  agreement: nobody has judged one yet"
    else:
        yield from _agreement(found.agreement)


def _agreement(found: TaskAgreement) -> Iterator[str]:
    used = found.verdict.value if found.usable else "NOT USED"
    yield f"  agreement: {used}: {found.reason}"
    alpha = None if found.krippendorff is None else found.krippendorff.alpha
    yield (
        f"    over {found.items} items with two labels or more: Krippendorff's alpha "
        f"{_number(alpha)}, Fleiss' kappa {_number(found.fleiss)}, "
        f"Cohen's kappa {_number(found.cohen)} (mean of {len(found.pairs)} pairs)"
    )
    if found.pairs:
        rows = [("pair", "", "Cohen's kappa", "items")]
        rows += [
            (_short(pair.one), _short(pair.other), _number(pair.kappa), str(pair.items))
            for pair in found.pairs
        ]
        yield from figures.table(rows, "    ")
    head = ("reviewer", "labels", "alone against a majority", "alpha without")
    yield from figures.table([head, *map(_reviewer, found.reviewers)], "    ")


def _reviewer(found: Reviewer) -> tuple[str, ...]:
    share = figures.NOTHING
    if found.minority is not None:
        share = f"{figures.share(found.minority)} ({found.alone} of {found.beside})"
    return _short(found.user), str(found.labels), share, _number(found.alpha_without)


def _detail(found: Detail) -> Iterator[str]:
    item = found.item
    yield f"{item.id}, {item.task.value}: {item.category}, {item.language}; taken for: {', '.join(item.reasons)}"
    yield f"  asked:   {figures.line(question(item.prompt))}"
    one, other = _SIDES.get(item.task.value, ("answer", "instead"))
    yield f"  {one + ':':8} {figures.line(item.answer)}"
    if item.other is not None:
        yield f"  {other + ':':8} {figures.line(item.other)}"
    rows = [("when", "who", "said", "", "")]
    for label in found.labels:
        when = figures.moment(label.at_us / 1e6)
        rows.append(
            (
                when,
                _short(label.user),
                label.value,
                "last word" if label.final else "",
                figures.line(label.correction or label.comment or ""),
            )
        )
    yield from figures.table(rows)
    if isinstance(found.outcome, Resolved):
        yield f"  settled: {found.outcome.value}, by {found.outcome.by.value}"
    else:
        yield f"  not settled: {found.outcome.reason}"


def _task_json(found: TaskOverview) -> dict[str, Any]:
    value = asdict(found) | {"settled": found.settled}
    if found.agreement is not None:
        value["agreement"] |= {
            "usable": found.agreement.usable,
            "cohen": found.agreement.cohen,
            "reviewers": [asdict(each) | {"minority": each.minority} for each in found.agreement.reviewers],
        }
    return value


def _detail_json(found: Detail) -> dict[str, Any]:
    value = asdict(found)
    value["item"]["involved"] = sorted(found.item.involved)
    return value


def _number(value: float | None) -> str:
    return figures.NOTHING if value is None else f"{value:.3f}"


def _short(user: str) -> str:
    return digest.short(user)
