"""What a run starts from: the base, with the parent's adapter made trainable where there is a parent.

Called by `run`. The recipe says the adapter's shape; a parent of another shape is refused by `loop train` before
anything starts, so that here both agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.spec.training import Recipe
from runner.training import checkpoints, settings

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Start:
    """The policy at step 0, its tokenizer, and the shape of a new adapter where it has none yet."""

    model: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerBase
    fresh: LoraConfig | None

    def for_trainer(self) -> dict[str, Any]:
        """Return it as TRL's trainers take it."""
        return {"model": self.model, "processing_class": self.tokenizer, "peft_config": self.fresh}


def start(base: Path, parent: Path | None, recipe: Recipe) -> Start:
    """Load base and parent. Raises TerminalError where one is not here."""
    model, tokenizer = checkpoints.base(base, settings.precision())
    shape = settings.lora(recipe)
    if parent is None:
        return Start(model, tokenizer, shape)
    from peft import PeftModel

    # Weights that move are in 32 bits: a step is often smaller than bfloat16 can tell apart.
    trainable = PeftModel.from_pretrained(model, parent, is_trainable=True, config=shape)
    return Start(trainable, tokenizer, None)
