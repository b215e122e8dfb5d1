"""Imports Presidio, which would import much more, and makes our finders recognisers of its.

Called by `engine` and `national`, the only users of Presidio, when the first text needs it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from runner.feedback.privacy.found import Finder

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine, EntityRecognizer, PatternRecognizer

LANGUAGE = "en"
"""The engine's only language: whoever writes Korean writes English addresses too, so all is looked for in all."""


@lru_cache(maxsize=1)
def _package() -> Any:
    """Return `presidio_analyzer`, imported without the models it could use.

    Where transformers and torch are installed it imports them, for recognisers that are not used here: 9 seconds and
    500 MB. What something else has imported already stays. Presidio goes without them for the rest of the process.
    """
    with _absent("transformers", "torch"):
        return importlib.import_module("presidio_analyzer")


@contextmanager
def _absent(*names: str) -> Iterator[None]:
    """Make modules that are not imported yet impossible to import, for a while."""
    hidden: dict[str, Any] = {name: None for name in names if name not in sys.modules}
    sys.modules.update(hidden)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def shipped(name: str) -> PatternRecognizer:
    """Return one of the recognisers that Presidio ships."""
    _package()
    recogniser: PatternRecognizer = getattr(
        importlib.import_module("presidio_analyzer.predefined_recognizers"), name
    )()
    return recogniser


def engine(finders: Sequence[Finder]) -> AnalyzerEngine:
    """Return an engine that asks some finders, without a language model and without a look at the context.

    Every finder looks at its own context. Presidio's way, words near by in the same sentence for all, needs a model's
    tokens and cannot tell `card` from `gift card`.
    """
    analyzer = _package()
    enhancers = importlib.import_module("presidio_analyzer.context_aware_enhancers")
    models = importlib.import_module("presidio_analyzer.nlp_engine")
    registry = analyzer.RecognizerRegistry(
        recognizers=list(map(_recogniser, finders)), supported_languages=[LANGUAGE]
    )
    made: AnalyzerEngine = analyzer.AnalyzerEngine(
        registry=registry,
        nlp_engine=models.NoOpNlpEngine([{"lang_code": LANGUAGE, "model_name": "none"}]),
        supported_languages=[LANGUAGE],
        context_aware_enhancer=enhancers.ContextAwareEnhancer(0.0, 0.0, 0, 0),
    )
    return made


def _recogniser(finder: Finder) -> EntityRecognizer:
    made: EntityRecognizer = _kind()(
        finder=finder,
        supported_entities=[entity.value for entity in finder.entities],
        supported_language=LANGUAGE,
        name=finder.name,
    )
    return made


@lru_cache(maxsize=1)
def _kind() -> Any:
    """Return the class of our recognisers; it cannot stand above, for its base is imported late."""
    analyzer = _package()
    keys = analyzer.RecognizerResult

    class Recogniser(analyzer.EntityRecognizer):  # type: ignore[misc, name-defined]  # known only at run time
        """A finder as Presidio wants it."""

        def __init__(self, finder: Finder, **kwargs: Any) -> None:
            self._finder = finder
            super().__init__(**kwargs)

        def load(self) -> None:
            """Have nothing to load."""

        def analyze(self, text: str, entities: list[str], nlp_artifacts: object = None) -> list[Any]:  # noqa: ARG002
            """Return what the finder finds, if the cheap test leaves it possible."""
            if not self._finder.possible(text):
                return []
            metadata = {
                keys.RECOGNIZER_NAME_KEY: self.name,
                keys.RECOGNIZER_IDENTIFIER_KEY: self.id,
            }
            return [
                analyzer.RecognizerResult(each.entity.value, each.start, each.end, each.score, None, metadata)
                for each in self._finder.find(text)
            ]

    return Recogniser
