"""Gateways, monitor and console: their addresses free or held by what Loop started, and ready where they run.

Also the receivers outside that loop.yaml and the policies name: a Prometheus asks for `/metrics`, OpenTelemetry is sent
to, a webhook is called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from runner.doctor.addresses import Held, Holder, look, reached
from runner.doctor.engine import judge_address
from runner.doctor.finding import Finding, Look, aside, failed, ok, warning
from runner.spec.environment import Environment
from runner.urls import without_secret

GATEWAY, MONITOR, CONSOLE, OUTSIDE = "gateway", "monitor", "console", "outside"
CALL_SECONDS = 5.0
_READY, _NOT_YET = 200, 503
_BY_SCHEME = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Listener:
    """A process that listens: the path by which it says whether it is ready, and the name of its record."""

    area: str
    what: str
    address: str
    ready: str
    record: str


def listeners(environment: Environment) -> Iterator[Listener]:
    """Yield everything that listens in an environment, but for the engine."""
    gateway = environment.gateway
    every = [(gateway.listen, gateway.admin), *((more.listen, more.admin) for more in gateway.more)]
    for number, (listen, admin) in enumerate(every, 1):
        name = GATEWAY if number == 1 else f"{GATEWAY}-{number}"
        yield Listener(GATEWAY, f"{name} for users", listen, "/readyz", name)
        yield Listener(GATEWAY, f"{name} for the runner", admin, "/readyz", name)
    if environment.monitor is not None:
        yield Listener(MONITOR, "pages", environment.monitor.listen, "/healthz", MONITOR)
    if environment.console is not None:
        yield Listener(CONSOLE, "pages", environment.console.listen, "/healthz", CONSOLE)


def looks(
    environment: Environment,
    state: Path,
    session: aiohttp.ClientSession,
    webhook: str | None,
    environ: Mapping[str, str],
) -> Iterator[Look]:
    """Yield what to look at; `webhook` names the variable that holds the address of the webhook."""
    for listener in listeners(environment):
        yield _look(listener, state, session)

    async def outside() -> Iterable[Finding]:
        otlp = environment.monitor.otlp if environment.monitor is not None else None
        found = [judge_webhook(webhook, environ)]
        if otlp is not None:
            found.append(judge_otlp(otlp, await _connects(otlp)))
        return found

    yield Look(OUTSIDE, "receivers", outside)


def _look(listener: Listener, state: Path, session: aiohttp.ClientSession) -> Look:
    async def see() -> Iterable[Finding]:
        record = state / "run" / f"{listener.record}.json"
        held = await aside(lambda: look(listener.address, record))
        answer = None
        if held.by is not Holder.NOBODY:
            answer = await _ready(f"http://{reached(listener.address)}{listener.ready}", session)
        return [judge(listener, held, answer)]

    return Look(listener.area, listener.what, see)


async def _ready(url: str, session: aiohttp.ClientSession) -> tuple[int, str] | None:
    """Return status and first line of an answer, None where none came."""
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(CALL_SECONDS)) as answer:
            text = (await answer.text(errors="replace")).strip()
            return answer.status, text.splitlines()[0][:200] if text else ""
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None


def judge(listener: Listener, held: Held, answer: tuple[int, str] | None) -> Finding:
    """Judge an address by who holds it and what was answered there."""
    if held.by in (Holder.NOBODY, Holder.CLOSED) or (held.by is Holder.OTHER and answer is None):
        return judge_address(listener.what, listener.address, held)
    if held.by is Holder.ELSEWHERE and answer is None:
        fix = "start it there, or correct the address in loop.yaml"
        return failed(listener.what, f"{listener.address} does not answer", fix)
    if answer is None:
        fix = "look at its log in .loop; `loop up` starts it anew"
        return failed(listener.what, f"{listener.address}: {held.said}, and it does not answer", fix)
    status, text = answer
    if held.by is Holder.OTHER and status not in (_READY, _NOT_YET):
        return judge_address(listener.what, listener.address, held)
    if status == _READY:
        return ok(listener.what, f"{listener.address}: ready ({held.said})")
    return warning(
        listener.what, f"{listener.address}: not ready: {text}", "`loop status` says what it waits for"
    )


def judge_webhook(variable: str | None, environ: Mapping[str, str]) -> Finding:
    """Judge whether the address of the webhook is known; it is not called."""
    if variable is None:
        return ok("webhook", "none is asked for")
    if not environ.get(variable):
        return warning("webhook", f"{variable} is not set", f"export {variable} where the runner starts")
    return ok("webhook", f"{variable} is set; it is not called here")


def judge_otlp(url: str, connects: str | None) -> Finding:
    """Judge whether an OpenTelemetry receiver takes a connection; `connects` says why not."""
    shown = without_secret(url)
    if connects is not None:
        return warning(
            "OpenTelemetry", f"{shown}: {connects}", "start it, or correct monitor.otlp in loop.yaml"
        )
    return ok("OpenTelemetry", f"{shown} takes connections")


async def _connects(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _BY_SCHEME.get(parts.scheme, 80)
        _, writer = await asyncio.wait_for(asyncio.open_connection(parts.hostname, port), CALL_SECONDS)
    except TimeoutError:
        return "no connection in time"
    except (OSError, ValueError) as error:
        return (getattr(error, "strerror", None) or str(error)).lower()
    writer.close()
    return None
