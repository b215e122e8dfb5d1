"""What a policy would have done with a rollout that is in the event log.

Called by `loop backtest` and by the plan of a pull request that changes the policy. Logged events go through the
same ledger and the same `assess` as live ones, in the order of their times, with a look wherever something can
have changed. What it cannot know: the log has the traffic that was given then, so a stage that would have begun
earlier had less of it here than it would have had. Computation only: events in, values out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from runner.events.schema import Kind
from runner.rollout.assess import StageFacts, assess
from runner.rollout.compile import compile as compile_policy
from runner.rollout.findings import Look, findings
from runner.rollout.ledger import Ledger
from runner.rollout.trials import KINDS, Trial, time_us, weight_at
from runner.rollout.verdict import Assessment, Because, Finding, Step, Verdict
from runner.signals.detection import SHIPPED, Detection
from runner.spec.load import Spec
from runner.spec.rollout import RolloutPolicy

Event = Mapping[str, Any]
Rules = tuple[RolloutPolicy, Detection]
"""What a rollout is judged by."""
Progress = Callable[[int, int], None]
"""Told how much is done, of how much."""

SETTLE_S = 10.0
"""After the window for asking again, so long until it is closed; then a look can find more."""
EXACT = 0.01
"""Once a stage may advance, its whole assessment is made again when so much of its time so far has passed again."""


def silent(done: int, total: int) -> None:
    """Tell nobody."""


class Ended(StrEnum):
    """How a stage came to its end."""

    ADVANCED = "advanced"
    ASKED = "a person would have been asked, and is taken to have agreed at once"
    CONCLUDED = "proven: it would have been made the baseline"
    ROLLED_BACK = "rolled back"
    LOG_ENDS = "the log ends"


@dataclass(frozen=True, slots=True)
class Passage:
    """A stage as the policy would have gone through it; times are seconds since 1970.

    `logged` is the share of traffic that the candidate really had when the stage would have begun.
    """

    stage: str
    declared: float
    logged: float
    since: float
    until: float
    ended: Ended


@dataclass(frozen=True, slots=True)
class Stop:
    """The rollback: when, after which request (the `requests`-th of the rollout), what for, and the figures."""

    at: float
    elapsed: float
    stage: str
    requests: int
    request_id: str
    because: Because
    condition: str
    evidence: float
    threshold: float
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """What one policy would have made of a trial; `last` is the assessment at its end."""

    passages: tuple[Passage, ...]
    stop: Stop | None
    last: Assessment
    looks: int

    @property
    def open(self) -> tuple[Finding, ...]:
        """What was decided neither way at the end."""
        return tuple(each for each in self.last.findings if each.verdict is Verdict.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often one looks: every `every` seconds; an advance is dated to within the share `exact` of the stage."""

    every: float
    exact: float = EXACT


def rules_of(spec: Spec, root: Path) -> Rules:
    """Return what a spec judges rollouts by; of `policies/signals.yaml` only what its conditions ask for.

    A model's file is the one in the checkout at `root`.
    """
    policy = spec.policies.rollout
    detection = Detection.of(spec.policies.signals).below(root)
    return policy, detection.needed_by(compile_policy(policy).sources)


def replay(
    policy: RolloutPolicy,
    trial: Trial,
    progress: Progress = silent,
    cadence: Cadence | None = None,
    detection: Detection = SHIPPED,
) -> Course:
    """Return what a policy would have done, looking as often as it says where no cadence is given.

    Raises TerminalError where it asks for refusals and the model of `detection` cannot be used.
    """
    return _Replay(policy, trial, cadence or Cadence(policy.decision.every), detection).run(progress)


def assess_logged(  # noqa: PLR0913 - a stage in force, and what it is judged by
    policy: RolloutPolicy,
    trial: Trial,
    stage: str,
    now: float,
    since: float | None = None,
    *,
    detection: Detection = SHIPPED,
) -> Assessment:
    """Return what all events of a trial come to at `now`, in a stage in force since `since`.

    The stages before are those whose share of traffic was logged; where `since` is not given, it is when the
    share of `stage` was first given. ValueError where the policy has no such stage, TerminalError as `replay`.
    """
    ledger = Ledger(compile_policy(policy), trial.rollout_id, detection)
    names = {min(each.traffic, 1.0 - policy.holdback): each.name for each in policy.stages}
    begins = [share.since for share in trial.shares if names.get(share.weight) == stage]
    for until, events in _slices(trial.events, trial.started, policy.decision.every):
        ledger.enter(names.get(weight_at(trial.shares, until), stage))
        for wanted in KINDS:
            ledger.absorb(wanted, [event for kind, event in events if kind is wanted])
        ledger.tick(until)
    ledger.enter(stage)
    ledger.tick(now)
    start = since if since is not None else min(begins, default=trial.started)
    facts = StageFacts(trial.candidate, trial.baseline, stage, start, trial.started)
    return _with_proof(assess(policy, ledger, facts, now), policy, ledger)


def _with_proof(found: Assessment, policy: RolloutPolicy, ledger: Ledger) -> Assessment:
    """Return an assessment with the findings of what was proven, also where another stage is in force by now."""
    if ledger.latched is None or any(each.condition == found.condition for each in found.findings):
        return found
    blind = found.mismatch is not None and found.mismatch.found
    look = Look(ledger, policy.decision, blind, alone=found.weight >= 1.0)
    proven = [each for each in ledger.tests.conditions if each.name == ledger.latched.condition]
    own = tuple(finding for each in proven for finding in findings(look, each))
    return replace(found, findings=(*own, *found.findings))


class _Replay:
    """One pass of a trial's events through one policy."""

    def __init__(self, policy: RolloutPolicy, trial: Trial, cadence: Cadence, detection: Detection) -> None:
        self._policy, self._trial = policy, trial
        self._settle = detection.within + SETTLE_S
        self._every, self._exact = cadence.every, cadence.exact
        self._stages = {stage.name: stage for stage in policy.stages}
        self._ledger = Ledger(compile_policy(policy), trial.rollout_id, detection)
        self._stage, self._since = policy.stages[0].name, trial.started
        self._passages: list[Passage] = []
        self._stop: Stop | None = None
        self._requests, self._request_id = 0, ""
        self._looks = 0
        self._assessed = trial.started

    def run(self, progress: Progress) -> Course:
        """Go through the events until the candidate is sent back, becomes the baseline, or the log ends."""
        self._ledger.enter(self._stage)
        over = False
        done, total, last = 0, len(self._trial.events), self._trial.started
        for until, events in _slices(self._trial.events, self._trial.started, self._every):
            if over := self._quiet(last, until - self._every):
                last = self._assessed
                break
            self._absorb(events)
            done += len(events)
            progress(done, total)
            last = until
            if over := self._look(until):
                break
        progress(total, total)  # of what comes after a rollback nothing is left to do
        assessment = self._assess(last)
        if not over:
            self._pass(last, Ended.LOG_ENDS)
        return Course(tuple(self._passages), self._stop, assessment, self._looks)

    def _quiet(self, begin: float, end: float) -> bool:
        """Look where time alone changes something between two slices; return whether that ended it."""
        fixed = (begin + self._settle, begin + self._policy.decision.session_gap + self._every)
        while begin < end:
            due = [moment for moment in (*fixed, *self._boundaries()) if begin < moment < end]
            if not due:
                return False
            begin = min(due)
            if self._look(begin):
                return True
        return False

    def _boundaries(self) -> tuple[float, ...]:
        """Return when the stage's time is over, and when it is over once extended."""
        length = self._policy.least(self._stages[self._stage])
        return self._since + length, self._since + 2 * length

    def _absorb(self, events: Sequence[tuple[Kind, Event]]) -> None:
        for wanted in KINDS:
            batch = [event for kind, event in events if kind is wanted]
            if batch:
                self._ledger.absorb(wanted, batch)
            if batch and wanted is Kind.REQUEST:
                self._requests += len(batch)
                self._request_id = str(batch[-1]["loop.request.id"])

    def _assess(self, now: float) -> Assessment:
        trial = self._trial
        facts = StageFacts(trial.candidate, trial.baseline, self._stage, self._since, trial.started)
        self._assessed = now
        return assess(self._policy, self._ledger, facts, now)

    def _may_step(self, now: float) -> bool:
        """Return whether an assessment can come to more than "too early": anything proven is latched before."""
        if self._ledger.latched is not None:
            return True
        if now < self._since + self._policy.least(self._stages[self._stage]):
            return False
        return now - self._assessed >= self._exact * (now - self._since)

    def _look(self, now: float) -> bool:
        """Do what the evidence says at a moment; return whether that ended the rollout."""
        self._looks += 1
        self._ledger.tick(now)
        if not self._may_step(now):
            return False
        found = self._assess(now)
        if found.step is Step.ROLL_BACK:
            self._stop = self._stopped(found, now)
            self._pass(now, Ended.ROLLED_BACK)
            return True
        if found.step is Step.CONCLUDE:
            self._pass(now, Ended.CONCLUDED)
            return True
        asked = found.because is Because.PULL_REQUEST
        if found.next_stage is not None and (found.step is Step.ADVANCE or asked):
            self._pass(now, Ended.ASKED if asked else Ended.ADVANCED)
            self._stage, self._since = found.next_stage, now
            self._ledger.enter(self._stage)
        return False

    def _stopped(self, found: Assessment, now: float) -> Stop:
        return Stop(
            at=now,
            elapsed=now - self._trial.started,
            stage=self._stage,
            requests=self._requests,
            request_id=self._request_id,
            because=found.because,
            condition=found.condition,
            evidence=found.evidence,
            threshold=found.threshold,
            findings=tuple(each for each in found.findings if each.condition == found.condition),
        )

    def _pass(self, until: float, ended: Ended) -> None:
        declared = min(self._stages[self._stage].traffic, 1.0 - self._policy.holdback)
        logged = weight_at(self._trial.shares, self._since)
        self._passages.append(Passage(self._stage, declared, logged, self._since, until, ended))


def _slices(
    events: Sequence[tuple[Kind, Event]], started: float, every: float
) -> Iterator[tuple[float, Sequence[tuple[Kind, Event]]]]:
    """Yield the events between two looks, with the time of the second; looks at nothing new are left out."""
    begin, number = 0, None
    for place, (_, event) in enumerate(events):
        slot = int((time_us(event) / 1e6 - started) // every)
        if number is not None and slot != number:
            yield started + (number + 1) * every, events[begin:place]
            begin = place
        number = slot
    if number is not None:
        yield started + (number + 1) * every, events[begin:]
