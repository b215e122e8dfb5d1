"""What a person is asked to merge: the change of loop.yaml with the version's files, its message, its words.

Called by `loop promote`. Pure: what is known in, a request out; `runner.git.desk` brings it to a branch.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from runner import digest
from runner.git import changes, messages
from runner.git.commit import Change
from runner.git.desk import Draft, Request
from runner.promotion.edits import begin_trial
from runner.promotion.readiness import Step
from runner.report.promotion import Dossier, to_markdown

PROMOTION = "Loop-Promotion"
"""Trailer: the served name of the version that a commit puts on trial."""


def branch_of(step: Step, served: str, environment: str) -> str:
    """Return the one branch on which a step of a version is asked for."""
    match step:
        case Step.TRIAL:
            return f"loop/promote-{environment}-{served}"
        case Step.BASELINE:
            return f"loop/conclude-{environment}-{served}"


def loop_file(step: Step, text: str, environment: str, candidate: str, stage: str) -> str:
    """Return loop.yaml after a step; `stage` is the first one. Raises TerminalError where no edit means that."""
    match step:
        case Step.TRIAL:
            return begin_trial(text, environment, candidate, stage)
        case Step.BASELINE:
            return changes.conclude(text, environment)


def request(step: Step, dossier: Dossier, parts: Sequence[Change], at: datetime) -> Request:
    """Return the request for a step that changes these files."""
    model, environment = dossier.model, dossier.environment
    served = digest.served_name(model.name, model.adapter.digest)
    match step:
        case Step.TRIAL:
            message, own = _message(dossier, served), (PROMOTION, served)
        case Step.BASELINE:
            message = messages.conclude_message(
                environment=environment,
                served=served,
                baseline=dossier.baseline,
                rollout="",
                evidence=dossier.standing,
            )
            own = (messages.ENVIRONMENT, environment)
    draft = Draft(tuple(parts), message, branch_of(step, served, environment), at)
    return Request(draft, dossier.title, to_markdown(dossier), own)


def _message(dossier: Dossier, served: str) -> str:
    """Return a subject for the log, the verdict for people, trailers for programs."""
    report = dossier.evaluation
    paragraphs = [changes.one_line(dossier.title, messages.SUBJECT_MAX)]
    if report is not None:
        gates = ", ".join(f"{each['gate']} {each['verdict']}" for each in report["gates"])
        paragraphs.append(changes.one_line(f"Against {report['against']['name']}: {gates}", 1000))
    paragraphs.append(f"{PROMOTION}: {served}\n{messages.ENVIRONMENT}: {dossier.environment}")
    return "\n\n".join(paragraphs) + "\n"
