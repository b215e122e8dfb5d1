"""Train an adapter on pairs of a better and a worse answer: direct preference optimisation.

Recipe: TRL's DPOTrainer (Rafailov et al. 2023, arXiv 2305.18290) on the parent's adapter. The reference is the parent:
TRL copies the adapter that it is given as a frozen second one, `ref`; where the run starts from the base, it is the
base without adapter. Losses are mixed by weight; label smoothing is the loss of robust DPO (Chowdhury et al. 2024,
arXiv 2403.00409), which stays ln 2 where policy and reference agree, and length normalisation is TRL's `sigmoid_norm`.
Left out on purpose: reference log-probabilities computed ahead, which would have to be kept and could grow stale.
Called by `run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.spec.training import DpoRecipe, TermKind
from runner.training.rows import Rows
from runner.training.settings import Pace, shared
from runner.training.start import Start

if TYPE_CHECKING:
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer


def trainer(start: Start, rows: Rows, recipe: DpoRecipe, pace: Pace) -> DPOTrainer:
    """Return the trainer of a run, ready to begin. Raises TerminalError where the batch does not fit the devices."""
    from trl.trainer.dpo_trainer import DPOTrainer

    from datasets import Dataset  # type: ignore[attr-defined]  # the library, not the folder of that name

    data = Dataset.from_list(list(rows.train))
    return DPOTrainer(args=settings(recipe, pace), train_dataset=data, **start.for_trainer())


def settings(recipe: DpoRecipe, pace: Pace) -> DPOConfig:
    """Return the trainer's settings."""
    from trl.trainer.dpo_config import DPOConfig

    return DPOConfig(
        **shared(recipe, pace),
        beta=recipe.beta,
        loss_type=[loss(recipe, term.kind) for term in recipe.loss],
        loss_weights=[term.weight for term in recipe.loss],
        label_smoothing=recipe.label_smoothing,
    )


def loss(recipe: DpoRecipe, kind: TermKind) -> str:
    """Return TRL's name for a part of the loss; the spec lets smoothing and normalisation not stand together."""
    if kind is TermKind.SIGMOID and recipe.length_normalised:
        return "sigmoid_norm"
    if kind is TermKind.SIGMOID and recipe.label_smoothing:
        return "robust"
    return kind.value
