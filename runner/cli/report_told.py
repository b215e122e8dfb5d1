"""What `loop report` tells beside the signals: preferences, rollouts, decision, calendar and cost.

It is found out part by part: a part that cannot be found out is named with the reason and keeps no other one away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

import click

from runner.errors import LoopError

if TYPE_CHECKING:
    from runner.feedback.records import Ballot
    from runner.feedback.standings.figures import Rules
    from runner.git.steps import Step
    from runner.report.weekly import Collected, Happening, Quality, Rollouts, Told
    from runner.spec.load import Spec

WEEKS: Final = 8
COST_S: Final = 30 * 86_400.0
"""Traffic and tokens of so long make the account of cost."""
_GITHUB: Final = "https://api.github.com"

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class _Parts:
    """Finds parts out, and keeps why one could not be."""

    missing: dict[str, str] = field(default_factory=dict)

    def find(self, name: str, find: Callable[[], Found]) -> Found | None:
        """Return a part; None, and why in `missing`, where it raises LoopError."""
        try:
            return find()
        except LoopError as error:
            self.missing[name] = error.diagnostics[0].summary
            return None


def told(root: Path, spec: Spec, environment: str, now: float, window: float) -> Told:
    """Return everything beside the signals at `now`, over `window` (both in seconds). Raises OSError."""
    from runner.cli import cost
    from runner.cli.calendar import agenda_of
    from runner.cli.learning import situation
    from runner.economics.decide import decide
    from runner.report.cost import section

    parts = _Parts()
    by_votes = _of_votes(parts, root, spec, environment, (now, window))
    return replace(
        by_votes,
        rollouts=parts.find("rollouts", lambda: _rollouts(root, spec, environment, now - window, now)),
        decision=parts.find("decision", lambda: decide(situation(root, spec, environment, now))),
        agenda=parts.find("agenda", lambda: agenda_of(spec, now)),
        cost=parts.find(
            "cost", lambda: section(cost.statement(root, spec, cost.served(root, environment, now, COST_S)))
        ),
        missing=parts.missing,
    )


def _of_votes(parts: _Parts, root: Path, spec: Spec, environment: str, time: tuple[float, float]) -> Told:
    """Return what votes tell; `time` is now and the window."""
    from runner.cli.arena_standings import read_votes
    from runner.cli.data_progress import BACK_S
    from runner.feedback.standings.figures import Rules
    from runner.feedback.standings.pairings import pairings
    from runner.report.weekly import Told

    now, window = time
    votes = parts.find("votes", lambda: read_votes(root, spec, environment, now - max(BACK_S, window)))
    if votes is None:
        parts.missing.update(dict.fromkeys(("collected", "pairings", "quality"), parts.missing["votes"]))
        return Told()
    if votes.broken:
        click.echo(f"warning: left out: {votes.broken} events that are no vote", err=True)
    rules = Rules(spec.loop.environments[environment].baseline)
    recent = [each for each in votes.ballots if now - window <= each.at_us / 1e6 <= now]
    return Told(
        collected=parts.find("collected", lambda: _collected(root, spec, votes.ballots, now)),
        pairings=parts.find("pairings", lambda: pairings(recent, rules)),
        quality=parts.find("quality", lambda: _quality(root, recent, rules)),
    )


def _collected(root: Path, spec: Spec, ballots: tuple[Ballot, ...], now: float) -> Collected:
    from runner.cli.data_progress import progress_of
    from runner.cli.learning import snapshot_of
    from runner.feedback.progress import by_week
    from runner.feedback.snapshot.files import PREFERENCES
    from runner.report.weekly import Collected

    account = snapshot_of(root)
    rows = None if account is None else account.files[PREFERENCES].rows
    return Collected(progress_of(root, spec, ballots, now), by_week(ballots, now, WEEKS), rows)


def _quality(root: Path, recent: list[Ballot], rules: Rules) -> Quality:
    from runner.cli.learning import snapshot_of
    from runner.feedback import snapshot
    from runner.feedback.quality_score import score
    from runner.feedback.snapshot.files import REJECTED, rows
    from runner.feedback.standings.figures import rate
    from runner.report.weekly import Quality

    counted = [each for each in recent if each.counted]
    clear = rate(sum(each.chosen is not None for each in counted), len(counted), rules)
    account, folder = snapshot_of(root), root / snapshot.FOLDER
    if account is None or not (folder / REJECTED).is_file():
        return Quality(clear, account, None)
    origins = account.counts["preferences"]["origin"]
    return Quality(clear, account, score(origins, rows(folder, REJECTED)))


def _rollouts(root: Path, spec: Spec, environment: str, since: float, until: float) -> Rollouts:
    from runner.git.repository import Repository
    from runner.git.steps import steps
    from runner.report.weekly import Rollouts, Stand

    stands = tuple(
        Stand(
            name,
            each.baseline,
            each.rollout.candidate if each.rollout is not None else "",
            each.rollout.stage if each.rollout is not None else "",
        )
        for name, each in spec.loop.environments.items()
    )
    repository = Repository(root)
    written = steps(repository, repository.head(), datetime.fromtimestamp(since, UTC))
    in_git = [_happening(spec, each) for each in written if each.landed.timestamp() <= until]
    pending = _pending(
        root, environment, since, {(each.environment, each.version) for each in in_git if each.is_rollback}
    )
    return Rollouts(stands, tuple(sorted([*in_git, *pending], key=lambda each: each.at)))


def _happening(spec: Spec, step: Step) -> Happening:
    from runner.git import messages
    from runner.git.steps import Happened
    from runner.report.weekly import Happening

    change = step.change
    ends = f" ('{change.before}' -> '{change.after}')" if change.happened is Happened.STAGE else ""
    sha = step.commit.revision.sha
    return Happening(
        at=step.landed.timestamp(),
        environment=change.environment,
        version=change.version,
        what=f"{change.happened.value}{ends}",
        because=_because(step),
        by=step.commit.author,
        commit=step.commit.revision.short,
        address=_address(spec, sha),
        is_rollback=change.happened is Happened.BACK,
        by_person=change.happened is Happened.BACK and messages.CONDITION not in step.trailers,
    )


def _because(step: Step) -> str:
    """Return why a step was made: what the runner proved, what the gates said, else what its author calls it."""
    from runner.git import messages
    from runner.promotion.request import PROMOTION

    said = step.trailers
    proved = "; ".join(said[key] for key in (messages.CONDITION, messages.EVIDENCE) if key in said)
    gates = step.commit.body.partition("\n")[0] if PROMOTION in said else ""
    return proved or (gates if gates and not gates.startswith(PROMOTION) else step.commit.subject)


def _address(spec: Spec, sha: str) -> str:
    """Return where the Git host shows a commit; "" where loop.yaml names no host."""
    forge = spec.loop.git.forge if spec.loop.git is not None else None
    if forge is None:
        return ""
    api = urlsplit(forge.api)
    host = "https://github.com" if forge.api == _GITHUB else f"{api.scheme}://{api.netloc}"
    return f"{host}/{forge.repository}/commit/{sha}"


def _pending(root: Path, environment: str, since: float, known: set[tuple[str, str]]) -> Iterator[Happening]:
    """Yield the rollbacks of the journal that Git does not show: the guard does not wait for Git."""
    from runner.reconcile.journal import archives, read
    from runner.reconcile.memory import Kind
    from runner.reconcile.state import StatePaths
    from runner.report.weekly import Happening

    path = StatePaths(root, environment).journal
    for entry in (each for file in (*archives(path), path) for each in read(file)):
        if entry.kind is not Kind.ATTEMPTED or entry.body["action"] != "roll_back" or entry.at < since:
            continue
        rollback = entry.body["rollback"]
        version = str(rollback["served"]).rpartition("--")[0] or str(rollback["served"])
        if (environment, version) not in known:
            because = "; ".join([rollback["condition"], *rollback["evidence"][:1]])
            yield Happening(
                entry.at,
                environment,
                version,
                "taken off users, not in Git yet",
                because,
                rollback["by"],
                "",
                "",
                True,
            )
