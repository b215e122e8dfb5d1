"""The Git host: whether there is a token, and whether it may do what the runner does.

The repository is read there, and nothing is tried that would be seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import aiohttp
from yarl import URL

from runner.doctor.finding import Finding, Look, failed, ok, unchecked, warning
from runner.spec.environment import Forge

AREA = "Git host"
CALL_SECONDS = 10.0
_FIX = (
    "give the token of {variable} write access to contents, pull requests and commit statuses of {repository}"
)


def looks(forge: Forge | None, session: aiohttp.ClientSession, environ: Mapping[str, str]) -> Iterator[Look]:
    """Yield what to look at."""

    async def see() -> Iterable[Finding]:
        if forge is None:
            return [ok("pull requests", "no Git host is named: branches are pushed, and a person opens them")]
        token = environ.get(forge.token_env)
        if not token:
            fix = f"export {forge.token_env}, or take `forge` out of loop.yaml: then branches are pushed only"
            return [failed("token", f"{forge.token_env} is not set", fix)]
        return [judge(forge, *(await _asked(forge, session, token)))]

    yield Look(AREA, "token", see)


async def _asked(forge: Forge, session: aiohttp.ClientSession, token: str) -> tuple[int | None, Any]:
    """Return status and body of the repository, or None and why nothing came; no redirect gets the token."""
    url = URL(f"{forge.api.rstrip('/')}/repos/{forge.repository}", encoded=True)
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "User-Agent": "loop",
    }
    try:
        async with session.get(
            url, headers=headers, allow_redirects=False, timeout=aiohttp.ClientTimeout(CALL_SECONDS)
        ) as answer:
            text = await answer.text(errors="replace")
    except TimeoutError:
        return None, f"it did not answer within {CALL_SECONDS:g} s"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return None, type(error).__name__
    try:
        return answer.status, json.loads(text)
    except ValueError:
        return answer.status, {}


def judge(forge: Forge, status: int | None, body: Any) -> Finding:
    """Judge what the host answered about the repository."""
    host = URL(forge.api).host or forge.api
    fix = _FIX.format(variable=forge.token_env, repository=forge.repository)
    match status:
        case None:
            return failed("token", f"{host} cannot be asked: {body}", "look at network and `git.forge.api`")
        case 401:
            return failed("token", f"{host} does not take the token of {forge.token_env}", fix)
        case 404:
            return failed("token", f"{host} shows this token no repository {forge.repository}", fix)
        case 301 | 302 | 307 | 308:
            said = f"{forge.repository} has another name now, and the token follows no redirect"
            return failed("token", said, "write the new name into `git.forge.repository`")
        case 200:
            return _may(forge, body, fix)
        case _:
            return unchecked("token", f"{host} answered with status {status}")


def _may(forge: Forge, body: Any, fix: str) -> Finding:
    may = body.get("permissions") if isinstance(body, dict) else None
    if not isinstance(may, dict):
        return unchecked(
            "token", f"{forge.repository} can be read; the host does not say whether it may be written"
        )
    if not may.get("push"):
        return failed("token", f"it may read {forge.repository} and not write it", fix)
    if body.get("archived") is True:
        return failed("token", f"{forge.repository} is archived: nobody may write it", "unarchive it")
    if body.get("disabled") is True:
        return warning("token", f"{forge.repository} is disabled by its host", "ask the host why")
    return ok("token", f"it may read and write {forge.repository}")
