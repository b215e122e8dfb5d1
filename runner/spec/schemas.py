"""JSON Schemas of every kind of file, so that editors complete and check what the loader reads.

`loop schema` prints and writes them, and a test holds them to the types. They
accept the spellings that the loader accepts; what hangs on other files only the loader can check.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any

from runner.errors import Diagnostic, Location
from runner.spec.base import Section
from runner.spec.dataset import DatasetFile
from runner.spec.describe import about, enumeration, members, nested
from runner.spec.environment import LoopFile
from runner.spec.files import Files
from runner.spec.lint import SCHEMA_FOLDER
from runner.spec.model import ModelFile
from runner.spec.parse import POLICY_TYPES
from runner.spec.quarantine import QuarantineFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FILE_TYPES: Mapping[str, type[Section]] = {
    "loop": LoopFile,
    "model": ModelFile,
    "dataset": DatasetFile,
    "quarantine": QuarantineFile,
    **POLICY_TYPES,
}
"""Name of the schema -> type of the file."""

_NAMED = ("properties", "$defs")
"""Keywords whose keys are names of ours, not of JSON Schema."""


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a kind of file. Raises KeyError for a name that is none of `FILE_TYPES`."""
    kind = FILE_TYPES[name]
    raw = kind.model_json_schema(by_alias=True, mode="validation")
    types = nested(kind)
    for definition, body in raw.get("$defs", {}).items():
        _describe(body, types[definition])
    _describe(raw, kind)
    return {"$schema": DIALECT, "title": f"{name} file of Loop", **_tidy(raw)}


def _describe(body: dict[str, Any], kind: type[Any]) -> None:
    """Put the words of the source into one definition."""
    if issubclass(kind, Enum):
        body["description"] = enumeration(kind)
        return
    body["description"] = about(kind)
    meanings = members(kind)
    for name, info in kind.model_fields.items():
        if name in meanings:
            body["properties"][info.alias or name]["description"] = meanings[name]


def _tidy(value: Any) -> Any:
    """Leave out titles, which only repeat keys in other letters, and refuse names that fit no pattern."""
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    if not isinstance(value, dict):
        return value
    tidy = {key: _tidy(item) for key, item in value.items() if key not in ("title", *_NAMED)}
    tidy |= {key: {name: _tidy(item) for name, item in value[key].items()} for key in _NAMED if key in value}
    if "patternProperties" in tidy:
        tidy["additionalProperties"] = False
    return tidy


def render() -> dict[str, str]:
    """Return path -> text of every schema file."""
    return {f"{SCHEMA_FOLDER}/{name}.json": _text(schema(name)) for name in FILE_TYPES}


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def check(files: Files) -> tuple[Diagnostic, ...]:
    """Return a diagnostic for every schema file that is missing, outdated or of no known kind."""
    return stale(files, render(), SCHEMA_FOLDER)


def stale(files: Files, rendered: Mapping[str, str], folder: str) -> tuple[Diagnostic, ...]:
    """Compare generated files with those that are there."""
    fix = "run `loop schema --write` and commit what it wrote"
    found = [
        Diagnostic(f"the file is {state}", Location(path), (), fix)
        for path, text in rendered.items()
        if (state := _state(files, path, text)) is not None
    ]
    beside = [
        name for name in files.list(folder) if f"{folder}/{name}" not in rendered and name.endswith(".json")
    ]
    return (*found, *(Diagnostic("nothing generates this", Location(f"{folder}/{name}")) for name in beside))


def _state(files: Files, path: str, text: str) -> str | None:
    try:
        return None if files.read(path) == text.encode() else "not what its types say now"
    except OSError:
        return "missing"
