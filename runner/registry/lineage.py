"""Which version came of which: the tree of parents, with the base model at its root.

Called by `loop models` and by promotions. Cycles and unknown parents were refused when the spec was read. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runner.registry.naming import by_age
from runner.spec.model import ModelFile


@dataclass(frozen=True, slots=True)
class Node:
    """One version, or the base model at the root, and how many steps it is from there."""

    name: str
    depth: int


def tree(models: Mapping[str, ModelFile], base: str) -> tuple[Node, ...]:
    """Return base and versions as lines of a tree: each below its parent, children oldest first."""
    children: dict[str | None, list[str]] = {}
    for name in by_age(models):
        children.setdefault(models[name].parent, []).append(name)

    def below(parent: str | None, depth: int) -> Iterator[Node]:
        for name in children.get(parent, ()):
            yield Node(name, depth)
            yield from below(name, depth + 1)

    return (Node(base, 0), *below(None, 1))


def ancestors(models: Mapping[str, ModelFile], name: str) -> tuple[str, ...]:
    """Return the versions that `name` came of, its parent first; empty where it was trained from the base model.

    Raises KeyError where there is no such version.
    """
    found: list[str] = []
    parent = models[name].parent
    while parent is not None:
        found.append(parent)
        parent = models[parent].parent
    return tuple(found)


def related(models: Mapping[str, ModelFile], one: str, other: str, base: str) -> str:
    """Return in words how `one` and `other` are related, `one` being the subject. Raises KeyError."""
    if one == other:
        return "the same version"
    older, younger = ancestors(models, one), ancestors(models, other)
    if one in younger:
        return _steps(one, other, younger.index(one) + 1)
    if other in older:
        return _steps(other, one, older.index(other) + 1)
    common = next((name for name in older if name in younger), base)
    return f"both came of {common}"


def _steps(ancestor: str, descendant: str, steps: int) -> str:
    return (
        f"{ancestor} is the parent of {descendant}"
        if steps == 1
        else f"{descendant} came of {ancestor} in {steps} steps"
    )
