"""Tells people outside what happened: one JSON document, posted to an address of their choice.

Called by the reconciler after a rollback or an advance; nothing waits for it. The address comes from an
environment variable, since it often holds a secret, so no message shows more of it than its host.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp

from runner.errors import LoopError, terminal, transient

SECONDS = 5.0
TRIES = 3
PAUSE_SECONDS = 1.0
VARIABLE = "LOOP_WEBHOOK"


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened to which version; `at` in seconds since 1970, `revision` empty where Git does not know yet."""

    event: str
    environment: str
    served: str
    condition: str
    evidence: tuple[str, ...]
    at: float
    revision: str = ""
    address: str = ""
    """Of the pull request, where one waits for a person."""


def webhook_address(environ: Mapping[str, str], variable: str = VARIABLE) -> str | None:
    """Return the address to notify, or None where nobody gave one. Raises TerminalError for no http(s)."""
    address = environ.get(variable, "").strip()
    if not address:
        return None
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise terminal(f"{variable} holds no http or https address", fix="write `https://host/path` into it")
    return address


async def notify(
    session: aiohttp.ClientSession,
    address: str,
    notice: Notice,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Post a notice; an answer in 200 to 299 is success, and three tries are made.

    Raises TerminalError where the receiver refuses (another 4xx than 408 and 429), TransientError where no
    try got through. Redirects are not followed.
    """
    failed: LoopError = transient("not tried")
    for attempt in range(TRIES):
        if attempt:
            await pause(PAUSE_SECONDS * 2 ** (attempt - 1))
        error = await _once(session, address, notice)
        if error is None:
            return
        failed = error
    raise failed


async def _once(session: aiohttp.ClientSession, address: str, notice: Notice) -> LoopError | None:
    """Post once; return what may go better next time, raise what may not."""
    host = urlsplit(address).hostname
    try:
        async with session.post(
            address,
            json=asdict(notice),
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=SECONDS),
        ) as response:
            status = response.status
    except TimeoutError:
        return transient(f"the webhook at {host} did not answer within {SECONDS:g} s")
    except (aiohttp.ClientError, OSError) as error:
        return transient(f"the webhook at {host} cannot be reached: {type(error).__name__}")
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    late = status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or late:
        return transient(f"the webhook at {host} answered with status {status}")
    raise terminal(f"the webhook at {host} refused with status {status}")
