"""A pass of the reconciler as lines for people who watch `loop up`, `loop run` or `loop apply`. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runner.reconcile import actions
from runner.reconcile.actions import HoldReason
from runner.reconcile.loop import Outcome
from runner.report import plan as report
from runner.rollout.verdict import Assessment

_OF_EVIDENCE = frozenset({HoldReason.EVIDENCE, HoldReason.MISMATCH})
"""Holds whose figures move at every look; they are told again when the reason changes."""


@dataclass(slots=True)
class Narrator:
    """Tells what is new: every action, and a state or a hold only when it changes."""

    tell: Callable[[str], None]
    _said: str = ""
    _refused: str = ""
    _holds: frozenset[str] = frozenset()

    def __call__(self, outcome: Outcome) -> None:
        """Tell one pass."""
        for action in outcome.report.done:
            self.tell(f"done: {_line(action)}")
        for failed in outcome.report.failed:
            self.tell(f"failed ({failed.kind.value}): {_line(failed.action)}\n{failed.message}")
        if outcome.refusal is not None and outcome.refusal.revision != self._refused:
            self._refused = outcome.refusal.revision
            self.tell(
                f"revision {self._refused[:12]} is refused, the last good one stays\n{outcome.refusal.message}"
            )
        holds = {_essence(hold, outcome): _held(hold) for hold in outcome.plan.holds}
        for text in sorted(text for essence, text in holds.items() if essence not in self._holds):
            self.tell(text)
        self._holds = frozenset(holds)
        verdict = f"{outcome.plan.environment} at {outcome.plan.revision[:12]}: {outcome.plan.verdict.value}"
        if not outcome.acted and verdict != self._said:
            self._said = verdict
            self.tell(verdict)


def _essence(hold: actions.Hold, outcome: Outcome) -> str:
    """Return what has to change before a hold is told again."""
    found = outcome.observed.assessment
    if hold.reason in _OF_EVIDENCE and isinstance(found, Assessment):
        return f"{hold.subject}: {found.rollout_id} {found.stage} {found.because.value} {found.extended}"
    return _held(hold)


def _held(hold: actions.Hold) -> str:
    if hold.reason is HoldReason.UNKNOWN:
        return f"held: {hold.text}"
    return f"held: {hold.subject}: {hold.reason.value}: {hold.text}"


def _line(action: actions.Action) -> str:
    return f"{report.describe(actions.to_json(action))}: {action.reason.value}"
