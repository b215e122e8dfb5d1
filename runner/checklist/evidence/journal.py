"""What the runner wrote down: rollbacks with their times, stages, probes, steps to Git.

Called by `gather`. It reads without the journal's lock.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from runner.checklist.facts import Entered, Journal, Rolled, Written
from runner.reconcile.guard import SWITCHED
from runner.reconcile.journal import archives, read
from runner.reconcile.memory import Entry, Kind, fold

TO_GIT = ("write_rollback", "advance_stage", "conclude_rollout")
"""Actions that write into Git."""


def journal(path: Path, root: Path, gateways: Sequence[str]) -> Journal:
    """Return what the journal says; `gateways` are the addresses that a rollback had to switch.

    Raises TerminalError where it was changed, OSError.
    """
    entries = _once(itertools.chain.from_iterable(map(read, (*archives(path), path))))
    memory, shown = fold(entries), path.relative_to(root.absolute()).as_posix()
    found = Journal(
        path=shown,
        entries=len(entries),
        first=entries[0].at if entries else None,
        rollbacks=tuple(_rollbacks(entries, gateways)),
        entered=tuple(_entered(entries)),
        written=tuple(_written(entries)),
        probed={str(e.body["served"]): e.sequence for e in entries if _is(e, Kind.DONE, "probe_adapter")},
        open=tuple(sorted(memory.rollbacks)),
        failing=tuple(
            f"{name} failed {failure.count} times: {failure.message.splitlines()[0]}"
            for name, failure in sorted(memory.failures.items())
            if name.partition(" ")[0] in TO_GIT
        ),
    )
    last = next((each for each in reversed(entries) if each.kind is Kind.IN_SYNC), None)
    if last is None:
        return found
    return replace(found, in_sync=(last.sequence, str(last.body["revision"]), str(last.body["spec_digest"])))


def _once(entries: Iterator[Entry]) -> list[Entry]:
    """Return each entry once: a rotation that was cut short leaves some of them in two files."""
    return list({each.sequence: each for each in entries}.values())


def _is(entry: Entry, kind: Kind, action: str) -> bool:
    return entry.kind is kind and entry.body.get("action") == action


def _entered(entries: Sequence[Entry]) -> Iterator[Entered]:
    for each in entries:
        if each.kind is Kind.ENTERED:
            body = each.body
            yield Entered(each.sequence, str(body["rollout_id"]), str(body["stage"]), float(body["since"]))


def _written(entries: Sequence[Entry]) -> Iterator[Written]:
    for each in entries:
        if each.kind is Kind.DONE and each.body.get("action") in TO_GIT:
            result = each.body["result"]
            yield Written(each.sequence, each.at, str(each.body["action"]), str(result["written"]))


def _rollbacks(entries: Sequence[Entry], gateways: Sequence[str]) -> Iterator[Rolled]:
    for at, each in enumerate(entries):
        if _is(each, Kind.ATTEMPTED, "roll_back"):
            yield _rolled(each, entries[at + 1 :], gateways)


def _rolled(begun: Entry, after: Sequence[Entry], gateways: Sequence[str]) -> Rolled:
    """Return one rollback: its cause, and when each gateway had switched."""
    rollback, cause = begun.body["rollback"], begun.body["cause"]
    served = str(rollback["served"])
    done = next((e for e in after if _is(e, Kind.DONE, "roll_back") and e.body.get("served") == served), None)
    said = done.body["result"]["gateways"] if done is not None else dict.fromkeys(gateways, "")
    times = {url: _switched(url, result, done, after) for url, result in said.items()}
    known = [at for at in times.values() if at is not None]
    return Rolled(
        served=served,
        rollout=str(rollback["rollout_id"]),
        stage=str(rollback["stage"]),
        condition=str(rollback["condition"]),
        event=str(cause["event"]),
        decided=cause["time_us"] / 1e6 if cause["event"] else float(rollback["at"]),
        attempted=begun.sequence,
        done=done.sequence if done is not None else None,
        switched=max(known) if known and len(known) == len(times) else None,
        late=tuple(url for url, at in times.items() if at is None),
    )


def _switched(url: str, result: str, done: Entry | None, after: Sequence[Entry]) -> float | None:
    """Return when a gateway had switched: at once, else by a later pass, at the latest when live agreed with Git."""
    if done is not None and result == SWITCHED:
        return done.at
    for each in after:
        if _is(each, Kind.DONE, "switch_routes") and each.body.get("gateway") == url:
            return each.at
        if each.kind is Kind.IN_SYNC:
            return each.at
    return None
