"""Every point of the checklist, a small function each: what was seen in, a verdict with its evidence out. Pure.

`graduation` holds the eight points that a deployment graduates by, `safety` what makes a change of versions harmless,
`monitoring` what makes trouble visible. A policy that says so passes nothing: each point wants something that happened.
"""

from runner.checklist.facts import Facts
from runner.checklist.points import graduation, monitoring, safety
from runner.checklist.points.finding import Area, Checked, Finding, Link, Point, Where

__all__ = ["Area", "Checked", "Finding", "Link", "Point", "Where", "check"]


def check(facts: Facts) -> Checked:
    """Return every point, judged. The same facts give the same verdicts."""
    points = (*graduation.points(facts), *safety.points(facts), *monitoring.points(facts))
    return Checked(facts.environment, facts.now, facts.revision, points)
