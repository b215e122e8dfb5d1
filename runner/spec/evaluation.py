"""`policies/evaluation.yaml`: the suites a candidate is put through, and the gates that it has to pass."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

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


class Arbiter(StrEnum):
    """Who says which of two answers is better."""

    JUDGE = "judge"
    """The policy's judge, once it is calibrated: each pair in both orders."""
    VOTES = "votes"
    """People who compared the two versions in the arena; one of them alone decides nothing."""
    REFERENCE = "reference"
    """The right answer in the row: who is right wins; both right, or both wrong, is a tie."""


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
    """Data set of the questions; none for `harness`, and none where people's votes decide."""
    questions: Annotated[int, Field(ge=1)] | None = None
    """Most questions that are asked; all where absent."""
    max_tokens: Annotated[int, Field(ge=1)] = 64
    """Longest answer."""
    arbiter: Arbiter = Arbiter.JUDGE
    """Who decides, for `win_rate` only."""
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


class Calibrated(Section):
    """How often a judge is asked, and what it has to show before it may decide."""

    repeats: Annotated[int, Field(ge=1, le=20)] = 2
    """Times each pair is judged; every time in both orders."""
    calibration: Name
    """Data set of role `preferences` with people's verdicts."""
    pairs: Annotated[int, Field(ge=30)] = 100
    """Most pairs of it that the judge is put to, drawn by hash."""
    min_agreement: Ratio = 0.7
    """Agreement with people that has to be proven before it may decide a gate.

    Answering at random comes to 50%. Two people often agree on no more than two thirds of the pairs they compare.
    """


class Judge(Calibrated):
    """A model that judges answers, behind an OpenAI-compatible address."""

    base_url: WebAddress
    """Where it answers."""
    model: Text
    """What to ask it for."""
    api_key_env: Variable | None = None
    """Environment variable that holds its key."""


class SimulatedJudge(Calibrated):
    """Simulated customers in the place of a model, so that a small world has people without people.

    They are no model and know one shop. They answer over the same protocol, on a port of the loopback that is open
    for the time of an evaluation; whoever asks cannot tell them from a model.
    """

    simulated: Literal["bookshop"]
    """Whose customers: those of the bookshop."""


def _which(value: Any) -> str:
    """Return which judge is meant: whoever writes `simulated` wants no model. No key may be called like either."""
    named = isinstance(value, SimulatedJudge) or (isinstance(value, Mapping) and "simulated" in value)
    return "people" if named else "a model"


AnyJudge = Annotated[
    Annotated[Judge, Tag("a model")] | Annotated[SimulatedJudge, Tag("people")], Discriminator(_which)
]


class EvaluationPolicy(Section):
    """What stands between a trained adapter and users."""

    suites: dict[Name, Suite]
    """The suites by name."""
    gates: dict[Name, Gate]
    """The gates by name; all have to pass."""
    judge: AnyJudge | None = None
    """The judging model, or `simulated: bookshop`; without it only exact checks and people's votes count."""
