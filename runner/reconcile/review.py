"""What a reviewer wants to know of a change beside the actions: stages, evaluation, data, cost, every changed value.

Called by `loop plan`; the sections go to `report.plan`. Computation only: two specs in, lines out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from runner.economics.cost.statement import state
from runner.report import cost_change
from runner.report.plan import CHANGED
from runner.spec.environment import Environment
from runner.spec.load import Spec

Section = tuple[str, Sequence[str]]
_ABSENT = "nothing"
_LONGEST, _BEFORE = 60, 20


def review(spec: Spec, name: str, before: Spec | None = None) -> tuple[Section, ...]:
    """Return titled lines about environment `name`, and where there is a spec to compare with, about the change.

    What is changed in another environment that still exists is told there. Raises KeyError.
    """
    environment = spec.loop.environments[name]
    sections: list[Section] = [("rollout", list(_stages(spec, environment)))]
    sections.append(("evaluation", list(_evaluation(spec, environment))))
    if before is not None:
        sections.append(("data", list(_data(before, spec))))
        sections.append(("cost", cost_of(before, spec)))
        sections.append((CHANGED, list(_changed(before.as_written(), spec.as_written(), name))))
    return tuple((title, lines) for title, lines in sections if lines)


def _changed(before: Any, after: Any, name: str) -> Iterator[str]:
    others = after["loop"]["environments"].keys() - {name}
    for value in (before, after):
        value["loop"]["environments"] = {
            key: inner for key, inner in value["loop"]["environments"].items() if key not in others
        }
    yield from changed_values(before, after)


def changed_values(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Yield every value that differs, with its path, before and after, in order of path."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys(), key=str):
            inner = f"{path}.{key}" if path else str(key)
            yield from changed_values(old.get(key), new.get(key), inner)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for at, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from changed_values(one, other, f"{path}[{_label(one, at)}]")
    elif old != new:
        one, other = _apart(_line(old), _line(new))
        yield f"{path}: {one} -> {other}"


def _stages(spec: Spec, environment: Environment) -> Iterator[str]:
    rollout = environment.rollout
    if rollout is None:
        return
    policy = spec.policies.rollout
    for stage in policy.stages:
        lasts = f"at least {_lasting(policy.least(stage))}"
        here = "  <- stands here" if stage.name == rollout.stage else ""
        yield f"{stage.name}: {stage.traffic:.0%} of users, {lasts}, advance {stage.advance.value}{here}"


def _lasting(seconds: float) -> str:
    """Return a duration in the largest unit that a stage is usually given in and that it fills."""
    unit, size = next((each for each in (("h", 3600), ("min", 60)) if seconds >= each[1]), ("s", 1))
    return f"{seconds / size:g} {unit}"


def _evaluation(spec: Spec, environment: Environment) -> Iterator[str]:
    """Yield the candidate's metrics beside the baseline's."""
    if environment.rollout is None:
        return
    names = (environment.baseline, environment.rollout.candidate)
    baseline, candidate = (_metrics(spec, name) for name in names)
    for metric in sorted(baseline.keys() | candidate.keys()):
        one, other = baseline.get(metric), candidate.get(metric)
        change = f" ({other - one:+.4g})" if one is not None and other is not None else ""
        yield f"{metric}: {names[0]} {_figure(one)}, {names[1]} {_figure(other)}{change}"


def _metrics(spec: Spec, name: str) -> dict[str, float]:
    evaluation = spec.models[name].evaluation
    return dict(evaluation.metrics) if evaluation else {}


def _data(before: Spec, after: Spec) -> Iterator[str]:
    for name in sorted(before.datasets.keys() | after.datasets.keys()):
        old, new = before.datasets.get(name), after.datasets.get(name)
        if old is None or new is None:
            yield f"{name}: {'new' if old is None else 'removed'}"
        elif old.hash != new.hash:
            yield f"{name}: {old.hash} -> {new.hash}"


def cost_of(before: Spec, after: Spec) -> list[str]:
    """Return what the change does to money, by the traffic that the policies assume: what is measured is not in Git."""
    old, new = (each.policies for each in (before, after))
    if (old.cost, old.cadence.phase, old.cadence.phases) == (new.cost, new.cadence.phase, new.cadence.phases):
        return []
    return cost_change.effect(state(old.cost, old.cadence), state(new.cost, new.cadence))


def _label(value: Any, at: int) -> str:
    return str(value["name"]) if isinstance(value, dict) and "name" in value else str(at)


def _line(value: Any) -> str:
    """Return a value on one line, as it may stand in a YAML file."""
    if value is None:
        return _ABSENT
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(text.split()) or "''"


def _apart(one: str, other: str) -> tuple[str, str]:
    """Return two texts shortened so that both show where they begin to differ."""
    pairs = enumerate(zip(one, other, strict=False))
    same = next((at for at, (mark, mark_) in pairs if mark != mark_), min(len(one), len(other)))
    begin = 0 if max(len(one), len(other)) <= _LONGEST else max(0, same - _BEFORE)
    return _short(one, begin), _short(other, begin)


def _short(text: str, begin: int) -> str:
    end = begin + _LONGEST
    return f"{'...' if begin else ''}{text[begin:end]}{'...' if len(text) > end else ''}"


def _figure(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4g}"
