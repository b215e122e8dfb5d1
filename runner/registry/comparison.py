"""What sets two versions apart: figures, recipe, data, adapter, lineage and gates. Pure: records in, differences out.

Called by `loop models compare`. It says what differs and never which is better: intervals that overlap prove nothing,
and versions that were not measured on the same questions cannot be compared by their figures at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.registry.lineage import related
from runner.spec.load import Spec
from runner.spec.model import ModelFile

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """A version's file, and the values of its evaluation.json and training.json; None where there are none."""

    model: ModelFile
    evaluation: Values | None = None
    manifest: Values | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `low` and `high` are None where no interval is known, `n` where no count is."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """One metric of both versions, None where it was not measured."""

    metric: str
    one: Figure | None
    other: Figure | None

    @property
    def change(self) -> float | None:
        """How much more the second has than the first; None where one of them was not measured."""
        return None if self.one is None or self.other is None else self.other.value - self.one.value

    @property
    def apart(self) -> bool | None:
        """Whether the intervals share nothing; None where one of them is not known."""
        ends = [end for each in (self.one, self.other) if each is not None for end in (each.low, each.high)]
        if len(ends) != 4 or any(end is None for end in ends):
            return None
        low, high, other_low, other_high = (float(end) for end in ends if end is not None)
        return high < other_low or other_high < low


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact in which they differ, as text; empty where one of them does not have it."""

    what: str
    one: str
    other: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that sets `other` apart from `one`; `notes` say what a reader must know before the figures."""

    one: str
    other: str
    relation: str
    figures: tuple[Pair, ...]
    gates: tuple[Difference, ...]
    adapter: tuple[Difference, ...]
    recipe: tuple[Difference, ...]
    data: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


def compare(spec: Spec, one: Record, other: Record) -> Comparison:
    """Return what sets two versions of the spec apart."""
    return Comparison(
        one=one.model.name,
        other=other.model.name,
        relation=related(spec.models, one.model.name, other.model.name, spec.loop.base_model.name),
        figures=tuple(_figures(one, other)),
        gates=_differing(_gates(one), _gates(other)),
        adapter=_differing(_adapter(one), _adapter(other)),
        recipe=_differing(_recipe(spec, one), _recipe(spec, other)),
        data=_differing(_data(one), _data(other)),
        notes=tuple(_notes(one, other)),
    )


def figures_of(record: Record) -> dict[str, Figure]:
    """Return every figure of a version by suite and metric, named as in its file; with intervals where known."""
    evaluation = record.model.evaluation
    found = {} if evaluation is None else {name: Figure(value) for name, value in evaluation.metrics.items()}
    return found | _measured(record.evaluation, "measured")


def _measured(report: Values | None, whose: str) -> dict[str, Figure]:
    """Return what a report measured of its version (`measured`), or of what that was compared with (`baseline`)."""
    return {
        _named(suite["suite"], each["metric"]): Figure(each["value"], each["low"], each["high"], each["n"])
        for suite in (report["suites"] if report is not None else ())
        for each in suite[whose]
        if each["value"] is not None
    }


def _named(suite: str, metric: str) -> str:
    return metric if metric.startswith(suite) else f"{suite}_{metric}"


def _figures(one: Record, other: Record) -> Iterator[Pair]:
    """Yield every metric; a version without a report has the figures that the other's report has of it, if any."""
    first = figures_of(one) | ({} if one.evaluation is not None else _told_by(other, one))
    second = figures_of(other) | ({} if other.evaluation is not None else _told_by(one, other))
    for metric in sorted(first.keys() | second.keys()):
        yield Pair(metric, first.get(metric), second.get(metric))


def _told_by(teller: Record, about: Record) -> dict[str, Figure]:
    report = teller.evaluation
    if report is None or report["against"]["digest"] != about.model.adapter.digest:
        return {}
    return _measured(report, "baseline")


def _notes(one: Record, other: Record) -> Iterator[str]:
    reports = (one.evaluation, other.evaluation)
    if None in reports:
        lacking = [each.model.name for each in (one, other) if each.evaluation is None]
        if not _told_by(one, other) and not _told_by(other, one):
            yield f"no intervals are known of {' and '.join(lacking)}: `loop evaluate` measures them"
        return
    hashes = [dict(report["dataset_hashes"]) for report in reports if report is not None]
    changed = sorted(
        name for name in hashes[0].keys() & hashes[1].keys() if hashes[0][name] != hashes[1][name]
    )
    if changed:
        yield f"the questions changed between the evaluations: {', '.join(changed)}"
    engines = [str(report["engine"]) for report in reports if report is not None]
    if engines[0] != engines[1]:
        yield f"measured on different engines: {engines[0]} and {engines[1]}"


def _gates(record: Record) -> dict[str, str]:
    evaluation = record.model.evaluation
    return {} if evaluation is None else {gate: verdict.value for gate, verdict in evaluation.gates.items()}


def _adapter(record: Record) -> dict[str, str]:
    model = record.model
    return {
        "type": model.type.value,
        "parent": model.parent or model.base_model,
        "base model": model.base_model,
        "digest": model.adapter.digest,
        "rank": str(model.adapter.rank),
        "code": model.training.revision,
        "trained": model.training.date.isoformat(),
    }


def _recipe(spec: Spec, record: Record) -> dict[str, str]:
    """Return the recipe as it was when the version was trained, else as the policy has it now; flat."""
    name = record.model.training.recipe
    found: Any = record.manifest["recipe"] if record.manifest is not None else None
    if found is None:
        recipe = spec.policies.training.recipes.get(name)
        found = recipe.model_dump(mode="json") if recipe is not None else {}
    return {"recipe": name, **dict(_flat(found))}


def _data(record: Record) -> dict[str, str]:
    training = record.model.training
    found = {"data set": training.dataset, "hash": training.dataset_hash}
    if record.manifest is not None:
        rows = record.manifest["dataset"]
        found |= {
            "rows": str(rows["rows"]),
            "trained on": str(rows["train"]),
            "held out": str(rows["held_out"]),
        }
    return found


def _flat(value: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """Yield every setting with its dotted name; a list is one setting."""
    for key, each in value.items():
        if isinstance(each, Mapping):
            yield from _flat(each, f"{before}{key}.")
        else:
            text = each if isinstance(each, str) else json.dumps(each, ensure_ascii=False)
            yield f"{before}{key}", "" if each is None else text


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[Difference, ...]:
    names = [*one, *(name for name in other if name not in one)]
    return tuple(
        Difference(name, one.get(name, ""), other.get(name, ""))
        for name in names
        if one.get(name, "") != other.get(name, "")
    )
