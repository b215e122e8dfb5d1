"""Who is at an address of this machine: nobody, a process that Loop started, or somebody else.

Called by the looks at engine, gateway and pages. An address is tried by binding to it for an instant, without
listening.
"""

from __future__ import annotations

import errno
import json
import socket
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from runner.serving import procfs


class Holder(StrEnum):
    """Who is there."""

    NOBODY = "nobody"
    OURS = "ours"
    OTHER = "other"
    ELSEWHERE = "elsewhere"
    """The address is none of this machine."""
    CLOSED = "closed"
    """Whoever asks may not listen there."""


class Held(NamedTuple):
    """Who is at an address, and what is known of it."""

    by: Holder
    said: str


def look(address: str, record: Path) -> Held:
    """Return who is at `HOST:PORT`; `record` is the file of the process that Loop starts there.

    A process that was started for one port may hold others, as a gateway does.
    """
    host, port = parts(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                holder, pid = procfs.listener(port) or "its owner cannot be seen", _living(record)
                if pid is not None and holder.startswith(f"pid {pid}:"):
                    return Held(Holder.OURS, f"pid {pid}, started by Loop")
                return Held(Holder.OTHER, holder)
            closed = error.errno in (errno.EACCES, errno.EPERM)
            return Held(Holder.CLOSED if closed else Holder.ELSEWHERE, (error.strerror or str(error)).lower())
    return Held(Holder.NOBODY, "free")


def parts(address: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`, without the brackets of IPv6."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def reached(address: str) -> str:
    """Return an address as one calls it: who listens on all addresses is called on the loopback."""
    host, port = parts(address)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - called, not opened
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _living(record: Path) -> int | None:
    """Return the process of a record where it lives."""
    try:
        value = json.loads(record.read_bytes())
        pid, started = int(value["pid"]), value["started"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    life = procfs.life(pid)
    return pid if life is not None and life.started == started else None
