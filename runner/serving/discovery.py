"""Where an environment's replicas are: its own managed one, the listed ones, or those that DNS names now.

Called by the reconciler at every observation, so that replicas may come and go behind a name. It opens no
connection to them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from runner.errors import terminal, transient
from runner.spec.environment import Engine

DNS = "dns+"
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Turns a host name and a port into IP addresses; raises OSError."""


async def resolve(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses that the system's resolver has for a host. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(str(address[0]) for *_, address in found)


async def replicas(engine: Engine, resolve: Resolve = resolve) -> tuple[str, ...]:
    """Return the base URLs of all replicas, sorted, each once.

    Raises TransientError where a name has no address now (that is not the same as having no replicas), and
    TerminalError for an entry that is no address.
    """
    if engine.managed:
        return (f"http://{engine.listen}",)
    found: set[str] = set()
    for entry in engine.replicas:
        found.update(await _named(entry, resolve) if entry.startswith(DNS) else (entry.rstrip("/"),))
    return tuple(sorted(found))


async def _named(entry: str, resolve: Resolve) -> tuple[str, ...]:
    host, port, scheme = _parts(entry)
    try:
        addresses = await resolve(host, port)
    except OSError as error:
        raise transient(
            f"replicas {entry!r} cannot be found: {host!r} does not resolve", str(error)
        ) from error
    if not addresses:
        raise transient(f"replicas {entry!r} cannot be found: {host!r} has no address")
    return tuple(f"{scheme}://{_in_url(address)}:{port}" for address in addresses)


def _parts(entry: str) -> tuple[str, int, str]:
    url = urlsplit(entry.removeprefix(DNS))
    try:
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    if url.scheme not in ("http", "https") or not host or not port:
        raise terminal(f"{entry!r} does not name replicas", fix="write it as `dns+http://name:port`")
    return host, port, url.scheme


def _in_url(address: str) -> str:
    return f"[{address}]" if ipaddress.ip_address(address.split("%")[0]).version == 6 else address
