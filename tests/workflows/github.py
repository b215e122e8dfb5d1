"""A stand-in for the few parts of GitHub's API that are used: as a function, and served over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

HEAD = "a" * 40
AUTHOR = "github-actions[bot]"


class Github:
    """One repository with one pull request, number 7."""

    def __init__(self) -> None:
        self.pull: dict[str, Any] = {"state": "open", "head": {"sha": HEAD}}
        self.comments: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.tokens: set[str | None] = set()

    def comment(self, author: str, body: str) -> dict[str, Any]:
        """Make a comment, with an id of its own."""
        self._count = getattr(self, "_count", 0) + 1
        return {"id": self._count, "user": {"login": author}, "body": body}

    def call(self, method: str, path: str, body: Any) -> Any:
        """Answer as GitHub does."""
        self.calls.append(f"{method} {path}")
        place = urlsplit(path)
        match [method, *place.path.split("/")]:
            case ["GET", "pulls", "7"]:
                return self.pull
            case ["GET", "issues", "7", "comments"]:
                asked = {key: int(value[0]) for key, value in parse_qs(place.query).items()}
                start = (asked["page"] - 1) * asked["per_page"]
                return self.comments[start : start + asked["per_page"]]
            case ["POST", "issues", "7", "comments"]:
                self.comments.append(self.comment(AUTHOR, body["body"]))
                return self.comments[-1]
            case ["PATCH", "issues", "comments", number]:
                found = next(c for c in self.comments if c["id"] == int(number))
                found |= body
                return found
        raise AssertionError(f"GitHub is asked for what it has not: {method} {path}")


@contextmanager
def served(github: Github, repository: str) -> Iterator[str]:
    """Serve it on a port of its own; yields the address that stands for https://api.github.com."""
    prefix = f"/repos/{repository}/"

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            assert self.path.startswith(prefix), self.path
            github.tokens.add(self.headers.get("authorization"))
            reply = json.dumps(github.call(self.command, self.path.removeprefix(prefix), body)).encode()
            self.send_response(200)
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
