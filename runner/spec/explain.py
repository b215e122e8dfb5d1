"""Pydantic's findings as diagnostics: at the line of the key, with the value, and with what to write instead.

The loader calls it. Pure.
"""

from __future__ import annotations

import difflib
import json
import types
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from runner.errors import Diagnostic, Location
from runner.spec.base import FORMS, Section
from runner.spec.condition import ConditionError
from runner.spec.source import Document, KeyPath

SHOWN = 80
_PREFIXES = ("Value error, ", "Assertion failed, ", "Input should be ")


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """Return a question that offers the closest of the known names, or None where none is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else None


def listing(known: Iterable[str]) -> str:
    """Return the evidence line that lists what exists."""
    return f"known: {', '.join(sorted(known)) or 'none'}"


def explain(error: ValidationError, document: Document, model: type[Section]) -> tuple[Diagnostic, ...]:
    """Return one diagnostic for every finding of `error`, which came of validating `document` as `model`."""
    details = error.errors(include_url=False)
    return tuple(_one(detail, document, model) for detail in details)


def _one(detail: ErrorDetails, document: Document, model: type[Section]) -> Diagnostic:
    path = document.known(detail["loc"])
    match detail["type"]:
        case "missing":
            return _missing(detail, document, path)
        case "extra_forbidden":
            return _unknown_key(detail, document, path, model)
        case "union_tag_invalid" | "union_tag_not_found":
            return _wrong_tag(detail, document, path)
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, ConditionError):
        return _condition(cause, document, path)
    return _wrong_value(detail, document, path)


def _missing(detail: ErrorDetails, document: Document, path: KeyPath) -> Diagnostic:
    key = detail["loc"][-1]
    owner = f"'{path[-1]}'" if path and isinstance(path[-1], str) else "this place"
    summary = f"key '{key}' is missing in {owner if path else 'the file'}"
    return Diagnostic(summary, document.key(*path), fix=f"add '{key}: ...'")


def _unknown_key(detail: ErrorDetails, document: Document, path: KeyPath, model: type[Section]) -> Diagnostic:
    key = str(detail["loc"][-1])
    section = section_at(model, path[:-1], document.value)
    known = keys(section) if section else ()
    evidence = (listing(known),) if known else ()
    fix = suggestion(key, known) or "remove it, or correct its name"
    return Diagnostic(f"unknown key '{key}'", document.key(*path), evidence, fix)


def _wrong_tag(detail: ErrorDetails, document: Document, path: KeyPath) -> Diagnostic:
    context = detail.get("ctx", {})
    key = str(context.get("discriminator", "kind")).strip("'")
    known = [tag.strip(" '") for tag in str(context.get("expected_tags", "")).split(",") if tag.strip()]
    if detail["type"] == "union_tag_not_found" or "tag" not in context:
        return Diagnostic(f"key '{key}' is missing", document.key(*path), fix=f"add '{key}: ...'")
    tag = str(context["tag"])
    evidence = (listing(known),) if known else ()
    return Diagnostic(f"unknown {key} '{tag}'", document.at(*path, key), evidence, suggestion(tag, known))


def _condition(cause: ConditionError, document: Document, path: KeyPath) -> Diagnostic:
    place = document.places[path]
    column = place.value.column + cause.start + (1 if place.style in ("'", '"') else 0)
    where = Location(place.value.path, place.value.line, column)
    return Diagnostic(f"{cause}", where, cause.evidence, cause.fix)


def _wrong_value(detail: ErrorDetails, document: Document, path: KeyPath) -> Diagnostic:
    message = detail["msg"]
    for prefix in _PREFIXES:
        message = message.removeprefix(prefix)
    if detail["type"].startswith("value_error"):
        summary = message
    else:
        summary = f"{_subject(detail, path)} should {_plain(detail, message)}"
    expected = str(detail.get("ctx", {}).get("expected", ""))
    known = [word.strip(" '") for word in expected.replace(" or ", ", ").split(",") if word.strip()]
    value = path[-1] if detail["loc"][-1:] == ("[key]",) else _written(document, path)
    fix = suggestion(value, known) if isinstance(value, str) and known else None
    where = document.key(*path) if detail["loc"] and detail["loc"][-1] == "[key]" else document.at(*path)
    return Diagnostic(summary, where, (f"value: {shown(value)}",), fix)


def _written(document: Document, path: KeyPath) -> Any:
    """Return the value at a path as it stands in the file, before units are read."""
    value: Any = document.value
    for part in path:
        value = _child(value, part)
    return value


def _subject(detail: ErrorDetails, path: KeyPath) -> str:
    if detail["loc"] and detail["loc"][-1] == "[key]":
        return "the name"
    return f"'{path[-1]}'" if path and isinstance(path[-1], str) else "the value"


_PLAIN = {
    "a valid dictionary": "a mapping of keys to values",
    "a valid array": "a list",
    "a valid tuple": "a list",
    "an object": "a mapping of keys to values",
    "a valid string": "text",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
    "a valid datetime": "a date and time such as 2026-11-21T09:30:00Z",
    "a valid date": "a date such as 2026-11-21",
}


def _plain(detail: ErrorDetails, message: str) -> str:
    """Return what should be, in our words, as it goes on after `should`."""
    pattern = detail.get("ctx", {}).get("pattern")
    if pattern in FORMS:
        return f"be {FORMS[pattern]}"
    message = message[:1].lower() + message[1:]
    if " should " in message:
        return message.partition(" should ")[2].replace(" after validation", "")
    known = (ours for theirs, ours in _PLAIN.items() if message.startswith(theirs))
    return f"be {next(known, message)}"


def shown(value: Any) -> str:
    """Return a value as it may stand in a message: on one line, and not longer than a line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def keys(section: type[Section]) -> tuple[str, ...]:
    """Return the keys that a section knows, as they are written in YAML."""
    return tuple(info.alias or name for name, info in section.model_fields.items())


def section_at(model: type[Section], path: KeyPath, value: Any) -> type[Section] | None:
    """Return the section type found at `path` below `model`; `value` decides between alternatives."""
    annotation: Any = model
    for part in path:
        annotation = _step(_choose(annotation, value), part)
        value = _child(value, part)
    chosen = _choose(annotation, value)
    return chosen if isinstance(chosen, type) and issubclass(chosen, Section) else None


def _child(value: Any, part: str | int) -> Any:
    try:
        return value[part]
    except (KeyError, IndexError, TypeError):
        return None


def _step(annotation: Any, part: str | int) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        for name, info in annotation.model_fields.items():
            if part == (info.alias or name):
                return info.annotation
        return None
    arguments = get_args(annotation)
    match get_origin(annotation):
        case origin if origin is dict and len(arguments) == 2:
            return arguments[1]
        case origin if origin is tuple and arguments:
            return arguments[0]
    return None


def _choose(annotation: Any, value: Any) -> Any:
    """Strip what surrounds a type, and of several sections take the one whose tags the value carries."""
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation
    options = [_choose(option, value) for option in get_args(annotation) if option is not type(None)]
    fitting = [option for option in options if _carries_tag(option, value)]
    return (fitting or options or [None])[0]


def _carries_tag(option: Any, value: Any) -> bool:
    if not (isinstance(option, type) and issubclass(option, Section) and isinstance(value, Mapping)):
        return False
    for name, info in option.model_fields.items():
        if get_origin(info.annotation) is Literal:
            return value.get(info.alias or name) in get_args(info.annotation)
    return False


def choices(kind: type[Enum]) -> tuple[str, ...]:
    """Return the values of an enumeration as written in YAML."""
    return tuple(str(member.value) for member in kind)
