"""What a run needs of the disk, and the words for a disk that has no more of it.

Called by `launch` and `loop train` once something could not be written: libraries say it as their own errors, with the
system's words somewhere in them. It reads the heads of the base's weights and writes nothing. No torch here.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

from runner.spec.training import Recipe, SftRecipe
from runner.training.job import Job

_WORDS = {
    os.strerror(errno.ENOSPC): "the disk is full",
    os.strerror(errno.EDQUOT): "the share of the disk that this user may fill is full",
    os.strerror(errno.EFBIG): "the limit on the size of files is reached (`ulimit -f`)",
    "PytorchStreamWriter failed writing": "a checkpoint could not be written whole, as where the disk is full",
}
CHECKPOINTS = 3
"""Two are kept while the next is written."""
TRAINED, ADAM, SHIPPED = 4, 8, 2
"""Bytes of a weight in a checkpoint, of its two moments there, and in the adapter that is made."""
COPIES = 3
"""The adapter lies in the run's folder, in models/ and in the cache of DVC."""


def full(said: str) -> str | None:
    """Return in words which room was used up, where `said`, an error's text, is about that; else None."""
    return next((words for sign, words in _WORDS.items() if sign.lower() in said.lower()), None)


def fix(job: Job) -> str:
    """Return what to do about it, with the room that the run needs as a whole."""
    mib = max(1, -(-needed(job.base, job.recipe) // 2**20))
    return f"make room: the run needs about {mib} MiB of checkpoints and adapter; then run the same command again"


def needed(base: Path, recipe: Recipe) -> int:
    """Return about how many bytes a run writes that lie on the disk at one time. Raises OSError, ValueError."""
    reference = 0 if isinstance(recipe, SftRecipe) else TRAINED
    checkpoint = TRAINED + ADAM + reference
    beside = sum(path.stat().st_size for path in base.iterdir() if path.suffix != ".safetensors")
    return _weights(base, recipe) * (CHECKPOINTS * checkpoint + COPIES * SHIPPED) + CHECKPOINTS * beside


def _weights(base: Path, recipe: Recipe) -> int:
    """Return how many weights the adapter has: for a matrix of m by n, rank times (m + n)."""
    return sum(
        recipe.lora.rank * sum(about["shape"])
        for path in base.glob("*.safetensors")
        for name, about in _head(path).items()
        if name.endswith(".weight") and name.split(".")[-2] in recipe.lora.modules
    )


def _head(path: Path) -> dict[str, dict[str, list[int]]]:
    with path.open("rb") as file:
        found: dict[str, dict[str, list[int]]] = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return found
