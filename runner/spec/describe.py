"""What types and fields mean, in the words that stand beside them in the source.

Schemas and the reference are made with it; nothing a user waits for calls it. Reads the package's own source.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from enum import Enum
from functools import cache
from typing import Any, get_args

from runner.spec.base import Section


@cache
def _classes(module: str) -> dict[str, ast.ClassDef]:
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def members(kind: type[Any]) -> dict[str, str]:
    """Return name -> the text below it, of every field of a section or member of an enumeration."""
    found: dict[str, str] = {}
    for parent in reversed(kind.__mro__):
        node = _classes(parent.__module__).get(parent.__name__) if _ours(parent) else None
        if node is not None:
            found |= dict(_texts(node))
    return found


def _ours(kind: type[Any]) -> bool:
    return issubclass(kind, Section | Enum) and kind.__module__.startswith("runner.")


def _texts(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in zip(node.body, node.body[1:], strict=False):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(words))),
            ):
                yield name, " ".join(words.split())


def about(kind: type[Any]) -> str:
    """Return the first paragraph of a type's docstring, on one line."""
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split())


def enumeration(kind: type[Enum]) -> str:
    """Return what an enumeration is, with what each of its values means where the source says so."""
    meanings = members(kind)
    parts = [f"`{item.value}`: {meanings[item.name]}" for item in kind if item.name in meanings]
    return " ".join([about(kind), *parts])


def nested(root: type[Section]) -> dict[str, type[Any]]:
    """Return every section and enumeration that a file's type is made of, by name."""
    found: dict[str, type[Any]] = {}
    _gather(root, found)
    return found


def _gather(annotation: Any, found: dict[str, type[Any]]) -> None:
    if isinstance(annotation, type) and issubclass(annotation, Section | Enum):
        if annotation.__name__ in found:
            return
        found[annotation.__name__] = annotation
        if issubclass(annotation, Section):
            for info in annotation.model_fields.values():
                _gather(info.annotation, found)
    for argument in get_args(annotation):
        _gather(argument, found)
