"""Engines and gateways: that adapters fit, addresses do not clash, and nobody else can load adapters."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple
from urllib.parse import urlsplit

from runner.errors import Diagnostic, Location, Severity
from runner.spec.checks.versions import named
from runner.spec.environment import LORA_RANKS, Engine, Environment
from runner.spec.files import Files
from runner.spec.parse import Parsed
from runner.spec.source import KeyPath

LOOPBACK = "127.0.0.1"
WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared with, never listened on
SCHEMES = ("http", "https", "dns+http")


class Listener(NamedTuple):
    """An address that something listens on, and where the spec says so."""

    host: str
    port: int
    what: str
    where: Location


def check(parsed: Parsed, files: Files) -> Iterator[Diagnostic]:
    """Yield everything that is wrong with engines and gateways."""
    for name, environment in parsed.environments():
        yield from _engine(parsed, name, environment.engine)
        yield from _callers(parsed, files, name, environment)
        yield from _capacity(parsed, name, environment)
        yield from _ranks(parsed, name, environment)
    yield from _addresses(parsed)
    yield from _shared_replicas(parsed)


def _engine(parsed: Parsed, name: str, engine: Engine) -> Iterator[Diagnostic]:
    document, path = parsed.document("loop"), ("environments", name, "engine")
    if engine.managed == bool(engine.replicas):
        what = "both managed and given replicas" if engine.managed else "neither managed nor given replicas"
        fix = "write either 'managed: true' or 'replicas: [...]'"
        yield Diagnostic(f"the engine of '{name}' is {what}", document.key(*path), (), fix)
    if engine.max_lora_rank not in LORA_RANKS:
        where = document.at(*path, "max_lora_rank")
        known = f"allowed: {', '.join(map(str, LORA_RANKS))}"
        nearest = next((rank for rank in LORA_RANKS if rank >= engine.max_lora_rank), LORA_RANKS[-1])
        yield Diagnostic(
            f"the engine takes no rank {engine.max_lora_rank}", where, (known,), f"write {nearest}"
        )
    if engine.max_cpu_loras is not None and engine.max_cpu_loras < engine.max_loras:
        where = document.at(*path, "max_cpu_loras")
        evidence = (f"max_loras: {engine.max_loras}", f"max_cpu_loras: {engine.max_cpu_loras}")
        yield Diagnostic(
            "fewer adapters fit in memory than in a batch", where, evidence, "raise max_cpu_loras"
        )
    yield from _replicas(parsed, name, engine)


def _replicas(parsed: Parsed, name: str, engine: Engine) -> Iterator[Diagnostic]:
    document = parsed.document("loop")
    found = [url for url in engine.replicas if url.startswith("dns+")]
    for i, url in enumerate(engine.replicas):
        where = document.at("environments", name, "engine", "replicas", i)
        problem = _url_problem(url)
        if problem:
            yield Diagnostic(f"replica '{url}' {problem}", where, (), "write it as 'http://10.0.0.1:8000'")
        elif url in engine.replicas[:i]:
            yield Diagnostic(f"replica '{url}' stands twice", where, (), "keep one of the two")
        elif url in found and len(engine.replicas) > 1:
            fix = "name every replica, or one 'dns+http://name:port' alone"
            yield Diagnostic("a DNS name stands beside other replicas", where, (), fix)


def _url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is no address"
    if parts.scheme not in SCHEMES:
        return f"has no scheme out of {', '.join(SCHEMES)}"
    if not parts.hostname or port is None or parts.path not in ("", "/") or parts.query or parts.fragment:
        return "must be a scheme, a host and a port, and nothing else"
    return "must not carry a user or password" if parts.username or parts.password else None


def _callers(parsed: Parsed, files: Files, name: str, environment: Environment) -> Iterator[Diagnostic]:
    gateway = environment.gateway
    document, path = parsed.document("loop"), ("environments", name, "gateway")
    if gateway.keys_file is None and gateway.anonymous is None:
        fix = "name a keys_file, or give callers without a key a group"
        yield Diagnostic(f"nobody may call the gateway of '{name}'", document.at(*path, "anonymous"), (), fix)
    if gateway.keys_file is not None and not _exists(files, gateway.keys_file):
        where = document.at(*path, "keys_file")
        yield Diagnostic(
            f"the file '{gateway.keys_file}' is missing", where, (), "add it, or correct the path"
        )


def _exists(files: Files, path: str) -> bool:
    try:
        files.read(path)
    except OSError:
        return False
    return True


def _capacity(parsed: Parsed, name: str, environment: Environment) -> Iterator[Diagnostic]:
    engine, document = environment.engine, parsed.document("loop")
    loaded = sorted({version for _, version in named(environment)})
    serving = sorted({version for path, version in named(environment) if path != ("standby",)})
    room = engine.max_cpu_loras or engine.max_loras
    evidence = (f"versions: {', '.join(loaded)}", f"room: {room} in memory, {engine.max_loras} in a batch")
    path = ("environments", name, "engine")
    if len(loaded) > room:
        key = "max_cpu_loras" if engine.max_cpu_loras else "max_loras"
        summary = f"'{name}' names {len(loaded)} versions, and its engine holds {room}"
        where = document.at(*path, key)
        yield Diagnostic(summary, where, evidence, f"raise {key} to {len(loaded)}, or name fewer versions")
    elif len(serving) > engine.max_loras:
        summary = (
            f"'{name}' serves {len(serving)} versions, and a batch holds {engine.max_loras}: they take turns"
        )
        where = document.at(*path, "max_loras")
        yield Diagnostic(summary, where, evidence, f"raise max_loras to {len(serving)}", Severity.WARNING)


def _ranks(parsed: Parsed, name: str, environment: Environment) -> Iterator[Diagnostic]:
    limit = environment.engine.max_lora_rank
    for version in sorted({version for _, version in named(environment)}):
        model = parsed.models.get(version)
        if model is not None and model.adapter.rank > limit:
            where = parsed.document(f"models/{version}").at("adapter", "rank")
            summary = f"rank {model.adapter.rank} is over what the engine of '{name}' takes"
            fix = f"raise max_lora_rank of '{name}', or train with a lower rank"
            yield Diagnostic(summary, where, (f"max_lora_rank: {limit}",), fix)


def _listeners(parsed: Parsed) -> Iterator[Listener]:
    for name, environment in parsed.environments():
        addresses: list[tuple[KeyPath, str, str]] = [
            (("gateway", "listen"), "gateway", environment.gateway.listen),
            (("gateway", "admin"), "admin listener", environment.gateway.admin),
        ]
        for i, more in enumerate(environment.gateway.more):
            addresses.append((("gateway", "more", i, "listen"), f"gateway {i + 2}", more.listen))
            addresses.append((("gateway", "more", i, "admin"), f"admin listener {i + 2}", more.admin))
        if environment.engine.managed:
            addresses.append((("engine", "listen"), "engine", environment.engine.listen))
        if environment.monitor is not None:
            addresses.append((("monitor", "listen"), "monitor", environment.monitor.listen))
        for path, what, address in addresses:
            host, _, port = address.rpartition(":")
            where = parsed.document("loop").at("environments", name, *path)
            yield Listener(_host(host), int(port), f"{what} of '{name}'", where)


def _host(text: str) -> str:
    host = text.strip("[]").lower()
    return LOOPBACK if host in ("localhost", "::1") else host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _addresses(parsed: Parsed) -> Iterator[Diagnostic]:
    listeners = list(_listeners(parsed))
    for one in listeners:
        yield from _address(one)
    for first, second in combinations(listeners, 2):
        same_host = first.host == second.host or first.host in WILDCARDS or second.host in WILDCARDS
        if same_host and first.port == second.port:
            summary = f"the {second.what} listens where the {first.what} does: {second.host}:{second.port}"
            yield Diagnostic(
                summary, second.where, (f"first at line {first.where.line}",), "give it another port"
            )


def _address(one: Listener) -> Iterator[Diagnostic]:
    if not 1 <= one.port <= 65535:
        yield Diagnostic(f"there is no port {one.port}", one.where, (), "write a port from 1 to 65535")
    if one.what.startswith("engine") and not _is_loopback(one.host):
        summary = f"the managed engine would listen on '{one.host}', where others may load adapters"
        yield Diagnostic(summary, one.where, (), f"listen on {LOOPBACK}; users call the gateway")
    if one.what.startswith(("admin", "monitor")) and one.host in WILDCARDS:
        summary = f"the {one.what} can be reached from every network"
        reaches = "the runner reaches" if one.what.startswith("admin") else "your team reaches"
        fix = f"listen on {LOOPBACK}, or on an address that only {reaches}"
        yield Diagnostic(summary, one.where, (), fix, Severity.WARNING)


def _shared_replicas(parsed: Parsed) -> Iterator[Diagnostic]:
    seen: dict[str, str] = {}
    for name, environment in parsed.environments():
        for i, url in enumerate(environment.engine.replicas):
            owner = seen.setdefault(url.rstrip("/"), name)
            if owner != name:
                where = parsed.document("loop").at("environments", name, "engine", "replicas", i)
                summary = f"replica '{url}' belongs to '{owner}' already"
                yield Diagnostic(summary, where, (), "give each environment replicas of its own")
