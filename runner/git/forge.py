"""Where people review: pull requests, and the status of a commit. GitHub, or none.

Called by the reconciler after a branch was pushed. It never merges anything. The token goes to the host of the
API and to no other, and into no message. Rate limits, time-outs and failures of the service are transient.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote, urljoin, urlsplit

import aiohttp
from yarl import URL

from runner.errors import LoopError, terminal, transient
from runner.git.repository import Revision
from runner.spec.environment import GitSettings

SECONDS = 10.0
MAX_REDIRECTS = 3
MAX_PAGES = 10
PER_PAGE = 100
DESCRIPTION_MAX = 140
"""Longest description of a status that GitHub takes."""
TITLE_MAX = 250
BODY_MAX = 65_000
"""GitHub takes 65,536 characters."""
_ACCEPT = "application/json"
_API_VERSION = "2022-11-28"


class PullState(StrEnum):
    """What became of a pull request."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class Status(StrEnum):
    """What the status of a commit says."""

    SUCCESS = "success"
    FAILURE = "failure"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Pull:
    """A request to merge a branch; `number` is None and `address` the branch where nothing opens one."""

    number: int | None
    address: str
    words: str


@dataclass(frozen=True, slots=True)
class Mark:
    """The status to set on a commit: `context` names what speaks, `address` leads to more."""

    state: Status
    context: str
    description: str
    address: str = ""


class Forge(Protocol):
    """The service that holds the remote."""

    async def open_pull(self, branch: str, base: str, title: str, body: str) -> Pull:
        """Return the open pull request of a branch, opening it where there is none."""

    async def present(self, branch: str, base: str, title: str, body: str) -> Pull:
        """Return the open pull request of a branch, with this title and body; opens it where there is none."""

    async def declined(self, branch: str, base: str) -> Pull | None:
        """Return the newest pull request of a branch where a person closed it unmerged; None where nobody did."""

    async def set_status(self, revision: Revision, mark: Mark) -> None:
        """Set the status of a commit."""

    async def pull_state(self, number: int) -> PullState | None:
        """Return what became of a pull request; None where nobody can say."""


class NoForge:
    """A plain remote: branches are pushed, and a person opens what is to be reviewed."""

    async def open_pull(self, branch: str, base: str, title: str, body: str) -> Pull:  # noqa: ARG002
        """Return the words that tell a person what to open."""
        return Pull(None, branch, f"merge branch '{branch}' into '{base}' to accept: {title}")

    async def present(self, branch: str, base: str, title: str, body: str) -> Pull:
        """Return the words that tell a person what to open."""
        return await self.open_pull(branch, base, title, body)

    async def declined(self, branch: str, base: str) -> Pull | None:  # noqa: ARG002
        """Return None: a plain remote knows no pull requests."""
        return None

    async def set_status(self, revision: Revision, mark: Mark) -> None:
        """Do nothing: a plain remote keeps no status."""

    async def pull_state(self, number: int) -> PullState | None:  # noqa: ARG002
        """Return None: only the branch tells."""
        return None


class RefusingForge:
    """For a forge that cannot be used as declared (no token): it says so when it is needed, and not before.

    Commits are pushed without it, and a revision with a missing token must not keep a person's revert away.
    """

    def __init__(self, error: LoopError) -> None:
        self._error = error

    async def open_pull(self, branch: str, base: str, title: str, body: str) -> Pull:
        """Raise what is wrong; the branch was pushed."""
        del branch, base, title, body
        raise self._error

    async def present(self, branch: str, base: str, title: str, body: str) -> Pull:
        """Raise what is wrong; the branch was pushed."""
        del branch, base, title, body
        raise self._error

    async def declined(self, branch: str, base: str) -> Pull | None:
        """Raise what is wrong."""
        del branch, base
        raise self._error

    async def set_status(self, revision: Revision, mark: Mark) -> None:
        """Raise what is wrong."""
        del revision, mark
        raise self._error

    async def pull_state(self, number: int) -> PullState | None:
        """Raise what is wrong."""
        del number
        raise self._error


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: Any


def connect(
    settings: GitSettings | None, session: aiohttp.ClientSession, environ: Mapping[str, str]
) -> Forge:
    """Return the service that `git:` of loop.yaml names; its token is looked up in `environ`."""
    forge = settings.forge if settings else None
    if forge is None:
        return NoForge()
    token = environ.get(forge.token_env)
    if not token:
        return RefusingForge(
            terminal(
                f"no token for {forge.repository}: {forge.token_env} is not set",
                fix=f"export {forge.token_env}, or take `forge` out of loop.yaml: then branches are pushed only",
            )
        )
    return GitHub(session, forge.repository, token, forge.api)


class GitHub:
    """A repository on GitHub or GitHub Enterprise (`api`, such as `https://git.example.com/api/v3`)."""

    def __init__(
        self, session: aiohttp.ClientSession, repository: str, token: str, api: str = "https://api.github.com"
    ) -> None:
        """`repository` is OWNER/NAME; `token` needs to write pull requests and commit statuses."""
        self._session, self._token = session, token
        self._owner = repository.partition("/")[0]
        self._base = f"{api.rstrip('/')}/repos/{repository}"

    def __repr__(self) -> str:
        return f"GitHub({self._base})"

    async def open_pull(self, branch: str, base: str, title: str, body: str) -> Pull:
        """Return the open pull request of a branch into `base`, opening it where there is none.

        Raises TerminalError where GitHub refuses it, with its reasons; TransientError where it may work later.
        """
        found = await self._newest(branch, base, "open")
        return _pull(found) if found is not None else await self._opened(branch, base, title, body)

    async def present(self, branch: str, base: str, title: str, body: str) -> Pull:
        """Return the open pull request of a branch into `base` once it has this title and body.

        Raises TerminalError where GitHub refuses it, with its reasons; TransientError where it may work later.
        """
        wanted = {"title": title[:TITLE_MAX], "body": body[:BODY_MAX]}
        found = await self._newest(branch, base, "open")
        if found is None:
            return await self._opened(branch, base, title, body)
        if all(_plain(found.get(key)) == _plain(text) for key, text in wanted.items()):
            return _pull(found)
        number = int(found["number"])
        answer = await self._call("PATCH", f"{self._base}/pulls/{number}", wanted)
        if answer.status != HTTPStatus.OK:
            raise _refusal(f"pull request {number} was not updated", answer)
        return _pull(answer.body)

    async def declined(self, branch: str, base: str) -> Pull | None:
        """Return the newest pull request of a branch where a person closed it unmerged.

        Raises TerminalError where GitHub refuses, TransientError for later.
        """
        found = await self._newest(branch, base, "all")
        closed = found is not None and found.get("state") == "closed" and not found.get("merged_at")
        return _pull(found) if found is not None and closed else None

    async def _opened(self, branch: str, base: str, title: str, body: str) -> Pull:
        request = {"title": title[:TITLE_MAX], "head": branch, "base": base, "body": body[:BODY_MAX]}
        answer = await self._call("POST", f"{self._base}/pulls", request)
        if answer.status == HTTPStatus.CREATED:
            return _pull(answer.body)
        found = await self._newest(branch, base, "open")  # another runner was quicker
        if found is not None:
            return _pull(found)
        raise _refusal(f"no pull request of '{branch}' into '{base}'", answer)

    async def set_status(self, revision: Revision, mark: Mark) -> None:
        """Set the status of a commit. Raises TerminalError where GitHub refuses, TransientError for later."""
        request = {
            "state": mark.state.value,
            "context": mark.context,
            "description": mark.description[:DESCRIPTION_MAX],
        }
        if mark.address:
            request["target_url"] = mark.address
        answer = await self._call("POST", f"{self._base}/statuses/{revision.sha}", request)
        if answer.status != HTTPStatus.CREATED:
            raise _refusal(f"the status of {revision.short} was not taken", answer)

    async def pull_state(self, number: int) -> PullState:
        """Return what became of a pull request. Raises TerminalError where there is none."""
        answer = await self._call("GET", f"{self._base}/pulls/{number}")
        if answer.status != HTTPStatus.OK:
            raise _refusal(f"pull request {number} cannot be read", answer)
        if answer.body.get("merged"):
            return PullState.MERGED
        return PullState.OPEN if answer.body.get("state") == "open" else PullState.CLOSED

    async def _newest(self, branch: str, base: str, state: str) -> Mapping[str, Any] | None:
        """Look through the pull requests of a branch that are in `state`, newest first, page after page."""
        head = quote(f"{self._owner}:{branch}", safe="")
        query = f"state={state}&head={head}&base={quote(base, safe='')}&per_page={PER_PAGE}"
        for page in range(1, MAX_PAGES + 1):
            answer = await self._call("GET", f"{self._base}/pulls?{query}&page={page}")
            if answer.status != HTTPStatus.OK:
                raise _refusal("the pull requests cannot be listed", answer)
            for pull in answer.body:
                # An older GitHub Enterprise does not filter by a `head` that it cannot read: look again.
                if pull["head"]["ref"] == branch and pull["base"]["ref"] == base:
                    return dict(pull)
            # Its address is not used: it may lead to another host, which must not get the token.
            if 'rel="next"' not in answer.headers.get("Link", ""):
                return None
        return None

    async def _call(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> _Answer:
        """Send one request, follow redirects within the host, and tell limits and failures as transient."""
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._send(method, url, body)
            if answer.status not in (301, 302, 307, 308):
                _raise_passing(answer)
                return answer
            url = self._own(urljoin(url, answer.headers.get("Location", "")))
        raise terminal(f"{_host(url)} redirects without an end")

    def _own(self, url: str) -> str:
        """Return an address of the API's own host; the token goes to no other."""
        if urlsplit(url)[:2] != urlsplit(self._base)[:2]:
            raise terminal(
                f"{_host(self._base)} leads to another address, {_host(url)}, which gets no token",
                fix="write the API's own address into `git.forge.api`",
            )
        return url

    async def _send(self, method: str, url: str, body: Mapping[str, Any] | None) -> _Answer:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": _ACCEPT,
            "X-GitHub-Api-Version": _API_VERSION,
            "User-Agent": "loop",
        }
        try:
            async with self._session.request(
                method,
                # As it is: the pull requests of a branch are found by an encoded `:` and `/`.
                URL(url, encoded=True),
                json=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=SECONDS),
            ) as response:
                text = await response.text(errors="replace")
                return _Answer(response.status, response.headers, _parsed(text))
        except TimeoutError:
            raise transient(f"{_host(url)} did not answer within {SECONDS:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise transient(f"{_host(url)} cannot be reached: {type(error).__name__}") from None


def _plain(text: Any) -> str:
    """Return a text as it is compared: GitHub may give back other line ends, and none at the end."""
    return str(text or "").replace("\r\n", "\n").strip()


def _pull(body: Mapping[str, Any]) -> Pull:
    return Pull(int(body["number"]), str(body["html_url"]), str(body["title"]))


def _raise_passing(answer: _Answer) -> None:
    """Raise TransientError for rate limits (403 or 429) and failures of the service (5xx)."""
    limited = answer.status == HTTPStatus.TOO_MANY_REQUESTS or (
        answer.status == HTTPStatus.FORBIDDEN
        and ("Retry-After" in answer.headers or answer.headers.get("X-RateLimit-Remaining") == "0")
    )
    if limited:
        wait = answer.headers.get("Retry-After")
        until = answer.headers.get("X-RateLimit-Reset")
        when = f"after {wait} s" if wait else f"from {until} s since 1970 on" if until else "later"
        raise transient(f"GitHub's rate limit is reached; it answers again {when}", _said(answer))
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise transient(f"GitHub answered with status {answer.status}", _said(answer))


def _refusal(what: str, answer: _Answer) -> LoopError:
    fix = None
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
        fix = "give the token write access to pull requests and commit statuses of this repository"
    return terminal(f"{what}: GitHub answered with status {answer.status}", _said(answer), fix=fix)


def _said(answer: _Answer) -> str:
    """Return GitHub's own words: its message, and each error that it lists."""
    if not isinstance(answer.body, dict):
        return str(answer.body)[:200]
    errors = answer.body.get("errors") or []
    details = [
        str(error.get("message") or error.get("code")) if isinstance(error, dict) else str(error)
        for error in (errors if isinstance(errors, list) else [errors])
    ]
    return "; ".join(filter(None, [str(answer.body.get("message", "")), *details]))[:500]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return text


def _host(url: str) -> str:
    """Return the host of an address; what follows it may hold what is nobody's business."""
    return urlsplit(url).netloc.rpartition("@")[2]
