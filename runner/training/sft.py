"""Train an SFT adapter: `python -m runner.training.sft --help`. The stage `chat-v1.0` of `dvc.yaml`, and part of `run`.

Recipe: TRL's SFTTrainer on questions and short answers in chat form, loss on the answers alone, LoRA by
PEFT on every projection of a frozen base. The recipe's figures come from `policies/training.yaml`. Left
out of the stage on purpose: checkpoints on the way, guards and registration, which `loop train` adds.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from runner.spec.training import SftRecipe
from runner.training import adapter_files, probe_record, recipes, rows
from runner.training.rows import Rows
from runner.training.settings import Pace, shared
from runner.training.start import Start, start

if TYPE_CHECKING:
    from peft import PeftModel
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a run starts from: the base's directory, the name that engines serve it by, and the data."""

    base: Path
    base_name: str
    data: Path


def train(given: Inputs, recipe: SftRecipe, out: Path, max_steps: int = -1) -> float:
    """Run the recipe and write the adapter directory `out`. Returns the mean training loss, nats a token.

    `max_steps` ends the run early; -1 runs the recipe's epochs. Raises TerminalError where there is no base.
    """
    found = Rows(rows.read(given.data, recipe.type))
    with tempfile.TemporaryDirectory() as scratch:
        pace = Pace(scratch, log_every=50, max_steps=max_steps)
        made = trainer(start(given.base, None, recipe), found, recipe, pace)
        loss = float(made.train().training_loss)
    adapter_files.write(cast("PeftModel", made.model), out, given.base_name)
    probe_record.write(given.base, out, rows.talks(found.train))
    return loss


def trainer(start: Start, rows: Rows, recipe: SftRecipe, pace: Pace) -> SFTTrainer:
    """Return the trainer of a run, ready to begin. Raises TerminalError where the batch does not fit the devices."""
    from trl.trainer.sft_trainer import SFTTrainer

    from datasets import Dataset  # type: ignore[attr-defined]  # the library, not the folder of that name

    data = Dataset.from_list(list(rows.train))
    return SFTTrainer(args=settings(recipe, pace), train_dataset=data, **start.for_trainer())


def settings(recipe: SftRecipe, pace: Pace) -> SFTConfig:
    """Return the trainer's settings."""
    from trl.trainer.sft_config import SFTConfig

    return SFTConfig(
        **shared(recipe, pace),
        packing=recipe.packing,
        completion_only_loss=True,
        train_sampling_strategy="group_by_length",
    )


def main() -> None:
    """Read the options and train."""
    import torch

    options = argparse.ArgumentParser(
        prog="python -m runner.training.sft", description="train an SFT adapter"
    )
    options.add_argument("--base", type=Path, required=True, help="directory of the base model")
    options.add_argument("--base-name", required=True, help="name by which the engine serves the base")
    options.add_argument("--data", type=Path, required=True, help="JSON lines with question and answer")
    options.add_argument("--policy", type=Path, default=Path("policies/training.yaml"))
    options.add_argument("--recipe", required=True, help="name of a recipe of type SFT")
    options.add_argument("--out", type=Path, required=True, help="adapter directory to write")
    options.add_argument("--threads", type=int, default=2)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    recipe = recipes.sft(chosen.policy, chosen.recipe)
    given = Inputs(chosen.base, chosen.base_name, chosen.data)
    print(f"loss {train(given, recipe, chosen.out):.4f}")


if __name__ == "__main__":
    main()
