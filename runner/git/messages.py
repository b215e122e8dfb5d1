"""What the runner's own commits say: a subject for the log, the evidence for people, trailers for programs.

Called by the reconciler; `trailers` reads back what the others wrote. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from runner.git.changes import one_line
from runner.git.repository import Commit

SUBJECT_MAX = 72
ROLLBACK = "Loop-Rollback"
ADVANCE = "Loop-Advance"
CONCLUDE = "Loop-Conclude"
ENVIRONMENT = "Loop-Environment"
ROLLOUT = "Loop-Rollout"
CONDITION = "Loop-Condition"
EVIDENCE = "Loop-Evidence"
RUN = "Loop-Run"
"""Trailer: what started the run of a workflow that made the commit, and the address of the run."""
_TRAILER = re.compile(r"([A-Za-z][A-Za-z0-9-]*): ?(.*)")
_PICKED = "(cherry picked from commit "


def advance_message(  # noqa: PLR0913 - the facts of an advance, each by its name
    *, environment: str, served: str, before: str, after: str, rollout: str, evidence: Sequence[str]
) -> str:
    """Return the message of the commit that moves a rollout from one stage to the next.

    `served` is NAME--DIGEST12; the first line of `evidence` is the one that the trailer repeats.
    """
    subject = f"Advance {_version(served)} to {after} in {environment}"
    facts = {
        ADVANCE: f"{served} {before} -> {after}",
        ENVIRONMENT: environment,
        ROLLOUT: rollout,
        EVIDENCE: evidence[0] if evidence else "",
    }
    return _message(subject, [list(evidence)], facts)


def conclude_message(  # noqa: PLR0913 - the facts of a conclusion, each by its name
    *,
    environment: str,
    served: str,
    baseline: str,
    rollout: str,
    evidence: Sequence[str],
    stages: Sequence[str] = (),
) -> str:
    """Return the message of the commit that makes the candidate `served` the baseline in the place of `baseline`.

    `evidence` is that of the last stage, `stages` a line for each step before it, oldest first.
    """
    subject = f"Make {_version(served)} the baseline in {environment}"
    before = f"{_version(baseline)} becomes the standby and stays loaded: going back is one commit."
    facts = {
        CONCLUDE: f"{baseline} -> {served}",
        ENVIRONMENT: environment,
        ROLLOUT: rollout,
        EVIDENCE: evidence[0] if evidence else "",
    }
    return _message(subject, [[before], list(evidence), list(stages)], facts)


def rollback_message(  # noqa: PLR0913 - the facts of a rollback, each by its name
    *,
    environment: str,
    served: str,
    rollout: str,
    condition: str,
    evidence: Sequence[str],
    reverts: Sequence[Commit] = (),
    how: str = "",
) -> str:
    """Return the message of the commit that takes a rollout back.

    `reverts` are the rollout's commits, newest first; `how` says what became of the file
    (`changes.How`), where that needs words.
    """
    subject = f"Roll back {_version(served)} in {environment}"
    undone = [f"Reverts {commit.revision.short} {commit.subject}" for commit in reverts]
    facts = {
        ROLLBACK: served,
        ENVIRONMENT: environment,
        ROLLOUT: rollout,
        CONDITION: condition,
        EVIDENCE: evidence[0] if evidence else "",
    }
    return _message(subject, [list(evidence), undone, [how] if how else []], facts)


def with_run(message: str, run: str) -> str:
    """Return a message that ends in trailers with one more, of the run that writes it; the same where there is none."""
    return f"{message.rstrip()}\n{RUN}: {one_line(run)}\n" if run else message


def trailers(message: str) -> Mapping[str, str]:
    """Return the trailers of a message or of its body: the last paragraph, where it holds nothing else."""
    paragraph = re.split(r"\n[ \t]*\n", message.strip().replace("\r\n", "\n"))[-1]
    found: dict[str, str] = {}
    for line in paragraph.splitlines():
        match = _TRAILER.fullmatch(line)
        if match is None and not line.startswith(_PICKED):
            return {}
        if match is not None:
            found[match[1]] = match[2].strip()
    return found


def _message(subject: str, paragraphs: Sequence[Sequence[str]], facts: Mapping[str, str]) -> str:
    parts = [one_line(subject, SUBJECT_MAX)]
    parts += ["\n".join(one_line(line, 1000) for line in lines) for lines in paragraphs if lines]
    parts.append("\n".join(f"{key}: {one_line(value)}" for key, value in facts.items() if value.strip()))
    return "\n\n".join(parts) + "\n"


def _version(served: str) -> str:
    """Return the name that people know, without the digest."""
    return served.rpartition("--")[0] or served
