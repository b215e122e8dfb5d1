"""`policies/rollout.yaml`: how a candidate comes to all users, what stops it, and who takes each step."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, SerializationInfo, WithJsonSchema

from runner.spec.base import Name, Section, Variable
from runner.spec.condition import Condition
from runner.spec.quantity import DURATION_PATTERN, Dimension, Duration, Ratio, told

STABLE = "stable"


class Method(StrEnum):
    """How a condition that names `baseline` is proven; both stay valid however often one looks."""

    GUARD = "guard"
    """Certainly worse than the baseline, and by the condition's factor in the point estimate."""
    STRICT = "strict"
    """Certainly worse than the baseline times the factor."""


class Advance(StrEnum):
    """Who takes the step to the next stage, or from the last one to the baseline."""

    AUTO = "auto"
    """The runner commits it."""
    PULL_REQUEST = "pull_request"
    """A person merges it."""


class OnInconclusive(StrEnum):
    """What happens when a stage's time has passed and the data prove nothing."""

    HOLD = "hold"
    """Stay at this traffic and say so."""
    EXTEND = "extend"
    """Run the stage for its duration once more, then hold."""
    ROLL_BACK = "roll_back"
    """Go back to the baseline."""


class RollbackMode(StrEnum):
    """How a rollback is written back to Git; users are off the candidate before that in both."""

    COMMIT = "commit"
    """Push a commit to the branch."""
    PULL_REQUEST = "pull_request"
    """Open a pull request, for a protected branch."""


def _stage_duration(value: Any) -> Any:
    if value is None:
        raise ValueError(f"a stage needs a duration such as '24h', or '{STABLE}'")
    return None if value == STABLE else value


def _stage_duration_told(value: float | None, info: SerializationInfo) -> float | str:
    return STABLE if value is None else told(value, Dimension.DURATION, info)


StageDuration = Annotated[
    Duration | None,
    BeforeValidator(_stage_duration),
    PlainSerializer(_stage_duration_told, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": DURATION_PATTERN},
                {"type": "number", "minimum": 0},
                {"const": STABLE},
            ]
        }
    ),
]


class Decision(Section):
    """The test behind every verdict."""

    method: Method = Method.GUARD
    """How a comparison with the baseline is proven."""
    alpha: Annotated[Ratio, Field(gt=0, lt=0.5)] = 0.01
    """Chance of a rollback without cause, over the whole rollout and all looks."""
    mismatch_alpha: Annotated[Ratio, Field(gt=0, lt=0.5)] = 0.001
    """Chance of taking a correct split of users for a broken one."""
    advance_evidence: Annotated[float, Field(gt=1)] = 20.0
    """Evidence for health (an e-value) that a stage needs before it advances."""
    margin: Annotated[Ratio, Field(gt=0, le=0.5)] = 0.1
    """How much worse than a comparison with the baseline asks for a candidate may still be when a stage advances.

    In points: `10%` means shares that differ by 0.1, or 0.4 of a rating from 1 to 5. Rollbacks do not use it.
    """
    session_gap: Annotated[Duration, Field(gt=0)] = 1800.0
    """A user who is silent for so long begins a new session; sessions, not requests, are what is counted."""
    user_window: Annotated[Duration, Field(gt=0)] = 86_400.0
    """A user counts once in comparisons, and three times against a limit, within it, however many sessions he has.

    It begins with a user's first session, and the next one with the first session after it.
    """
    every: Annotated[Duration, Field(gt=0, le=60)] = 2.0
    """Longest time between two looks."""


class Stage(Section):
    """One share of traffic, how long it lasts, and what ends it."""

    name: Name
    """The word that stands in `loop.yaml` as the current stage."""
    traffic: Annotated[Ratio, Field(gt=0)]
    """Share of users whom the candidate answers."""
    duration: StageDuration
    """Least time before it advances; `stable` where no stage follows, which lasts until the rollout is concluded."""
    rollback_if: Condition | None = None
    """Goes back to the baseline when this is proven."""
    advance: Advance = Advance.PULL_REQUEST
    """Who takes the step to the next stage; of the last stage, who makes the candidate the baseline."""
    on_inconclusive: OnInconclusive = OnInconclusive.HOLD
    """What happens when the data prove nothing in that time."""
    groups: tuple[Name, ...] = ()
    """Groups whose users all get the candidate, whatever the share."""


class Rollback(Section):
    """How the way back goes."""

    mode: RollbackMode = RollbackMode.COMMIT
    """How it is written back to Git."""
    budget: Duration = 30.0
    """Longest time from the deciding event until no user is on the candidate."""
    webhook_env: Variable | None = None
    """Environment variable that holds the address to notify."""


class RolloutPolicy(Section):
    """The journey of a candidate."""

    decision: Decision = Field(default_factory=Decision)
    """The test behind every verdict."""
    always: dict[Name, Condition] = Field(default_factory=dict)
    """Conditions that roll back at every stage, each by a name that evidence can quote."""
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    """The stages in order; traffic never falls."""
    holdback: Annotated[Ratio, Field(le=0.5)] = 0.0
    """Share of users who stay on the baseline at full traffic, so that comparing goes on."""
    conclude_after: Annotated[Duration, Field(gt=0)] = 259_200.0
    """Least time at a `stable` stage before its candidate is proposed as the baseline; certified as for any stage."""
    rollback: Rollback = Field(default_factory=Rollback)
    """How the way back goes."""

    def least(self, stage: Stage) -> float:
        """Return the least time in a stage, in seconds; of a stable one, until it may be concluded."""
        return self.conclude_after if stage.duration is None else stage.duration
