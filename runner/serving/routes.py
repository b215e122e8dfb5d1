"""The route table: which arm serves an alias, with what weight, on which verified replicas.

Planned by the reconciler, held and obeyed by every gateway. Pure values; no network here.
A gateway takes a table only if its generation is higher than the one it has (two runners cannot undo each other).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from runner import digest
from runner.errors import terminal

MAX_GENERATION = 2**53
"""What every reader of JSON still holds exactly; a table beyond it could never be replaced."""


class ArmName(StrEnum):
    """The two sides of a rollout, and beside them whoever takes part in an experiment."""

    BASELINE = "baseline"
    CANDIDATE = "candidate"
    EXPERIMENT = "experiment"


@dataclass(frozen=True, slots=True)
class Version:
    """An adapter version as the engine serves it: `served` is `NAME--DIGEST12`."""

    name: str
    digest: str

    @property
    def served(self) -> str:
        """The engine's name for these bytes."""
        return digest.served_name(self.name, self.digest)


@dataclass(frozen=True, slots=True)
class Split:
    """A candidate on trial: users with hash(rollout_id, user) < weight get it, and all users of `groups`."""

    rollout_id: str
    candidate: Version
    weight: float
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Experiment:
    """An A/B test: of the users of `groups` (all where empty), `share` take part, each version getting its weight.

    Who takes part and who gets which version is drawn by hash from `id`: sticky, without state.
    """

    id: str
    name: str
    versions: tuple[Version, ...]
    weights: tuple[float, ...]
    share: float = 1.0
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shadow:
    """A version that gets copies of a share of the requests; nobody sees its answers."""

    version: Version
    sample: float = 1.0


@dataclass(frozen=True, slots=True)
class Route:
    """What an alias such as `chat` means now."""

    alias: str
    baseline: Version
    split: Split | None = None
    shadow: Shadow | None = None
    experiments: tuple[Experiment, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteTable:
    """All that a gateway needs to serve. `replicas`: served name -> base URLs where it was verified.

    `pinned` are the versions that a key allowed to pin may ask for by name. `quarantined` says what was
    rolled back and when (`SERVED@MICROSECONDS`) while Git does not: runners learn it here from each other, gateways
    keep it and do nothing with it.
    """

    generation: int = 0
    revision: str = ""
    routes: tuple[Route, ...] = ()
    pinned: tuple[Version, ...] = ()
    replicas: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    quarantined: tuple[str, ...] = ()

    @property
    def content(self) -> str:
        """Digest of what the table says, without its generation: equal content serves equally."""
        value = to_json(self)
        value.pop("generation")
        return digest.of_value(value)

    def route(self, alias: str) -> Route | None:
        """Return the route of an alias, or None."""
        return next((r for r in self.routes if r.alias == alias), None)


def to_json(table: RouteTable) -> dict[str, Any]:
    """Return the table as plain JSON values."""
    value = asdict(table)
    value["replicas"] = {name: list(urls) for name, urls in sorted(table.replicas.items())}
    return value


def from_json(value: Any) -> RouteTable:
    """Read a table back. Raises TerminalError, naming what is wrong, for anything that is not one."""
    try:
        return RouteTable(
            generation=_whole(value["generation"]),
            revision=_text(value["revision"]),
            routes=tuple(_route(r) for r in value["routes"]),
            pinned=tuple(_version(v) for v in value["pinned"]),
            replicas={_text(k): tuple(_text(u) for u in v) for k, v in value["replicas"].items()},
            quarantined=tuple(map(_text, value.get("quarantined", ()))),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise terminal("this is not a route table", f"{type(error).__name__}: {error}") from error


def _route(value: Any) -> Route:
    split, shadow = value.get("split"), value.get("shadow")
    return Route(
        alias=_text(value["alias"]),
        baseline=_version(value["baseline"]),
        split=None if split is None else _split(split),
        shadow=None if shadow is None else Shadow(_version(shadow["version"]), _share(shadow["sample"])),
        experiments=tuple(_experiment(each) for each in value.get("experiments", ())),
    )


def _experiment(value: Any) -> Experiment:
    versions = tuple(map(_version, value["versions"]))
    weights = tuple(map(_share, value["weights"]))
    if not versions or len(weights) != len(versions) or abs(sum(weights) - 1.0) > 1e-6:
        raise ValueError(f"{len(weights)} weights of {len(versions)} versions add up to {sum(weights):g}")
    groups = tuple(map(_text, value["groups"]))
    return Experiment(
        _text(value["id"]), _text(value["name"]), versions, weights, _share(value["share"]), groups
    )


def _share(value: Any) -> float:
    share = float(value)
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"share {share} is not within 0 and 1")
    return share


def _split(value: Any) -> Split:
    weight = float(value["weight"])
    if not 0.0 <= weight <= 1.0:
        raise ValueError(f"weight {weight} is not within 0 and 1")
    return Split(
        _text(value["rollout_id"]), _version(value["candidate"]), weight, tuple(map(_text, value["groups"]))
    )


def _version(value: Any) -> Version:
    return Version(_text(value["name"]), _text(value["digest"]))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_GENERATION:
        raise TypeError(f"{value!r} is not a whole number from 0 to {MAX_GENERATION}")
    return value
