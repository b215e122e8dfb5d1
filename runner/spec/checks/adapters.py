"""Adapters and reports: that the files which a version names say of it what its own file says.

Where an adapter's bytes are absent nothing is told here: the check of digests has told it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from runner.errors import Diagnostic
from runner.spec.files import Files
from runner.spec.model import ModelFile
from runner.spec.parse import Parsed
from runner.spec.source import Document

CONFIG = "adapter_config.json"
"""What PEFT writes beside the weights, and vLLM reads."""


def check(parsed: Parsed, files: Files) -> Iterator[Diagnostic]:
    """Yield every version whose adapter or report is not what its file says."""
    for key, model in parsed.models.items():
        document = parsed.document(f"models/{key}")
        yield from _adapter(files, model, document)
        yield from _report(files, model, document)


def _adapter(files: Files, model: ModelFile, document: Document) -> Iterator[Diagnostic]:
    path = f"{model.adapter.path}/{CONFIG}"
    try:
        config = json.loads(files.read(path))
    except OSError:
        return
    except (ValueError, RecursionError):
        config = None
    if isinstance(config, dict):
        yield from _rank(config, path, model, document)
        yield from _base(config, path, model, document)
    else:
        summary = f"'{path}' is not an adapter's configuration"
        fix = "let PEFT write it again (`save_pretrained`)"
        yield Diagnostic(summary, document.at("adapter", "path"), ("it holds no JSON object",), fix)


def _rank(config: dict[str, Any], path: str, model: ModelFile, document: Document) -> Iterator[Diagnostic]:
    actual, declared = config.get("r"), model.adapter.rank
    if actual != declared:
        evidence = (f"declared: {declared}", f"r in {path}: {json.dumps(actual)}")
        fix = f"write 'rank: {actual}'" if isinstance(actual, int) else "name the directory of a LoRA adapter"
        yield Diagnostic("the rank is not the adapter's", document.at("adapter", "rank"), evidence, fix)


def _base(config: dict[str, Any], path: str, model: ModelFile, document: Document) -> Iterator[Diagnostic]:
    # A training run may have had the base model in a folder of its own, so only the end has to agree.
    actual, declared = config.get("base_model_name_or_path"), model.base_model
    if not isinstance(actual, str) or not f"/{actual}".endswith(f"/{declared}"):
        evidence = (f"declared: {declared}", f"base_model_name_or_path in {path}: {json.dumps(actual)}")
        summary = f"the adapter was not trained on '{declared}'"
        fix = "name the adapter that was; if only the path was another, correct it there and the digest here"
        yield Diagnostic(summary, document.at("base_model"), evidence, fix)


def _report(files: Files, model: ModelFile, document: Document) -> Iterator[Diagnostic]:
    if model.evaluation is None:
        return
    path = model.evaluation.report
    try:
        files.read(path)
    except OSError as error:
        evidence = () if isinstance(error, FileNotFoundError) else (error.strerror or str(error),)
        fix = "add the report to Git, or correct the path"
        yield Diagnostic(f"no report at '{path}'", document.at("evaluation", "report"), evidence, fix)
