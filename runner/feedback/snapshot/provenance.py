"""What a snapshot says of itself: from what it was made, by which code and policies, what was checked and rejected.

`provenance.json` is written last, so that its presence means a whole snapshot. It holds no time of its own: the same
input gives the same bytes. Training and `loop plan` read it and use no snapshot whose verdict is FAIL.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runner import digest
from runner.errors import Diagnostic, Location, TerminalError, terminal
from runner.feedback.datasets.rows import Row
from runner.feedback.labels import TaskAgreement
from runner.feedback.preferences.findings import Check, Finding, Verdict
from runner.feedback.snapshot.build import Snapshot

SCHEMA = 1
"""Raised when older provenance is to be read otherwise."""


@dataclass(frozen=True, slots=True)
class Origins:
    """What a snapshot was made from, beside what was collected."""

    revision: str
    """Git revision of the code; with `+` where files under `runner/` differ from it."""
    policies: Mapping[str, str]
    """Path of a policy -> digest of what it says."""
    suites: Mapping[str, str]
    """Evaluation suite -> DVC's hash of the file whose questions were kept out."""
    collected: Mapping[str, Any]
    """What the manifest of `datasets/collected/` says."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file of a snapshot."""

    rows: int
    bytes: int
    sha256: str
    md5: str
    """DVC's hash of it."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """A snapshot's own account; `counts` is file -> what is counted -> name -> rows."""

    id: str
    verdict: Verdict
    origins: Origins
    files: Mapping[str, FileFacts]
    counts: Mapping[str, Mapping[str, Mapping[str, int]]]
    checks: tuple[Finding, ...]
    rejected: Mapping[str, Mapping[str, int]]
    """Use -> reason -> how many; what has several reasons counts for each."""
    agreement: Mapping[str, Mapping[str, Any]]
    more_detailed: float | None

    @property
    def passed(self) -> bool:
        """Whether one may train on it without asking: every check passed."""
        return self.verdict is Verdict.PASS


def describe(snapshot: Snapshot, files: Mapping[str, bytes], origins: Origins) -> Provenance:
    """Return the account of a snapshot whose files have these bytes."""
    facts = {name: _facts(content) for name, content in files.items()}
    return Provenance(
        id=digest.of_value([[name, each.sha256] for name, each in sorted(facts.items())]),
        verdict=snapshot.verdict,
        origins=origins,
        files=facts,
        counts={
            "preferences": _counts(snapshot.preferences, "category", "language", "origin"),
            "corrections": _counts(snapshot.corrections, "category", "language", "accepted"),
            "thumbs": _counts(snapshot.thumbs, "category", "language", "label"),
            "cases": _counts(snapshot.cases, "category", "language", "accepted"),
        },
        checks=snapshot.checks,
        rejected=_reasons(snapshot),
        agreement={task.value: _agreement(each) for task, each in snapshot.settled.agreement.items()},
        more_detailed=snapshot.more_detailed,
    )


def to_json(provenance: Provenance) -> dict[str, Any]:
    """Return it as plain JSON values."""
    return {"schema": SCHEMA, **asdict(provenance)}


def read(path: Path) -> Provenance:
    """Read a snapshot's account. Raises TerminalError where there is none or it is damaged, and OSError."""
    try:
        value = json.loads(path.read_bytes())
        if value.pop("schema") != SCHEMA:
            raise ValueError(f"its schema is not {SCHEMA}")
        return _from_json(value)
    except FileNotFoundError:
        raise terminal(
            "there is no snapshot", f"{path} is not there", fix="make one: `loop data snapshot`"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TerminalError(
            Diagnostic(
                "the account of the snapshot is damaged",
                Location(str(path)),
                (f"{type(error).__name__}: {error}",),
                "make the snapshot again: `loop data snapshot`",
            )
        ) from error


def _from_json(value: Mapping[str, Any]) -> Provenance:
    checks = (
        Finding(
            **{
                **each,
                "check": Check(each["check"]),
                "verdict": Verdict(each["verdict"]),
                "names": tuple(each["names"]),
            }
        )
        for each in value["checks"]
    )
    return Provenance(
        **{
            **value,
            "verdict": Verdict(value["verdict"]),
            "origins": Origins(**value["origins"]),
            "files": {name: FileFacts(**each) for name, each in value["files"].items()},
            "checks": tuple(checks),
        }
    )


def _facts(content: bytes) -> FileFacts:
    return FileFacts(
        content.count(b"\n"),
        len(content),
        digest.of_bytes(content),
        hashlib.md5(content, usedforsecurity=False).hexdigest(),
    )


def _counts(rows: Iterable[Row], *columns: str) -> dict[str, dict[str, int]]:
    rows = list(rows)
    return {column: dict(sorted(Counter(_word(row[column]) for row in rows).items())) for column in columns}


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _reasons(snapshot: Snapshot) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for each in snapshot.rejected:
        found.setdefault(each.use.value, Counter()).update(why.value for why in each.reasons)
    return {use: dict(sorted(counts.items())) for use, counts in sorted(found.items())}


def _agreement(found: TaskAgreement) -> dict[str, Any]:
    alpha = found.krippendorff
    return {
        "items": found.items,
        "labels": found.labels,
        "verdict": found.verdict.value,
        "reason": found.reason,
        "alpha": alpha.alpha if alpha else None,
        "low": alpha.low if alpha else None,
        "high": alpha.high if alpha else None,
    }
