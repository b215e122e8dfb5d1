"""A console as the gateway sees it: the secret, the headers that go with it, and bodies that it sends."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx

from tests.gateway.running import BASELINE, CANDIDATE, OTHER, RunningGateway
from tests.waiting import PATIENCE_S

SECRET = "5e" * 32
SHA256 = hashlib.sha256(SECRET.encode()).hexdigest()
HEADERS = {"x-loop-console": SECRET, "x-loop-user": "ann"}
VERSIONS = (BASELINE, CANDIDATE, OTHER, BASELINE)


def vote(count: int = 2, **changes: Any) -> dict[str, Any]:
    """Return a vote on so many answers, for the first one."""
    answers = [
        {
            "response_id": f"chatcmpl-{place}",
            "version": version.name,
            "digest": version.digest,
            "text": f"answer {place}",
            "sampling": {"temperature": 0.7, "seed": place},
        }
        for place, version in enumerate(VERSIONS[:count])
    ]
    question = [{"role": "user", "content": "where is the harbour book"}]
    return {"comparison": "cmp-1", "prompt": question, "answers": answers, "choice": 0} | changes


def label(**changes: Any) -> dict[str, Any]:
    """Return a label of an answer."""
    return {"item": "rec-1", "task": "answer", "value": "good"} | changes


def post(
    gateway: RunningGateway, path: str, body: Any, headers: dict[str, str] | None = None
) -> httpx.Response:
    """Send something as the console does."""
    return httpx.post(
        f"{gateway.url}{path}", json=body, headers=HEADERS | (headers or {}), timeout=PATIENCE_S
    )
