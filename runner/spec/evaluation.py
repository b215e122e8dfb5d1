"""`policies/evaluation.yaml`: the suites a candidate is put through, and the gates that it has to pass."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from runner.spec.base import Name, Section, Text, Variable, WebAddress
from runner.spec.condition import Condition
from runner.spec.quantity import Duration, Ratio


class SuiteKind(StrEnum):
    """What a suite finds out."""

    REGRESSION = "regression"
    """Whether known questions are still answered right."""
    OOD = "ood"
    """Whether questions from outside are rightly refused."""
    ADVERSARIAL = "adversarial"
    """Whether hostile and odd wordings are survived."""
    FORGETTING = "forgetting"
    """What the base or the parent knew and the candidate does not."""
    WIN_RATE = "win_rate"
    """Which of two versions is preferred."""
    PARITY = "parity"
    """Whether the engine computes what the training stack computes."""
    LOAD = "load"
    """Whether it keeps up with traffic."""
    HARNESS = "harness"
    """Public tasks of lm-evaluation-harness."""


class Load(Section):
    """Traffic of a load suite."""

    rate: Annotated[float, Field(gt=0)]
    """Requests in a second."""
    duration: Annotated[Duration, Field(gt=0)]
    """How long."""


class Suite(Section):
    """Questions put to the served candidate, and how its answers are judged."""

    kind: SuiteKind
    """What it finds out."""
    dataset: Name | None = None
    """Data set of the questions; none for `harness`."""
    questions: Annotated[int, Field(ge=1)] | None = None
    """Most questions that are asked; all where absent."""
    max_tokens: Annotated[int, Field(ge=1)] = 64
    """Longest answer."""
    load: Load | None = None
    """Traffic, for `load` only."""
    tasks: tuple[Text, ...] = ()
    """Names of public tasks, for `harness` only."""


class Gate(Section):
    """A condition that has to be certain before a version is promoted; `baseline` is its parent."""

    suite: Name
    """Suite that it is measured by."""
    require: Condition
    """What has to be proven: PASS if certain, FAIL if its opposite is, INCONCLUSIVE between the two."""
    alpha: Annotated[Ratio, Field(gt=0, lt=0.5)] = 0.05
    """Chance of a wrong verdict."""


class Judge(Section):
    """A model that judges answers, behind an OpenAI-compatible address."""

    base_url: WebAddress
    """Where it answers."""
    model: Text
    """What to ask it for."""
    api_key_env: Variable | None = None
    """Environment variable that holds its key."""
    repeats: Annotated[int, Field(ge=1, le=20)] = 2
    """Times each pair is judged; every time in both orders."""
    calibration: Name
    """Data set of role `preferences` with people's verdicts."""
    min_agreement: Ratio = 0.7
    """Least agreement with people before it may decide a gate."""


class EvaluationPolicy(Section):
    """What stands between a trained adapter and users."""

    suites: dict[Name, Suite]
    """The suites by name."""
    gates: dict[Name, Gate]
    """The gates by name; all have to pass."""
    judge: Judge | None = None
    """The judging model; without it only exact checks and people's votes count."""
