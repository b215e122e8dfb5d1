"""Load a base model, and an adapter on it, from directories of this repository; safetensors only.

Called by every recipe and by `answer`. Loads nothing from any hub and nothing that is pickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import terminal

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def base(folder: Path, dtype: torch.dtype) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return model and tokenizer of a model directory. Raises TerminalError where there is none."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not (folder / "config.json").is_file():
        raise terminal(f"no model in '{folder}'", fix="fetch it with `dvc pull` or build it with `dvc repro`")
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, local_files_only=True, use_safetensors=True
    )
    return model, AutoTokenizer.from_pretrained(folder, local_files_only=True)


def with_adapter(model: PreTrainedModel, folder: Path) -> PeftModel:
    """Return the model with an adapter on it, in its precision. Raises TerminalError where there is none."""
    from peft import PeftModel

    if not (folder / "adapter_config.json").is_file():
        raise terminal(
            f"no adapter in '{folder}'", fix="fetch it with `dvc pull` or build it with `dvc repro`"
        )
    placed: PeftModel = PeftModel.from_pretrained(model, folder, autocast_adapter_dtype=False)
    return placed.to(model.dtype)
