"""One of the eight points: how soon users were off a candidate that had to go back. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from runner.checklist.facts import Facts, Journal, Rolled
from runner.checklist.points import common
from runner.checklist.points.finding import Finding, Link, Point, entry, graduates, missing, refuted, shown

LIMIT_S = 30.0
"""From the deciding event until nobody is on the candidate."""


def rollback(facts: Facts) -> Point:
    """Users were off a candidate within 30 s of the event that decided it."""
    wants = "users left a candidate within 30 s of the deciding event"
    journal = common.the_journal(facts, wants)
    if isinstance(journal, Finding):
        findings: tuple[Finding, ...] = (journal,)
    elif not journal.rollbacks:
        fix = "put a version on trial and take it back: `loop rollback --reason 'a drill'`"
        findings = (missing(wants, "the journal has no rollback", fix),)
    else:
        findings = (_slowest(journal, wants), *_strays(journal))
    return graduates("rollback", "30-second rollback by adapter swap", findings)


def zero_traffic(one: Rolled) -> float | None:
    """Return seconds from the deciding event until nobody was on the candidate; None where that is not known."""
    if one.switched is None or one.late or one.last_arrival is None:
        return None
    return max(0.0, one.switched - one.decided, one.last_arrival - one.decided)


def _slowest(journal: Journal, wants: str) -> Finding:
    """Return the finding of all rollbacks together: the slowest decides, and none may be unfinished."""
    used = [one for one in journal.rollbacks if one.last_arrival is not None or one.strays is None]
    if not used:
        one = journal.rollbacks[-1]
        text = f"nobody was given to {one.served} before it went back, so that it shows nothing"
        return missing(wants, text, "let a candidate have users first, then take it back", *_entries(one))
    times = [(zero_traffic(one), one) for one in used]
    open_ = [one for seconds, one in times if seconds is None]
    known = [(seconds, one) for seconds, one in times if seconds is not None]
    too_late = [(seconds, one) for seconds, one in known if seconds > LIMIT_S]
    if too_late:
        seconds, one = too_late[-1]
        text = f"{one.served} took {_ms(seconds)} ({one.condition})"
        return refuted(wants, text, "look what was in its way: `loop log -n 0`", *_entries(one))
    if open_:
        one = open_[-1]
        why = (
            f"not switched: {', '.join(one.late)}"
            if one.late
            else "its end is not written, or not in the log"
        )
        fix = "`loop status`, `loop log` say what it waits for"
        return missing(wants, f"{one.served}: {why}", fix, *_entries(one))
    seconds, newest = known[-1]
    slowest = max(seconds for seconds, _ in known)
    by = f"event {newest.event}" if newest.event else "a person's request"
    of_all = "" if len(known) == 1 else f"; slowest of {len(known)}: {_ms(slowest)}"
    said = f"{newest.served}: {_ms(seconds)} from {by} to zero traffic ({newest.condition}){of_all}"
    return shown(wants, said, *_entries(newest))


def _strays(journal: Journal) -> Iterator[Finding]:
    """Yield whether anybody was given to a candidate again after its users were off it."""
    wants = "nobody was given to it afterwards"
    stray = [one for one in journal.rollbacks if one.strays]
    if stray:
        text = "; ".join(f"{one.served}: {one.strays} requests" for one in stray)
        yield refuted(wants, text, "see which gateway: `loop status`", *_entries(stray[-1]))
    elif all(one.strays == 0 for one in journal.rollbacks):
        told = common.counted(len(journal.rollbacks), "rollback")
        yield shown(wants, f"0 requests after {told}", *_entries(journal.rollbacks[-1]))
    else:
        yield missing(wants, "the event log was not read", "`loop status --window all`")


def _entries(one: Rolled) -> tuple[Link, ...]:
    return (entry(one.attempted), *([entry(one.done)] if one.done is not None else []))


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:,.0f} ms"
