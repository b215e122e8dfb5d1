"""What Git says: the loop's own commits, files that have commands run by themselves, rules of alerts, lines of values.

Called by `gather`, with a revision. It reads commits and never fetches: what is not here yet is not known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from runner.checklist.evidence.automation import BY_HAND, workflows
from runner.checklist.facts import DATA, History, Merge, Rules, Step, Trial
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
        steps=tuple(_steps(source, commits, environment)),
        trials=tuple(_trials(source, environment)),
        workflows=tuple(workflows(source.files)),
        rules=tuple(_rules(source)),
        known=frozenset(shas.intersection(asked)),
        places=_places(source, environment),
    )


def _steps(source: Source, commits: Sequence[Commit], environment: str) -> Iterator[Step]:
    """Yield the loop's own commits of an environment, oldest first; of data, those that change data sets."""
    changed, merges = _of_data(source), _merges(commits)
    for commit in reversed(commits):
        sha, found = commit.revision.sha, messages.trailers(commit.body)
        run = found.get(messages.RUN, "")
        for trailer in _TRAILERS:
            value = found.get(trailer)
            ours = sha in changed if trailer == DATA else found.get(messages.ENVIRONMENT) == environment
            if value and ours:
                yield Step(
                    sha,
                    commit.time.timestamp(),
                    trailer,
                    value,
                    rollout=found.get(messages.ROLLOUT, ""),
                    run="" if run.partition(" ")[0] in BY_HAND else run,
                    merge=_by_another(commit, merges.get(sha)),
                )


def _of_data(source: Source) -> frozenset[str]:
    """Return the commits that change which bytes a data set has, whatever they say of themselves."""
    said = source.repository.git.read(
        "log",
        f"--max-count={LIMIT}",
        "--full-history",
        "--no-merges",
        "--format=%H",
        source.revision.sha,
        "--",
        f"{source.spec.loop.datasets}/*.yaml",
        "dvc.lock",
    )
    return frozenset(said.decode().split())


def _merges(commits: Sequence[Commit]) -> dict[str, Commit]:
    """Return for each commit that a merge brought to the branch (its first parents) the merge."""
    known = {each.revision.sha: each for each in commits}
    line = [commits[0]] if commits else []
    while line and line[-1].parents and (before := known.get(line[-1].parents[0].sha)) is not None:
        line.append(before)
    seen, found = {each.revision.sha for each in line}, {}
    for merge in reversed(line):
        waiting = [each.sha for each in merge.parents[1:]]
        while waiting:
            sha = waiting.pop()
            if sha in known and sha not in seen:
                seen.add(sha)
                found[sha] = merge
                waiting += [each.sha for each in known[sha].parents]
    return found


def _by_another(commit: Commit, merge: Commit | None) -> Merge | None:
    """Return the merge of a commit where somebody else made it than who wrote the commit."""
    if merge is None or merge.email.casefold() == commit.email.casefold():
        return None
    return Merge(merge.revision.sha, merge.author)


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
