"""A situation in which everything speaks for a round, to be changed one figure at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from runner.economics.situation import PastRound, Policies, Pool, Situation
from runner.signals.reading import Direction, Level, Reading, Snapshot, Trend
from runner.signals.readings.estimates import Estimate
from runner.signals.readings.holds import holds
from runner.spec.cadence import CadencePolicy, Phase, PhaseName
from runner.spec.cost import CostPolicy
from runner.spec.load import Spec
from runner.spec.model import TrainingType
from runner.spec.signals import SignalPolicy
from tests.spec.repository import Repository

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()


def shipped() -> Spec:
    """Return the shipped spec with two versions."""
    found = Repository().load()
    assert found.spec is not None
    return found.spec


SPEC = shipped()


def cadence(frequency: str | None = None, **skip: Any) -> CadencePolicy:
    """Return the shipped cadence, with another frequency of its phase, and other reasons to leave a round out."""
    policy = SPEC.policies.cadence
    found = policy.model_copy(update={"skip": policy.skip.model_copy(update=skip)})
    if frequency is None:
        return found
    phase = Phase.model_validate({"frequency": frequency, "min_samples": 100, "reason": "a test"})
    return found.model_copy(update={"phases": {**found.phases, PhaseName.STARTUP: phase}})


def signals(**values: tuple[float, float, float]) -> Snapshot:
    """Return a snapshot with these values and intervals; conditions as the shipped policy has them."""
    return Snapshot(
        "production", NOW, tuple(_reading(*each) for each in values.items()), (), None, (), 0, 0.0
    )


def _reading(metric: str, value: tuple[float, float, float]) -> Reading:
    policy: SignalPolicy = SPEC.policies.signals
    estimate = Estimate(*value, 1000)
    asked = policy.signals[metric].thresholds.retrain
    retrain = (("retrain", holds(asked.expression, lambda _: estimate, None)),) if asked else ()
    trend = Trend(Direction.UNKNOWN, None, 0)
    return Reading(metric, *value, 1000, 604_800.0, "", "", "", Level.FINE, retrain, trend, ())


CALM = signals(
    refusal_rate=(0.05, 0.04, 0.06),
    over_refusal_rate=(0.01, 0.0, 0.02),
    reask_rate=(0.02, 0.01, 0.03),
    factuality=(0.97, 0.96, 0.98),
    satisfaction=(4.5, 4.3, 4.7),
    input_drift=(0.02, 0.0, 0.05),
)
"""Nothing calls for training, and nothing has changed."""
MOVED = replace(CALM, readings=(*CALM.readings[:-1], _reading("input_drift", (0.3, 0.2, 0.4))))
"""Questions have changed, though not so much as to call for training."""
DRIFTED = replace(CALM, readings=(*CALM.readings[:-1], _reading("input_drift", (0.8, 0.7, 0.9))))
"""They have changed so much that the policy calls for training."""


def pool(recipe: str = "dpo", **changed: Any) -> Pool:
    """Return a data set with plenty of new rows."""
    kind = TrainingType(recipe.upper())
    return replace(Pool(recipe, kind, f"data-{recipe}", "a" * 32, 250, 200, 30), **changed)


def past(name: str, trained: date = date(2026, 11, 1), **changed: Any) -> PastRound:
    """Return a round of preference training on chat-v1.0 that lasted an hour."""
    return replace(
        PastRound(name, TrainingType.DPO, "chat-v1.0", "data-dpo", "b" * 32, trained, 3600.0, None), **changed
    )


FIRST = past("chat-v1.0", date(2026, 9, 1), type=TrainingType.SFT, parent=None, dataset="data-sft")


def situation(**changed: Any) -> Situation:
    """Return the situation, with some of it changed; `cadence` and `cost` change the policies."""
    policies = Policies(
        changed.pop("cadence", cadence()), changed.pop("cost", SPEC.policies.cost), SPEC.policies.signals
    )
    plain = Situation(
        environment="production",
        at=NOW,
        policies=policies,
        baseline="chat-v1.0",
        pools=(pool(),),
        rounds=(FIRST,),
        signals=MOVED,
        clear=Estimate(0.8, 0.75, 0.85, 300),
        prefers=None,
        troubles=(),
        closed="",
        under_way="",
    )
    return replace(plain, **changed)


def price(**item: Any) -> CostPolicy:
    """Return the shipped prices with another one for training."""
    policy = SPEC.policies.cost
    whole = policy.model_dump(mode="json")
    whole["items"]["retraining"] = {"account": "retraining", **item}
    return CostPolicy.model_validate(whole)
