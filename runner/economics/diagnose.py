"""Why training does not make the model better: five questions, and three causes of doing worse in production.

`loop diagnose` asks. Every question is answered by checks with figures; a figure that is not there makes its check
INCONCLUSIVE and says what would supply it. The likeliest cause comes first: of those that failed, the one that stands
earliest on the way from votes to users, since what comes after it cannot be right where it is wrong. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from runner.economics import course, quality, variety
from runner.economics.checks import Check, Limit, Rule, Unit, held, share, worst
from runner.economics.records import Evaluated, Run
from runner.feedback.preferences.findings import Finding
from runner.feedback.records import Ballot, Choice
from runner.signals.readings.estimates import Estimate
from runner.spec.collection import CollectionPolicy
from runner.spec.condition import Comparison, Constant, Operator
from runner.spec.evaluation import EvaluationPolicy, SuiteKind
from runner.spec.metric import METRICS
from runner.spec.model import GateVerdict
from runner.spec.quantity import Dimension


class Question(StrEnum):
    """What is asked; in the order in which a cause makes everything after it worthless."""

    INFRASTRUCTURE = "infrastructure"
    QUALITY = "preference quality"
    VOLUME = "sufficient volume"
    BASE_MODEL = "base model"
    DISTRIBUTION = "distribution mismatch"
    DIVERSITY = "data diversity"
    HYPERPARAMETERS = "hyperparameters"
    OVERFITTING = "overfitting"


ASKED: Final[Mapping[Question, str]] = {
    Question.INFRASTRUCTURE: "Does it serve what was trained, and fast enough?",
    Question.QUALITY: "Are preferences clear?",
    Question.VOLUME: "Are there enough pairs?",
    Question.BASE_MODEL: "Is the version it started from good enough?",
    Question.DISTRIBUTION: "Is it trained on what users ask?",
    Question.DIVERSITY: "Are all kinds of task covered?",
    Question.HYPERPARAMETERS: "Is beta too high, the learning rate too low, or the other way round?",
    Question.OVERFITTING: "Did it learn its pairs by heart?",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One question with its checks."""

    question: Question
    asked: str
    verdict: GateVerdict
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is known of a version `name` and of what it was trained on; None where something is not here.

    `parent` is the version that it was trained from, None where that was the base; `parent_known` is what was measured
    of it, and of the version itself where it has none. `asked` is what users asked, by `category` and by `language`.
    """

    name: str
    parent: str | None
    account: tuple[Finding, ...] | None
    votes: tuple[Ballot, ...] | None
    pairs: variety.Pairs | None
    asked: Mapping[str, Mapping[str, int]] | None
    run: Run
    evaluated: Evaluated
    parent_known: Mapping[tuple[str, str], Estimate]
    collection: CollectionPolicy
    evaluation: EvaluationPolicy
    least_pairs: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Every answer, the likeliest cause first; `cause` is it, None where no check failed."""

    name: str
    parent: str | None
    verdict: GateVerdict
    answers: tuple[Answer, ...]

    @property
    def cause(self) -> Answer | None:
        """The likeliest cause."""
        first = self.answers[0]
        return first if first.verdict is GateVerdict.FAIL else None


def diagnose(subject: Subject) -> Diagnosis:
    """Return what may keep training from making the model better."""
    asked: Mapping[Question, Iterable[Check]] = {
        Question.INFRASTRUCTURE: _infrastructure(subject),
        Question.QUALITY: quality.checks(subject.account, subject.votes, subject.collection),
        Question.VOLUME: variety.volume(subject.pairs, subject.collection, subject.least_pairs),
        Question.BASE_MODEL: _base_model(subject),
        Question.DISTRIBUTION: variety.distribution(subject.pairs, subject.asked),
        Question.DIVERSITY: variety.diversity(subject.pairs, subject.collection),
        Question.HYPERPARAMETERS: course.settings(subject.run),
        Question.OVERFITTING: course.overfitting(subject.run),
    }
    answers = [_answer(question, tuple(asked[question])) for question in Question]
    ordered = sorted(answers, key=lambda each: _GRAVITY.index(each.verdict))
    return Diagnosis(subject.name, subject.parent, worst(each.verdict for each in answers), tuple(ordered))


_GRAVITY: Final = (GateVerdict.ERROR, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE, GateVerdict.PASS)


def _answer(question: Question, checks: tuple[Check, ...]) -> Answer:
    return Answer(question, ASKED[question], worst(each.verdict for each in checks), checks)


def _base_model(subject: Subject) -> Iterator[Check]:
    """Yield whether the parent knows what it should, and how often people liked neither of two answers."""
    yield held(
        Rule(
            "parent_accuracy",
            f"known questions that '{subject.parent or subject.name}' answers right",
            Unit.SHARE,
            Limit.AT_LEAST,
            _wanted(subject.evaluation),
            "preferences do not teach facts: train a supervised round on corrections first",
            f"`loop evaluate {subject.name}` asks both",
        ),
        subject.parent_known.get((SuiteKind.REGRESSION.value, "accuracy")),
    )
    yield held(
        Rule(
            "both_bad",
            "votes that call both answers bad",
            Unit.SHARE,
            Limit.AT_MOST,
            1.0 - subject.collection.sets.clear_winners,
            "there is often no good answer to prefer: train a supervised round on corrections first",
            "compare answers in the arena, then `loop data collect`",
        ),
        _both_bad(subject.votes),
    )


def _wanted(policy: EvaluationPolicy) -> float:
    """Return the accuracy that a gate of a regression suite wants, the highest of several; 0 where none wants any."""
    kinds = {name: suite.kind for name, suite in policy.suites.items()}
    bounds = [
        comparison.bound.value
        for gate in policy.gates.values()
        if kinds[gate.suite] is SuiteKind.REGRESSION
        for comparison in gate.require.comparisons()
        if comparison.metric == "accuracy" and isinstance(comparison.bound, Constant)
    ]
    return max(bounds, default=0.0)


def _both_bad(votes: Sequence[Ballot] | None) -> Estimate | None:
    counted = [each for each in votes or () if each.counted]
    return share(sum(each.choice is Choice.NEITHER for each in counted), len(counted))


def _infrastructure(subject: Subject) -> Iterator[Check]:
    """Yield whether the engine computes what was trained, and keeps up: the figures that gates of serving name."""
    for gate in subject.evaluation.gates.values():
        kind = subject.evaluation.suites[gate.suite].kind
        if kind not in _CURES:
            continue
        for comparison in gate.require.comparisons():
            if isinstance(comparison.bound, Constant):
                found = subject.evaluated.measured.get((kind.value, comparison.metric))
                yield held(_of_gate(comparison, comparison.bound.value, kind, subject.name), found)


_CURES: Final[Mapping[SuiteKind, str]] = {
    SuiteKind.PARITY: "the engine serves other weights, or in another precision: `loop status`, then load them again",
    SuiteKind.LOAD: "add replicas, or take a smaller base model",
}
_UNITS: Final = {Dimension.RATIO: Unit.SHARE, Dimension.DURATION: Unit.SECONDS, Dimension.COUNT: Unit.COUNT}


def _of_gate(comparison: Comparison, bound: float, kind: SuiteKind, name: str) -> Rule:
    metric = METRICS[comparison.metric]
    above = comparison.operator in (Operator.GREATER, Operator.AT_LEAST)
    return Rule(
        metric.name,
        metric.meaning,
        _UNITS.get(metric.dimension, Unit.PLAIN),
        Limit.AT_LEAST if above else Limit.AT_MOST,
        bound,
        _CURES[kind],
        f"`loop evaluate {name}`",
    )
