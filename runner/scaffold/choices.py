"""What somebody chose for a new repository, and what follows from it: names, addresses, sizes.

Made by `loop init` from its options, read by everything else here. Pure. Whatever comes in is held to the very rules of
the desired state, so that no choice makes a file that `loop validate` refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, TypeAdapter, ValidationError

from runner.errors import Diagnostic, TerminalError
from runner.spec.base import Address, ModelName, Name
from runner.spec.environment import LORA_RANKS, Forge
from runner.urls import holds_secret, without_secret

LONGEST_NAME = 60
"""Data sets are called after the repository, and their names may have 80 letters."""
RANK = 16
"""LoRA rank of the recipes, and what the engines have room for unless the first adapter needs more."""
MODEL_FOLDER = "models/base"
ALIAS = "chat"
_PORTS_ABOVE = 30
_DVC_SCHEMES = ("", "s3", "gs", "azure", "ssh", "http", "https", "hdfs", "webdav", "webdavs", "oss", "gdrive")


@dataclass(frozen=True, slots=True)
class Base:
    """The base model: `path` below the repository with its `digest`, or a hub's name, pinned to a `revision`.

    `unpinned` says why a hub's model has no revision; empty where it has one, and for a local one.
    """

    name: str
    path: str
    digest: str | None = None
    revision: str | None = None
    unpinned: str = ""

    @property
    def is_local(self) -> bool:
        """Whether its bytes lie in the repository."""
        return self.digest is not None


@dataclass(frozen=True, slots=True)
class First:
    """The version that serves first: an adapter that was brought along, or the base model as it is."""

    name: str
    digest: str
    rank: int
    brought: bool


@dataclass(frozen=True, slots=True)
class Ports:
    """The addresses of one environment."""

    gateway: str
    admin: str
    monitor: str
    console: str
    engine: str


@dataclass(frozen=True)
class Choices:
    """Everything that the files of a new repository depend on.

    `engines` are the vLLM servers of production; none where the runner starts one itself. `repository` is that of the
    Git host (`OWNER/NAME`), `remote` and `dvc_remote` are addresses; None where there is none.
    """

    name: str
    base: Base
    first: First
    engines: tuple[str, ...] = ()
    gateway: str = "127.0.0.1:8080"
    repository: str | None = None
    remote: str | None = None
    dvc_remote: str | None = None

    @property
    def max_lora_rank(self) -> int:
        """The smallest rank that engines offer and that has room for the recipes and for the first adapter."""
        return next(rank for rank in LORA_RANKS if rank >= max(RANK, self.first.rank))

    @cached_property
    def production(self) -> Ports:
        """Where production listens."""
        host, port = _split(self.gateway)
        return Ports(f"{host}:{port}", *(_loopback(port + step) for step in (1, 8, 9, 20)))

    @cached_property
    def staging(self) -> Ports:
        """Where staging listens, on this machine only."""
        _, port = _split(self.gateway)
        return Ports(*(_loopback(port + step) for step in (10, 11, 18, 19, 30)))

    @property
    def has_remote(self) -> bool:
        """Whether the runner follows a remote rather than the branch that is checked out."""
        return self.remote is not None or self.repository is not None


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def _loopback(port: int) -> str:
    return f"127.0.0.1:{port}"


def check(given: Mapping[str, Any]) -> None:
    """Raise TerminalError with everything that is wrong with what was given, by option; None is not looked at."""
    found = [*_forms(given), *_engines(given.get("engine") or ())]
    found += [*_gateway(given.get("gateway")), *_remotes(given)]
    if found:
        raise TerminalError(*found)


_FORMS: Mapping[str, Any] = {
    "name": Annotated[Name, Field(max_length=LONGEST_NAME)],
    "served_as": ModelName,
    "gateway": Address,
    "repository": Annotated[str, *Forge.model_fields["repository"].metadata],
}


def _forms(given: Mapping[str, Any]) -> Iterator[Diagnostic]:
    for key, form in _FORMS.items():
        value = given.get(key)
        if value is not None and not _fits(form, value):
            yield _wrong(key, value, _WORDS[key])


_WORDS = {
    "name": f"at most {LONGEST_NAME} small letters, digits, '.', '_' and '-', beginning with a letter or digit",
    "served_as": "a model's name, such as 'Qwen/Qwen2.5-0.5B-Instruct'",
    "gateway": "an address with a port, such as '127.0.0.1:8080'",
    "repository": "OWNER/NAME, such as 'acme/models'",
}


def _fits(form: Any, value: object) -> bool:
    try:
        TypeAdapter(form).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def _wrong(key: str, value: object, wanted: str) -> Diagnostic:
    option = f"--{key.replace('_', '-')}"
    return Diagnostic(f"{option} {_shown(value)} cannot be used", evidence=(f"wanted: {wanted}",))


def _shown(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 80 else f"{text[:77]}...")


def _engines(urls: tuple[str, ...]) -> Iterator[Diagnostic]:
    for url in urls:
        if not _is_server(url):
            yield _wrong(
                "engine", without_secret(url), "scheme, host and port only, such as 'http://10.0.0.1:8000'"
            )
    if len({url.rstrip("/") for url in urls}) < len(urls):
        yield Diagnostic("an --engine stands twice", fix="name each server once")


def _is_server(url: str) -> bool:
    parts = _parts(url)
    if parts is None or parts.scheme not in ("http", "https") or parts.username or parts.password:
        return False
    return bool(
        parts.hostname and parts.port and parts.path in ("", "/") and not parts.query + parts.fragment
    )


def _parts(url: str) -> Any:
    """Return the parts of an address, None where it is none or holds what no address has."""
    if len(url) > 300 or any(character.isspace() or not character.isprintable() for character in url):
        return None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is what raises for a port that is none
    except ValueError:
        return None
    return parts


def _gateway(address: str | None) -> Iterator[Diagnostic]:
    port = (address or "").rpartition(":")[2]
    if port.isdecimal() and not 1 <= int(port) <= 65535 - _PORTS_ABOVE:
        wanted = f"a port from 1 to {65535 - _PORTS_ABOVE}: the {_PORTS_ABOVE} above it are for what stands beside it"
        yield _wrong("gateway", address, wanted)


def _remotes(given: Mapping[str, Any]) -> Iterator[Diagnostic]:
    for key in ("remote", "dvc_remote"):
        value = given.get(key)
        if value is None:
            continue
        shown = without_secret(value)
        if not value.strip() or len(value) > 1000 or not value.isprintable() or value.startswith("-"):
            yield _wrong(key, shown, "an address or a path, on one line")
        elif key == "dvc_remote" and any(mark in value for mark in ('"', "%(")):
            yield _wrong(key, shown, "no quotation marks and no '%(' in it, which DVC's settings cannot hold")
        elif holds_secret(value):
            yield Diagnostic(
                f"--{key.replace('_', '-')} '{shown}' holds a password or a query, which would stand in a file",
                fix="give it without one; Git and DVC ask their own stores of credentials",
            )
        elif (
            key == "dvc_remote"
            and (parts := _parts(value))
            and "://" in value
            and parts.scheme not in _DVC_SCHEMES
        ):
            yield _wrong(key, shown, f"a folder, or an address of one of {', '.join(_DVC_SCHEMES[1:])}")
