"""The engine of one environment: one that can be started here, or replicas that are there and fit.

Whether adapters may be loaded while it runs is asked by a load without a name, which vLLM refuses in one way where it
may and in another where it may not. vLLM does not tell its `max_lora_rank`; how many adapters fit a batch it tells once
one was asked.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from runner.doctor.addresses import Held, Holder, look
from runner.doctor.finding import Finding, Look, aside, failed, ok, told, unchecked, warning
from runner.errors import LoopError
from runner.scaffold.base_model import in_cache, lacks
from runner.serving import discovery, launcher
from runner.serving.engine import EngineClient, ServedModel
from runner.spec.environment import BaseModelRef, Engine

AREA = "engine"
CALL_SECONDS = 5.0
_NO_ROUTE = 404
_MAX_LORA = re.compile(r'^vllm:lora_requests_info\{[^}]*max_lora="(\d+)"', re.MULTILINE)
_LEAST_VERSION = (0, 10)


@dataclass(frozen=True, slots=True)
class Place:
    """What the looks need: the engine as declared, its base, the checkout, its state folder and the environment."""

    engine: Engine
    base: BaseModelRef
    root: Path
    state: Path
    environ: Mapping[str, str]
    session: aiohttp.ClientSession


@dataclass(frozen=True, slots=True)
class Replica:
    """What a replica said of itself; `runtime_lora` and `max_loras` are None where it did not say."""

    version: str
    models: tuple[ServedModel, ...]
    runtime_lora: bool | None
    max_loras: int | None


def looks(place: Place) -> Iterator[Look]:
    """Yield what to look at."""

    async def managed() -> Iterable[Finding]:
        return await aside(lambda: tuple(_managed(place)))

    async def replicas() -> Iterable[Finding]:
        key = place.engine.api_key_env
        if key is not None and not place.environ.get(key):
            return [
                failed("API key", f"{key} is not set", f"export {key} where the runner and the gateway start")
            ]
        urls = await discovery.replicas(place.engine)
        found = await asyncio.gather(*(_replica(place, url) for url in urls))
        return [finding for findings in found for finding in findings]

    if place.engine.managed:
        yield Look(AREA, "start", managed)
    else:
        yield Look(AREA, "replicas", replicas, seconds=4 * CALL_SECONDS)


def _managed(place: Place) -> Iterator[Finding]:
    try:
        build = launcher.installed()
        launcher.vllm(place.engine, place.base, place.root, build, place.environ)
    except LoopError as error:
        yield told("start", error)
    else:
        yield judge_start(build.value, place.base, place.root, place.environ)
    yield judge_address(
        "address", place.engine.listen, look(place.engine.listen, place.state / "run" / "engine.json")
    )


def judge_start(build: str, base: BaseModelRef, root: Path, environ: Mapping[str, str]) -> Finding:
    """Judge whether the model that an engine shall start with is on this machine; its bytes are not read."""
    folder = root / base.path
    if folder.is_dir():
        if missing := lacks(folder):
            said = f"{build} is here, and {base.path} has no {', no '.join(missing)}"
            return failed("start", said, "`dvc pull` fetches what is tracked; else name a whole model")
    elif in_cache(base.path, base.revision, environ) is None:
        said = f"{build} is here; {base.path} is not in the hub's cache of this machine"
        pin = f" --revision {base.revision}" if base.revision else ""
        return unchecked(
            "start", said, f"`hf download {base.path}{pin}`, or let vLLM fetch it when it starts"
        )
    return ok("start", f"{build} is here, and so is what it serves: {base.path}")


def judge_address(what: str, address: str, held: Held) -> Finding:
    """Judge who is at an address that the runner wants for a process of its own."""
    match held.by:
        case Holder.NOBODY | Holder.OURS:
            return ok(what, f"{address}: {held.said}")
        case Holder.OTHER:
            fix = "end that process, or set another address in loop.yaml"
            return failed(what, f"{address} is taken: {held.said}", fix)
        case Holder.CLOSED:
            return failed(what, f"{address}: {held.said}", "set another port in loop.yaml, 1024 or higher")
        case Holder.ELSEWHERE:
            return unchecked(what, f"{address} is none of this machine: {held.said}")


async def _replica(place: Place, url: str) -> Iterable[Finding]:
    key = place.environ.get(place.engine.api_key_env or "")
    client = EngineClient(url, place.session, CALL_SECONDS, key)
    try:
        await client.health()
        version, models = await client.version(), await client.models()
    except LoopError as error:
        return [told(url, error, "start vLLM there, or correct the address under `engine` in loop.yaml")]
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    found = Replica(
        version, models, await _runtime_lora(place, url, headers), await _max_loras(place, url, headers)
    )
    return judge(url, found, place.engine, place.base)


async def _runtime_lora(place: Place, url: str, headers: Mapping[str, str]) -> bool | None:
    """Return whether adapters may be loaded: a load without a name is refused either way."""
    body, timeout = {"lora_name": "", "lora_path": ""}, aiohttp.ClientTimeout(CALL_SECONDS)
    try:
        async with place.session.post(
            f"{url.rstrip('/')}/v1/load_lora_adapter", json=body, headers=headers, timeout=timeout
        ) as answer:
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None
    return {400: True, 422: True, _NO_ROUTE: False}.get(status)


async def _max_loras(place: Place, url: str, headers: Mapping[str, str]) -> int | None:
    timeout = aiohttp.ClientTimeout(CALL_SECONDS)
    try:
        async with place.session.get(
            f"{url.rstrip('/')}/metrics", headers=headers, timeout=timeout
        ) as answer:
            found = _MAX_LORA.search(await answer.text(errors="replace")) if answer.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None
    return int(found[1]) if found else None


def judge(url: str, found: Replica, engine: Engine, base: BaseModelRef) -> Iterator[Finding]:
    """Judge what a replica said against what loop.yaml says of it."""
    yield _version(url, found.version)
    yield _served(url, found.models, base)
    what = f"{url} loading"
    match found.runtime_lora:
        case True:
            yield ok(what, "adapters may be loaded while it runs")
        case False:
            fix = "start it with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1"
            yield failed(what, "it takes no adapters while it runs", fix)
        case None:
            yield unchecked(what, "it did not answer whether it takes adapters")
    yield _room(url, found, engine)


def _version(url: str, version: str) -> Finding:
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers < _LEAST_VERSION:
        return warning(
            url, f"vLLM {version}", "Loop is tried with vLLM 0.32; older ones may answer otherwise"
        )
    return ok(url, f"vLLM {version}")


def _served(url: str, models: tuple[ServedModel, ...], base: BaseModelRef) -> Finding:
    what, bases = f"{url} base model", [model for model in models if model.parent is None]
    served = next((model for model in bases if model.name == base.name), None)
    if served is None:
        names = ", ".join(model.name for model in bases) or "none"
        fix = f"start it with --served-model-name {base.name}, or write its name into loop.yaml (base_model.name)"
        return failed(what, f"it serves {names}, and loop.yaml says {base.name}", fix)
    if base.digest is None and served.root != base.path:
        fix = "where that is the same model, nothing; else start it with the model of loop.yaml"
        return warning(what, f"it was started from {served.root}, and loop.yaml says {base.path}", fix)
    return ok(what, f"{served.name}, from {served.root}")


def _room(url: str, found: Replica, engine: Engine) -> Finding:
    what = f"{url} room for adapters"
    if found.max_loras is None:
        said = f"it does not say; it has to be started with --max-loras {engine.max_loras} or more"
        return unchecked(what, f"{said}, and --max-lora-rank {engine.max_lora_rank} or more")
    if found.max_loras < engine.max_loras:
        said = f"{found.max_loras} in one batch, and loop.yaml counts on {engine.max_loras}"
        return failed(
            what, said, f"start it with --max-loras {engine.max_loras}, or lower max_loras in loop.yaml"
        )
    return ok(
        what, f"{found.max_loras} in one batch; it does not tell its --max-lora-rank ({engine.max_lora_rank})"
    )
