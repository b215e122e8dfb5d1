"""What all recipes tell their trainer alike: everything from the recipe, and nothing reported anywhere.

Called by `sft`, `dpo` and `kto`, which add what is theirs. On a GPU that computes in bfloat16 the frozen base and the
forward pass do so; on a CPU everything is in 32 bits.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import terminal
from runner.spec.training import Optimiser, Recipe

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig

CHECKPOINTS = 10
"""Checkpoints in a run: a killed one loses at most a tenth of its steps."""
POINTS = 1000
"""Steps that are logged, at most."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Where a trainer keeps its state, and every how many steps it logs and saves; None: it does not save.

    `max_steps` ends a run early; -1 runs the recipe's epochs.
    """

    folder: str
    log_every: int
    save_every: int | None = None
    max_steps: int = -1


def pace(recipe: Recipe, rows: int, folder: Path) -> Pace:
    """Return the pace of a run over so many rows."""
    optimiser = recipe.optimiser
    steps = math.ceil(optimiser.epochs * math.ceil(rows / optimiser.batch_size))
    return Pace(str(folder), math.ceil(steps / POINTS), math.ceil(steps / CHECKPOINTS))


def shared(recipe: Recipe, pace: Pace) -> dict[str, Any]:
    """Return the settings that are the same for every trainer. Raises TerminalError as `micro_batch` does."""
    optimiser, accelerated = recipe.optimiser, on_gpu()
    devices = int(os.environ.get("WORLD_SIZE", "1"))
    micro = micro_batch(optimiser, devices)
    return {
        "output_dir": pace.folder,
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "num_train_epochs": optimiser.epochs,
        "max_steps": pace.max_steps,
        "per_device_train_batch_size": micro,
        "per_device_eval_batch_size": micro,
        "gradient_accumulation_steps": optimiser.batch_size // (micro * devices),
        "learning_rate": optimiser.learning_rate,
        "lr_scheduler_type": optimiser.schedule.value,
        "warmup_steps": optimiser.warmup,
        "weight_decay": optimiser.weight_decay,
        "max_grad_norm": optimiser.max_gradient_norm,
        "max_length": recipe.max_length,
        "gradient_checkpointing": accelerated,
        "use_cpu": not accelerated,
        "bf16": accelerated and in_bfloat16(),
        "save_strategy": "no" if pace.save_every is None else "steps",
        "save_steps": pace.save_every or 1,
        "save_total_limit": 2,  # the newest may be half written
        "logging_steps": pace.log_every,
        "logging_nan_inf_filter": False,  # a loss that is no number has to be seen
        "report_to": "none",
        "dataloader_pin_memory": accelerated,
        "disable_tqdm": True,
    }


def micro_batch(optimiser: Optimiser, devices: int) -> int:
    """Return how many examples one device takes at once. Raises TerminalError where the batch is not made of such."""
    micro = optimiser.micro_batch_size or max(1, optimiser.batch_size // devices)
    if optimiser.batch_size % (micro * devices):
        raise terminal(
            f"a batch of {optimiser.batch_size} cannot be made on {devices} devices",
            f"examples on one device at once: {micro}",
            fix=f"let batch_size be a multiple of {micro * devices}",
        )
    return micro


def on_gpu() -> bool:
    """Whether there is a GPU."""
    import torch

    return torch.cuda.is_available()


def in_bfloat16() -> bool:
    """Whether the GPU computes in bfloat16."""
    import torch

    return on_gpu() and torch.cuda.is_bf16_supported()


def precision() -> torch.dtype:
    """Return the precision in which the frozen base is held."""
    import torch

    return torch.bfloat16 if in_bfloat16() else torch.float32


def lora(recipe: Recipe) -> LoraConfig:
    """Return the adapter's shape as PEFT wants it."""
    from peft import LoraConfig

    shape = recipe.lora
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=shape.rank,
        lora_alpha=shape.alpha,  # type: ignore[arg-type]  # only ever divided by the rank
        lora_dropout=shape.dropout,
        target_modules=list(shape.modules),
    )
