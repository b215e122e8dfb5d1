"""Looks at the evidence of a rollout many times between two passes, and at what people asked for.

Where it is time to go back, `guard` takes users off the candidate at once. Called by `loop`, which makes a pass
whenever something came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from runner.errors import Unknown
from runner.reconcile.desired import Trial
from runner.reconcile.distil import Declared
from runner.reconcile.guard import SWITCHED, Cause, Guard
from runner.reconcile.observed import Rollback
from runner.reconcile.ports import World
from runner.reconcile.routing import rollout_id
from runner.reconcile.trial import Subject
from runner.rollout import explain
from runner.rollout.verdict import Assessment, Step
from runner.signals.detection import Detection
from runner.spec.rollout import RolloutPolicy

NO_TRIAL = "there is no candidate on trial"
ROLLED_BACK, BEFORE = "rolled back", "it was rolled back before"
"""Answers to a wish: every gateway leads users to the baseline; one that does not is named after the first."""


class Evidence(Protocol):
    """What the event log says of the rollout."""

    def follow(self, subject: Subject | None) -> None:
        """Turn to a rollout and its stage, or to none."""

    def subject(self) -> Subject | None:
        """Return what it is about now."""

    async def look(self, now: float) -> Assessment | Unknown | None:
        """Take in what happened since and return what it comes to; Unknown where it cannot be read."""

    def cause(self) -> Cause:
        """Return the newest event that was taken in."""

    def close(self) -> None:
        """Keep what was taken in."""


class NoEvidence:
    """For a runner that makes a pass and goes: what a rollout comes to is a resident runner's to say."""

    def follow(self, subject: Subject | None) -> None:
        """Do nothing."""

    def subject(self) -> None:
        """Return that it is about nothing."""

    async def look(self, now: float) -> None:
        """Return nothing."""

    def cause(self) -> Cause:
        """Return no event."""
        return Cause()

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A rollback that a person asked for; `done` tells him what became of it."""

    reason: str
    by: str
    done: Callable[[str], None]


class News(Enum):
    """What came of a look."""

    NOTHING = auto()
    STEP = auto()
    """Another step follows than before: a pass should act on it."""
    ROLLED_BACK = auto()


@dataclass(slots=True)
class Lookout:
    """One environment's; `wishes` hands out what people asked for, each once."""

    evidence: Evidence
    guard: Guard
    wishes: Callable[[], Sequence[Wish]]
    clock: Callable[[], float]
    tell: Callable[[str], None]
    assessment: Assessment | Unknown | None = None
    judged_by: tuple[RolloutPolicy, Detection] | None = None

    def under(self, policy: RolloutPolicy, detection: Detection) -> Assessment | Unknown | None:
        """Return what the evidence says, None where it was judged by another policy, or detected by another one."""
        return self.assessment if self.judged_by == (policy, detection) else None

    async def look(self, declared: Declared, world: World) -> News:
        """Take in what is new and go back where that is due. Raises LoopError, OSError."""
        news = News.NOTHING
        for wish in self.wishes():  # before the evidence: a long past may take long to read
            news = await self.grant(wish, declared, world)
        before, subject = self.assessment, self.evidence.subject()
        self.assessment = await self.evidence.look(self.clock())
        self.judged_by = (subject.policy, subject.detection) if subject else None
        found, now = self.assessment, self.clock()
        if isinstance(found, Assessment):
            if found.step is Step.ROLL_BACK:
                rollback = _proven(found, declared, now)
                if await self._go_back(rollback, self.evidence.cause(), world) is not None:
                    news = News.ROLLED_BACK
            elif not isinstance(before, Assessment) or before.step is not found.step:
                news = News.STEP
        return news

    async def grant(self, wish: Wish, declared: Declared, world: World) -> News:
        """Do what a person asks for, and tell him. Raises LoopError, OSError."""
        if declared.desired.trial is None:
            wish.done(NO_TRIAL)
            return News.NOTHING
        rollback = _by_hand(wish, self.assessment, declared, self.clock())
        results = await self._go_back(rollback, Cause(), world)
        if results is None:
            wish.done(BEFORE)
            return News.NOTHING
        missed = [f"{url}: {result}" for url, result in results.items() if result != SWITCHED]
        wish.done("; ".join([ROLLED_BACK, *missed]))
        return News.ROLLED_BACK

    async def _go_back(self, rollback: Rollback, cause: Cause, world: World) -> Mapping[str, str] | None:
        """Take users off and return what became of each gateway; None where that was done before."""
        if rollback.served in self.guard.memory().rollbacks:
            return None
        results = await self.guard.roll_back(rollback, cause, world.gateways)
        self.tell(_told(rollback, results))
        return results


def _proven(found: Assessment, declared: Declared, now: float) -> Rollback:
    """Return the record of a rollback that the evidence asks for."""
    return Rollback(
        served=found.candidate,
        rollout_id=found.rollout_id,
        baseline=found.baseline,
        stage=found.stage,
        weight=found.weight,
        condition=explain.condition(found),
        evidence=explain.record(found),
        at=now,
        revision=declared.desired.revision,
    )


def _by_hand(wish: Wish, found: Assessment | Unknown | None, declared: Declared, now: float) -> Rollback:
    """Return the record of a rollback that a person asks for, with what the evidence says at that moment."""
    desired, trial = declared.desired, declared.desired.trial
    assert trial is not None, "the caller looked"  # noqa: S101
    return Rollback(
        served=trial.candidate.served,
        rollout_id=rollout_id(trial.candidate, desired.baseline),
        baseline=desired.baseline.served,
        stage=trial.stage,
        weight=trial.weight,
        condition=wish.reason,
        evidence=_asked(wish, found, trial),
        at=now,
        by=wish.by,
        revision=desired.revision,
    )


def _asked(wish: Wish, found: Assessment | Unknown | None, trial: Trial) -> tuple[str, ...]:
    """Return who asked, and what the evidence says at that moment."""
    who = f"asked for by {wish.by}"
    if not isinstance(found, Assessment):
        return (f"{who}, at {100 * trial.weight:.4g}% (stage '{trial.stage}')",)
    first, *more = explain.record(found)
    return (f"{who}; {first}", *more)


def _told(rollback: Rollback, results: Mapping[str, str]) -> str:
    said = [f"rolled back: {rollback.served} at '{rollback.stage}': {rollback.condition}"]
    said += [f"{url}: {result}" for url, result in results.items()]
    return "\n".join([*said, *rollback.evidence[:1]])
