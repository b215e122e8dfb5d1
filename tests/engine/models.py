"""The models that tests serve, and adapters made by changing the weights of one, with NumPy alone."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from runner.serving import launcher
from runner.serving.processes import Program
from runner.spec.environment import BaseModelRef, Engine

BASE = "bookshop-base"
CHECKOUT = Path(__file__).parents[2]
MODELS = Path(os.environ.get("LOOP_TEST_MODELS", CHECKOUT / "models")).absolute()
"""Where the base (`base`) and the first adapter (`chat-v1.0`) are."""
WEIGHTS, CONFIG, RECORD = "adapter_model.safetensors", "adapter_config.json", "probe.json"


def engine_program(port: int) -> Program:
    """Return the program of a vLLM on this port that serves the test base."""
    spec = Engine(managed=True, listen=f"127.0.0.1:{port}", max_loras=4, max_cpu_loras=4, max_lora_rank=16)
    base = BaseModelRef(name=BASE, path=f"{MODELS.name}/base")
    return launcher.vllm(spec, base, MODELS.parent, launcher.installed(), os.environ)


def perturbed(source: Path, target: Path, seed: int, *, rank: int | None = None, scale: float = 1.0) -> Path:
    """Write an adapter of other weights and return its directory, without the record of training.

    Seed 0 leaves the weights as they are. `rank` widens it with zeros; `scale`
    multiplies what it adds to the base, so that 0 is an adapter which changes nothing.
    """
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(RECORD))
    for path in (target, *target.iterdir()):
        path.chmod(0o755)
    rng = np.random.default_rng(seed)
    weights = _read(target / WEIGHTS)
    for name, value in weights.items():
        if "lora_B" in name:
            noise = 0.02 * rng.standard_normal(value.shape) if seed else 0.0
            value = ((value + noise) * scale).astype(value.dtype)
        weights[name] = np.ascontiguousarray(value if rank is None else _widened(name, value, rank))
    save_file(weights, target / WEIGHTS, {"format": "pt"})
    if rank is not None:
        config = json.loads((target / CONFIG).read_text())
        (target / CONFIG).write_text(json.dumps(config | {"r": rank}))
    return target


def _read(path: Path) -> dict[str, np.ndarray]:
    """Return the tensors of a safetensors file as float32; NumPy itself has no bfloat16."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    return {name: _tensor(entry, data[start:]) for name, entry in header.items()}


def _tensor(entry: dict[str, Any], data: bytes) -> np.ndarray:
    begin, end = entry["data_offsets"]
    if entry["dtype"] == "BF16":
        flat = (np.frombuffer(data[begin:end], "<u2").astype("<u4") << 16).view("<f4")
    else:
        flat = np.frombuffer(data[begin:end], {"F32": "<f4", "F16": "<f2"}[entry["dtype"]]).astype("<f4")
    return flat.reshape(entry["shape"]).copy()


def _widened(name: str, value: np.ndarray, rank: int) -> np.ndarray:
    axis = 0 if "lora_A" in name else 1
    width = [(0, 0), (0, 0)]
    width[axis] = (0, rank - value.shape[axis])
    return np.pad(value, width)
