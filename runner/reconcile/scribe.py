"""Writes what a rollout has come to into Git, and tells people outside. The real `Scribe` of `ports`.

Called by `apply`, beside the passes and never in the way of users: Git may be away for hours. Every call looks at
the branch as it is now and does what is still missing, so that it can be repeated after a crash. It decides
nothing that the plan has not decided.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from runner.digest import served_name
from runner.errors import LoopError, TerminalError, terminal
from runner.git import changes, messages
from runner.git.desk import Desk, Draft, edit
from runner.git.forge import Mark, Status
from runner.git.history import introduced
from runner.git.notify import Notice
from runner.git.repository import Commit, Repository, Revision
from runner.reconcile.actions import AdvanceStage, ConcludeRollout
from runner.reconcile.observed import Rollback
from runner.reconcile.presence import digest_if_whole
from runner.spec.load import load_or_raise
from runner.spec.quarantine import Quarantined

CONTEXT = "loop/rollout"


Post = Callable[[Notice], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class GitScribe:
    """Writes for one environment. `post` tells the webhook, None where nobody asked for it."""

    desk: Desk
    environment: str
    post: Post | None = None

    async def roll_back(self, rollback: Rollback, by_pull_request: bool) -> Mapping[str, str]:
        """Take the rollout out of loop.yaml and put its bytes into quarantine.yaml. Raises LoopError."""
        return await self._write(lambda tip: _rollback_draft(self, tip, rollback), by_pull_request)

    async def advance(self, action: AdvanceStage) -> Mapping[str, str]:
        """Write the next stage into loop.yaml. Raises LoopError."""
        return await self._write(lambda tip: _advance_draft(self, tip, action), action.by_pull_request)

    async def conclude(self, action: ConcludeRollout) -> Mapping[str, str]:
        """Write the candidate into loop.yaml as the baseline. Raises LoopError."""
        return await self._write(lambda tip: _conclude_draft(self, tip, action), action.by_pull_request)

    async def notify(self, rollback: Rollback) -> Mapping[str, str]:
        """Tell the webhook and the status of the commit that was rolled back. Raises LoopError."""
        if self.post is not None:
            await self.post(_notice(self.environment, rollback))
        if len(rollback.revision) in _SHA:
            text = f"rolled back {rollback.served}: {rollback.condition}"
            mark = Mark(Status.FAILURE, f"{CONTEXT} ({self.environment})", text)
            try:
                await self.desk.forge.set_status(Revision(rollback.revision), mark)
            except LoopError as error:
                if self.post is None:
                    raise
                return {"note": str(error)}  # people know already, and are not told again for a status
        return {}

    async def _write(
        self, draft: Callable[[Revision], Draft | None], by_pull_request: bool
    ) -> Mapping[str, str]:
        found = await self.desk.write(draft, by_pull_request=by_pull_request)
        return {"written": found.written, "note": found.note}


_SHA = (40, 64)


def _notice(environment: str, rollback: Rollback) -> Notice:
    landed = len(rollback.written) in _SHA
    return Notice(
        event="rolled back",
        environment=environment,
        served=rollback.served,
        condition=rollback.condition,
        evidence=rollback.evidence,
        at=rollback.at,
        revision=rollback.written if landed else "",
        address="" if landed else rollback.written,
    )


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).replace(microsecond=0)


def _rollback_draft(scribe: GitScribe, tip: Revision, rollback: Rollback) -> Draft | None:
    """Return what Git still lacks of a rollback, or None where it has all of it."""
    desk = scribe.desk
    old = desk.text(tip, changes.QUARANTINE_FILE)
    new = changes.quarantine_entry(old, _entry(scribe.environment, rollback))
    made = [edit(changes.QUARANTINE_FILE, old, new)] if new != old else []
    now = desk.text(tip, changes.LOOP_FILE)
    reverts: Sequence[Commit] = ()
    how = ""
    if now is not None and _is_on_trial(desk, tip, scribe.environment, rollback.served):
        origin = introduced(desk.repository, tip, scribe.environment)
        before, entered = (origin.before, origin.text) if origin else (None, None)
        after, way = changes.roll_back(now, before, scribe.environment, entered)
        made.append(edit(changes.LOOP_FILE, now, after))
        reverts, how = (origin.commits if origin else ()), way.value
    if not made:
        return None
    message = messages.rollback_message(
        environment=scribe.environment,
        served=rollback.served,
        rollout=rollback.rollout_id,
        condition=rollback.condition,
        evidence=rollback.evidence,
        reverts=reverts,
        how=how,
    )
    branch = f"loop/rollback-{rollback.served}-{int(rollback.at)}"
    return Draft(tuple(made), message, branch, _moment(rollback.at))


def _entry(environment: str, rollback: Rollback) -> Quarantined:
    return Quarantined(
        served=rollback.served,
        environment=environment,
        at=_moment(rollback.at),
        condition=changes.one_line(rollback.condition),
        evidence=changes.one_line(rollback.evidence[0]) if rollback.evidence else None,
    )


def _trial(desk: Desk, tip: Revision, environment: str) -> tuple[str, str] | None:
    """Return the candidate (its served name) and the stage that a commit declares, or None where it declares none.

    Raises TerminalError where the commit holds no valid desired state.
    """
    spec = load_or_raise(desk.repository.files_at(tip, digest_if_whole))
    declared = spec.loop.environments.get(environment)
    if declared is None or declared.rollout is None:
        return None
    version = spec.version(declared.rollout.candidate)
    return served_name(version.name, version.digest), declared.rollout.stage


def _is_on_trial(desk: Desk, tip: Revision, environment: str, served: str) -> bool:
    """Return whether a commit still puts these bytes on trial; where it cannot be read, it is taken so."""
    try:
        trial = _trial(desk, tip, environment)
    except TerminalError:
        return True
    return trial is not None and trial[0] == served


def _is_baseline(desk: Desk, tip: Revision, environment: str, served: str) -> bool:
    """Return whether a commit trusts these bytes already. Raises TerminalError where it holds no valid state."""
    spec = load_or_raise(desk.repository.files_at(tip, digest_if_whole))
    declared = spec.loop.environments.get(environment)
    if declared is None:
        return False
    version = spec.version(declared.baseline)
    return served_name(version.name, version.digest) == served


def _elsewhere(tip: Revision, trial: tuple[str, str] | None, served: str, stage: str) -> TerminalError:
    """Return the error for a step of a rollout that is another one by now, or stands in another stage."""
    if trial is None or trial[0] != served:
        return terminal(f"{served} is not on trial any more at {tip.short}", changed="nothing was written")
    summary = f"the rollout stands in '{trial[1]}' at {tip.short}, not in '{stage}'"
    return terminal(summary, changed="nothing was written")


def _conclude_draft(scribe: GitScribe, tip: Revision, action: ConcludeRollout) -> Draft | None:
    """Return the candidate's step to the baseline, or None where the branch has taken it.

    Raises TerminalError where the rollout is another one by now, or stands somewhere else.
    """
    desk, environment = scribe.desk, scribe.environment
    now, trial = desk.text(tip, changes.LOOP_FILE), _trial(desk, tip, environment)
    if trial is None and _is_baseline(desk, tip, environment, action.served):
        return None
    if now is None or trial != (action.served, action.stage):
        raise _elsewhere(tip, trial, action.served, action.stage)
    message = messages.conclude_message(
        environment=environment,
        served=action.served,
        baseline=action.baseline,
        rollout=action.rollout_id,
        evidence=action.evidence,
        stages=_stages_passed(desk.repository, tip, environment),
    )
    after = changes.conclude(now, environment)
    branch = f"loop/conclude-{environment}-{action.served}"
    return Draft((edit(changes.LOOP_FILE, now, after),), message, branch, datetime.now(UTC))


def _stages_passed(repository: Repository, tip: Revision, environment: str) -> tuple[str, ...]:
    """Return a line for each step of the rollout so far, oldest first: when, and what was measured, as Git has it."""
    origin = introduced(repository, tip, environment)
    lines = []
    for commit in reversed(origin.commits if origin else ()):
        found = messages.trailers(_own(repository, commit).body)
        if step := found.get(messages.ADVANCE, "").partition(" ")[2]:
            evidence = found.get(messages.EVIDENCE, "no figures were written")
            lines.append(f"{step} on {commit.time:%Y-%m-%d}: {evidence}")
    return tuple(lines)


def _own(repository: Repository, commit: Commit) -> Commit:
    """Return the commit that the runner made: of a merge, what was merged."""
    return repository.log(commit.parents[1], limit=1)[0] if len(commit.parents) > 1 else commit


def _advance_draft(scribe: GitScribe, tip: Revision, action: AdvanceStage) -> Draft | None:
    """Return the step to the next stage, or None where the branch has taken it.

    Raises TerminalError where the rollout is another one by now, or stands somewhere else.
    """
    desk, environment = scribe.desk, scribe.environment
    now, trial = desk.text(tip, changes.LOOP_FILE), _trial(desk, tip, environment)
    if now is not None and trial == (action.served, action.stage):
        return None
    if now is None or trial != (action.served, action.before):
        raise _elsewhere(tip, trial, action.served, action.before)
    after = changes.advance(now, environment, action.stage)
    message = messages.advance_message(
        environment=environment,
        served=action.served,
        before=action.before,
        after=action.stage,
        rollout=action.rollout_id,
        evidence=action.evidence,
    )
    branch = f"loop/advance-{action.served}-{action.stage}"
    return Draft((edit(changes.LOOP_FILE, now, after),), message, branch, datetime.now(UTC))


class PaperScribe:
    """For files that are no commit (`--working-tree`): there is no branch to write to, and it says so."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def roll_back(self, rollback: Rollback, by_pull_request: bool) -> Mapping[str, str]:
        """Refuse: a person takes it out of the file. Raises TerminalError."""
        del by_pull_request
        raise self._refusal(f"take the rollout of {rollback.served} out of loop.yaml by hand")

    async def advance(self, action: AdvanceStage) -> Mapping[str, str]:
        """Refuse: a person writes the stage. Raises TerminalError."""
        raise self._refusal(f"write `stage: {action.stage}` into loop.yaml by hand")

    async def conclude(self, action: ConcludeRollout) -> Mapping[str, str]:
        """Refuse: a person writes the baseline. Raises TerminalError."""
        raise self._refusal(f"make {action.served} the baseline in loop.yaml by hand")

    async def notify(self, rollback: Rollback) -> Mapping[str, str]:
        """Tell nobody."""
        del rollback
        return {}

    def _refusal(self, fix: str) -> TerminalError:
        return terminal(f"{self._root} is followed as files, not as commits: nothing is written", fix=fix)
