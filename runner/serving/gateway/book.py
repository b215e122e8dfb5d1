"""The route table in force: resolved for each request, replaced by the admin listener, kept across restarts.

A table is taken only if its generation is higher than the one in force, and only after it is on the disk.
Reads and writes one file, which no other gateway uses.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import orjson

from runner.errors import TerminalError
from runner.serving import assignment, routes
from runner.serving.assignment import Why
from runner.serving.gateway.replies import ApiError
from runner.serving.routes import ArmName, Route, RouteTable, Shadow, Version

PINNED = "pinned"
SHOWN_CHARACTERS = 40
"""Of a name that nobody knows, in the error."""


class Stale(Exception):
    """A table was offered that is not newer than the one in force."""

    def __init__(self, current: int, offered: int) -> None:
        same = "holds other routes under the generation in force" if current == offered else "is older"
        super().__init__(f"the offered table {same}: generation {offered} offered, {current} in force")
        self.current, self.offered = current, offered


@dataclass(frozen=True, slots=True)
class Choice:
    """One version that may answer a request, as which arm."""

    arm: str
    version: Version
    replicas: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a model's name means for one user now: the choices in the order in which they are tried.

    The first choice is the assigned arm. `weight` and `rollout_id` are 0 and empty for a user whom no rollout counts.
    """

    alias: str
    choices: tuple[Choice, ...]
    generation: int
    why: Why = Why.ONLY
    weight: float = 0.0
    rollout_id: str = ""
    experiment: str = ""
    """Id of the experiment that the user takes part in."""
    shadow: Shadow | None = None


class RouteBook:
    """Holds the table in force."""

    def __init__(self, path: Path, aliases: tuple[str, ...], pinning_groups: tuple[str, ...]) -> None:
        self._path, self._aliases, self._pinning_groups = path, aliases, frozenset(pinning_groups)
        self._lock = asyncio.Lock()
        self._force(RouteTable())

    def load(self) -> str | None:
        """Take the table that was in force before a restart; return what was wrong with it, if anything."""
        try:
            self._force(routes.from_json(orjson.loads(self._path.read_bytes())))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TerminalError) as error:
            return f"'{self._path}' is not a route table, waiting for a new one: {error}"
        return None

    async def put(self, table: RouteTable) -> bool:
        """Bring a newer table into force, on the disk first; return False if it is the one in force already.

        Raises Stale, and OSError where it cannot be kept.
        """
        async with self._lock:
            current = self.table
            if table.generation == current.generation and table.content == current.content:
                return False
            if table.generation <= current.generation:
                raise Stale(current.generation, table.generation)
            await asyncio.to_thread(_write_file, self._path, orjson.dumps(routes.to_json(table)))
            self._force(table)
            return True

    def resolve(self, model: str, user: str, group: str, *, console: bool = False) -> Resolution:
        """Return what `model` means for this user. Raises ApiError 403, 404 or 503.

        The console may pin every version, and what it asks for by an alias is pinned, too: it counts for no arm.
        """
        route = self._routes.get(model)
        if route is not None and console:
            return self._pin(assignment.assign(route, user, group).version)
        if route is not None:
            return self._by_alias(route, user, group)
        version = self._pinned.get(model)
        if version is None:
            if model in self._aliases:
                raise ApiError(503, "not_ready", f"no version serves '{model}' yet")
            raise no_such_model(model)
        if not (console or group in self._pinning_groups):
            raise ApiError(
                403, "pinning_not_allowed", f"group '{group}' may not ask for a version by its name"
            )
        return self._pin(version)

    def knows(self, model: str) -> bool:
        """Whether a name is one of ours, so that it says nothing about who asks."""
        return model in self._routes or model in self._pinned or model in self._aliases

    def models(self, group: str, *, console: bool = False) -> list[str]:
        """Return the names that a group, or the console, may ask for."""
        return [*self._routes, *(self._pinned if console or group in self._pinning_groups else ())]

    def _pin(self, version: Version) -> Resolution:
        return Resolution("", (self._choice(PINNED, version),), self.table.generation)

    def _by_alias(self, route: Route, user: str, group: str) -> Resolution:
        assigned = assignment.assign(route, user, group)
        first = self._choice(assigned.arm.value, assigned.version)
        # An experiment may try the baseline itself: then there is nothing else to fall back to.
        more = () if assigned.version == route.baseline else (route.baseline,)
        choices = (first, *(self._choice(ArmName.BASELINE.value, version) for version in more))
        split = None if assigned.experiment else route.split
        return Resolution(
            alias=route.alias,
            choices=choices,
            generation=self.table.generation,
            why=assigned.why,
            weight=split.weight if split else 0.0,
            rollout_id=split.rollout_id if split else "",
            experiment=assigned.experiment.id if assigned.experiment else "",
            shadow=route.shadow,
        )

    def _choice(self, arm: str, version: Version) -> Choice:
        return Choice(arm, version, tuple(self.table.replicas.get(version.served, ())))

    def _force(self, table: RouteTable) -> None:
        self.table = table
        self._routes = {route.alias: route for route in table.routes}
        self._pinned = {version.name: version for version in table.pinned}


def no_such_model(name: str) -> ApiError:
    """Return the error for a name that nobody knows, of which it shows no more than a beginning."""
    shown = ascii(name[:SHOWN_CHARACTERS])
    return ApiError(404, "model_not_found", f"the model {shown} does not exist here", param="model")


def _write_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
