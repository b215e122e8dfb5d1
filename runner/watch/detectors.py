"""The detectors that a policy asks for, fitted to the repository's reference sets.

Called once by `watch`. What takes seconds to fit (topics, what is out of scope) is kept beside the measurements under
the digest of what it was fitted to, and read back. Where a set is missing, its signals have no value and say why.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from runner import digest
from runner.errors import TerminalError
from runner.signals.cube.annotate import Annotator
from runner.signals.drift import topics as topic_model
from runner.signals.drift.topics import Topics
from runner.signals.embedder import Embedder, Vectors
from runner.signals.reask.comparison import likenesses
from runner.signals.refusal.detector import Detector
from runner.signals.refusal.questions import Answerable, Questions
from runner.spec.load import Spec
from runner.spec.signals import Drift, EmbeddingShift, Reask, Refusal, Similarity
from runner.stats.grid import Floats
from runner.watch import scopes
from runner.watch.references import Missing, Reference, read
from runner.watch.scopes import Scope

Kind = TypeVar("Kind")
OF_REFERENCE = ("input_drift", "input_shift", "over_refusal_rate")
"""The metrics that need the reference set: what is usual, and what the assistant is for."""

_VERDICTS = {Answerable.YES: True, Answerable.NO: False, Answerable.UNKNOWN: None}


@dataclass(frozen=True, slots=True)
class Detectors:
    """What reads texts, and what the repository's reference sets gave; `missing` says why a metric has no value."""

    annotator: Annotator
    topics: Topics | None
    scope: Scope | None
    reference: Reference | None
    vectors: Vectors | None
    missing: dict[str, str] = field(default_factory=dict)


def detector_of(spec: Spec, kind: type[Kind]) -> Kind | None:
    """Return the first detector of a kind that the policy has."""
    found = (signal.detector for signal in spec.policies.signals.signals.values())
    return next((each for each in found if isinstance(each, kind)), None)


def _named(spec: Spec, metric: str, kind: type[Kind]) -> Kind | None:
    """Return the detector of a metric, as rollouts look it up, too; None where it is not of that kind."""
    signal = spec.policies.signals.signals.get(metric)
    return signal.detector if signal is not None and isinstance(signal.detector, kind) else None


def build(root: Path, state: Path, spec: Spec, embedder: Embedder, tell: Callable[[str], None]) -> Detectors:
    """Return the detectors of a policy; what takes long is told.

    Raises TerminalError where a model that it names cannot be used.
    """
    refusal = _refusal(root, spec, embedder)
    reference, lacking = _reference(root, spec)
    topics, scope, vectors = None, None, None
    if reference is not None:
        try:
            topics = _topics(state, spec, reference, embedder)
            vectors = embedder.embed(reference.questions)
            scope = scopes.fit(scopes.Material(reference, vectors, embedder, refusal), state, tell)
        except TerminalError as error:
            lacking |= dict.fromkeys(OF_REFERENCE, error.diagnostics[0].summary)
    if reference is not None and scope is None and not lacking:
        lacking["over_refusal_rate"] = f"{reference.name} answers too few questions to show what is in scope"
    annotator = _annotator(spec, embedder, refusal, topics, scope)
    if "over_refusal_rate" in lacking:  # every right refusal would count as one too many
        annotator = replace(
            annotator, answerable=None, digest=digest.of_value([annotator.digest, "no scope"])
        )
    return Detectors(annotator, topics, scope, reference, vectors, lacking)


def _refusal(root: Path, spec: Spec, embedder: Embedder) -> Detector:
    policy = _named(spec, "refusal_rate", Refusal) or Refusal(kind="refusal")
    path = root / str(policy.model) if policy.model else None
    return Detector.load(path, policy.keywords, embedder)


def _reference(root: Path, spec: Spec) -> tuple[Reference | None, dict[str, str]]:
    policy = detector_of(spec, Drift) or detector_of(spec, EmbeddingShift)
    if policy is None:
        return None, {}
    found = read(root, spec.datasets, policy.reference)
    if isinstance(found, Missing):
        return None, dict.fromkeys(OF_REFERENCE, found.reason)
    return found, {}


def missing(root: Path, spec: Spec) -> dict[str, str]:
    """Return the metrics that have no value because their reference set is not here, and why."""
    return _reference(root, spec)[1]


def _topics(state: Path, spec: Spec, reference: Reference, embedder: Embedder) -> Topics:
    policy = detector_of(spec, Drift) or Drift(kind="drift", reference=reference.name)
    wanted = policy.topics, policy.fine_topics
    key = topic_model.key_of(reference.questions, embedder, *wanted)
    path = state / f"topics-{digest.short(key)}.json"
    kept = _read_json(path, Topics.from_json)
    if kept is not None and kept.key == key:
        return kept
    found = topic_model.fit(reference.questions, embedder, *wanted)
    _write(path, json.dumps(found.to_json()).encode())
    return found


def _annotator(
    spec: Spec, embedder: Embedder, refusal: Detector, topics: Topics | None, scope: Scope | None
) -> Annotator:
    policy = _named(spec, "refusal_rate", Refusal) or Refusal(kind="refusal")
    reask = _named(spec, "reask_rate", Reask) or Reask(kind="reask")
    harm = Questions.load()
    by_meaning = embedder if reask.similarity is Similarity.EMBEDDING else None
    parts = [
        refusal.digest,
        policy.threshold,
        embedder.digest,
        harm.digest,
        topics.key if topics is not None else "",
        scope.digest if scope is not None else "",
    ]

    def scores(questions: Sequence[str]) -> Floats:
        assert scope is not None  # noqa: S101 - given to the annotator only where there is one
        return scope.novelty.scores(embedder.embed(questions))

    def in_scope(questions: Sequence[str]) -> Sequence[bool | None]:
        harmless = harm.answerable(questions)
        inside = [None] * len(questions) if scope is None else scope.inside(embedder.embed(questions))
        return [_both(_VERDICTS[each], where) for each, where in zip(harmless, inside, strict=True)]

    def sorted_in(questions: Sequence[str]) -> tuple[Sequence[int], Sequence[int]]:
        assert topics is not None  # noqa: S101 - as above
        found = topics.assign(embedder.embed(questions))
        return found.coarse.tolist(), found.fine.tolist()

    return Annotator(
        digest=digest.of_value(parts),
        refusal=refusal.probabilities,
        refusal_threshold=policy.threshold,
        answerable=in_scope,
        topics=sorted_in if topics is not None else None,
        novelty=scores if scope is not None else None,
        likeness=lambda first, second: likenesses(first, second, embedder=by_meaning),
        likeness_digest=digest.of_value(
            ["reask", reask.similarity.value, embedder.digest if by_meaning else ""]
        ),
    )


def _both(harmless: bool | None, inside: bool | None) -> bool | None:
    """Return whether a question should be answered: it must be harmless and in scope, and one "no" is enough."""
    if harmless is False or inside is False:
        return False
    return inside if inside is not None else harmless


def _read_json(path: Path, parse: Callable[[Any], Kind]) -> Kind | None:
    """Return what is kept in a file; None where it is not there or is something else: it can be made again."""
    try:
        return parse(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)
