"""The base model that was chosen: a folder with its files, or a hub's name, pinned to the commit that the hub has now.

Called by `loop init`. It asks the hub one question, waits a few seconds for the answer, and says why where none came; a
repository is made all the same.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from runner.errors import terminal
from runner.scaffold.choices import MODEL_FOLDER, Base
from runner.urls import without_secret

HUB = "https://huggingface.co"
SECONDS = 5.0
_PARTS = {
    "config.json": ("config.json",),
    "*.safetensors": ("*.safetensors",),
    "tokenizer": ("tokenizer.*", "tekken.json", "vocab.*", "*.model", "*.tiktoken"),
}
"""What a model consists of, by the files that have it; tokenizers have many forms."""
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Local:
    """A folder that holds a model, and the name that vLLM shall serve it under."""

    folder: Path
    name: str


@dataclass(frozen=True, slots=True)
class OfHub:
    """A hub's name of a model, and the name that vLLM shall serve it under."""

    id: str
    name: str


def look(given: str, served_as: str | None) -> Local | OfHub:
    """Return what was given: a folder where there is one of that name, else a hub's name. Raises TerminalError."""
    folder = Path(given).expanduser()
    if folder.is_dir():
        if missing := lacks(folder):
            fix = "name the folder with config.json, tokenizer and *.safetensors"
            raise terminal(
                f"--base-model '{given}' holds no model", f"it has no {', no '.join(missing)}", fix=fix
            )
        return Local(folder.resolve(), served_as or _name_of(folder.resolve()))
    if folder.exists() or not _ID.fullmatch(given) or ".." in given:
        fix = "name a folder that is there, or a model of the hub as OWNER/NAME"
        raise terminal(f"--base-model '{given}' is neither a folder nor a hub's name", fix=fix)
    return OfHub(given, served_as or given)


def lacks(folder: Path) -> tuple[str, ...]:
    """Return what a folder lacks of a model that vLLM serves: settings, weights, tokenizer; empty files are none."""
    return tuple(
        what
        for what, patterns in _PARTS.items()
        if not any(
            path.is_file() and path.stat().st_size for pattern in patterns for path in folder.glob(pattern)
        )
    )


def in_cache(model: str, revision: str | None, environ: Mapping[str, str]) -> Path | None:
    """Return the folder in which the hub's cache of this machine has a whole model at a commit, None where it has none.

    Without a revision it is the commit that `main` had when it was fetched. The places are those of huggingface_hub.
    """
    caches = environ.get("XDG_CACHE_HOME", "~/.cache")
    cache = environ.get("HF_HUB_CACHE", f"{environ.get('HF_HOME', f'{caches}/huggingface')}/hub")
    kept = Path(cache).expanduser() / f"models--{model.replace('/', '--')}"
    try:
        commit = revision or (kept / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    folder = kept / "snapshots" / commit
    return None if lacks(folder) else folder


def _name_of(folder: Path) -> str:
    """Return the folder's name, as far as it can be a model's name."""
    return _UNFIT.sub("-", folder.name).strip("-._")[:80] or "base"


def pinned(model: OfHub, environ: Mapping[str, str] = os.environ) -> Base:
    """Return the model with the commit that the hub has now, or with why that is not known."""
    hub = environ.get("HF_ENDPOINT", HUB).rstrip("/")
    if environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        return Base(model.name, model.id, unpinned="HF_HUB_OFFLINE is set")
    try:
        commit = _commit(f"{hub}/api/models/{model.id}", environ.get("HF_TOKEN"))
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException) as error:
        return Base(
            model.name, model.id, unpinned=f"{without_secret(hub)} did not say its commit: {_why(error)}"
        )
    return Base(model.name, model.id, revision=commit)


def _commit(url: str, token: str | None) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("HF_ENDPOINT is no web address")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.build_opener(_Redirects).open(request, timeout=SECONDS) as answer:
        commit = json.loads(answer.read(1 << 20))["sha"]
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise ValueError("it names no commit")
    return commit


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows the hub to the new name of a model, and takes the token to no other server."""

    def redirect_request(  # noqa: PLR0913, PLR0917 - the arguments are urllib's
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the next question, None where none is to be asked. Raises HTTPError."""
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and (following.type, following.host) != (req.type, req.host):
            following.remove_header("Authorization")
        return following


def _why(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"it answered {error.code}"
    if isinstance(error, urllib.error.URLError):
        return (getattr(error.reason, "strerror", None) or str(error.reason)).lower()
    return str(error) or type(error).__name__


def local(model: Local, digest: str) -> Base:
    """Return a model whose bytes lie in the repository."""
    return Base(model.name, MODEL_FOLDER, digest=digest)
