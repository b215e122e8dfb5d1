"""What `loop experiments` shows: which version is better for which users, or that nobody knows yet.

Formats what `rollout.experiments` found; decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from runner.report import figures
from runner.rollout.experiments import Answer, Comparison, Result, Segment


def to_text(results: Sequence[Result]) -> str:
    """Return every experiment for a terminal."""
    return "\n\n".join("\n".join(_experiment(result)) for result in results)


def to_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return the same as plain JSON values; `first_worse` and `second_worse` are e-values."""
    return [asdict(result) for result in results]


def _experiment(result: Result) -> Iterator[str]:
    design = result.design
    shares = ", ".join(
        f"{version} {figures.share(weight)}"
        for version, weight in zip(design.versions, design.weights, strict=True)
    )
    groups = f"groups {', '.join(design.groups)}" if design.groups else "all groups"
    yield f"experiment {design.name}: {shares}; {groups}"
    for segment in result.segments:
        yield ""
        yield from (f"  {line}".rstrip() for line in _segment(segment, result))
    yield ""
    yield (
        f"  At most {figures.share(result.alpha)} of all answers given are wrong, on average, over "
        f"{result.hypotheses} claims and however often one looks. Intervals are for one figure each."
    )


def _segment(segment: Segment, result: Result) -> Iterator[str]:
    design = result.design
    yield f"{segment.name}: {segment.sessions} sessions of {sum(segment.split.users)} users"
    if segment.split.found:
        seen = ", ".join(
            f"{version} {users}" for version, users in zip(design.versions, segment.split.users, strict=True)
        )
        yield f"  WITHHELD: users are not split as declared ({seen}), so that versions cannot be compared"
    rows = [("metric", *design.versions)]
    for metric in dict.fromkeys(figure.metric for figure in segment.figures):
        own = [figure.estimate for figure in segment.figures if figure.metric is metric]
        rows.append((metric.value, *(figures.estimate(metric.value, each) for each in own)))
    yield from figures.table(rows)
    if not segment.split.found:
        yield from (f"  {_answer(each, segment)}" for each in segment.comparisons)


def _answer(found: Comparison, segment: Segment) -> str:
    pair = f"{found.metric.value}: {found.first} or {found.second}: "
    if found.answer is Answer.NONE:
        if found.needed is None:
            return f"{pair}no answer yet"
        return f"{pair}no answer yet, about {found.needed} more sessions at the difference so far"
    first = found.answer is Answer.FIRST
    better, worse = (found.first, found.second) if first else (found.second, found.first)
    evidence = found.second_worse if first else found.first_worse
    told = {
        figure.version: figures.value(found.metric.value, figure.estimate.value)
        for figure in segment.figures
        if figure.metric is found.metric
    }
    return f"{pair}{better} is better ({told[better]} against {told[worse]}), evidence {figures.evidence(evidence)}"
