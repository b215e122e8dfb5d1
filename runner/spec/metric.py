"""The metrics that conditions may name: what each measures, in what dimension, and which way is better.

The condition language checks against this table; signals and evaluation measure what it names. Pure values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from runner.spec.quantity import Dimension


class Better(StrEnum):
    """Which way a metric should go."""

    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True, slots=True)
class Metric:
    """One measured thing. `per_arm` says whether it exists for each arm, so that `baseline` has a meaning.

    `in_rollout`: it is measured on single answers as they are given, so that a stage can be decided on it.
    """

    name: str
    dimension: Dimension
    better: Better
    meaning: str
    low: float = 0.0
    high: float = math.inf
    per_arm: bool = True
    in_rollout: bool = False


_IN_ROLLOUT = (
    "error_rate",
    "crash_rate",
    "refusal_rate",
    "reask_rate",
    "satisfaction",
    "thumbs_down_rate",
    "latency_p50",
    "latency_p95",
    "latency_p99",
    "first_token_p50",
    "first_token_p95",
    "first_token_p99",
    "answer_tokens",
)


def _ratio(name: str, better: Better, meaning: str, per_arm: bool = True) -> Metric:
    return Metric(name, Dimension.RATIO, better, meaning, high=1.0, per_arm=per_arm)


def _times(name: str, what: str) -> tuple[Metric, ...]:
    return tuple(
        Metric(f"{name}_p{q}", Dimension.DURATION, Better.LOWER, f"{what}, {q}th percentile")
        for q in (50, 95, 99)
    )


def _count(name: str, better: Better, meaning: str, per_arm: bool = True) -> Metric:
    return Metric(name, Dimension.COUNT, better, meaning, per_arm=per_arm)


def _score(name: str, better: Better, meaning: str, per_arm: bool = True) -> Metric:
    return Metric(name, Dimension.SCORE, better, meaning, per_arm=per_arm)


_LOW, _HIGH = Better.LOWER, Better.HIGHER
_ALL = (
    _ratio("error_rate", _LOW, "share of requests that failed on our side or the engine's"),
    _ratio("crash_rate", _LOW, "share of requests whose answer broke off because a process died"),
    _ratio("refusal_rate", _LOW, "share of answers that refuse, in full or in part"),
    _ratio("over_refusal_rate", _LOW, "share of answers that refuse a question that should be answered"),
    _ratio(
        "reask_rate", _LOW, "share of answers after which the same user asks alike again within the window"
    ),
    _ratio("consistency", _HIGH, "mean pairwise similarity of several sampled answers to one question"),
    _ratio(
        "factuality", _HIGH, "mean support of checked answers by the reference facts, each answer one value"
    ),
    Metric(
        "satisfaction",
        Dimension.SCORE,
        _HIGH,
        "mean rating from 1 to 5; thumbs up counts 5, thumbs down 1",
        low=1.0,
        high=5.0,
    ),
    _ratio("thumbs_down_rate", _LOW, "share of votes that are thumbs down"),
    _ratio("response_rate", _HIGH, "share of answers that got any feedback"),
    _ratio(
        "win_rate", _HIGH, "share of comparisons won against the baseline, ties counted half", per_arm=False
    ),
    _ratio("win_rate_length_controlled", _HIGH, "the win rate at equal length of the answers", per_arm=False),
    *_times("latency", "from the last byte in to the last byte out"),
    *_times("first_token", "from the last byte in to the first byte out"),
    _count("prompt_tokens", _LOW, "mean tokens of a prompt"),
    _count("answer_tokens", _LOW, "mean tokens of an answer"),
    _count("session_length", _HIGH, "mean number of requests in a session"),
    _score(
        "input_drift", _LOW, "KL divergence of the topics asked from the reference set's, nats", per_arm=False
    ),
    _score("input_shift", _LOW, "distance of mean embeddings from the reference set's", per_arm=False),
    _score(
        "output_drift",
        _LOW,
        "KL divergence of answer length or language, the greater, from the baseline's, nats",
    ),
    _ratio("answer_diversity", _HIGH, "share of word pairs of the answers that are distinct"),
    _score("proxy_reward", _HIGH, "mean reward of the preference model that training maximised"),
    _ratio("forgetting", _LOW, "share of questions once answered right and now wrong", per_arm=False),
    _ratio(
        "forgetting_parent", _LOW, "share of what the parent answers right and it does not", per_arm=False
    ),
    _ratio(
        "forgetting_base", _LOW, "share of what the base model answers right and it does not", per_arm=False
    ),
    _ratio("data_quality", _HIGH, "share of logged records that pass their checks", per_arm=False),
    _score(
        "parity",
        _LOW,
        "largest mean difference of log-probabilities in a probe, training stack against engine",
    ),
    Metric("cost_per_1000", Dimension.MONEY, _LOW, "cost of a thousand requests"),
    _ratio("accuracy", _HIGH, "share of questions answered right"),
    _ratio("refusal_accuracy", _HIGH, "share of questions from outside the task that are refused"),
    _ratio("clear_winners", _HIGH, "share of votes that name one side", per_arm=False),
    _ratio("category_coverage", _HIGH, "share of categories that have their minimum", per_arm=False),
    _count("preferences", _HIGH, "preference pairs collected since the last training", per_arm=False),
    _count("rounds", _LOW, "rounds of preference training since the last supervised one", per_arm=False),
)

METRICS: dict[str, Metric] = {
    metric.name: replace(metric, in_rollout=metric.name in _IN_ROLLOUT) for metric in _ALL
}
