"""What one gateway process is told at its start: a frozen value, written as JSON by whoever launches it.

The launcher derives it from `loop.yaml`; the gateway reads nothing else. No I/O but `read`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from runner.errors import Diagnostic, Location, TerminalError


class Content(StrEnum):
    """What of prompts and answers reaches the disk (invariant 11): masked, nothing, or as it is."""

    MASKED = "masked"
    OFF = "off"
    RAW = "raw"


class _Strict:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=False)


@dataclass(frozen=True)
class Key(_Strict):
    """An API key: who it belongs to, the group it is in, and the SHA-256 of the key, 64 hex digits."""

    name: str
    group: str
    sha256: str


@dataclass(frozen=True)
class Limits(_Strict):
    """What the gateway accepts; the meanings are those of `loop.yaml`. Bytes, counts and seconds."""

    body_bytes: int = 1_048_576
    requests_per_minute: int | None = None
    in_flight: int = 512
    first_byte_timeout_s: float = 30.0
    total_timeout_s: float = 300.0


@dataclass(frozen=True)
class Transport(_Strict):
    """What a client gets before it is known who calls; not for `loop.yaml`. Seconds, bytes and counts."""

    header_timeout_s: float = 10.0
    """From the connection, or the first byte of a later request, to the end of the headers."""
    header_bytes: int = 65_536
    header_count: int = 100
    connections: int = 8192
    """Public connections at once; fewer where the process may not open enough file descriptors."""
    unknown_per_minute: int = 60
    """Requests of one address without a valid key that are answered 401; more are told to wait."""


@dataclass(frozen=True)
class GatewayConfig(_Strict):
    """All that a gateway process needs; addresses are `HOST:PORT`, port 0 takes a free one."""

    environment: str
    state_dir: str
    """Holds the route table and events/; gateways of one environment share it."""
    listen: str = "127.0.0.1:8080"
    admin: str = "127.0.0.1:8081"
    routes_name: str = "routes.json"
    """File in `state_dir` that keeps the route table in force, for this gateway alone."""
    aliases: tuple[str, ...] = ("chat",)
    hash_key_file: str | None = None
    """Secret of the keyed user hashes, made (mode 0600) where absent; default: user-hash.key in state_dir."""
    limits: Limits = Limits()
    transport: Transport = Transport()
    keys: tuple[Key, ...] = ()
    anonymous_group: str | None = "public"
    """Group of callers without a key; None refuses them."""
    pinning_groups: tuple[str, ...] = ()
    console_sha256: str | None = None
    """SHA-256 of the secret by which the console proves itself, 64 hex digits; None where there is no console."""
    exclude_groups: tuple[str, ...] = ()
    """Groups of callers of whom no text is kept, whatever `content` says."""
    upstream_key_env: str | None = None
    """Environment variable that holds the key which the replicas ask for."""
    content: Content = Content.MASKED
    health_interval_s: float = 1.0
    commit_interval_s: float = 0.2
    """Events are with the operating system at once, and on the disk after this time at the latest."""
    segment_bytes: int = 64 * 1024 * 1024
    segment_age_s: float = 60.0

    @property
    def routes_file(self) -> Path:
        """Where the route table in force is kept."""
        return Path(self.state_dir) / self.routes_name

    @property
    def events_directory(self) -> Path:
        """Where segments are written."""
        return Path(self.state_dir) / "events"

    @property
    def user_hash_key_file(self) -> Path:
        """Where the secret of the keyed hashes is kept."""
        return Path(self.hash_key_file or Path(self.state_dir) / "user-hash.key")


_ADAPTER = TypeAdapter(GatewayConfig)


def to_json(config: GatewayConfig) -> dict[str, Any]:
    """Return the configuration as plain JSON values."""
    value: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return value


def from_json(value: Any, source: str = "gateway configuration") -> GatewayConfig:
    """Read a configuration back. Raises TerminalError with every fault at once."""
    try:
        return _ADAPTER.validate_python(value)
    except ValidationError as error:
        raise TerminalError(
            *(
                Diagnostic(
                    f"'{'.'.join(map(str, fault['loc'])) or 'the file'}': {fault['msg'].lower()}",
                    Location(source),
                    evidence=(f"found: {fault['input']!r}"[:200],),
                )
                for fault in error.errors(include_url=False)
            )
        ) from error


def read(path: Path) -> GatewayConfig:
    """Read a configuration file. Raises TerminalError where it is missing, no JSON, or does not fit."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TerminalError(
            Diagnostic(f"cannot read the configuration: {error}", Location(str(path)))
        ) from error
    return from_json(value, str(path))
