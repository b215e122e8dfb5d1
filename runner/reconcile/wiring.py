"""The ports connected to the real parts: vLLM over HTTP, the gateway's admin side, the store, DVC.

Called by the command line, once for every revision that is adopted, since addresses may have changed.
It makes no decisions.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp

from runner.errors import LoopError, terminal
from runner.git import forge
from runner.git.commit import Author
from runner.git.desk import Desk
from runner.git.notify import Notice, notify, webhook_address
from runner.git.repository import Repository
from runner.reconcile.distil import Declared
from runner.reconcile.observed import Data, GatewayView
from runner.reconcile.ports import Proof, Scribe, World
from runner.reconcile.presence import is_whole
from runner.reconcile.probe_log import ProbeLog
from runner.reconcile.scribe import GitScribe, PaperScribe, Post
from runner.reconcile.state import StatePaths
from runner.report import standing
from runner.serving import adapters, discovery, probe
from runner.serving.engine import EngineClient
from runner.serving.gateway_client import GatewayClient
from runner.serving.routes import RouteTable

CALL_SECONDS = 60.0
"""Longest single call to an engine or gateway: a load from a slow disk, a probe on a busy CPU."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What every connection needs. `environ` is where keys are looked up, `tell` takes lines of progress."""

    root: Path
    session: aiohttp.ClientSession
    environ: Mapping[str, str]
    tell: Callable[[str], None]
    repository: Repository | None = None
    """What commits are written to; None where files are followed that are no commit."""
    follow: bool = False
    """Whether the remote of `git:` is written to, which is what is followed then."""
    store: Path | None = None
    """Where engines find placed adapters; below the state directory where absent."""
    bases: probe.Bases = field(default_factory=dict)
    """What probes have learnt of the replicas' bases, for the declarations to come."""

    def connect(self, declared: Declared) -> World:
        """Return the systems that a declaration names. Raises TerminalError where a key is not set."""
        environment, name = declared.environment, declared.desired.environment
        key = self._api_key(environment.engine.api_key_env)
        engines: dict[str, EngineClient] = {}

        def engine(url: str) -> EngineClient:
            if url not in engines:
                engines[url] = EngineClient(url, self.session, CALL_SECONDS, key)
            return engines[url]

        async def replicas() -> Sequence[str]:
            return await discovery.replicas(environment.engine)

        log = ProbeLog(StatePaths(self.root, name).events, name)
        digests = {version: adapter.version.digest for version, adapter in declared.desired.library.items()}

        async def prove(url: str, served: str, path: str) -> Proof:
            record = await asyncio.to_thread(probe.read_record, Path(path))
            found = await probe.probe(engine(url), declared.base_model, served, record, self.bases)
            await asyncio.to_thread(log.record, url, served, digests[served], found)
            return _proof(found)

        gateway = environment.gateway
        admins = [f"http://{address}" for address in (gateway.admin, *(more.admin for more in gateway.more))]
        # Runners that share a store through a link must name one path to the engines.
        store = (self.store or StatePaths(self.root, name).adapters).resolve()
        return World(
            discover=replicas,
            engine=engine,
            gateways={admin: AdminSide(GatewayClient(admin, self.session, CALL_SECONDS)) for admin in admins},
            store=Shelf(self.root, store),
            probe=prove,
            data=lambda: _missing(self.root, declared),
            pull=self._pull,
            scribe=self._scribe(declared),
            signals=lambda now: _holding(StatePaths(self.root, name).signals, declared, now),
        )

    def _scribe(self, declared: Declared) -> Scribe:
        """Return who writes to Git: to the remote that is followed, else to the branch that is checked out."""
        if self.repository is None:
            return PaperScribe(self.root)
        settings = declared.git if self.follow else None
        post = self._post(declared.policy.rollback.webhook_env)
        branch = settings.branch if settings else self.repository.branch()
        if branch is None:  # a commit is checked out, and no branch that a commit could be added to
            return PaperScribe(self.root)
        author = Author(declared.git.author, declared.git.email) if declared.git else Author()
        desk = Desk(
            self.repository,
            settings.remote if settings else None,
            branch,
            author,
            forge.connect(settings, self.session, self.environ),
        )
        return GitScribe(desk, declared.desired.environment, post)

    def _post(self, variable: str | None) -> Post | None:
        if variable is None:
            return None
        try:
            address = webhook_address(self.environ, variable)
        except LoopError as error:
            return _raising(error)
        return partial(notify, self.session, address) if address else None

    def _api_key(self, variable: str | None) -> str | None:
        if variable is None:
            return None
        if not self.environ.get(variable):
            raise terminal(f"the engine's key is missing: {variable} is not set", fix=f"export {variable}")
        return self.environ[variable]

    def _pull(self, source: str) -> None:
        from runner.data.pull import pull

        pull(self.root, [source], self.tell)


@dataclass(frozen=True, slots=True)
class AdminSide:
    """A gateway as the reconciler sees it."""

    client: GatewayClient

    async def view(self) -> GatewayView:
        """Return the table in force and what is under way."""
        state = await self.client.state()
        return GatewayView(state.table, state.in_flight)

    async def put(self, table: RouteTable) -> None:
        """Make it obey a table. Raises LoopError, also where it has a newer one."""
        await self.client.put(table)


@dataclass(frozen=True, slots=True)
class Shelf:
    """The store of placed adapters: `directory`, filled from paths below `root`."""

    root: Path
    directory: Path

    @property
    def path(self) -> str:
        """The directory, absolute."""
        return str(self.directory.absolute())

    def placed(self) -> frozenset[str]:
        """Return the served names that have complete files. Raises OSError."""
        return frozenset(adapters.placed(self.directory))

    def place(self, served: str, source: str, digest: str) -> None:
        """Copy an adapter in, its digest verified. Raises LoopError."""
        name = served.rpartition("--")[0]
        adapters.place(self.root / source, self.directory, name, digest)

    def intact(self, served: str, digest: str) -> bool:
        """Return whether the placed bytes have this digest."""
        return adapters.inspect(self.directory.absolute() / served, digest) is adapters.Copy.INTACT

    def sweep(self) -> None:
        """Delete what a killed runner left half done. Raises LoopError."""
        adapters.sweep(self.directory)

    def remove(self, served: str) -> None:
        """Delete an adapter's files. Raises LoopError."""
        adapters.remove(self.directory, served)


def _raising(error: LoopError) -> Post:
    async def post(notice: Notice) -> None:
        del notice
        raise error

    return post


def _proof(found: probe.ProbeResult) -> Proof:
    return Proof(
        passed=found.verdict is probe.Verdict.PASS,
        disproved=found.verdict is probe.Verdict.FAIL,
        evidence=found.evidence,
        base_difference=found.base_difference,
        training_difference=found.training_difference,
    )


def _missing(root: Path, declared: Declared) -> Data:
    """Return which declared adapters lack bytes here; digests are checked when they are placed."""
    return Data(missing=frozenset(_absent(root, (a.source for a in declared.desired.adapters))))


def _absent(root: Path, sources: Iterable[str]) -> Iterable[str]:
    return (source for source in sources if not is_whole(root / source))


def _holding(directory: Path, declared: Declared, now: float) -> tuple[str, ...]:
    """Return what the signals, as they were measured last, say that the candidate has to wait for."""
    trial = declared.desired.trial
    if trial is None:
        return ()
    try:
        return standing.holding(
            json.loads((directory / standing.NAME).read_bytes()), trial.candidate.name, now
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ()
