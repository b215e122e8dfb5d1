"""Sentence embeddings by a model: the only owner, beside training, of torch and transformers.

The commands that fit or measure a signal ask `chosen` for the embedder their policy names and hand it to the
detectors, which know the port alone. Nothing heavy is imported before a model's first text.
"""

from __future__ import annotations

from runner.embedding.minilm import MiniLM
from runner.signals.embedder import Embedder
from runner.signals.lexical import Lexical
from runner.spec.signals import Embedder as Named

__all__ = ["MiniLM", "chosen"]


def chosen(named: Named) -> Embedder:
    """Return the embedder that a policy names.

    Raises TerminalError where it needs packages that are not installed.
    """
    match named:
        case Named.LEXICAL:
            return Lexical()
        case Named.MINILM:
            return MiniLM()
