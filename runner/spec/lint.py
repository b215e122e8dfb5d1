"""All checks across files, one after the other.

The loader calls it with whatever could be read. To add a check, add a generator to a module of `checks`. Pure
but for digests and bytes of files, which it asks of the port it is given.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.errors import Diagnostic, Severity
from runner.spec.checks import (
    adapters,
    engines,
    learning,
    measures,
    quarantine,
    repository,
    rollouts,
    versions,
)
from runner.spec.files import Files
from runner.spec.parse import Parsed

SCHEMA_FOLDER = "schemas"
_CHECKS = (
    versions.check,
    adapters.check,
    engines.check,
    rollouts.check,
    measures.check,
    learning.check,
    repository.check,
    quarantine.check,
)


def lint(parsed: Parsed, files: Files) -> list[Diagnostic]:
    """Return everything that does not fit together."""
    found = [diagnostic for check in _CHECKS for diagnostic in check(parsed, files)]
    return [*found, *_editor_lines(parsed)]


def schema_name(key: str) -> str:
    """Return the name of the schema of `loop`, `quarantine`, `models/NAME`, `datasets/NAME` or `policies/NAME`."""
    kind, _, name = key.partition("/")
    return {"models": "model", "datasets": "dataset"}.get(kind, name or kind)


def editor_line(key: str, path: str) -> str:
    """Return the first line of a file, by which editors find its schema."""
    up = "../" * path.count("/")
    return f"# yaml-language-server: $schema={up}{SCHEMA_FOLDER}/{schema_name(key)}.json"


def _editor_lines(parsed: Parsed) -> Iterator[Diagnostic]:
    for key, path in parsed.paths.items():
        document = parsed.documents.get(path)
        if document is None or document.first_line == editor_line(key, path):
            continue
        summary = "editors cannot find the schema of this file"
        fix = f"let the first line be '{editor_line(key, path)}'"
        yield Diagnostic(summary, document.at(), (), fix, Severity.WARNING)
