"""What makes a change of versions harmless: held against what serves, what was written and what was logged.

Called by `check`. Pure: facts in, points out.
"""

from __future__ import annotations

from runner.checklist.facts import Facts
from runner.checklist.points.finding import Area, Point
from runner.checklist.points.serving import digests, loaded
from runner.checklist.points.sparing import holdback, quarantine, unharmed
from runner.checklist.points.stepping import conditions, freeze, gates, writing


def points(facts: Facts) -> tuple[Point, ...]:
    """Return the points of deployment safety."""
    return tuple(
        Point(name, Area.SAFETY, wants, tuple(findings))
        for name, wants, findings in (
            ("loaded", "baseline and standby are loaded and verified", loaded(facts)),
            ("conditions", "every stage has a condition that goes back", conditions(facts)),
            ("quarantine", "what was rolled back gets nobody", quarantine(facts)),
            ("writing", "what is decided comes into Git", writing(facts)),
            ("holdback", "some stay on the baseline at full traffic", holdback(facts)),
            ("freeze", "nothing is promoted in a freeze window", freeze(facts)),
            ("unharmed", "no request fails because of a rollout", unharmed(facts)),
            ("gates", "gates decide what is promoted", gates(facts)),
            ("digests", "what serves are the bytes that Git names", digests(facts)),
        )
    )
