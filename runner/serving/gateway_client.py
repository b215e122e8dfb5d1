"""The runner's way to a gateway: read its state, give it a route table.

Called by the reconciler and by rollback. Speaks only to the admin listener.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from runner.errors import Diagnostic, TerminalError, TransientError, terminal, transient
from runner.serving import routes
from runner.serving.routes import RouteTable


class StaleGeneration(TerminalError):
    """The gateway has a newer table; `generation` is the one in force there."""

    def __init__(self, url: str, generation: int, offered: int) -> None:
        super().__init__(
            Diagnostic(
                f"gateway {url} refused route table {offered}",
                evidence=(f"generation {offered} offered, {generation} in force",),
                fix="observe again and plan from what is in force",
            )
        )
        self.generation = generation


@dataclass(frozen=True, slots=True)
class ReplicaHealth:
    """How a gateway sees a replica; `healthy` is None before it was asked."""

    healthy: bool | None
    reason: str
    in_flight: int


@dataclass(frozen=True, slots=True)
class GatewayState:
    """What a gateway says of itself. `started_at`: microseconds since 1970; `in_flight`: by served name."""

    instance: str
    pid: int
    environment: str
    started_at: int
    generation: int
    table: RouteTable
    in_flight: Mapping[str, int]
    replicas: Mapping[str, ReplicaHealth]
    events: Mapping[str, int]
    not_ready: str | None
    """Why it does not serve, or None."""


class GatewayClient:
    """Calls one gateway's admin listener at `base_url`; `timeout` is seconds for one call."""

    def __init__(self, base_url: str, session: aiohttp.ClientSession, timeout: float = 5.0) -> None:
        self._url, self._session = base_url.rstrip("/"), session
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    async def state(self) -> GatewayState:
        """Return the gateway's state. Raises TransientError without an answer, TerminalError for nonsense."""
        status, value = await self._call("GET", "/state")
        if status != 200:
            raise transient(f"gateway {self._url} answered {status} to 'GET /state'", str(value)[:200])
        return _state(self._url, value)

    async def put(self, table: RouteTable) -> None:
        """Bring a table into force; it is on the gateway's disk when this returns.

        Raises StaleGeneration where a newer one is in force, TransientError where the gateway cannot,
        TerminalError where it refuses for good.
        """
        status, value = await self._call("PUT", "/routes", routes.to_json(table))
        match status:
            case 200:
                return
            case 409:
                raise StaleGeneration(self._url, int(value["generation"]), table.generation)
            case _ if status >= 500:
                raise transient(f"gateway {self._url} could not take the route table", _message(value))
            case _:
                raise terminal(f"gateway {self._url} refused the route table", _message(value))

    async def _call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else orjson.dumps(body)
        headers = {"content-type": "application/json"} if data else None
        try:
            async with self._session.request(
                method, self._url + path, data=data, headers=headers, timeout=self._timeout
            ) as response:
                return response.status, orjson.loads(await response.read())
        except (aiohttp.ClientError, OSError, TimeoutError, orjson.JSONDecodeError) as error:
            raise _unreachable(self._url, method, path, error) from error


def _unreachable(url: str, method: str, path: str, error: Exception) -> TransientError:
    return transient(
        f"gateway {url} did not answer '{method} {path}'",
        f"{type(error).__name__}: {error}",
        changed="it is unknown whether the table was taken" if method == "PUT" else "nothing was changed",
    )


def _message(value: Any) -> str:
    return (
        str(value["error"]["message"]) if isinstance(value, dict) and "error" in value else str(value)[:200]
    )


def _state(url: str, value: Any) -> GatewayState:
    try:
        return GatewayState(
            instance=value["instance"],
            pid=value["pid"],
            environment=value["environment"],
            started_at=value["started_at"],
            generation=value["generation"],
            table=routes.from_json(value["table"]),
            in_flight=dict(value["in_flight"]),
            replicas={
                u: ReplicaHealth(r["healthy"], r["reason"], r["in_flight"])
                for u, r in value["replicas"].items()
            },
            events=dict(value["events"]),
            not_ready=value["not_ready"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise terminal(
            f"'{url}/state' is not a gateway's state", f"{type(error).__name__}: {error}"
        ) from error
