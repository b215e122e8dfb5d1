"""`policies/signals.yaml`: what is measured, from what, how, and which value means what; and the KPIs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from runner.spec.base import InsidePath, Name, Section, Text
from runner.spec.condition import Condition
from runner.spec.quantity import Duration, Ratio


class Source(StrEnum):
    """The kind of event or record that a signal is derived from."""

    REQUEST = "request"
    CONTENT = "content"
    FEEDBACK = "feedback"
    VOTE = "vote"
    SHADOW = "shadow"
    PROBE = "probe"
    EVALUATION = "evaluation"
    COST = "cost"


class Similarity(StrEnum):
    """How alike two texts are is judged."""

    LEXICAL = "lexical"
    """By characters and words; needs no model."""
    EMBEDDING = "embedding"
    """By the embedder named in this file."""
    JUDGE = "judge"
    """By the judge of `policies/evaluation.yaml`."""


class Embedder(StrEnum):
    """What turns a text into numbers."""

    LEXICAL = "lexical"
    """Hashed character and word counts; any language, no model."""
    MINILM = "minilm"
    """MiniLM sentence embeddings, English."""


class Share(Section):
    """Counts events: the share of those that have a property recorded with them."""

    kind: Literal["share"]
    """`share`."""


class Mean(Section):
    """Averages a recorded number."""

    kind: Literal["mean"]
    """`mean`."""


class Quantile(Section):
    """Reads a percentile of a recorded number, with its interval; which one, the metric's name says."""

    kind: Literal["quantile"]
    """`quantile`."""


class Refusal(Section):
    """Finds answers that refuse, by rules and a small classifier."""

    kind: Literal["refusal"]
    """`refusal`."""
    threshold: Ratio = 0.5
    """Probability from which an answer counts as a refusal."""
    keywords: tuple[Text, ...] = ()
    """A team's own phrases that always count."""
    model: InsidePath | None = None
    """File in this repository that `loop signals fit refusal` wrote; the shipped model where absent."""


class Reask(Section):
    """Finds a user who asks alike again soon: the answer before did not help."""

    kind: Literal["reask"]
    """`reask`."""
    within: Annotated[Duration, Field(gt=0)] = 30.0
    """Longest time between the two questions."""
    similarity: Similarity = Similarity.LEXICAL
    """How the two are compared."""
    threshold: Ratio = 0.65
    """Similarity from which the second counts as the first asked again."""


class SelfConsistency(Section):
    """Asks the engine the same question several times and compares the answers."""

    kind: Literal["self_consistency"]
    """`self_consistency`."""
    k: Annotated[int, Field(ge=2, le=50)] = 5
    """Answers sampled for one question."""
    temperature: Annotated[float, Field(gt=0, le=2)] = 0.7
    """Sampling temperature."""
    sample: Ratio = 0.01
    """Share of requests that is examined."""
    tokens_per_day: Annotated[int, Field(ge=0)] = 200_000
    """Most tokens that sampling may use in a day."""
    similarity: Similarity = Similarity.LEXICAL
    """How answers are compared with each other."""


class Factual(Section):
    """Compares answers with reference facts: a model can be consistently wrong."""

    kind: Literal["factual"]
    """`factual`."""
    reference: Name
    """Data set of role `reference` that holds the facts."""
    sample: Ratio = 0.05
    """Share of requests that is examined."""


class Drift(Section):
    """Compares the topics asked with those of a reference set, debiased and sequentially."""

    kind: Literal["drift"]
    """`drift`."""
    reference: Name
    """Data set of role `reference` that training saw."""
    topics: Annotated[int, Field(ge=2, le=1000)] = 20
    """Number of topics the reference questions are grouped into."""
    fine_topics: Annotated[int, Field(ge=2, le=1000)] = 77
    """A second, finer grouping that finds shifts of single intents."""
    alpha: Annotated[Ratio, Field(gt=0, lt=0.5)] = 0.01
    """Chance of an alarm without drift, over all looks."""


class EmbeddingShift(Section):
    """Distance of mean embeddings from a reference set, with a permutation test."""

    kind: Literal["embedding_shift"]
    """`embedding_shift`."""
    reference: Name
    """Data set of role `reference` that training saw."""
    permutations: Annotated[int, Field(ge=100, le=100_000)] = 1000
    """Shuffles behind the p-value."""


class OutputShape(Section):
    """Length, diversity and language of answers."""

    kind: Literal["output_shape"]
    """`output_shape`."""


class Paired(Section):
    """Compares two versions on the same questions of the evaluation suites."""

    kind: Literal["paired"]
    """`paired`."""
    suite: Name
    """Suite of `policies/evaluation.yaml`."""


class Spending(Section):
    """Divides the cost of `policies/cost.yaml` by what was served."""

    kind: Literal["spending"]
    """`spending`."""


Detector = Annotated[
    Share
    | Mean
    | Quantile
    | Refusal
    | Reask
    | SelfConsistency
    | Factual
    | Drift
    | EmbeddingShift
    | OutputShape
    | Paired
    | Spending,
    Field(discriminator="kind"),
]


class Thresholds(Section):
    """What a value leads to. A signal may only warn or stop; nothing advances because of one."""

    warn: Condition | None = None
    """Report it, and let the alert rules fire."""
    hold: Condition | None = None
    """Keep the rollout at its stage."""
    retrain: Condition | None = None
    """Count it as a reason to train."""


class Signal(Section):
    """One measured value."""

    source: Source
    """What it is derived from."""
    window: Annotated[Duration, Field(gt=0)]
    """How far back it looks."""
    detector: Detector
    """How it is measured."""
    thresholds: Thresholds = Field(default_factory=Thresholds)
    """What its values lead to."""


class Trend(StrEnum):
    """Which way a KPI should go from one period to the next."""

    INCREASING = "increasing"
    DECREASING = "decreasing"
    STEADY = "steady"


class Period(StrEnum):
    """How often a KPI is measured."""

    DAILY = "daily"
    WEEKLY = "weekly"


class Kpi(Section):
    """A figure the team is steered by."""

    metric: Name
    """Metric that it follows; one of the table of metrics."""
    source: Text
    """Where it comes from, in words."""
    target: Condition | None = None
    """What is to hold."""
    trend: Trend | None = None
    """Which way it should go."""
    alert: Condition | None = None
    """What calls for somebody at once."""
    measured: Period = Period.WEEKLY
    """How often it is measured."""


class SignalPolicy(Section):
    """All signals by the metric they measure, and the KPIs."""

    embedder: Embedder = Embedder.LEXICAL
    """What turns texts into numbers, for every detector that compares meaning."""
    signals: dict[Name, Signal]
    """Metric -> how it is measured."""
    kpis: dict[Name, Kpi] = Field(default_factory=dict)
    """The figures the team is steered by."""
