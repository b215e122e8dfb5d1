"""Write an adapter directory whose bytes depend on the weights alone, so that its digest names them.

What PEFT would add is left out: a card with dates, paths of this machine, settings in the order of a set.
Weights are bfloat16, as they are served. Called by the training recipes; the manifest
(`adapter_config.json`) comes last.
"""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peft import PeftModel

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def write(model: PeftModel, folder: Path, base_name: str) -> None:
    """Write weights and configuration; `base_name` is the name of the base, not a path. Raises OSError."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = get_peft_model_state_dict(model)
    weights = {name: state[name].detach().to(torch.bfloat16).contiguous() for name in sorted(state)}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    config = {
        **model.peft_config["default"].to_dict(),
        "base_model_name_or_path": base_name,
        "inference_mode": True,
    }
    (folder / CONFIG).write_text(
        json.dumps(config, indent=2, sort_keys=True, default=_plain) + "\n", encoding="utf-8"
    )


def _plain(value: Any) -> Any:
    """JSON for what PEFT keeps in its settings: sets in order, enumerations by value."""
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} {value!r} has no place in {CONFIG}")
