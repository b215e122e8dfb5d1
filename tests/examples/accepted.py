"""Asks vLLM, TRL and PEFT whether they take what an example tells them, without a GPU.

`python -m tests.examples.accepted ARGUMENTS...` with one JSON list of vLLM's arguments each; prints one JSON object. A
process of its own, since to import vLLM takes ten seconds; it is left with all that was asked.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from runner.spec.files import DirectoryFiles
from runner.spec.load import load_or_raise
from runner.spec.training import DpoRecipe, KtoRecipe, Recipe, SftRecipe

QWEN = {
    "vocab_size": 151_936,
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
}
"""The shape of Qwen2.5-0.5B, as its own config.json has it."""
SHOWN = ("learning_rate", "bf16", "gradient_checkpointing", "per_device_train_batch_size", "max_length")


def served(arguments: list[str]) -> dict[str, Any]:
    """Return what vLLM's server makes of its arguments. Ends the process where it refuses them."""
    from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parsed = make_arg_parser(FlexibleArgumentParser()).parse_args(arguments)
    validate_parsed_serve_args(parsed)
    return {key: value for key, value in vars(parsed).items() if isinstance(value, str | int | list | None)}


def trained(recipe: Recipe) -> dict[str, Any]:
    """Return what TRL makes of a recipe where there is a GPU with bfloat16; only the GPU is made up."""
    from runner.training import dpo, kto, settings, sft

    pace = settings.Pace("never-written", 1)
    with (
        patch.object(settings, "on_gpu", lambda: True),
        patch.object(settings, "in_bfloat16", lambda: True),
        patch("transformers.training_args.is_torch_bf16_gpu_available", lambda: True),
    ):
        match recipe:
            case SftRecipe():
                made: Any = sft.settings(recipe, pace)
            case DpoRecipe():
                made = dpo.settings(recipe, pace)
            case KtoRecipe():
                made = kto.settings(recipe, pace)
    return {key: getattr(made, key) for key in SHOWN} | {"beta": getattr(made, "beta", None)}


def adapter(recipe: Recipe) -> int:
    """Return how many parameters a recipe trains on a model of this shape, without its weights."""
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM, Qwen2Config

    from runner.training.settings import lora

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(Qwen2Config(**QWEN))
        return int(get_peft_model(model, lora(recipe)).get_nb_trainable_parameters()[0])


def main() -> None:
    """Read the repository's folder and the lists of arguments, and print what was made of them."""
    folder, *serve = sys.argv[1:]
    recipes = load_or_raise(DirectoryFiles(Path(folder))).policies.training.recipes
    told = {
        "serve": [served(json.loads(each)) for each in serve],
        "recipes": {name: trained(recipe) for name, recipe in recipes.items()},
        "adapter": adapter(recipes["dpo"]),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
