"""A pass of the reconciler as lines for people who watch `loop up`, `loop run` or `loop apply`. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from runner.reconcile import actions
from runner.reconcile.loop import Outcome
from runner.report import plan as report


@dataclass(slots=True)
class Narrator:
    """Tells what is new: every action, and a state or a hold only when it changes."""

    tell: Callable[[str], None]
    _said: str = ""
    _refused: str = ""
    _holds: set[str] = field(default_factory=set)

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
        holds = {_held(hold) for hold in outcome.plan.holds}
        for text in sorted(holds - self._holds):
            self.tell(text)
        self._holds = holds
        verdict = f"{outcome.plan.environment} at {outcome.plan.revision[:12]}: {outcome.plan.verdict.value}"
        if not outcome.acted and verdict != self._said:
            self._said = verdict
            self.tell(verdict)


def _held(hold: actions.Hold) -> str:
    if hold.reason is actions.HoldReason.UNKNOWN:
        return f"held: {hold.text}"
    return f"held: {hold.subject}: {hold.reason.value}: {hold.text}"


def _line(action: actions.Action) -> str:
    return f"{report.describe(actions.to_json(action))}: {action.reason.value}"
