"""Where a policy's judge answers: a model at its address, or simulated customers behind the same protocol.

Whoever puts questions to a judge opens it here and gets a client; nothing after that knows which of the two it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from runner.evaluation.chat import ChatClient, Endpoint
from runner.simulation.votes.panel import MODEL, panel
from runner.spec.evaluation import AnyJudge, SimulatedJudge

SECONDS = 60.0
"""For each try of one verdict."""


@asynccontextmanager
async def judge_client(judge: AnyJudge, session: aiohttp.ClientSession) -> AsyncIterator[ChatClient]:
    """Yield a client of the judge; simulated customers answer until the block ends.

    Raises TerminalError where the variable of the judge's key is not set.
    """
    if isinstance(judge, SimulatedJudge):
        async with panel() as address:
            yield ChatClient(Endpoint(address, MODEL), session)
    else:
        yield ChatClient(Endpoint(judge.base_url, judge.model, judge.api_key_env, SECONDS), session)


def described(judge: AnyJudge) -> str:
    """Return the judge's name, as reports have it."""
    if isinstance(judge, SimulatedJudge):
        return f"simulated customers of the {judge.simulated}"
    return f"{judge.model} at {judge.base_url}"
