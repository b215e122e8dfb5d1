"""Train an adapter on single answers called good or bad: Kahneman-Tversky optimisation.

Recipe: TRL's KTOTrainer (Ethayarajh et al. 2024, arXiv 2402.01306) on the parent's adapter, with a frozen copy of it as
the reference. Examples come in the order of the data set: their divergence from the reference is estimated within a
batch from answers that belong to other prompts, so a batch needs two examples at least. Called by `run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import terminal
from runner.spec.training import KtoRecipe
from runner.training.rows import Rows
from runner.training.settings import Pace, shared
from runner.training.start import Start

if TYPE_CHECKING:
    from trl.trainer.kto_config import KTOConfig
    from trl.trainer.kto_trainer import KTOTrainer


def trainer(start: Start, rows: Rows, recipe: KtoRecipe, pace: Pace) -> KTOTrainer:
    """Return the trainer of a run, ready to begin. Raises TerminalError where the batch does not fit the devices."""
    from trl.trainer.kto_trainer import KTOTrainer

    from datasets import Dataset  # type: ignore[attr-defined]  # the library, not the folder of that name

    data = Dataset.from_list(list(rows.train))
    return KTOTrainer(args=settings(recipe, pace), train_dataset=data, **start.for_trainer())


def settings(recipe: KtoRecipe, pace: Pace) -> KTOConfig:
    """Return the trainer's settings. Raises TerminalError for a batch of one example."""
    from trl.trainer.kto_config import KTOConfig

    given = shared(recipe, pace)
    if given["per_device_train_batch_size"] < 2:
        raise terminal("KTO needs two examples at once at least", fix="raise micro_batch_size or batch_size")
    return KTOConfig(
        **given,
        beta=recipe.beta,
        desirable_weight=recipe.desirable_weight,
        undesirable_weight=recipe.undesirable_weight,
    )
