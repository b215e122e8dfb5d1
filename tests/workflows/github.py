"""A stand-in for the few parts of GitHub that are used: its API as a function, and both API and Git over HTTP.

Git itself is real: a bare repository behind `git http-backend`, which asks for the token as GitHub does. What the API
takes is held to GitHub's own description by tests/git/test_forge.py.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

HEAD = "a" * 40
AUTHOR = "github-actions[bot]"
REPOSITORY = "octo/shop"
TOKEN = "secret-token"


class Github:
    """One repository with a pull request that was opened by a person, number 7."""

    def __init__(self) -> None:
        self.pull: dict[str, Any] = {"state": "open", "head": {"sha": HEAD}}
        self.comments: list[dict[str, Any]] = []
        self.pulls: list[dict[str, Any]] = []
        """Those that automation opened."""
        self.issues: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.tokens: set[str | None] = set()

    def comment(self, author: str, body: str) -> dict[str, Any]:
        """Make a comment, with an id of its own."""
        self._count = getattr(self, "_count", 0) + 1
        return {"id": self._count, "user": {"login": author}, "body": body}

    def call(self, method: str, path: str, body: Any) -> Any:  # noqa: C901 - one case for each call
        """Answer as GitHub does."""
        self.calls.append(f"{method} {path}")
        place = urlsplit(path)
        asked = {key: value[0] for key, value in parse_qs(place.query).items()}
        match [method, *place.path.split("/")]:
            case ["GET", "pulls", "7"]:
                return self.pull
            case ["GET", "issues", "7", "comments"]:
                return _page(self.comments, asked)
            case ["POST", "issues", "7", "comments"]:
                self.comments.append(self.comment(AUTHOR, body["body"]))
                return self.comments[-1]
            case ["PATCH", "issues", "comments", number]:
                return _changed(self.comments, "id", number, body)
            case ["GET", "issues"]:
                assert asked["creator"] == AUTHOR
                return _page(self.issues, asked)
            case ["POST", "issues"]:
                return _added(self.issues, body)
            case ["PATCH", "issues", number]:
                return _changed(self.issues, "number", number, body)
            case ["GET", "pulls"]:
                branch = asked.get("head", "").removeprefix(f"{REPOSITORY.partition('/')[0]}:")
                return _page([each for each in self.pulls if branch in ("", each["head"]["ref"])], asked)
            case ["POST", "pulls"]:
                head = {"ref": body["head"], "repo": {"full_name": REPOSITORY}}
                return _added(self.pulls, {**body, "head": head, "base": {"ref": body["base"]}})
            case ["PATCH", "pulls", number]:
                return _changed(self.pulls, "number", number, body)
            case ["POST", "statuses", _]:
                return body
        raise AssertionError(f"GitHub is asked for what it has not: {method} {path}")


def _page(found: list[dict[str, Any]], asked: dict[str, str]) -> list[dict[str, Any]]:
    if asked.get("state") == "open":
        found = [each for each in found if each["state"] == "open"]
    size = int(asked["per_page"])
    start = (int(asked["page"]) - 1) * size
    return found[start : start + size]


def _added(things: list[dict[str, Any]], thing: dict[str, Any]) -> dict[str, Any]:
    number = 100 + len(things)
    address = f"https://github.com/{REPOSITORY}/issues/{number}"
    things.append({"number": number, "html_url": address, "state": "open", **thing})
    return things[-1]


def _changed(things: list[dict[str, Any]], key: str, number: str, body: dict[str, Any]) -> dict[str, Any]:
    found = next(each for each in things if each[key] == int(number))
    found |= body
    return found


@contextmanager
def served(github: Github, bare: Path | None = None) -> Iterator[str]:
    """Serve it on a port of its own; yields the address that stands for the API and, with `bare`, for Git.

    The bare repository is at ADDRESS/octo/shop.git, and takes nobody without the token.
    """
    prefix = f"/repos/{REPOSITORY}/"

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(length)
            if self.path.startswith(f"/{REPOSITORY}.git/"):
                assert bare is not None, "nobody talks to Git here"
                _git(self, bare, body)
                return
            assert self.path.startswith(prefix), self.path
            github.tokens.add(self.headers.get("authorization"))
            value = json.loads(body) if body else None
            reply = json.dumps(github.call(self.command, self.path.removeprefix(prefix), value)).encode()
            self.send_response(201 if self.command == "POST" else 200)
            self.send_header("content-length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        do_GET = do_POST = do_PATCH = answer

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _git(handler: BaseHTTPRequestHandler, bare: Path, body: bytes) -> None:
    """Hand one request to git's own server, once it has shown the token."""
    basic = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    if handler.headers.get("authorization") != f"Basic {basic}":
        handler.send_response(401)
        handler.send_header("www-authenticate", 'Basic realm="GitHub"')
        handler.send_header("content-length", "0")
        handler.end_headers()
        return
    place = urlsplit(handler.path)
    done = subprocess.run(
        ["git", "-c", "http.receivepack=true", "http-backend"],
        input=body,
        capture_output=True,
        check=True,
        env={
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(bare),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": handler.command,
            "PATH_INFO": place.path.removeprefix(f"/{REPOSITORY}.git"),
            "QUERY_STRING": place.query,
            "CONTENT_TYPE": handler.headers.get("content-type") or "",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": handler.headers.get("content-encoding") or "",
            "GIT_PROTOCOL": handler.headers.get("git-protocol") or "",
            "REMOTE_USER": "x-access-token",
        },
    )
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
    handler.send_response(int(fields.pop("Status", "200 OK").split()[0]))
    for name, value in fields.items():
        handler.send_header(name, value)
    handler.send_header("content-length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
