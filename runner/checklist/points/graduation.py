"""The eight points that a deployment graduates by: each is something that happened here, not something that is planned.

Called by `check`. Pure: facts in, points out.
"""

from __future__ import annotations

from runner.checklist.facts import Facts
from runner.checklist.points.course import canary, cycle
from runner.checklist.points.finding import Point
from runner.checklist.points.learning import cost, feedback
from runner.checklist.points.proving import suites
from runner.checklist.points.returning import rollback
from runner.checklist.points.showing import dashboard, drift


def points(facts: Facts) -> tuple[Point, ...]:
    """Return the eight points."""
    return (
        dashboard(facts),
        drift(facts),
        feedback(facts),
        cost(facts),
        rollback(facts),
        cycle(facts),
        canary(facts),
        suites(facts),
    )
