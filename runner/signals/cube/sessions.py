"""Where sessions begin: a user who was silent for long, or was never there, begins one.

As in `signals.sessions`, the name that a client gives a session tells two of one user's apart. Ibis expressions that
name no backend.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir


def visits(requests: ir.Table, gap_us: int | ir.IntegerScalar) -> ir.Table:
    """Return hour, arm, version and segment with `requests` and `begins`: how many requests, and 1 where one of them
    begins a session: none of its user and session in the gap before it.

    `requests` have time_us, hour, user, session, arm, version and segment, and reach back one gap beyond what is
    asked about. They are counted in slots as long as the gap before anything is sorted: in a slot only the first can
    begin a session, and no slot but the one before can hold what keeps it from that. This halves time and memory. Of
    two requests at one moment the one whose arm, version and segment come first in the alphabet is the first.
    """
    rows = requests.mutate(slot=(requests["time_us"] // ibis.greatest(gap_us, 1)).cast("int64"))
    slots = rows.group_by("user", "session", "slot", "hour", "arm", "version", "segment").agg(
        requests=rows.count(), first=rows["time_us"].min(), last=rows["time_us"].max()
    )
    before = ibis.window(
        group_by=[slots["user"], slots["session"]],
        order_by=[slots[name] for name in ("first", "arm", "version", "segment")],
        preceding=(None, 1),
    )
    latest = slots["last"].max().over(before)
    begins = latest.isnull() | (slots["first"] - latest > gap_us)
    return slots.select("hour", "arm", "version", "segment", "requests", begins=begins.cast("int64"))
