"""Request events as a gateway writes them, for tests of what is exported."""

from __future__ import annotations

from typing import Any

from tests.doubles.event_files import request


def streamed(number: int, **changes: Any) -> dict[str, Any]:
    """A streamed chat of the candidate with everything that a gateway knows."""
    return request(
        number,
        **{
            "loop__arm": "candidate",
            "loop__version": "chat-v1.1",
            "loop__session": "session-1",
            "loop__latency_ms": 1234.5,
            "loop__first_token_ms": 210.25,
            "gen_ai__operation__name": "chat",
            "gen_ai__request__model": "chat",
            "gen_ai__request__stream": True,
            "gen_ai__request__temperature": 0.7,
            "gen_ai__request__max_tokens": 256,
            "gen_ai__response__id": f"chatcmpl-{number}",
            "gen_ai__response__model": "chat-v1.1",
            "gen_ai__response__finish_reason": "stop",
            **changes,
        },
    )


def failed(number: int) -> dict[str, Any]:
    """A request that the engine did not answer."""
    return streamed(number, loop__outcome="error", error__type="timeout", http__response__status_code=504)
