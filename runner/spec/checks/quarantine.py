"""Quarantine: that what was rolled back is named once, is still known, and is not asked for as if nothing were.

Nothing here is an error. A rollback writes the file by itself, and must not keep other changes from being applied.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from runner import digest
from runner.errors import Diagnostic, Severity
from runner.spec.explain import listing
from runner.spec.files import Files
from runner.spec.parse import QUARANTINE_FILE, Parsed
from runner.spec.source import KeyPath

KEY = "quarantine"
LIFT = f"delete its entry in {QUARANTINE_FILE} by a commit to put it on trial again"


def check(parsed: Parsed, files: Files) -> Iterator[Diagnostic]:
    """Yield a warning for every entry that says nothing (more), and for every version that one keeps from users."""
    del files
    if KEY in parsed.paths:
        yield from _entries(parsed)
        yield from _asked_for(parsed)


def _entries(parsed: Parsed) -> Iterator[Diagnostic]:
    known = parsed.names["models"]
    first: dict[str, int] = {}
    for i, entry in enumerate(parsed.quarantine.quarantined):
        where = parsed.document(KEY).at("quarantined", i, "served")
        version = entry.served.rpartition("--")[0]
        if first.setdefault(entry.served, i) != i:
            summary = f"'{entry.served}' is quarantined twice"
            fix = "delete one of its entries; all of them to lift it"
            yield Diagnostic(summary, where, (), fix, Severity.WARNING)
        elif version not in known:
            summary = f"there is no version '{version}' to quarantine"
            fix = "delete the entry, or name a version that exists"
            yield Diagnostic(summary, where, (listing(known),), fix, Severity.WARNING)


def _asked_for(parsed: Parsed) -> Iterator[Diagnostic]:
    """Versions that an environment puts on trial, and that its users do not get."""
    since = {entry.served: entry for entry in parsed.quarantine.quarantined}
    for path, version, summary in _on_trial(parsed):
        model = parsed.models.get(version)
        entry = since.get(digest.served_name(version, model.adapter.digest)) if model else None
        if entry is not None:
            at = entry.at.astimezone(UTC)
            evidence = (f"rolled back in '{entry.environment}', {at:%Y-%m-%d %H:%M} UTC: {entry.condition}",)
            where = parsed.document("loop").at(*path)
            yield Diagnostic(summary, where, evidence, LIFT, Severity.WARNING)


def _on_trial(parsed: Parsed) -> Iterator[tuple[KeyPath, str, str]]:
    for name, environment in parsed.environments():
        path: KeyPath = ("environments", name)
        if environment.rollout is not None:
            version = environment.rollout.candidate
            summary = f"'{version}' is quarantined, so the candidate of '{name}' gets no users"
            yield (*path, "rollout", "candidate"), version, summary
        for i, experiment in enumerate(environment.experiments):
            for j, version in enumerate(experiment.versions):
                summary = f"'{version}' is quarantined, so nobody takes part in '{experiment.name}'"
                yield (*path, "experiments", i, "versions", j), version, summary
