"""The client of one vLLM replica: what it serves, and loading, unloading and scoring adapters on it.

Called by the reconciler (observe, apply) and by the probe. It never retries, never starts anything and never
reads an adapter's files; it only says whether a failure can pass (TransientError) or not (TerminalError). The
endpoints that it calls are private to the runner: whoever reaches them changes what users get.
Source: vLLM 0.32, entrypoints/openai/models/serving.py; held to the real server by tests/engine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeVar

import aiohttp

from runner.errors import LoopError, terminal, transient

Prompt = str | Sequence[int]
LogProbs = tuple[float | None, ...]
T = TypeVar("T")

_START_TIME = re.compile(r"^process_start_time_seconds(?:\{[^}]*\})? (\S+)$", re.MULTILINE)
_NO_ROUTE = '{"detail":"Not Found"}'
_UNSURE = "whether the engine did what was asked is not known"


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One card of `/v1/models`: an adapter's `root` is its path, `parent` its base; a base has no parent."""

    name: str
    root: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    text: str

    @property
    def message(self) -> str:
        """The engine's own words, or the start of whatever it sent instead."""
        try:
            return str(json.loads(self.text)["error"]["message"])
        except (ValueError, KeyError, TypeError):
            return self.text[:300]


class EngineClient:
    """Speaks with the replica at `base_url`; `timeout` is in seconds and bounds each call as a whole."""

    def __init__(
        self, base_url: str, session: aiohttp.ClientSession, timeout: float, api_key: str | None = None
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._session = session
        self._seconds = timeout
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}

    async def models(self) -> tuple[ServedModel, ...]:
        """Return all that the replica has registered: bases first, then adapters. Raises LoopError."""
        return self._read(await self._get("/v1/models"), _models)

    async def version(self) -> str:
        """Return vLLM's version. Raises LoopError."""
        return self._read(await self._get("/version"), lambda value: str(value["version"]))

    async def health(self) -> None:
        """Return when the replica says that its engine lives. Raises TransientError where it does not."""
        await self._get("/health")

    async def instance(self) -> str | None:
        """Return a text that is another one whenever the server was restarted, or None where it has none.

        It is the process's start time in seconds since 1970, as vLLM's `/metrics` has it. Raises LoopError.
        """
        found = _START_TIME.search((await self._get("/metrics")).text)
        return found.group(1) if found else None

    async def load(self, name: str, path: str) -> None:
        """Register the adapter in the absolute directory `path`, as the replica sees it, under `name`.

        That the name is there already counts as success only where it stands for the same path. Raises
        TerminalError for a path, rank or weights that cannot be served, TransientError where the replica did
        not answer; only observing tells then whether the adapter was loaded.
        """
        if not PurePosixPath(path).is_absolute():
            raise terminal(
                f"adapter {name!r} has the relative path {path!r}",
                "the engine would take it for a name on a model hub and download it",
                fix="name the adapter's directory by its absolute path",
            )
        answer = await self._post("/v1/load_lora_adapter", {"lora_name": name, "lora_path": path})
        if answer.status == 200 or (answer.status == 400 and await self._has(name, path)):
            return
        raise await self._load_refusal(name, path, answer)

    async def unload(self, name: str) -> None:
        """Take the adapter's name away; that it is gone already is success. Raises LoopError.

        Its weights may stay in memory, and running answers may still read its files.
        """
        answer = await self._post("/v1/unload_lora_adapter", {"lora_name": name})
        gone = answer.status == 404 and answer.text.strip() != _NO_ROUTE
        if answer.status != 200 and not gone:
            raise self._refusal(f"unload adapter {name!r}", answer)

    async def prompt_logprobs(self, model: str, prompts: Sequence[Prompt]) -> tuple[LogProbs, ...]:
        """Return for each prompt its tokens' log-probabilities (natural); a first token has none.

        `prompts` are all texts or all lists of token ids. Raises LoopError.
        """
        texts = [prompt if isinstance(prompt, str) else list(prompt) for prompt in prompts]
        body = {"model": model, "prompt": texts, "max_tokens": 1, "prompt_logprobs": 0, "temperature": 0}
        answer = await self._post("/v1/completions", body)
        if answer.status != 200:
            raise self._refusal(f"score {len(texts)} prompts with {model!r}", answer)
        return self._read(answer, lambda value: _logprobs(value, len(texts)))

    async def _has(self, name: str, path: str) -> bool:
        return any(
            model.name == name and model.root == path and model.parent for model in await self.models()
        )

    async def _get(self, path: str) -> _Answer:
        answer = await self._ask("GET", path, None)
        if answer.status != 200:
            raise self._refusal(f"answer GET {path}", answer)
        return answer

    async def _post(self, path: str, body: Mapping[str, Any]) -> _Answer:
        return await self._ask("POST", path, body)

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> _Answer:
        changed = "nothing was changed" if body is None else _UNSURE
        try:
            async with self._session.request(
                method,
                self.base_url + path,
                json=body,
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=self._seconds),
            ) as response:
                return _Answer(response.status, await response.text(errors="replace"))
        except aiohttp.InvalidURL as error:
            fix = "write it as `http://host:port`"
            raise terminal(f"engine address {self.base_url!r} is not a URL", fix=fix) from error
        except aiohttp.ClientConnectorError as error:
            raise transient(f"engine {self.base_url} cannot be reached", str(error)) from error
        except TimeoutError as error:
            summary = f"engine {self.base_url} did not answer {method} {path} within {self._seconds:g} s"
            raise transient(summary, changed=changed) from error
        except (aiohttp.ClientError, OSError) as error:
            summary = f"engine {self.base_url} broke off its answer to {method} {path}"
            raise transient(summary, f"{type(error).__name__}: {error}", changed=changed) from error

    async def _load_refusal(self, name: str, path: str, answer: _Answer) -> LoopError:
        what, where = f"load adapter {name!r}", f"path: {path}"
        if answer.status == 500:
            await (
                self.health()
            )  # a dying engine says 500 too; that passes, and `health` raises what is true then
            fix = "check the adapter's rank, its base model and its weights"
            return terminal(self._did_not(what, answer), answer.message, where, fix=fix)
        if answer.status == 400 and "already been loaded" in answer.message:
            fix = "unload it first: a name stands for the same bytes for ever"
            return terminal(self._did_not(what, answer), "the name is taken by another path", where, fix=fix)
        return self._refusal(what, answer, where)

    def _refusal(self, what: str, answer: _Answer, *evidence: str) -> LoopError:
        summary = self._did_not(what, answer)
        if answer.text.strip() == _NO_ROUTE:
            fix = "start vLLM with `--enable-lora` and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1"
            return terminal(summary, "it has no such route", *evidence, fix=fix)
        if answer.status in (401, 403):
            fix = "name in `api_key_env` the variable that holds the engine's key"
            return terminal(summary, answer.message, fix=fix)
        if answer.status == 429 or answer.status >= 500:
            return transient(summary, answer.message, *evidence)
        return terminal(summary, answer.message, *evidence)

    def _did_not(self, what: str, answer: _Answer) -> str:
        return f"engine {self.base_url} did not {what}: status {answer.status}"

    def _read(self, answer: _Answer, read: Callable[[Any], T]) -> T:
        try:
            return read(json.loads(answer.text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise transient(f"engine {self.base_url} sent an answer that cannot be read", reason) from error


def _models(value: Any) -> tuple[ServedModel, ...]:
    return tuple(ServedModel(str(card["id"]), str(card["root"]), card["parent"]) for card in value["data"])


def _logprobs(value: Any, count: int) -> tuple[LogProbs, ...]:
    choices = sorted(value["choices"], key=lambda choice: int(choice["index"]))
    if len(choices) != count:
        raise ValueError(f"{count} prompts were sent and {len(choices)} scored")
    return tuple(tuple(map(_logprob, choice["prompt_logprobs"])) for choice in choices)


def _logprob(entry: Mapping[str, Any] | None) -> float | None:
    if entry is None:
        return None
    (only,) = entry.values()
    return float(only["logprob"])
