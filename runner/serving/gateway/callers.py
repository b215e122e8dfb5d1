"""Who calls: the API key and its group, the user behind it, keyed hashes of both, and how often they may.

Used by the public application. Keeps no name on disk; the only files are two secrets, that of the hashes and that by
which the console proves itself.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runner.serving.gateway.config import GatewayConfig, Key
from runner.serving.gateway.replies import ApiError, Scope, bad_request

REMEMBERED = 10_000  # rate limits kept at once, so that many addresses cannot fill the memory

KEEP = b"x-loop-keep"
CONSOLE_KEY = "console.key"

CALLER = "loop.caller"
"""Where the scope of a request that was let in holds its Caller."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: by which key, or without one from which address."""

    name: str
    """`key:NAME`, `addr:ADDRESS`, or `console:USER` behind the console: whose rate is limited."""
    key: str | None
    """Name of the API key."""
    group: str
    user: str | None
    """From the header `x-loop-user`."""
    session: str | None
    """From the header `x-loop-session`."""
    console: bool = False
    """Whether the console passes this on for its person: the header `x-loop-console` holds its secret."""
    keeps: bool = True
    """Whether text may be kept: not of an excluded group, nor where the header `x-loop-keep` says `none`."""

    def identity(self, named: str | None) -> str:
        """Return who the user is, where the body may name one: no two different users give the same text.

        Users of a key are that key's own, so nobody can name himself into those of another, or into a key or
        an address. Callers without a key share their users by design, on a private network: the user of one
        service stays the same user behind all its addresses, and whoever reaches it may name any of them.
        """
        user = named or self.user
        if self.key is not None:
            return f"key\0{self.key}" if user is None else f"key\0{self.key}\0{user}"
        return self.name if user is None else f"anonymous\0{user}"


class Callers:
    """Tells callers apart by their keys."""

    def __init__(self, config: GatewayConfig) -> None:
        self._keys: dict[str, Key] = {key.sha256.lower(): key for key in config.keys}
        self._anonymous = config.anonymous_group
        self._console = config.console_sha256
        self._excluded = frozenset(config.exclude_groups)

    @property
    def has_keys(self) -> bool:
        """Whether there are keys at all; without any, whatever a caller sends as one is not looked at."""
        return bool(self._keys)

    def identify(self, scope: Scope, headers: dict[bytes, bytes]) -> Caller:
        """Return who calls. Raises ApiError 401, and 403 for a wrong console secret."""
        key = self._key(headers.get(b"authorization", b"")) if self._keys else None
        group = key.group if key else self._anonymous
        if group is None:
            raise ApiError(401, "invalid_api_key", "an API key is needed: send 'authorization: Bearer KEY'")
        console = self._is_console(headers)
        user, session = _header(headers, b"x-loop-user"), _header(headers, b"x-loop-session")
        name = address(scope)
        if key:
            name = f"key:{key.name}"
        elif console and user:
            name = f"console:{user}"  # its people share an address
        keeps = group not in self._excluded and KEEP not in headers
        return Caller(name, key.name if key else None, group, user, session, console, keeps)

    def _is_console(self, headers: dict[bytes, bytes]) -> bool:
        secret = headers.get(b"x-loop-console")
        if secret is None:
            return False
        found = hashlib.sha256(secret.strip()).hexdigest()
        if self._console is None or not hmac.compare_digest(found, self._console.lower()):
            message = "'x-loop-console' is not the secret of this gateway's console: restart the console"
            raise ApiError(403, "invalid_console_secret", message)
        return True

    def _key(self, authorization: bytes) -> Key | None:
        if not authorization:
            return None
        scheme, _, token = authorization.partition(b" ")
        # a digest is looked up, so the time it takes tells nothing of the key
        key = self._keys.get(hashlib.sha256(token.strip()).hexdigest())
        if scheme.lower() != b"bearer" or key is None:
            raise ApiError(401, "invalid_api_key", "the API key is not known here")
        return key


def address(scope: Scope) -> str:
    """Return the client's address as a caller's name."""
    client = scope.get("client")
    return f"addr:{client[0]}" if client else "addr:unknown"


def check_wishes(headers: dict[bytes, bytes]) -> None:
    """Raise ApiError 400 where a client asks for something in a header that there is not."""
    if headers.get(KEEP, b"none").strip().lower() != b"none":
        raise bad_request("the header 'x-loop-keep' must be 'none', or absent")


def _header(headers: dict[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return value[:512].decode("utf-8", "replace") if value else None


class RateLimit:
    """A token bucket for each caller: `per_minute` at once, refilled evenly; None limits nobody."""

    def __init__(self, per_minute: int | None, monotonic: Callable[[], float]) -> None:
        self._per_minute, self._monotonic = per_minute, monotonic
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> None:
        """Take one token. Raises ApiError 429 that says when the next one is there."""
        if self._per_minute is None:
            return
        now = self._monotonic()
        tokens, then = self._buckets.pop(name, (float(self._per_minute), now))
        tokens = min(self._per_minute, tokens + (now - then) * self._per_minute / 60)
        if len(self._buckets) >= REMEMBERED:
            self._buckets.pop(next(iter(self._buckets)))
        self._buckets[name] = (tokens - 1 if tokens >= 1 else tokens, now)
        if tokens < 1:
            wait = math.ceil((1 - tokens) * 60 / self._per_minute)
            message = f"more than {self._per_minute} requests per minute; try again in {wait} s"
            raise ApiError(429, "rate_limit_exceeded", message, retry_after_s=wait)


class KeyedHash:
    """BLAKE2b under a secret: a user always gives the same 32 hex digits, and nobody can tell who it is."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __call__(self, text: str) -> str:
        """Return 32 hex digits."""
        data = text.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, digest_size=16, key=self._secret).hexdigest()


def console_secret(state: Path) -> str:
    """Return what the console sends as `x-loop-console`, 64 hex digits; made in `state` by whoever is first.

    Raises OSError, ValueError.
    """
    return read_secret(state / CONSOLE_KEY).hex()


def read_secret(path: Path) -> bytes:
    """Return the secret in `path`, made there (mode 0600) where absent. Raises OSError, ValueError."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _make_secret(path)
    return bytes.fromhex(path.read_text().strip())


def _make_secret(path: Path) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        return  # another gateway was first; both read a complete file
    finally:
        fresh.unlink()
