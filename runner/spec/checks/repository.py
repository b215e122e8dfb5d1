"""The remote that is followed: that its branch can exist, and that what is secret stays so."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from runner.errors import Diagnostic, Severity
from runner.spec.environment import Forge, GitSettings
from runner.spec.files import Files
from runner.spec.parse import Parsed
from runner.spec.rollout import RolloutPolicy
from runner.spec.source import KeyPath

_LOCAL = ("127.0.0.1", "::1", "localhost")


def check(parsed: Parsed, files: Files) -> Iterator[Diagnostic]:
    """Yield everything that is wrong with how Git is reached, and with the secrets that this takes."""
    del files
    git = parsed.loop.git if parsed.loop else None
    if git is not None:
        yield from _branch(parsed, git)
        yield from _author(parsed, git)
        if git.forge is not None:
            yield from _forge(parsed, git.forge)
    yield from _secrets(parsed)


def _branch(parsed: Parsed, git: GitSettings) -> Iterator[Diagnostic]:
    """What Git itself would refuse (`git help check-ref-format`), beyond the letters that are allowed at all."""
    parts = git.branch.split("/")
    broken = any(not part or part.startswith(".") or part.endswith((".lock", ".")) for part in parts)
    if broken or ".." in git.branch or git.branch == "HEAD":
        where = parsed.document("loop").at("git", "branch")
        yield Diagnostic(
            f"Git takes no branch named '{git.branch}'", where, (), "write its name, such as 'main'"
        )


def _author(parsed: Parsed, git: GitSettings) -> Iterator[Diagnostic]:
    for key in ("author", "email"):
        if set(getattr(git, key)) & set("<>\n\r"):
            summary = f"'{key}' holds what Git would leave out of a commit"
            where = parsed.document("loop").at("git", key)
            yield Diagnostic(summary, where, (), "write it on one line and without '<' and '>'")


def _forge(parsed: Parsed, forge: Forge) -> Iterator[Diagnostic]:
    try:
        parts = urlsplit(forge.api)
        host = parts.hostname
    except ValueError:
        host = None
    where = parsed.document("loop").at("git", "forge", "api")
    if not host or "@" in parts.netloc or parts.query or parts.fragment:
        fix = "write scheme, host and path, such as 'https://github.example.com/api/v3'"
        yield Diagnostic(f"'{forge.api}' is no address of an API", where, (), fix)
    elif parts.scheme == "http" and host not in _LOCAL:
        summary = f"the token of {forge.token_env} would go to '{host}' without encryption"
        yield Diagnostic(summary, where, (), "write 'https://...'", Severity.WARNING)


def _secrets(parsed: Parsed) -> Iterator[Diagnostic]:
    """One variable for two purposes: a token would be sent to where it must not go."""
    first: dict[str, str] = {}
    for key, path, variable in _variables(parsed):
        purpose = " of ".join(str(part) for part in (path[-1], path[-2]))
        other = first.setdefault(variable, purpose)
        if other != purpose:
            where = parsed.document(key).at(*path)
            summary = f"'{variable}' is both {other} and {purpose}"
            yield Diagnostic(summary, where, (), "give each secret a variable of its own")


def _variables(parsed: Parsed) -> Iterator[tuple[str, KeyPath, str]]:
    if parsed.loop is not None and parsed.loop.git is not None and parsed.loop.git.forge is not None:
        yield "loop", ("git", "forge", "token_env"), parsed.loop.git.forge.token_env
    policy = parsed.policy(RolloutPolicy)
    if policy is not None and policy.rollback.webhook_env is not None:
        yield "policies/rollout", ("rollback", "webhook_env"), policy.rollback.webhook_env
    for name, environment in parsed.environments():
        if environment.engine.api_key_env is not None:
            path: KeyPath = ("environments", name, "engine", "api_key_env")
            yield "loop", path, environment.engine.api_key_env
