"""Every file of the spec read on its own: text to document to typed value.

The loader calls it, then checks what came of it across files. It never raises for what stands in a file, and
reads only through the port it is given.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, TypeVar, cast

from pydantic import ValidationError

from runner.errors import Diagnostic, Location
from runner.spec.base import Section
from runner.spec.cadence import CadencePolicy
from runner.spec.collection import CollectionPolicy
from runner.spec.cost import CostPolicy
from runner.spec.dataset import DatasetFile
from runner.spec.environment import Environment, LoopFile
from runner.spec.evaluation import EvaluationPolicy
from runner.spec.explain import explain, listing, suggestion
from runner.spec.files import Files
from runner.spec.model import ModelFile
from runner.spec.privacy import PrivacyPolicy
from runner.spec.quarantine import QuarantineFile
from runner.spec.rollout import RolloutPolicy
from runner.spec.signals import SignalPolicy
from runner.spec.source import Document, read
from runner.spec.training import TrainingPolicy

LOOP_FILE = "loop.yaml"
QUARANTINE_FILE = "quarantine.yaml"
SUFFIX = ".yaml"
F = TypeVar("F", bound=Section)

POLICY_TYPES: Mapping[str, type[Section]] = {
    "rollout": RolloutPolicy,
    "signals": SignalPolicy,
    "evaluation": EvaluationPolicy,
    "collection": CollectionPolicy,
    "privacy": PrivacyPolicy,
    "training": TrainingPolicy,
    "cadence": CadencePolicy,
    "cost": CostPolicy,
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """Every file that could be read and fits its type, each beside its document; others are absent.

    Checks across files work on this, so that one broken file does not hide what is wrong between the others.
    """

    loop: LoopFile | None = None
    models: dict[str, ModelFile] = field(default_factory=dict)
    datasets: dict[str, DatasetFile] = field(default_factory=dict)
    policies: dict[str, Section] = field(default_factory=dict)
    quarantine: QuarantineFile = field(default_factory=QuarantineFile)
    documents: dict[str, Document] = field(default_factory=dict)
    """Path -> document, also of files that do not fit their type."""
    names: dict[str, frozenset[str]] = field(default_factory=dict)
    """`models` and `datasets` -> every name that has a file, also a broken one."""
    paths: dict[str, str] = field(default_factory=dict)
    """`loop`, `models/NAME`, `datasets/NAME`, `policies/NAME`, `quarantine` where it is there -> path of the file."""

    def policy(self, kind: type[F]) -> F | None:
        """Return the policy of a type, or None where its file is absent or broken."""
        return next((section for section in self.policies.values() if isinstance(section, kind)), None)

    def environments(self) -> tuple[tuple[str, Environment], ...]:
        """Return the environments by name; none where `loop.yaml` is broken."""
        return tuple(self.loop.environments.items()) if self.loop else ()

    def document(self, key: str) -> Document:
        """Return the document of a key of `paths`. Raises KeyError where the file could not be read."""
        return self.documents[self.paths[key]]


def parse(files: Files) -> tuple[Parsed, list[Diagnostic]]:
    """Read every file and check each against its own type."""
    reader = _Reader(files)
    loop = reader.file("loop", LOOP_FILE, LoopFile)
    models = reader.folder("models", _folder(loop, "models"), ModelFile)
    datasets = reader.folder("datasets", _folder(loop, "datasets"), DatasetFile)
    policies = reader.policies(_folder(loop, "policies"))
    quarantine = reader.optional("quarantine", QUARANTINE_FILE, QuarantineFile) or QuarantineFile()
    parsed = Parsed(
        loop, models, datasets, policies, quarantine, reader.documents, reader.names, reader.paths
    )
    return parsed, reader.diagnostics


def _folder(loop: LoopFile | None, kind: str) -> str:
    """Return where files of a kind are; where `loop.yaml` is broken, where they usually are."""
    return str(getattr(loop, kind)) if loop else str(LoopFile.model_fields[kind].default)


class _Reader:
    """Reads files one after the other and gathers what is wrong with them."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.diagnostics: list[Diagnostic] = []
        self.documents: dict[str, Document] = {}
        self.names: dict[str, frozenset[str]] = {}
        self.paths: dict[str, str] = {}

    def file(self, key: str, path: str, model: type[F]) -> F | None:
        """Read one file that has to be there."""
        self.paths[key] = path
        data = self._bytes(path)
        if data is None:
            return None
        reading = _read_as(path, data, model)
        self.diagnostics += reading.diagnostics
        if reading.document is not None:
            self.documents[path] = reading.document
        return cast(F | None, reading.value)

    def optional(self, key: str, path: str, model: type[F]) -> F | None:
        """Read one file that may be absent, but not be there under another suffix, where nobody would obey it."""
        other = f"{path.removesuffix(SUFFIX)}.yml"
        if self._is_there(other):
            self._refuse_other_suffix(other)
        return self.file(key, path, model) if self._is_there(path) else None

    def folder(self, kind: str, folder: str, model: type[F]) -> dict[str, F]:
        """Read every `NAME.yaml` of a folder."""
        entries = self._entries(folder)
        names = [name.removesuffix(SUFFIX) for name in entries if name.endswith(SUFFIX)]
        self.names[kind] = frozenset(names)
        self._refuse_other_suffixes(folder, entries)
        fitting = ((name, self.file(f"{kind}/{name}", f"{folder}/{name}{SUFFIX}", model)) for name in names)
        return {name: value for name, value in fitting if value is not None}

    def policies(self, folder: str) -> dict[str, Section]:
        """Read the policies, all of which have to be there and none beside."""
        entries = self._entries(folder)
        self._refuse_other_suffixes(folder, entries)
        known = [f"{name}{SUFFIX}" for name in POLICY_TYPES]
        for name in entries:
            if name.endswith(SUFFIX) and name not in known:
                where = Location(f"{folder}/{name}")
                fix = suggestion(name, known)
                self.diagnostics.append(
                    Diagnostic(f"unknown policy file '{name}'", where, (listing(known),), fix)
                )
        fitting = (
            (name, self.file(f"policies/{name}", f"{folder}/{name}{SUFFIX}", model))
            for name, model in POLICY_TYPES.items()
        )
        return {name: value for name, value in fitting if value is not None}

    def _entries(self, folder: str) -> tuple[str, ...]:
        try:
            return self.files.list(folder)
        except OSError as error:
            summary = f"the folder cannot be read: {error.strerror or error}"
            self.diagnostics.append(Diagnostic(summary, Location(folder)))
            return ()

    def _refuse_other_suffixes(self, folder: str, entries: Iterable[str]) -> None:
        for name in entries:
            if name.endswith(".yml"):
                self._refuse_other_suffix(f"{folder}/{name}")

    def _refuse_other_suffix(self, path: str) -> None:
        name = path.rpartition("/")[2].removesuffix(".yml")
        fix = f"rename it to '{name}{SUFFIX}'"
        self.diagnostics.append(Diagnostic("only '.yaml' files are read", Location(path), (), fix))

    def _is_there(self, path: str) -> bool:
        """Whether something has that name, even if it cannot be read: reading it then tells what is wrong."""
        try:
            self.files.read(path)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def _bytes(self, path: str) -> bytes | None:
        try:
            return self.files.read(path)
        except FileNotFoundError:
            summary, fix = "the file is missing", "see docs/reference/spec.md for what it holds"
        except OSError as error:
            summary, fix = f"the file cannot be read: {error.strerror or error}", None
        self.diagnostics.append(Diagnostic(summary, Location(path), (), fix))
        return None


class _Reading(NamedTuple):
    """What came of one file: a document if it is YAML, a value if it fits its type, what is wrong."""

    document: Document | None
    value: Section | None
    diagnostics: tuple[Diagnostic, ...]


@lru_cache(maxsize=1024)
def _read_as(path: str, data: bytes, model: type[Section]) -> _Reading:
    """Read bytes as a type. The runner reads the same files at every poll, so they are remembered."""
    document, found = read(path, data)
    if document is None:
        return _Reading(None, None, found)
    try:
        # Strict JSON rules: a number in quotes is none, while lists, dates and names are read as written.
        value = model.model_validate_json(json.dumps(document.value), strict=True)
    except ValidationError as error:
        told = {item.location for item in found}
        fresh = [item for item in explain(error, document, model) if item.location not in told]
        return _Reading(document, None, (*found, *fresh))
    return _Reading(document, None if found else value, found)
