"""Train an SFT adapter: `python -m runner.training.sft --help`. The stage `chat-v1.0` of `dvc.yaml`.

Recipe: TRL's SFTTrainer on questions and short answers in chat form, loss on the answers alone, LoRA by
PEFT on every projection of a frozen base. The recipe's figures come from `policies/training.yaml`. Left
out on purpose: checkpoints on the way, evaluation in between (a stage of its own), any logging service.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from runner.spec.training import SftRecipe
from runner.training import adapter_files, checkpoints, probe_record, recipes

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer


def conversations(data: Path) -> list[list[dict[str, str]]]:
    """Return each line's question and answer as a conversation. Raises OSError, KeyError, ValueError."""
    with data.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        [{"role": "user", "content": row["question"]}, {"role": "assistant", "content": row["answer"]}]
        for row in rows
    ]


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
    import torch
    from trl.trainer.sft_trainer import SFTTrainer

    from datasets import Dataset  # type: ignore[attr-defined]  # the library, not the folder of that name

    model, tokenizer = checkpoints.base(given.base, torch.float32)
    talks = conversations(given.data)
    rows = Dataset.from_list([{"prompt": talk[:1], "completion": talk[1:]} for talk in talks])
    with tempfile.TemporaryDirectory() as scratch:
        trainer = SFTTrainer(
            model=model,
            args=settings(recipe, scratch, max_steps),
            train_dataset=rows,
            processing_class=tokenizer,
            peft_config=lora(recipe),
        )
        loss = _run(trainer)
    adapter_files.write(cast("PeftModel", trainer.model), out, given.base_name)
    probe_record.write(given.base, out, talks)
    return loss


def _run(trainer: SFTTrainer) -> float:
    return float(trainer.train().training_loss)


def lora(recipe: SftRecipe) -> LoraConfig:
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


def settings(recipe: SftRecipe, scratch: str, max_steps: int) -> SFTConfig:
    """Return the trainer's settings: everything from the recipe, and nothing reported anywhere."""
    from trl.trainer.sft_config import SFTConfig

    optimiser = recipe.optimiser
    micro = optimiser.micro_batch_size or optimiser.batch_size
    return SFTConfig(
        output_dir=scratch,
        seed=recipe.seed,
        data_seed=recipe.seed,
        num_train_epochs=optimiser.epochs,
        max_steps=max_steps,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=optimiser.batch_size // micro,
        learning_rate=optimiser.learning_rate,
        lr_scheduler_type=optimiser.schedule.value,
        warmup_steps=optimiser.warmup,
        weight_decay=optimiser.weight_decay,
        max_grad_norm=optimiser.max_gradient_norm,
        max_length=recipe.max_length,
        packing=recipe.packing,
        completion_only_loss=True,
        train_sampling_strategy="group_by_length",
        gradient_checkpointing=False,
        bf16=False,
        save_strategy="no",
        logging_steps=50,
        report_to="none",
        dataloader_pin_memory=False,
        disable_tqdm=True,
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
