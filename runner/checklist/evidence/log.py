"""What the event log holds: counts by kind, by day and by arm, and who came to a candidate after it was rolled back.

Called by `gather`, after the gateways were asked: whatever they had written by then must be here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import ibis.expr.types as ir

from runner.checklist.facts import ArmTraffic, Entered, Log, Rolled, Sourced, Span, Trained
from runner.errors import terminal
from runner.events import forgotten
from runner.events.lake import Lake
from runner.events.schema import Kind

DAY_US = 86_400_000_000
US = 1_000_000
NEWEST = 20
"""The most rollbacks whose users are looked for in the log; older ones are left out."""


def log(stored: Lake, state: Path, since: float) -> Log:
    """Return what the log holds; events of `since` (seconds since 1970) or later are counted apart."""
    return Log(
        kinds={kind.value: found for kind in Kind if (found := _span(stored, kind, since)) is not None},
        days=_days(stored.requests()),
        arms=_arms(stored.requests()),
        damaged=len(stored.damaged),
        forgotten=(state / forgotten.NAME).is_file(),
    )


def demand_files(stored: Lake, lake: Path) -> None:
    """Refuse a log of which files are gone: what is left of it would count too little. Raises TerminalError."""
    gone = [part.file for part in stored.parts if not (lake / part.file).is_file()]
    if gone:
        raise terminal(
            f"{len(gone)} files of the event log are gone, such as {gone[0]}",
            fix="restore them from a backup",
        )


def followed(stored: Lake, rollbacks: Sequence[Rolled], entered: Sequence[Entered]) -> tuple[Rolled, ...]:
    """Return the newest rollbacks with who came to their candidates, until the same rollout was begun again."""
    table = stored.requests()
    return tuple(_followed(table, one, entered) for one in rollbacks[-NEWEST:])


def _span(stored: Lake, kind: Kind, since: float) -> Span | None:
    table = stored.table(kind)
    time = table["event.time"]
    row = table.agg(
        n=table.count(), first=time.min(), last=time.max(), since=(time >= round(since * US)).sum()
    )
    (found,) = row.to_pyarrow().to_pylist()
    if not found["n"]:
        return None
    repeated = stored.repeated[kind]
    return Span(found["n"], found["first"] / US, found["last"] / US, (found["since"] or 0) + repeated)


def _days(requests: ir.Table) -> tuple[int, ...]:
    asked = requests.filter(~requests["loop.console"].coalesce(False))
    days = asked.select(day=(asked["event.time"] // DAY_US).cast("int64")).distinct()
    return tuple(sorted(days.to_pyarrow()["day"].to_pylist()))


def _arms(requests: ir.Table) -> tuple[ArmTraffic, ...]:
    own = requests.filter(requests["loop.rollout"].coalesce("") != "")
    rows = own.select(
        rollout=own["loop.rollout"],
        weight=own["loop.weight"].coalesce(0.0),
        arm=own["loop.arm.assigned"].coalesce(""),
        user=own["loop.user"],
        failed=(own["loop.outcome"] == "error").cast("int64"),
        fell_back=own["loop.fell_back"].coalesce(False).cast("int64"),
    )
    sums = rows.group_by("rollout", "weight", "arm").agg(
        n=rows.count(),
        users=rows["user"].nunique(),
        failed=rows["failed"].sum(),
        fell_back=rows["fell_back"].sum(),
    )
    found = sums.order_by("rollout", "weight", "arm").to_pyarrow().to_pylist()
    return tuple(ArmTraffic(**row) for row in found)


def _followed(requests: ir.Table, one: Rolled, entered: Sequence[Entered]) -> Rolled:
    """Return a rollback with the arrivals at its candidate, before users were switched and after."""
    again = [each.at for each in entered if each.rollout == one.rollout and each.entry > one.attempted]
    time = requests["event.time"]
    own = requests.filter(
        (requests["loop.rollout"] == one.rollout) & (requests["loop.arm.assigned"] == "candidate")
    )
    if again:
        own = own.filter(time < round(min(again) * US))
    switched = one.switched if one.switched is not None else one.decided
    late = (own["event.time"] > round(switched * US)).sum()
    (found,) = own.agg(last=own["event.time"].max(), late=late).to_pyarrow().to_pylist()
    if found["last"] is None:
        return replace(one, strays=0)
    return replace(one, last_arrival=found["last"] / US, strays=found["late"] or 0)


def traced(stored: Lake, sourced: Iterable[Sourced]) -> tuple[Trained, ...]:
    """Return how many rows of what versions were trained on lead to an event of the log."""
    return tuple(_traced(stored, each) for each in sourced)


def _traced(stored: Lake, sourced: Sourced) -> Trained:
    if sourced.rows is None:
        return Trained(sourced.version, sourced.path, None, 0)
    here = _present(stored, {event for events in sourced.rows for event in events})
    found = sum(not here.isdisjoint(events) for events in sourced.rows)
    return Trained(sourced.version, sourced.path, len(sourced.rows), found)


def _present(stored: Lake, ids: set[str]) -> frozenset[str]:
    """Return which ids are those of events in which somebody said something, or was answered."""
    found: set[str] = set()
    for kind in (Kind.VOTE, Kind.FEEDBACK, Kind.REQUEST) if ids else ():
        table = stored.table(kind)
        own = table.filter(table["event.id"].isin(sorted(ids))).select("event.id")
        found.update(own.to_pyarrow()["event.id"].to_pylist())
    return frozenset(found)
