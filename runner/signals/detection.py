"""What the evidence of a rollout takes for a refusal and for a question asked again, as `policies/signals.yaml` says.

`outcomes` detects with it in streams; comparisons of shadows and of experiments detect with it in what is logged. Both
arms are read by the same detection: another policy, or another model in the file that it names, makes all evidence
anew. Questions are compared by their spelling, whatever similarity the policy names: a rollout waits for no embedder.
It reads the model's file, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from runner import digest
from runner.errors import TerminalError
from runner.signals import reask
from runner.spec.signals import Reask, Refusal, SignalPolicy

if TYPE_CHECKING:
    from runner.signals.refusal.detector import Detector

REFUSALS, REASKS = "refusal_rate", "reask_rate"
"""The metrics whose declared detectors are used."""
_MODELS = 4
"""Models that are kept loaded; a process rarely has more than that of the policy before and that of the new one."""
_BATCH = 10_000
"""Answers that are in memory as features at one time."""
_VERSION = 1
"""Raised whenever the same policy and the same model would detect something else."""

Refuses = Callable[[Sequence[str], Sequence[str]], list[bool]]
"""Questions and their answers -> whether each answer refuses."""

Kind = TypeVar("Kind", Refusal, Reask)


@dataclass(frozen=True, slots=True)
class Detection:
    """From where on something counts: a probability, phrases that always do, seconds, a likeness.

    `model` is the file of the refusal detector, None for the shipped one; a relative path is that of the repository
    until `below` says where that lies.
    """

    refusal_threshold: float = 0.5
    keywords: tuple[str, ...] = ()
    model: str | None = None
    within: float = reask.WITHIN_S
    reask_threshold: float = reask.THRESHOLD

    @classmethod
    def of(cls, policy: SignalPolicy) -> Detection:
        """Return what a policy declares for the two metrics; the defaults of the spec for one that it leaves out."""
        refusal = _detector(policy, REFUSALS, Refusal) or Refusal(kind="refusal")
        again = _detector(policy, REASKS, Reask) or Reask(kind="reask")
        model = None if refusal.model is None else str(refusal.model)
        return cls(refusal.threshold, refusal.keywords, model, again.within, again.threshold)

    def below(self, root: Path) -> Detection:
        """Return the same with the model's file in a checkout."""
        return self if self.model is None else replace(self, model=str(root.absolute() / self.model))

    def needed_by(self, sources: frozenset[str]) -> Detection:
        """Return what the outcomes of `sources` depend on; the rest is as shipped, since it changes nothing."""
        shipped, kept = SHIPPED, self
        if REFUSALS not in sources:
            kept = replace(
                kept,
                refusal_threshold=shipped.refusal_threshold,
                keywords=shipped.keywords,
                model=shipped.model,
            )
        if REASKS not in sources:
            kept = replace(kept, within=shipped.within, reask_threshold=shipped.reask_threshold)
        return kept

    @property
    def digest(self) -> str:
        """Digest of everything that is detected with: of the model its bytes, not its place. Never raises."""
        rules = [self.refusal_threshold, list(self.keywords), self.within, self.reask_threshold]
        content = _digest_of(self.model)
        return digest.of_value([_VERSION, rules, content, _meaning_of(self.model, self.keywords, content)])

    def refuses(self) -> Refuses:
        """Return what tells refusals, a batch at a time; the model is read once in a process.

        Raises TerminalError where the file is missing, no such model, or needs an embedder that reads meaning.
        """
        detector = _loaded(self.model, self.keywords, _digest_of(self.model))

        def told(questions: Sequence[str], answers: Sequence[str]) -> list[bool]:
            found: list[bool] = []
            for begin in range(0, len(answers), _BATCH):
                batch = slice(begin, begin + _BATCH)
                probabilities = detector.probabilities(questions[batch], answers[batch])
                found += (probabilities >= self.refusal_threshold).tolist()
            return found

        return told

    def asked_again(self, before: reask.Question, after: reask.Question) -> bool:
        """Return whether a question counts as the one before asked again; how long after is the caller's to compare."""
        return reask.asked_again(before, after, self.reask_threshold)


SHIPPED = Detection()
"""What counts where a policy says nothing else."""


def none_refuse(questions: Sequence[str], answers: Sequence[str]) -> list[bool]:  # noqa: ARG001 - a `Refuses`
    """Return that no answer refuses, for whom refusals are not counted."""
    return [False] * len(answers)


def _detector(policy: SignalPolicy, metric: str, kind: type[Kind]) -> Kind | None:
    signal = policy.signals.get(metric)
    return signal.detector if signal is not None and isinstance(signal.detector, kind) else None


def _digest_of(model: str | None) -> str:
    """Return the digest of a model's bytes, "" where it cannot be read."""
    from runner.signals.refusal import detector

    try:
        return digest.of_file(Path(model) if model else detector.SHIPPED)
    except OSError:
        return ""


@lru_cache(maxsize=_MODELS)
def _loaded(model: str | None, keywords: tuple[str, ...], content: str) -> Detector:  # noqa: ARG001 - other bytes, other model
    from runner.signals.lexical import Lexical
    from runner.signals.refusal.detector import Detector

    return Detector.load(Path(model) if model else None, keywords, Lexical() if model else None)


@lru_cache(maxsize=_MODELS)
def _meaning_of(model: str | None, keywords: tuple[str, ...], content: str) -> str:
    """Return the loaded model's own digest, with what it reads beside its file; "" where it cannot be used."""
    try:
        return _loaded(model, keywords, content).digest
    except TerminalError:
        return ""
