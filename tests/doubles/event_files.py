"""Event segments as gateways leave them on disk, for tests of those who read them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from runner.events.schema import Kind

START_US = 1_790_000_000_000_000
"""2026-09-21 14:13:20 UTC."""
DAY_US = 86_400_000_000


def request(number: int, **changes: Any) -> dict[str, Any]:
    """Return a request event; `changes` use `__` where the field name has a dot."""
    event = {
        "event.id": f"event-{number}",
        "event.time": START_US + number,
        "loop.environment": "staging",
        "loop.request.id": f"request-{number}",
        "loop.user": f"user-{number % 7}",
        "loop.group": "public",
        "loop.alias": "chat",
        "loop.arm": "baseline",
        "loop.version": "chat-v1.0",
        "loop.outcome": "ok",
        "loop.fell_back": False,
        "loop.latency_ms": 10.0 + number,
        "loop.first_token_ms": 5.0,
        "http.response.status_code": 200,
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 3,
    }
    return {**event, **{name.replace("__", "."): value for name, value in changes.items()}}


def line(event: dict[str, Any]) -> bytes:
    """Return an event as its line."""
    return json.dumps(event, ensure_ascii=False).encode() + b"\n"


def segment(
    directory: Path,
    lines: Iterable[bytes],
    *,
    opened_us: int = START_US,
    pid: int = 4_194_999,
    kind: Kind = Kind.REQUEST,
    live: bool = False,
) -> Path:
    """Write one segment; the default process number is above what Linux gives to any process."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{kind.value}-{opened_us}-{pid}{'.open' if live else ''}.jsonl"
    path.write_bytes(b"".join(lines))
    return path
