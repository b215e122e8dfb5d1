"""The model file: a lexicon and a conditional random field, read once, and the spans it finds in texts.

Called by the deep masking through `runner.feedback.privacy.tagger.spans`; written by the training. Reads one file of
the package, asks no network.
"""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from threading import Lock
from typing import Any

from runner.errors import terminal
from runner.feedback.privacy.tagger.features import features
from runner.feedback.privacy.tagger.lexicon import Lexicon
from runner.feedback.privacy.tagger.tokens import Token, tokens

PATH = Path(__file__).parent / "model.xz"
"""The model that is shipped."""
OUTSIDE = "O"
LONGEST = 2000
"""Units that are labelled at once; a longer text is cut at a line end or a sentence's end before that."""


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]` is a `name`, `place`, `address` or `organisation`; `score`, 0 to 1: of its least sure unit."""

    start: int
    end: int
    entity: str
    score: float


@dataclass(frozen=True)
class Model:
    """A lexicon and the bytes of a trained field."""

    lexicon: Lexicon
    trained: bytes
    digest: str
    _one: Lock = field(default_factory=Lock, repr=False, compare=False)
    """A field's tagger remembers the text that it saw last."""

    @cached_property
    def _tagger(self) -> Any:
        import pycrfsuite

        tagger = pycrfsuite.Tagger()
        tagger.open_inmemory(self.trained)
        return tagger

    def spans(self, text: str) -> list[Span]:
        """Return what is found in `text`, from left to right, nothing twice."""
        return [span for units in _pieces(tokens(text)) for span in self._found(units, text)]

    def _found(self, units: Sequence[Token], text: str) -> Iterable[Span]:
        if not any(unit.form[0].isalnum() for unit in units):
            return []
        tagger = self._tagger
        inside = text if len(units) < LONGEST else text[units[0].start : units[-1].end]
        offset = 0 if inside is text else units[0].start
        moved = (
            units if not offset else [Token(u.form, u.start - offset, u.end - offset, u.glued) for u in units]
        )
        labels = tagger.tag(features(moved, inside, self.lexicon.flags))
        return [
            Span(
                units[first].start,
                units[last - 1].end,
                entity,
                min(tagger.marginal(labels[at], at) for at in range(first, last)),
            )
            for entity, first, last in entities(labels)
        ]


def entities(labels: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return (entity, first, one past the last) of a sequence of labels such as `B-name`, `I-name`, `O`."""
    found: list[tuple[str, int, int]] = []
    for at, label in enumerate(labels):
        if label == OUTSIDE:
            continue
        begins, entity = label.startswith("B-"), label[2:]
        if not begins and found and found[-1][0] == entity and found[-1][2] == at:
            found[-1] = (entity, found[-1][1], at + 1)
        else:
            found.append((entity, at, at + 1))
    return found


def _pieces(units: list[Token]) -> Iterable[list[Token]]:
    """Cut units where a line or a sentence ends, so that no piece is longer than `LONGEST`."""
    first = 0
    while len(units) - first > LONGEST:
        cut = next(
            (at for at in range(first + LONGEST - 1, first + LONGEST // 2, -1) if units[at].form in ".\n"),
            first + LONGEST - 1,
        )
        yield units[first : cut + 1]
        first = cut + 1
    yield units[first:]


def packed(lexicon: Lexicon, trained: bytes) -> bytes:
    """Return the bytes of the model file."""
    return lzma.compress(lexicon.text().encode() + b"\0" + trained, preset=9 | lzma.PRESET_EXTREME)


def read(path: Path = PATH) -> Model:
    """Read a model file. Raises TerminalError where it is none."""
    try:
        raw = path.read_bytes()
        words, trained = lzma.decompress(raw).split(b"\0", 1)
    except (OSError, lzma.LZMAError, ValueError) as error:
        raise terminal(
            f"the tagger's model cannot be read: {path}", str(error), fix="install the package again"
        ) from error
    return Model(Lexicon.parse(words.decode()), trained, "sha256:" + hashlib.sha256(raw).hexdigest())


@cache
def shipped() -> Model:
    """Return the model that is shipped, read once."""
    return read()
