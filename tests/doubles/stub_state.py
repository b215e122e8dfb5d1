"""The memory, the faults and the errors of the stub engine; pure values, no network."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

FAULTS = ("none", "before_first_byte", "mid_stream", "500", "503", "hang", "disconnect", "model_not_found")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the engine does from now on. `only_model` limits a fault to one served name.

    `fault`: before_first_byte (answer headers, then cut), mid_stream (cut after a few tokens), 500, 503, hang
    (accept and never answer), disconnect (cut without a byte), model_not_found (404, as an engine that
    lost the adapter). It meets the next `times` calls, or all.
    """

    delay_s: float = 0.0
    token_delay_s: float = 0.0
    fault: str = "none"
    only_model: str | None = None
    times: int | None = None
    health: str = "ok"  # ok, 500, hang
    models: str = "ok"  # ok, 500, hang
    load_delay_s: float = 0.0
    no_op_adapters: tuple[str, ...] = ()
    """Adapters that are listed and yet answer exactly as the base does (hazard 7 of the engine notes)."""

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise ValueError(f"unknown fault {self.fault!r}; known: {', '.join(FAULTS)}")


@dataclass
class State:
    """The engine's memory: adapters by name, and what it was asked."""

    base_model: str = "base"
    base_path: str = "/models/base"
    max_lora_rank: int = 16
    max_model_len: int = 2048
    runtime_lora: bool = True
    api_key: str | None = None
    behaviour: Behaviour = field(default_factory=Behaviour)
    adapters: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    """(method and path, model) of every call, in order of arrival."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """The bodies of generation calls, in order of arrival."""
    headers: list[dict[str, str]] = field(default_factory=list)
    """The headers of generation calls, in order of arrival."""
    cancelled: int = 0
    in_flight: int = 0
    started: float = field(default_factory=time.time)
    """What `/metrics` gives as the start of the process, seconds since 1970."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def control(self, *, forget_adapters: bool = False, **changes: Any) -> None:
        """Change the behaviour; `forget_adapters` is what a restart does to the memory."""
        with self.lock:
            self.behaviour = replace(self.behaviour, **changes)
            if forget_adapters:
                self.adapters.clear()
                self.started = time.time()

    def take_fault(self, model: str) -> str:
        """Return the fault that this request meets, and count it against `times`."""
        with self.lock:
            now = self.behaviour
            if now.fault == "none" or (now.only_model is not None and now.only_model != model):
                return "none"
            if now.times is not None:
                left = now.times - 1
                self.behaviour = (
                    replace(now, times=left) if left > 0 else replace(now, fault="none", times=None)
                )
            return now.fault


class EngineError(Exception):
    def __init__(self, status: int, message: str, kind: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.kind, self.param = status, kind, param

    def body(self) -> dict[str, Any]:
        error = {"message": str(self), "type": self.kind, "param": self.param, "code": self.status}
        return {"error": error}


def bad_request(message: str, param: str | None = None) -> EngineError:
    return EngineError(400, message, "Bad Request", param)


def check_adapter_files(name: str, path: str, max_rank: int) -> None:
    folder = Path(path)
    if not (folder / "adapter_config.json").is_file():
        raise EngineError(404, f"Loading lora {name} failed: No adapter found for {path}", "NotFoundError")
    try:
        rank = int(json.loads((folder / "adapter_config.json").read_text())["r"])
        if rank > max_rank:
            raise ValueError(f"LoRA rank {rank} is greater than max_lora_rank {max_rank}.")
        weights = folder / "adapter_model.safetensors"
        if not weights.is_file():
            raise ValueError(f"{path} doesn't contain tensors")
        with weights.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > weights.stat().st_size:
                raise ValueError("Error while deserializing header: header too large")
            json.loads(file.read(size))
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(500, str(error), "InternalServerError") from error
