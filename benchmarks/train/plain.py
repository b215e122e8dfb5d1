"""TRL alone on the same pairs with the same figures: no proof, no guards, no checkpoints. The peer of `loop train`.

`python -m benchmarks.train.plain REPOSITORY RECIPE PARENT`; prints one JSON object: seconds of training, of the whole
process without its imports, and the peak of memory.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from runner.spec.files import DirectoryFiles
from runner.spec.load import load_or_raise
from runner.spec.training import DpoRecipe


def train(root: Path, recipe: DpoRecipe, parent: str) -> dict[str, float]:
    """Run DPO by TRL's own trainer; returns seconds and MiB."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl.trainer.dpo_trainer import DPOTrainer

    from datasets import Dataset  # type: ignore[attr-defined]  # the library, not the folder of that name

    begin = time.perf_counter()
    spec = load_or_raise(DirectoryFiles(root))
    base = AutoModelForCausalLM.from_pretrained(root / spec.loop.base_model.path, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, root / spec.models[parent].adapter.path, is_trainable=True)
    lines = (root / spec.datasets[recipe.dataset].path).read_text(encoding="utf-8").splitlines()
    rows = [{key: json.loads(line)[key] for key in ("prompt", "chosen", "rejected")} for line in lines]
    with tempfile.TemporaryDirectory() as scratch:
        trainer = DPOTrainer(
            model=model,
            args=_settings(recipe, scratch),
            train_dataset=Dataset.from_list(rows),
            processing_class=AutoTokenizer.from_pretrained(root / spec.loop.base_model.path),
        )
        started = time.perf_counter()
        trainer.train()
        ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"train_seconds": ended - started, "seconds": ended - begin, "peak_mib": peak}


def _settings(recipe: DpoRecipe, scratch: str) -> Any:
    from trl.trainer.dpo_config import DPOConfig

    optimiser = recipe.optimiser
    return DPOConfig(
        output_dir=scratch,
        seed=recipe.seed,
        num_train_epochs=optimiser.epochs,
        per_device_train_batch_size=optimiser.batch_size,
        learning_rate=optimiser.learning_rate,
        lr_scheduler_type=optimiser.schedule.value,
        warmup_steps=optimiser.warmup,
        max_length=recipe.max_length,
        beta=recipe.beta,
        loss_type=[term.kind.value for term in recipe.loss],
        loss_weights=[term.weight for term in recipe.loss],
        gradient_checkpointing=False,
        bf16=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )


if __name__ == "__main__":
    where, name, trained_from = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    known = load_or_raise(DirectoryFiles(where)).policies.training.recipes[name]
    if not isinstance(known, DpoRecipe):
        raise SystemExit(f"'{name}' is no DPO recipe")
    print(json.dumps(train(where, known, trained_from)))
