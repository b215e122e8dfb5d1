"""What the stub engine says: requests parsed, and answers that depend on weights and prompt alone."""

from __future__ import annotations

import hashlib
import math
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.doubles.stub_state import EngineError, State, bad_request


def weights_seen(state: State, model: str) -> str:
    """Name the weights that answer: a no-op adapter answers with the base's."""
    return state.base_model if model in state.behaviour.no_op_adapters else model


def answer_words(state: State, model: str, prompt: str) -> list[str]:
    """Return the answer, word by word: a function of the weights and the prompt alone."""
    weights = weights_seen(state, model)
    seed = hashlib.sha256(f"{weights}\0{prompt}".encode()).hexdigest()[:8]
    last = prompt.split()[-6:]
    return [f"{weights}:", *last, seed]


def _log_probability(weights: str, position: int, token: int) -> float:
    digest = hashlib.sha256(f"{weights}/{position}/{token}".encode()).digest()
    return -0.05 - 5.0 * int.from_bytes(digest[:4], "big") / 2**32


def _tokens(prompt: str | list[int]) -> list[tuple[int, str]]:
    if isinstance(prompt, list):
        return [(token, f"<{token}>") for token in prompt]
    return [(int.from_bytes(hashlib.md5(w.encode()).digest()[:2], "big") % 768, w) for w in prompt.split()]


def prompt_log_probabilities(weights: str, prompt: str | list[int], top: int) -> list[dict[str, Any] | None]:
    """Return vLLM's `prompt_logprobs`: None for the first token, then token id -> logprob, rank, text."""
    rows: list[dict[str, Any] | None] = []
    for position, (token, text) in enumerate(_tokens(prompt)):
        if position == 0:
            rows.append(None)
            continue
        own = _log_probability(weights, position, token)
        row = {str(token): {"logprob": own, "rank": 1 + (token % 5), "decoded_token": text}}
        for extra in range(1, max(top, 0) + 1):
            other = (token + extra) % 768
            row[str(other)] = {"logprob": min(-0.01, own / 2), "rank": extra, "decoded_token": f"<{other}>"}
        rows.append(row)
    return rows


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def chat_prompt(body: dict[str, Any]) -> str:
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(m, dict) and "role" in m for m in messages):
        raise bad_request("1 validation error:\n  Field required or malformed: messages", "body.messages")
    if not messages:
        raise bad_request("Cannot apply chat template to an empty conversation.")
    return "\n".join(f"{m['role']}: {_text_of(m.get('content'))}" for m in messages)


def completion_prompts(body: dict[str, Any]) -> list[str | list[int]]:
    """Return the prompts of a batch: a text, a list of texts, or either as token ids."""
    prompt = body.get("prompt")
    is_batch = isinstance(prompt, list) and prompt and all(isinstance(p, str | list) for p in prompt)
    prompts: list[Any] = prompt if isinstance(prompt, list) and is_batch else [prompt]
    return [completion_prompt({"prompt": p}) for p in prompts]


def completion_prompt(body: dict[str, Any]) -> str | list[int]:
    prompt = body.get("prompt")
    if isinstance(prompt, list) and prompt and all(type(t) is int for t in prompt):
        return prompt
    if not isinstance(prompt, str) or not prompt:
        raise bad_request("Either prompt or prompt_embeds must be provided and non-empty.", "prompt")
    return prompt


def check_numbers(body: dict[str, Any], max_model_len: int) -> None:
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    if limit is not None and (type(limit) is not int or limit < 1):
        raise bad_request(f"max_tokens must be at least 1, got {limit!r}.", "max_tokens")
    if limit is not None and limit > max_model_len:
        what = f"max_tokens={limit} cannot be greater than max_model_len={max_model_len}."
        raise bad_request(what, "max_tokens")
    temperature = body.get("temperature")
    if temperature is not None and not (
        isinstance(temperature, int | float) and math.isfinite(temperature) and 0 <= temperature <= 2
    ):
        raise bad_request(f"temperature must be in [0, 2], got {temperature!r}.", "temperature")
    top = body.get("prompt_logprobs")
    if top is not None and type(top) is not int:
        raise bad_request("`prompt_logprobs` must be an integer.", "prompt_logprobs")
    if top is not None and body.get("stream") and (top > 0 or top == -1):
        raise bad_request("`prompt_logprobs` are not available when `stream=True`.", "prompt_logprobs")
    if body.get("stream_options") and not body.get("stream"):
        raise bad_request("Stream options can only be defined when `stream=True`.", "stream_options")


def _model(state: State, body: dict[str, Any]) -> str:
    model = body.get("model")
    if not model:
        return state.base_model
    if model == state.base_model or model in state.adapters:
        return str(model)
    raise EngineError(
        404,
        f"The model `{model}` does not exist. Valid aliases: {state.base_model}.",
        "NotFoundError",
        "model",
    )


@dataclass
class Generation:
    state: State
    body: dict[str, Any]
    operation: str
    prompt: str | list[int]
    more: tuple[str | list[int], ...] = ()
    """The other prompts of a batch of completions."""

    def __post_init__(self) -> None:
        self.id = ("chatcmpl-" if self.operation == "chat" else "cmpl-") + uuid.uuid4().hex
        self.created = int(time.time())

    @property
    def words(self) -> list[str]:
        words = answer_words(self.state, self.model, str(self.prompt))
        limit = self.body.get("max_completion_tokens", self.body.get("max_tokens"))
        return words[:limit]

    @property
    def finish_reason(self) -> str:
        limit = self.body.get("max_completion_tokens", self.body.get("max_tokens"))
        full = len(answer_words(self.state, self.model, str(self.prompt)))
        return "length" if limit is not None and limit < full else "stop"

    @property
    def model(self) -> str:
        return _model(self.state, self.body)

    @property
    def prompts(self) -> list[str | list[int]]:
        """The prompt of every choice: each prompt `n` times."""
        return [prompt for prompt in (self.prompt, *self.more) for _ in range(self.body.get("n") or 1)]

    @property
    def usage(self) -> dict[str, Any]:
        asked = sum(len(_tokens(prompt)) for prompt in (self.prompt, *self.more))
        said = len(self.words) * len(self.prompts)
        return {
            "prompt_tokens": asked,
            "total_tokens": asked + said,
            "completion_tokens": said,
            "prompt_tokens_details": None,
        }

    def whole(self) -> dict[str, Any]:
        """The answer that is not streamed."""
        text = " ".join(self.words)
        ends: dict[str, Any] = {
            "logprobs": None,
            "finish_reason": self.finish_reason,
            "stop_reason": None,
            "token_ids": None,
        }
        top = self.body.get("prompt_logprobs")
        weights = weights_seen(self.state, self.model)
        rows = None if top is None else prompt_log_probabilities(weights, self.prompt, top)
        head = {"id": self.id, "created": self.created, "model": self.model}
        if self.operation == "chat":
            message = {"role": "assistant", "content": text, "refusal": None, "reasoning": None}
            spoken = [{"index": index, "message": message, **ends} for index, _ in enumerate(self.prompts)]
            return head | {
                "object": "chat.completion",
                "choices": spoken,
                "usage": self.usage,
                "prompt_logprobs": rows,
            }
        choices: list[dict[str, Any]] = []
        for index, prompt in enumerate(self.prompts):
            scores = None if top is None else prompt_log_probabilities(weights, prompt, top)
            choice = {
                "index": index,
                "text": text,
                **ends,
                "prompt_logprobs": scores,
                "prompt_token_ids": None,
            }
            choices.append(choice)
        return head | {"object": "text_completion", "choices": choices, "usage": self.usage}

    def chunks(self) -> Iterator[dict[str, Any]]:
        """The chunks of the stream, before `[DONE]`."""
        kind = "chat.completion.chunk" if self.operation == "chat" else "text_completion"
        head = {"id": self.id, "object": kind, "created": self.created, "model": self.model}
        for place, _ in enumerate(self.prompts):
            yield from self._chunks_of(place, head)
        if (self.body.get("stream_options") or {}).get("include_usage"):
            usage = {k: v for k, v in self.usage.items() if v is not None}
            yield head | {"choices": [], "usage": usage}

    def _chunks_of(self, place: int, head: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if self.operation == "chat":
            first = {"index": place, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
            yield head | {"choices": [first]}
        words = self.words
        for position, word in enumerate(words):
            text = word if position == 0 else f" {word}"
            last = position == len(words) - 1
            ends = {"finish_reason": self.finish_reason if last else None, "stop_reason": None}
            piece = {"delta": {"content": text}} if self.operation == "chat" else {"text": text}
            yield head | {"choices": [{"index": place, **piece, "logprobs": None, **ends}]}
