"""The model card of a version: what it is, what made it, what is known of it, and how to load it.

Made of the version's file, the manifest of its training and its last evaluation (`models/reports/NAME/`), so that it
says nothing that is not there. Its head is what Hugging Face's hub reads. Written by training, made again by `loop
models card` and `loop evaluate`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from runner import digest
from runner.report import figures
from runner.report.training import guard_rows
from runner.spec.model import ModelFile

Values = Mapping[str, Any]

_WHAT = {
    "SFT": "supervised fine-tuning on right answers",
    "DPO": "direct preference optimisation on pairs of a better and a worse answer",
    "KTO": "Kahneman-Tversky optimisation on answers called good or bad",
}
_LIMITS = (
    "It was trained on answers of one task and is not meant for others; what the suites do not ask is not known.",
    "It learnt what the people behind its data preferred, with their mistakes; the data set's own checks say how far "
    "they agree.",
    "It fits its base model alone, and the rank that engines are started for.",
)


def card(model: ModelFile, manifest: Values | None, evaluation: Values | None) -> str:
    """Return the card as Markdown.

    `manifest` is training.json and `evaluation` is evaluation.json of the version, None where there is none: a version
    that was not made by `loop train` has a card too.
    """
    parts = [_head(model, manifest), _what(model, manifest), _lineage(model, manifest)]
    if manifest is not None:
        parts += [_recipe(manifest), _data(manifest), _course(manifest)]
    parts += [_measured(model, evaluation), _limits(), _loading(model)]
    return "\n".join(line for part in parts for line in (*part, "")).rstrip() + "\n"


def _head(model: ModelFile, manifest: Values | None) -> Iterator[str]:
    value: dict[str, Any] = {
        "base_model": model.base_model,
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["lora", "trl", model.type.value.lower()],
        "datasets": [model.training.dataset],
        "model_name": model.name,
    }
    if manifest is not None:
        value["tags"].append(f"base_model:adapter:{model.base_model}")
    yield "---"
    yield from yaml.safe_dump(value, sort_keys=False, allow_unicode=True).splitlines()
    yield "---"


def _what(model: ModelFile, manifest: Values | None) -> Iterator[str]:
    start = f"the adapter of {model.parent}" if model.parent else "the base model itself"
    yield from (f"# {model.name}", "")
    yield (
        f"A LoRA adapter of rank {model.adapter.rank} for `{model.base_model}`, made by {_WHAT[model.type.value]}. "
        f"It started from {start} on {model.training.date.isoformat()}."
    )
    if model.notes:
        yield from ("", model.notes)
    if manifest is not None:
        yield from ("", "![loss, rewards and more by step](curves.svg)")


def _lineage(model: ModelFile, manifest: Values | None) -> Iterator[str]:
    parent = model.parent or "none: it starts from the base model"
    known = manifest["parent"] if manifest is not None else None
    rows = [
        ("", ""),
        ("digest of the adapter", f"`{model.adapter.digest}`"),
        ("parent", f"{parent}, `{known['digest']}`" if known else parent),
        (
            "base model",
            model.base_model + (f", `{manifest['base']['digest']}`" if manifest is not None else ""),
        ),
        ("code", f"commit `{model.training.revision}`"),
    ]
    yield from ("## Lineage", "", *_table(rows))


def _recipe(manifest: Values) -> Iterator[str]:
    rows = [("setting", "value"), ("recipe", manifest["recipe_name"])]
    rows += [(key, _text(value)) for key, value in _flat(manifest["recipe"]) if not key.startswith("guards")]
    yield from ("## Recipe", "", *_table(rows))


def _flat(value: Values, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every setting with its dotted name."""
    for key, each in value.items():
        if isinstance(each, Mapping):
            yield from _flat(each, f"{before}{key}.")
        else:
            yield f"{before}{key}", each


def _data(manifest: Values) -> Iterator[str]:
    data = manifest["dataset"]
    rows = [
        ("", ""),
        ("data set", data["name"]),
        ("file", f"`{data['path']}`"),
        ("hash (MD5, as DVC has it)", f"`{data['hash']}`"),
        ("rows", str(data["rows"])),
        ("trained on", str(data["train"])),
        ("held out", str(data["held_out"])),
    ]
    yield from ("## Data", "", *_table(rows))


def _course(manifest: Values) -> Iterator[str]:
    memory = ", ".join(f"{value:.0f} MiB ({name})" for name, value in manifest["peak_mib"].items())
    yield from ("## Training", "")
    yield (
        f"{manifest['steps']} steps in {figures.seconds(manifest['seconds'])} on {manifest['machine']['device']} "
        f"({manifest['machine']['precision']}); at most {memory}."
    )
    yield from ("", "Before the first step:", "")
    head = ("guard", "measured", "limit", "verdict")
    yield from _table([head, *guard_rows(manifest["proof"])])
    if manifest["served_parent"] != "compared" and manifest["parent"]:
        yield from ("", f"The served parent was not compared: {manifest['served_parent']}.")
    yield from ("", "While it ran, each at its highest:", "")
    yield from _table([head, *guard_rows(manifest["guards"])])
    if held := manifest["metrics"]["held_out"]:
        yield from ("", "Of the rows that were held out:", "")
        yield from _table([("figure", "value"), *((key, f"{value:.4g}") for key, value in held.items())])
    packages = ", ".join(f"{name} {version}" for name, version in manifest["packages"].items())
    yield from ("", f"Packages: {packages}.")


def _measured(model: ModelFile, evaluation: Values | None) -> Iterator[str]:
    yield from ("## Evaluation", "")
    if evaluation is not None:
        yield f"Against {evaluation['against']['name']}: **{evaluation['verdict']}**."
        head = ("gate", "verdict", "condition", "measured")
        gates = evaluation["gates"]
        rows = ((g["gate"], g["verdict"], f"`{g['condition']}`", g["evidence"]) for g in gates)
        yield from ("", *_table([head, *rows]))
    elif model.evaluation is not None:
        metrics = model.evaluation.metrics.items()
        yield from _table([("metric", "value"), *((name, f"{value:.4g}") for name, value in metrics)])
    else:
        yield f"None yet: `loop evaluate {model.name}`."


def _limits() -> Iterator[str]:
    yield from ("## Limits", "", *(f"- {limit}" for limit in _LIMITS))


def _loading(model: ModelFile) -> Iterator[str]:
    served = digest.served_name(model.name, model.adapter.digest)
    yield from ("## Loading it", "", "With PEFT:", "", "```python")
    yield "from peft import PeftModel"
    yield "from transformers import AutoModelForCausalLM"
    yield ""
    yield f'base = AutoModelForCausalLM.from_pretrained("{model.base_model}")  # or the folder it lies in'
    yield f'model = PeftModel.from_pretrained(base, "{model.adapter.path}")'
    yield from ("```", "", "With vLLM:", "", "```sh")
    yield f"vllm serve {model.base_model} --enable-lora --max-lora-rank {model.adapter.rank} \\"
    yield f"  --lora-modules {served}={model.adapter.path}"
    yield "```"


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    head, *body = rows
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(_text(cell) for cell in row)} |" for row in body)


def _text(value: Any) -> str:
    """Return a value for one cell of a table."""
    if isinstance(value, list | tuple):
        return ", ".join(_text(each) for each in value)
    if isinstance(value, Mapping):
        return " ".join(f"{key} {_text(each)}" for key, each in value.items())
    return str(value).replace("|", "\\|").replace("\n", " ")
