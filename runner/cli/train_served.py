"""What the engine of an environment says of the parent's probe prompts, for the proof before the first step.

Called by `train`, which hands the figures to training as data. It changes nothing, and an engine that does not answer
stops nothing: the adapter's own record is compared in any case.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import LoopError, Unknown

if TYPE_CHECKING:
    from runner.serving.engine import LogProbs
    from runner.spec.environment import Environment
    from runner.spec.model import ModelFile

SECONDS = 30.0


def served(root: Path, environment: Environment, parent: ModelFile) -> tuple[LogProbs, ...] | Unknown:
    """Return the served parent's log-probabilities of its recorded prompts, or why they are not known."""
    from runner.serving.probe import read_record

    record = read_record(root / parent.adapter.path)
    if record is None:
        return Unknown("the parent has no record")
    prompts = [prompt.token_ids for prompt in record.prompts]
    return asyncio.run(_ask(environment, parent, prompts))


async def _ask(
    environment: Environment, parent: ModelFile, prompts: Sequence[Sequence[int]]
) -> tuple[LogProbs, ...] | Unknown:
    import aiohttp

    from runner import digest
    from runner.serving.discovery import replicas
    from runner.serving.engine import EngineClient

    name = digest.served_name(parent.name, parent.adapter.digest)
    key = environment.engine.api_key_env
    said = "it has no replica"
    try:
        async with aiohttp.ClientSession() as session:
            for url in await replicas(environment.engine):
                client = EngineClient(url, session, SECONDS, os.environ.get(key) if key else None)
                try:
                    return await client.prompt_logprobs(name, prompts)
                except LoopError as error:
                    said = error.diagnostics[0].summary
    except LoopError as error:
        said = error.diagnostics[0].summary
    return Unknown(said)
