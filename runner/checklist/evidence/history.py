"""What Git says: the loop's own commits, files that have commands run by themselves, rules of alerts, lines of values.

Called by `gather`, with a revision. It reads commits and never fetches: what is not here yet is not known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from runner.checklist.evidence.automation import workflows
from runner.checklist.facts import DATA, History, Rules, Step, Trial
from runner.git import messages
from runner.git.repository import Commit, Repository, Revision
from runner.git.steps import Happened, steps
from runner.git.tree import TreeFiles
from runner.promotion.request import PROMOTION
from runner.report import alerts
from runner.spec.load import Spec
from runner.spec.source import read

LIMIT = 5000
"""The most commits that are looked at."""
BEGINNING = datetime.fromtimestamp(0, UTC)
_TRAILERS = (PROMOTION, messages.ADVANCE, messages.CONCLUDE, messages.ROLLBACK, DATA)


@dataclass(frozen=True, slots=True)
class Source:
    """One revision of a repository, and what it says."""

    repository: Repository
    revision: Revision
    spec: Spec

    @property
    def files(self) -> TreeFiles:
        """Its files."""
        return self.repository.files_at(self.revision)


def history(source: Source, environment: str, asked: Collection[str]) -> History:
    """Return what Git says of an environment; `asked` are commits that may be part of it. Raises LoopError."""
    commits = source.repository.log(source.revision, limit=LIMIT)
    shas = {each.revision.sha for each in commits}
    return History(
        revision=source.revision.sha,
        steps=tuple(_steps(reversed(commits), environment)),
        trials=tuple(_trials(source, environment)),
        workflows=tuple(workflows(source.files)),
        rules=tuple(_rules(source)),
        known=frozenset(shas.intersection(asked)),
        places=_places(source, environment),
    )


def _steps(commits: Iterator[Commit], environment: str) -> Iterator[Step]:
    for commit in commits:
        found = messages.trailers(commit.body)
        for trailer in _TRAILERS:
            value = found.get(trailer)
            if value and (trailer == DATA or found.get(messages.ENVIRONMENT) == environment):
                at, rollout = commit.time.timestamp(), found.get(messages.ROLLOUT, "")
                yield Step(commit.revision.sha, at, trailer, value, rollout)


def _trials(source: Source, environment: str) -> Iterator[Trial]:
    for step in steps(source.repository, source.revision, BEGINNING):
        change = step.change
        if change.environment == environment and change.happened is Happened.TRIAL:
            yield Trial(change.version, step.commit.revision.sha, step.landed.timestamp())


def _rules(source: Source) -> Iterator[Rules]:
    """Yield the files of alert rules, by the line that their first line is."""
    head = alerts.HEAD.splitlines()[0]
    said = source.repository.git.run(
        "grep",
        "-z",
        "--name-only",
        "--fixed-strings",
        "-e",
        head,
        source.revision.sha,
        "--",
        "*.yaml",
        "*.yml",
    )
    for found in said.stdout.decode().split("\0"):
        path = found.partition(":")[2]
        if path:
            text = source.files.read(path).decode(errors="replace")
            runbook = re.search(r"^ +runbook(?:_url)?: (.+)$", text, re.MULTILINE)
            fresh = alerts.render(source.spec.policies.signals, runbook[1] if runbook else alerts.RUNBOOK)
            yield Rules(path, fresh == text)


def _places(source: Source, environment: str) -> dict[str, str]:
    """Return where what points speak of is declared."""
    spec = source.spec
    own = ("environments", environment)
    wanted: dict[str, tuple[str, tuple[str | int, ...]]] = {
        "environment": ("loop.yaml", own),
        **{name: ("loop.yaml", (*own, name)) for name in ("baseline", "standby", "freeze")},
        "holdback": (f"{spec.loop.policies}/rollout.yaml", ("holdback",)),
        **{
            f"stage:{stage.name}": (f"{spec.loop.policies}/rollout.yaml", ("stages", number))
            for number, stage in enumerate(spec.policies.rollout.stages)
        },
        **{
            f"signal:{name}": (f"{spec.loop.policies}/signals.yaml", ("signals", name))
            for name in spec.policies.signals.signals
        },
        **{f"model:{name}": (f"{spec.loop.models}/{name}.yaml", ("name",)) for name in spec.models},
    }
    files, known = source.files, {}
    for path in {path for path, _ in wanted.values()}:
        document, _ = read(path, files.read(path))
        if document is not None:
            known[path] = document
    return {name: str(known[path].key(*keys)) for name, (path, keys) in wanted.items() if path in known}
