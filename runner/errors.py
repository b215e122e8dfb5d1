"""What every part says when something is wrong, in one shape that people and programs can read.

A message has five parts: where, what, evidence, fix, and whether anything changed. Several are told at once.
This module imports nothing of the package and does no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a diagnostic matters: an error stops the command, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file; line and column count from 1, and 0 means that only the file is known."""

    path: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that is wrong: where it is, what it is, what shows it, and what to do about it."""

    summary: str
    location: Location | None = None
    evidence: tuple[str, ...] = ()
    fix: str | None = None
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        where = f"{self.location}: " if self.location else ""
        lines = [f"{self.severity.value}: {where}{self.summary}"]
        lines += [f"  {line}" for line in self.evidence]
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


class LoopError(Exception):
    """The root of all errors that a user may see; `changed` says what happened to the world before it."""

    def __init__(self, *diagnostics: Diagnostic, changed: str = "nothing was changed") -> None:
        super().__init__("\n".join(map(str, diagnostics)))
        self.diagnostics = diagnostics
        self.changed = changed


class TerminalError(LoopError):
    """Trying again cannot help: the desired state, the arguments or the files have to change first."""


class TransientError(LoopError):
    """An outside system failed or did not answer; the same call may succeed later."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The value of something that could not be observed. It is never the same as empty or absent."""

    reason: str


def terminal(
    summary: str, *evidence: str, fix: str | None = None, changed: str = "nothing was changed"
) -> TerminalError:
    """Make a terminal error of one diagnostic without a place in a file."""
    return TerminalError(Diagnostic(summary, evidence=evidence, fix=fix), changed=changed)


def transient(
    summary: str, *evidence: str, fix: str | None = None, changed: str = "nothing was changed"
) -> TransientError:
    """Make a transient error of one diagnostic without a place in a file."""
    return TransientError(Diagnostic(summary, evidence=evidence, fix=fix), changed=changed)
