"""What Git says: the loop's own commits, files that have commands run by themselves, rules of alerts, lines of values.

Called by `gather`, with a revision. It reads commits and never fetches: what is not here yet is not known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import yaml

from runner.checklist.facts import History, Rules, Step, Trial, Workflow
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
COMMANDS = ("loop data curate", "loop evaluate")
DATA = "Loop-Data"
"""Trailer of a commit of new data sets; it says nothing of an environment."""
_TRAILERS = (PROMOTION, messages.ADVANCE, messages.CONCLUDE, messages.ROLLBACK, DATA)
_WORKFLOW = re.compile(r"\.github/workflows/[^/]+\.ya?ml")
_TABLE = re.compile(r"(.*/)?(crontab|[^/]+\.(cron|crontab))")
_TIMES = re.compile(r"\s*((?:\S+\s+){5}|@\w+\s+)")
_BY_HAND = frozenset({"workflow_dispatch"})
When = Callable[[str, str], tuple[str, ...]]
"""From a file's text and the line of a command to what starts it."""


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
    paths = source.files.paths()
    return History(
        revision=source.revision.sha,
        steps=tuple(_steps(reversed(commits), environment)),
        trials=tuple(_trials(source, environment)),
        workflows=tuple(_workflows(source.files, paths)),
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


def _workflows(files: TreeFiles, paths: Collection[str]) -> Iterator[Workflow]:
    for path in paths:
        if _WORKFLOW.fullmatch(path):
            yield from _named(path, files.read(path).decode(errors="replace"), _events)
        elif _TABLE.fullmatch(path):
            yield from _named(path, files.read(path).decode(errors="replace"), _time)


def _named(path: str, text: str, when: When) -> Iterator[Workflow]:
    """Yield the first line of a file that runs each command; what is commented out runs nothing."""
    for runs in COMMANDS:
        for number, line in enumerate(text.splitlines(), 1):
            if runs in line.partition("#")[0]:
                yield Workflow(path, number, runs, when(text, line))
                break


def _events(text: str, line: str) -> tuple[str, ...]:  # noqa: ARG001 - one line says nothing of when
    """Return what starts a workflow without anybody's hand."""
    try:
        value = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        return ()
    on = value.get("on") if isinstance(value, dict) else None
    names: Mapping[str, Any] = (
        on if isinstance(on, dict) else dict.fromkeys([on] if isinstance(on, str) else on or ())
    )
    return tuple(
        f"schedule {each['cron']}" if name == "schedule" else name
        for name, each_ in names.items()
        if name not in _BY_HAND
        for each in (each_ if name == "schedule" and isinstance(each_, list) else [{}])
    )


def _time(text: str, line: str) -> tuple[str, ...]:  # noqa: ARG001 - each line has its own time
    """Return the time at the beginning of a line of a crontab."""
    match = _TIMES.match(line)
    return (f"cron {match[1].strip()}",) if match else ()


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
