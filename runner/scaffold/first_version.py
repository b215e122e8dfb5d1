"""The version that serves first: an adapter that somebody brings along, or the base model as it is.

Every environment needs a baseline, and every version is an adapter. Before anything was trained that is an adapter
without weights: vLLM answers with the base for it, and everything else (routes, events, rollouts, going back) is as for
any other version. Its `probe.json` says that the base is what it has to answer like.

vLLM 0.32 takes no file without a tensor, so there are two zeros, for a projection of no layer. It knows the name, since
it is one of those that the recipes train, and finds nothing in the model to apply them to. So the adapter fits every
base, whatever its shape, and also one whose files are not here.
"""

from __future__ import annotations

import json
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner import digest
from runner.errors import terminal
from runner.scaffold.choices import ALIAS, First
from runner.spec.environment import LORA_RANKS

WEIGHTS, CONFIG, PROBE = "adapter_model.safetensors", "adapter_config.json", "probe.json"
UNTRAINED, BROUGHT = f"{ALIAS}-v0.0", f"{ALIAS}-v1.0"
_PROJECTION = "o_proj"
_SUFFIXES = frozenset({".safetensors", ".json", ".jsonl", ".jinja", ".md", ".txt", ".yaml"})
"""What the store of adapters takes; a pickle would run its author's code."""


@dataclass(frozen=True, slots=True)
class Brought:
    """An adapter that lies in `folder`: its rank, and the name of the base it says that it was trained on."""

    folder: Path
    rank: int
    base: str


def look(folder: Path) -> Brought:
    """Return what an adapter says of itself. Raises TerminalError where it is none that could be served."""
    try:
        config = json.loads((folder / CONFIG).read_bytes())
        rank, base = config["r"], config["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _no_adapter(folder, f"{CONFIG}: {type(error).__name__}: {error}") from error
    problems = []
    if not (folder / WEIGHTS).is_file():
        problems.append(f"it has no {WEIGHTS}")
    if isinstance(rank, bool) or not isinstance(rank, int) or not 1 <= rank <= LORA_RANKS[-1]:
        problems.append(f"r in {CONFIG} is {rank!r}, and engines take 1 to {LORA_RANKS[-1]}")
    if not isinstance(base, str) or not base.strip("/"):
        problems.append(f"base_model_name_or_path in {CONFIG} is {base!r}")
    if problems:
        raise _no_adapter(folder, *problems)
    return Brought(folder, rank, base.rstrip("/"))


def _no_adapter(folder: Path, *problems: str) -> Exception:
    fix = "name a folder that PEFT wrote (`save_pretrained`), with weights as safetensors"
    return terminal(f"--adapter '{folder}' is no LoRA adapter", *problems, fix=fix)


def place(brought: Brought | None, base_name: str, models: Path) -> First:
    """Put the first version's adapter below the folder `models` and return what it is. Raises OSError."""
    name = UNTRAINED if brought is None else BROUGHT
    folder = models / name
    folder.mkdir(parents=True)
    if brought is None:
        _write_untrained(folder, base_name)
    else:
        for file in sorted(
            path for path in brought.folder.iterdir() if path.suffix in _SUFFIXES and path.is_file()
        ):
            shutil.copyfile(file, folder / file.name)
    rank = 1 if brought is None else brought.rank
    return First(name, digest.of_directory(folder), rank, brought is not None)


def _write_untrained(folder: Path, base_name: str) -> None:
    config: dict[str, Any] = {
        "base_model_name_or_path": base_name,
        "bias": "none",
        "inference_mode": True,
        "lora_alpha": 1,
        "lora_dropout": 0.0,
        "peft_type": "LORA",
        "r": 1,
        "target_modules": [_PROJECTION],
        "task_type": "CAUSAL_LM",
    }
    (folder / WEIGHTS).write_bytes(_zeros())
    (folder / PROBE).write_text(json.dumps({"format": 1, "serves": "base"}) + "\n", encoding="utf-8")
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _zeros() -> bytes:
    """Return a safetensors file of two zeros: the length of the header in 8 bytes, the header, the numbers."""
    sides = ("A", "B")
    tensors = {
        f"base_model.model.nothing.{_PROJECTION}.lora_{side}.weight": {
            "dtype": "F32",
            "shape": [1, 1],
            "data_offsets": [4 * place, 4 * place + 4],
        }
        for place, side in enumerate(sides)
    }
    header = json.dumps({"__metadata__": {"format": "pt"}, **tensors}).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + bytes(4 * len(sides))
