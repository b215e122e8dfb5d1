"""What `plan`, `apply`, `run` and `up` share: the desired state's source, the wired systems, the reconciler.

It opens and closes; it decides nothing.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import click

from runner.data.command import is_progress
from runner.git.follow import Follower
from runner.git.repository import Repository
from runner.reconcile import status
from runner.reconcile.evidence import LoggedEvidence
from runner.reconcile.journal import Journal, read
from runner.reconcile.loop import Outcome, Reconciler
from runner.reconcile.memory import fold
from runner.reconcile.observe import SECONDS, observe
from runner.reconcile.observed import Observed
from runner.reconcile.plan import Plan, plan
from runner.reconcile.source import CommitSource, RemoteSource, WorkingTreeSource
from runner.reconcile.state import StatePaths, write_json
from runner.reconcile.wiring import Wiring
from runner.reconcile.wishes import Inbox
from runner.spec.load import Spec

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Deployment:
    """One environment of one repository."""

    root: Path
    environment: str
    source: CommitSource | RemoteSource | WorkingTreeSource

    @property
    def paths(self) -> StatePaths:
        """Where its state is kept."""
        return StatePaths(self.root, self.environment)

    def spec(self) -> Spec:
        """Return the whole desired state of the current revision. Raises TerminalError."""
        return self.source.spec(self.source.revision())

    async def look(self, tell: Tell) -> tuple[Observed, Plan]:
        """Observe and plan beside a runner that may be at work: takes no lock and changes nothing."""
        revision = self.source.revision()
        declared = self.source.declared(revision)
        async with aiohttp.ClientSession() as session:
            world = self._wiring(session, tell).connect(declared)
            memory = fold(read(self.paths.journal))
            observed = await observe(world, memory, time.time(), SECONDS)
        return observed, plan(declared.desired, observed, observed.at)

    def _wiring(self, session: aiohttp.ClientSession, tell: Tell) -> Wiring:
        source = self.source
        repository = None if isinstance(source, WorkingTreeSource) else Repository(self.root)
        follow = isinstance(source, RemoteSource)
        return Wiring(self.root, session, os.environ, tell, repository=repository, follow=follow)

    @asynccontextmanager
    async def reconciler(self, tell: Tell, told: Callable[[Outcome], None]) -> AsyncIterator[Reconciler]:
        """Yield a reconciler that holds the journal's lock and writes the status file after every pass.

        Raises TerminalError where another runner works on this environment.
        """

        def keep(outcome: Outcome) -> None:
            try:
                write_json(self.paths.status, status.to_json(outcome))
            except OSError as error:  # it is for people to look at; what serves must not end for it
                tell(
                    f"{self.paths.status} cannot be written: {error.strerror}; `loop status` shows an older pass"
                )
            told(outcome)

        with _hangups_ignored(), Journal(self.paths.journal, time.time) as journal:
            async with aiohttp.ClientSession() as session:
                yield Reconciler(
                    self.source,
                    self._wiring(session, tell).connect,
                    journal,
                    time.time,
                    keep,
                    tell,
                    LoggedEvidence(self.paths, time.time),
                    Inbox(self.paths.wishes).take,
                )


@contextmanager
def _hangups_ignored() -> Iterator[None]:
    """Let `loop wake` (SIGHUP to whoever holds the journal) end nobody who has not asked to be woken."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def deployment(root: Path, environment: str, *, working_tree: bool, follow: bool = False) -> Deployment:
    """Return the deployment that the options name; with `follow` its source is the remote branch of `git:`.

    Raises TerminalError outside a Git repository.
    """
    if working_tree:
        return Deployment(root, environment, WorkingTreeSource(root, environment))
    repository = Repository(root)
    here = CommitSource(repository, environment)
    settings = here.spec(here.revision()).loop.git if follow else None
    if settings is None:
        return Deployment(root, environment, here)
    follower = Follower(repository, settings.remote, settings.branch)
    return Deployment(
        root, environment, RemoteSource(repository, follower, environment, time.monotonic, _on_stderr)
    )


def _on_stderr(text: str) -> None:
    click.echo(f"note: {text}", err=True)


def warn_uncommitted(root: Path) -> None:
    """Say on standard error which files of the desired state differ from the commit that is applied."""
    dirty = [path for path in Repository(root).dirty() if _is_spec(path)]
    if dirty:
        more = f" and {len(dirty) - 3} more" if len(dirty) > 3 else ""
        click.echo(f"note: not committed, so not applied: {', '.join(dirty[:3])}{more}", err=True)


def _is_spec(path: str) -> bool:
    """Say whether a path may be a file of the desired state: loop.yaml, or a YAML file one folder down."""
    folder, _, name = path.rpartition("/")
    return path == "loop.yaml" or (name.endswith(".yaml") and folder != "" and "/" not in folder)


def stopwatch() -> Tell:
    """Return a function that prints progress on standard error, with the seconds since now.

    The states of a bar are left out where nobody is watching.
    """
    begin, watched = time.monotonic(), sys.stderr.isatty()

    def tell(text: str) -> None:
        if is_progress(text) and not watched:
            return
        first, *more = text.splitlines() or [""]
        click.echo(f"{time.monotonic() - begin:7.1f} s  {first}", err=True)
        for line in more:
            click.echo(f"           {line}", err=True)

    return tell
