"""Read a recipe from `policies/training.yaml`. Called by the stages; no torch here."""

from __future__ import annotations

from pathlib import Path

import yaml

from runner.errors import terminal
from runner.spec.training import SftRecipe, TrainingPolicy


def sft(policy: Path, name: str) -> SftRecipe:
    """Return the SFT recipe of that name. Raises TerminalError, and OSError where there is no policy."""
    known = TrainingPolicy.model_validate(yaml.safe_load(policy.read_text(encoding="utf-8"))).recipes
    recipe = known.get(name)
    if not isinstance(recipe, SftRecipe):
        fitting = ", ".join(key for key, value in known.items() if isinstance(value, SftRecipe))
        raise terminal(f"{policy}: no recipe '{name}' of type SFT", f"known: {fitting or 'none'}")
    return recipe
