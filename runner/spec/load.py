"""The desired state from files: every file read, checked against its type, then checked against the others.

The command line, the reconciler and the tests call it. It tells everything that is wrong at once and never
raises for what stands in a file. It reads only through the port it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, cast

from runner import digest
from runner.errors import Diagnostic, Location, Severity, TerminalError
from runner.spec import quantity
from runner.spec.base import Section
from runner.spec.cadence import CadencePolicy
from runner.spec.collection import CollectionPolicy
from runner.spec.cost import CostPolicy
from runner.spec.dataset import DatasetFile
from runner.spec.environment import LoopFile
from runner.spec.evaluation import EvaluationPolicy
from runner.spec.files import Files
from runner.spec.lint import lint
from runner.spec.model import ModelFile
from runner.spec.parse import POLICY_TYPES, parse
from runner.spec.privacy import PrivacyPolicy
from runner.spec.quarantine import Quarantined
from runner.spec.rollout import RolloutPolicy
from runner.spec.signals import SignalPolicy
from runner.spec.training import TrainingPolicy


@dataclass(frozen=True, slots=True)
class Policies:
    """All rules, one file each."""

    rollout: RolloutPolicy
    signals: SignalPolicy
    evaluation: EvaluationPolicy
    collection: CollectionPolicy
    privacy: PrivacyPolicy
    training: TrainingPolicy
    cadence: CadencePolicy
    cost: CostPolicy


class VersionDigest(NamedTuple):
    """A version and the digest of its adapter."""

    name: str
    digest: str


@dataclass(frozen=True)
class Spec:
    """The whole desired state, checked."""

    loop: LoopFile
    models: Mapping[str, ModelFile]
    datasets: Mapping[str, DatasetFile]
    policies: Policies
    quarantine: tuple[Quarantined, ...] = ()
    """What was rolled back, as `quarantine.yaml` has it; nothing where that file is absent."""

    def version(self, name: str) -> VersionDigest:
        """Return a version with its adapter's digest. Raises KeyError."""
        return VersionDigest(name, self.models[name].adapter.digest)

    @cached_property
    def digest(self) -> str:
        """Digest of everything the files say; comments and layout do not count."""
        return digest.of_value(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the spec as plain JSON values, keys as they are written in YAML."""
        return self._plain(None)

    def as_written(self) -> dict[str, Any]:
        """Return the same for people: quantities carry their units."""
        return self._plain(quantity.WITH_UNITS)

    def _plain(self, context: str | None) -> dict[str, Any]:
        def plain(section: Section) -> dict[str, Any]:
            return section.model_dump(mode="json", by_alias=True, context=context)

        return {
            "loop": plain(self.loop),
            "models": {name: plain(model) for name, model in self.models.items()},
            "datasets": {name: plain(dataset) for name, dataset in self.datasets.items()},
            "policies": {name: plain(getattr(self.policies, name)) for name in POLICY_TYPES},
            "quarantine": [plain(entry) for entry in self.quarantine],
        }


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading gave: the spec unless there is an error, and everything that was found."""

    spec: Spec | None
    diagnostics: tuple[Diagnostic, ...]


def load(files: Files) -> Loaded:
    """Read and check everything. What is wrong comes back as diagnostics, sorted by file and line."""
    parsed, diagnostics = parse(files)
    found = _sorted([*diagnostics, *lint(parsed, files)])
    if any(item.severity is Severity.ERROR for item in found) or parsed.loop is None:
        return Loaded(None, found)
    policies = Policies(**cast(Mapping[str, Any], parsed.policies))
    quarantine = parsed.quarantine.quarantined
    return Loaded(Spec(parsed.loop, parsed.models, parsed.datasets, policies, quarantine), found)


def load_or_raise(files: Files) -> Spec:
    """Return the spec. Raises TerminalError with every error and warning."""
    loaded = load(files)
    if loaded.spec is None:
        raise TerminalError(*loaded.diagnostics)
    return loaded.spec


def _sorted(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return each diagnostic once, by file, line and column."""
    unique = dict.fromkeys(diagnostics)
    return tuple(sorted(unique, key=lambda item: (item.location or Location(""), item.summary)))
