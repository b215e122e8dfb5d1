"""The engine of an evaluation: the environment's own where it answers, else one that is started for the time.

Called by `loop evaluate`. Adapters that were there stay; what was loaded for the evaluation is unloaded at its end, and
an engine that was started is ended, also on Ctrl-C. What a killed evaluation left is ended by the next one.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import LoopError, Unknown, terminal, transient

if TYPE_CHECKING:
    import aiohttp

    from runner.evaluation.bench import Conversation, LogProbs, Scored, Tokens
    from runner.serving.engine import EngineClient
    from runner.spec.environment import BaseModelRef, Environment
    from runner.spec.model import ModelFile

CALL_SECONDS = 120.0
HEALTH_SECONDS = 5.0
PROBES_AT_ONCE = 16
"""Texts that the engine scores in one request."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """Where an evaluation takes place: the checkout, the environment, and folders for what is kept of it.

    `store` holds placed adapters, `state` what evaluations of this environment keep.
    """

    root: Path
    name: str
    environment: Environment
    base: BaseModelRef
    store: Path
    state: Path

    @property
    def key(self) -> str | None:
        """The key to the environment's own replicas. Raises TerminalError where its variable is not set."""
        variable = self.environment.engine.api_key_env
        if variable is not None and not os.environ.get(variable):
            raise terminal(f"the engine's key is missing: {variable} is not set", fix=f"export {variable}")
        return os.environ[variable] if variable else None


@dataclass(frozen=True)
class Serving:
    """An engine that answers; `slots` says how many adapters it may hold at once."""

    url: str
    key: str | None
    client: EngineClient
    slots: int


@asynccontextmanager
async def serving(
    place: Place, adapters: int, session: aiohttp.ClientSession, tell: Tell
) -> AsyncIterator[Serving]:
    """Yield an engine for so many adapters. Raises LoopError where none answers and none can be started."""
    found = await _own(place, session)
    if not isinstance(found, Unknown):
        tell(f"engine: {found.url}, which serves {place.name}")
        yield found
        return
    tell(f"engine: none of {place.name} answers ({found.reason}); starting one for the time")
    async with _started(place, adapters, session, tell) as started:
        yield started


async def _own(place: Place, session: aiohttp.ClientSession) -> Serving | Unknown:
    """Return the first replica of the environment that answers and serves its base."""
    from runner.serving.discovery import replicas
    from runner.serving.engine import EngineClient

    engine, key, said = place.environment.engine, place.key, "no replica"
    try:
        urls: Sequence[str] = await replicas(engine)
    except LoopError as error:
        return Unknown(error.diagnostics[0].summary)
    for url in urls:
        try:
            await EngineClient(url, session, HEALTH_SECONDS, key).health()
            client = EngineClient(url, session, CALL_SECONDS, key)
            if any(model.name == place.base.name for model in await client.models()):
                return Serving(url, key, client, engine.max_loras)
            said = f"{url} does not serve {place.base.name}"
        except LoopError as error:
            said = error.diagnostics[0].summary
    return Unknown(said)


@asynccontextmanager
async def _started(
    place: Place, adapters: int, session: aiohttp.ClientSession, tell: Tell
) -> AsyncIterator[Serving]:
    from runner.serving import launcher
    from runner.serving.engine import EngineClient
    from runner.serving.processes import ManagedProcess

    listen = f"127.0.0.1:{_free_port()}"
    changes = {"managed": True, "listen": listen, "max_loras": adapters, "max_cpu_loras": None}
    engine = place.environment.engine.model_copy(update=changes)
    program = launcher.vllm(engine, place.base, place.root, launcher.installed(), os.environ)
    process = ManagedProcess(program, place.state, os.environ)
    client = EngineClient(f"http://{listen}", session, CALL_SECONDS)
    try:
        await process.start()
        await process.wait_ready(launcher.serves(client), launcher.START_TIMEOUT_S, tell)
        yield Serving(f"http://{listen}", None, client, adapters)
    finally:
        tell("engine: stopping it")
        await asyncio.shield(process.stop(3.0))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def placed(place: Place, models: Mapping[str, ModelFile]) -> dict[str, str]:
    """Put adapters (served name -> version) where engines read them; return the path of each.

    It needs no engine, so what is missing or not what was declared is found before one is started. Raises LoopError.
    """
    from runner.serving import adapters

    return {
        served: str(
            adapters.place(place.root / model.adapter.path, place.store, model.name, model.adapter.digest)
        )
        for served, model in models.items()
    }


@asynccontextmanager
async def loaded(place: Place, engine: Serving, paths: Mapping[str, str], tell: Tell) -> AsyncIterator[None]:
    """Have the engine serve these adapters (served name -> path) until the block ends.

    Raises TerminalError where they do not fit beside what is there, cannot be loaded, or one answers as the base does.
    """
    before = {model.name for model in await engine.client.models() if model.parent}
    new = [served for served in paths if served not in before]
    if len(before) + len(new) > engine.slots:
        raise terminal(
            f"the engine has no room for {', '.join(new)}",
            f"max_loras is {engine.slots}, and it holds {len(before)}: {', '.join(sorted(before))}",
            fix=f"raise max_loras of {place.name}, or evaluate while that environment does not run",
        )
    ours: list[str] = []
    try:
        for served in new:
            tell(f"loading {served}")
            ours.append(served)  # beforehand: a load that is broken off may still have happened
            await engine.client.load(served, paths[served])
        for served, path in paths.items():
            await _prove(place, engine, served, Path(path), tell)
        yield
    finally:
        for served in ours:
            await asyncio.shield(_unload(engine, served, tell))


async def _unload(engine: Serving, served: str, tell: Tell) -> None:
    try:
        await engine.client.unload(served)
    except LoopError as error:
        tell(f"{served} may still be loaded: {error.diagnostics[0].summary}")


async def _prove(place: Place, engine: Serving, served: str, adapter: Path, tell: Tell) -> None:
    """Refuse an adapter that is not served at all; how far it is served as it was trained is for the parity suite."""
    from runner.serving import probe

    record = await asyncio.to_thread(probe.read_record, adapter)
    found = await probe.probe(engine.client, place.base.name, served, record)
    if found.verdict is probe.Verdict.PASS:
        return
    differs = found.base_difference is not None and found.base_difference >= probe.MINIMUM_BASE_DIFFERENCE
    if found.verdict is probe.Verdict.ERROR or not differs:
        make = transient if found.verdict is probe.Verdict.ERROR else terminal
        raise make(f"'{served}' is not proven to be served", *found.evidence)
    tell(f"{served}: {'; '.join(found.evidence)}")


@dataclass(frozen=True)
class BothStacks:
    """Scores by the candidate: in a child with PEFT, and in the engine."""

    place: Place
    engine: Serving
    served_name: str
    adapter: Path

    async def trained(
        self, recorded: Sequence[Tokens], conversations: Sequence[Conversation]
    ) -> Sequence[Scored]:
        """Return what PEFT says. Raises TerminalError with the child's last words where it fails."""
        from runner.evaluation.bench import Scored

        texts: list[dict[str, Any]] = [{"token_ids": list(tokens)} for tokens in recorded]
        texts += [{"messages": _talk(*each)} for each in conversations]
        self.place.state.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.place.state, prefix="score-") as folder:
            given, out = Path(folder) / "texts.jsonl", Path(folder) / "scores.jsonl"
            given.write_text("".join(json.dumps(each) + "\n" for each in texts), encoding="utf-8")
            await _child(
                *("--base", str(self.place.root / self.place.base.path), "--adapter", str(self.adapter)),
                *("--texts", str(given), "--out", str(out)),
            )
            lines = map(json.loads, out.read_text(encoding="utf-8").splitlines())
            return [Scored(tuple(line["token_ids"]), line["logprobs"]) for line in lines]

    async def served(self, texts: Sequence[Tokens]) -> Sequence[LogProbs]:
        """Return what the engine says. Raises LoopError."""
        found: list[LogProbs] = []
        for start in range(0, len(texts), PROBES_AT_ONCE):
            part = texts[start : start + PROBES_AT_ONCE]
            found += await self.engine.client.prompt_logprobs(self.served_name, part)
        return found


def _talk(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


async def _child(*arguments: str) -> None:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "runner.training.score", *arguments),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
    )
    try:
        _, err = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        said = err.decode(errors="replace").strip().splitlines()[-3:]
        raise terminal("the training stack cannot score the candidate", *said)
