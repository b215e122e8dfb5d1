"""What people who watch a runner are told of its passes: what is new, and nothing again and again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.cli.narrate import Narrator
from runner.errors import Unknown
from runner.reconcile.actions import Hold, HoldReason
from runner.reconcile.apply import Report
from runner.reconcile.loop import Outcome
from runner.rollout.explain import standing
from runner.rollout.verdict import Assessment, Because
from tests.cli.test_explain import HELD
from tests.reconcile.simulated import Simulation, desired


class Watched:
    """A narrator, and the passes that it tells."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.narrator = Narrator(self.said.append)
        self.simulation = Simulation.of()

    def passes(self, *holds: Hold, assessment: Assessment | Unknown | None = None) -> list[str]:
        """Return what is told of a pass with these holds."""
        self.said.clear()
        observed, planned = self.simulation.observe(), self.simulation.plan(desired())
        seen = replace(observed, assessment=assessment)
        self.narrator(Outcome(seen, replace(planned, actions=(), holds=holds), Report()))
        return [line for line in self.said if line.startswith("held: ")]

    def rollout(self, found: Assessment) -> list[str]:
        reason = HoldReason.MISMATCH if found.because is Because.MISMATCH else HoldReason.EVIDENCE
        return self.passes(Hold("rollout chat-v1.1", reason, standing(found)), assessment=found)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_hold_of_a_rollout_is_told_again_when_its_reason_changes_and_not_its_figures(
    watched: Watched,
) -> None:
    (line,) = watched.rollout(HELD)
    assert line.startswith(
        "held: rollout chat-v1.1: the rollout waits for evidence: chat-v1.1--bbbbbbbbbbbb at 5%"
    )
    later = replace(HELD, elapsed=HELD.elapsed + 7, remaining=HELD.remaining - 7, sessions=300, evidence=9.0)
    assert watched.rollout(later) == []
    for change in (
        {"because": Because.NO_PROOF},
        {"extended": True},
        {"stage": "small"},
        {"rollout_id": "r-2"},
    ):
        later = replace(later, **change)  # type: ignore[arg-type]
        assert len(watched.rollout(later)) == 1, change
        assert watched.rollout(later) == []
    assert len(watched.rollout(replace(later, because=Because.MISMATCH))) == 1


def test_another_hold_is_told_when_its_words_change(watched: Watched) -> None:
    hold = Hold("rollout chat-v1.1", HoldReason.SUSPENDED, "since Monday")
    assert watched.passes(hold) == ["held: rollout chat-v1.1: suspended: since Monday"]
    assert watched.passes(hold) == []
    assert watched.passes(replace(hold, text="since Tuesday")) != []
    assert watched.passes() == []
    assert watched.passes(hold) != [], "it is back"


def test_evidence_that_cannot_be_read_is_told_by_its_words(watched: Watched) -> None:
    hold = Hold("rollout chat-v1.1", HoldReason.UNKNOWN, "the disk is gone")
    unknown = Unknown("the disk is gone")
    assert watched.passes(hold, assessment=unknown) == ["held: the disk is gone"]
    assert watched.passes(hold, assessment=unknown) == []
