"""All evidence of one environment at a moment: what is slow or away costs its own limit and nothing of the others.

Called by `loop checklist`. Systems, files and the journal are asked at the same time; the log after the gateways, for
it must hold what they had written by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import duckdb

from runner.checklist.evidence import files, log, systems
from runner.checklist.evidence.account import account
from runner.checklist.evidence.history import Source, history
from runner.checklist.evidence.journal import journal
from runner.checklist.facts import Account, Facts, Gateway, History, Journal, Log, Sourced, Trained
from runner.errors import LoopError, Unknown, terminal
from runner.events.lake import Lake
from runner.git.repository import Repository, Revision
from runner.reconcile.observe import answer
from runner.reconcile.presence import digest_if_whole
from runner.reconcile.state import StatePaths
from runner.spec.load import Spec, load_or_raise

SECONDS = 30.0
"""The longest that one reading of files, Git or the log is waited for."""
T = TypeVar("T")


def gather(root: Path, environment: str, now: float) -> Facts:
    """Return everything that can be seen of an environment at `now`, seconds since 1970.

    The desired state is that of the branch that the runner follows, as it was fetched last; without one, HEAD's.
    Raises TerminalError where `root` is no repository, or its desired state is not valid or lacks the environment.
    """
    source = _source(root)
    if environment not in source.spec.loop.environments:
        known = ", ".join(source.spec.loop.environments)
        raise terminal(f"there is no environment '{environment}' in loop.yaml", f"known: {known}")
    return asyncio.run(_gather(source, environment, now))


def _source(root: Path) -> Source:
    repository = Repository(root)
    head = repository.head()
    spec = _spec(repository, head)
    if spec.loop.git is None:
        return Source(repository, head, spec)
    try:
        tip = repository.resolve(f"refs/remotes/{spec.loop.git.remote}/{spec.loop.git.branch}")
    except LoopError:
        return Source(repository, head, spec)  # never fetched: what is checked out is all that is known
    return Source(repository, tip, _spec(repository, tip))


def _spec(repository: Repository, revision: Revision) -> Spec:
    return load_or_raise(repository.files_at(revision, digest_if_whole))


async def _gather(source: Source, environment: str, now: float) -> Facts:
    root, spec = source.repository.root, source.spec
    paths, declared = StatePaths(root, environment), spec.loop.environments[environment]
    (page, gateways), written, last, snapshot, reports, sourced = await asyncio.gather(
        systems.ask(declared),
        _read(lambda: journal(paths.journal, root, systems.addresses(declared))),
        _read(lambda: files.last_pass(paths)),
        _read(lambda: files.snapshot(root)),
        _read(lambda: files.reports(source.files, spec)),
        _read(lambda: files.sourced(root, spec)),
    )
    answered = [each for each in gateways.values() if isinstance(each, Gateway)]
    serves = [name for each in answered for name in each.serves]
    since = min((each.started for each in answered), default=now)
    told, placed, logged = await asyncio.gather(
        _read(lambda: _history(source, environment, written, answered)),
        _read(lambda: files.placed(paths.adapters, serves)),
        _read(lambda: _logged(paths, spec, Asked(now, since, written, sourced))),
    )
    if isinstance(logged, Unknown):
        logged = Logged(logged, written, sourced if isinstance(sourced, Unknown) else logged, logged)
    return Facts(
        environment=environment,
        now=now,
        spec=spec,
        history=told,
        journal=logged.journal,
        last_pass=last,
        page=page,
        gateways=gateways,
        log=logged.log,
        reports=dict.fromkeys(spec.models, reports) if isinstance(reports, Unknown) else reports,
        trained=logged.trained,
        snapshot=snapshot,
        placed=placed,
        account=logged.account,
    )


def _history(
    source: Source, environment: str, written: Journal | Unknown, gateways: Sequence[Gateway]
) -> History:
    asked = [each.revision for each in gateways]
    if isinstance(written, Journal):
        asked += [each.written for each in written.written]
    return history(source, environment, asked)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the log is asked about: until `now`, of the gateways since they began, and of what other places said."""

    now: float
    since: float
    journal: Journal | Unknown
    sourced: tuple[Sourced, ...] | Unknown


@dataclass(frozen=True, slots=True)
class Logged:
    """What became known with the log."""

    log: Log | Unknown
    journal: Journal | Unknown
    trained: tuple[Trained, ...] | Unknown
    account: Account | Unknown


def _logged(paths: StatePaths, spec: Spec, asked: Asked) -> Logged:
    """Return what the log holds, read once for all that ask. Raises LoopError, OSError, and what its engine raises."""
    with Lake(paths.lake, paths.events) as stored:
        log.demand_files(stored, paths.lake)
        found = log.log(stored, paths.directory, asked.since)
        book, data = asked.journal, asked.sourced
        if isinstance(book, Journal):
            book = replace(book, rollbacks=log.followed(stored, book.rollbacks, book.entered))
        trained = data if isinstance(data, Unknown) else log.traced(stored, data)
        return Logged(found, book, trained, account(spec, stored, asked.now))


async def _read(what: Callable[[], T]) -> T | Unknown:
    """Return what reading gives, in a thread of its own; Unknown where it fails or takes too long."""

    def careful() -> T | Unknown:
        try:
            return what()
        except (KeyError, TypeError, ValueError, duckdb.Error) as error:
            return Unknown(f"it is not what was written ({type(error).__name__}: {error})")

    return await answer(asyncio.to_thread(careful), SECONDS)
