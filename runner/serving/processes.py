"""Processes that the runner starts and that outlive it: the embedded vLLM and the gateway.

Each is the leader of a session of its own and has a record file, so that a runner that was killed leaves its
users served, and the next runner takes the process over instead of starting another. Called by `loop up` and
`loop run`. It never ends a process that neither its record nor its mark shows to be its own.

The mark is an environment variable that holds the record's path: it finds a process that was started in the
instant before a runner died without writing the record, and grandchildren whose leader is dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from runner import digest
from runner.errors import LoopError, TransientError, terminal, transient
from runner.serving import procfs

MARK = "LOOP_PROCESS_RECORD"
POLL_S = 0.2
LAST_LINES = 15
_BACKOFF_FIRST_S, _BACKOFF_MOST_S = 1.0, 60.0
_SETTLED_S = 60.0
_KILLED_WITHIN_S = 10.0

Ready = Callable[[], Awaitable[bool]]
"""Says whether the process serves; raises nothing for one that does not yet."""
Progress = Callable[[str], None]
"""Is told each phase of a start, and each death and restart, in words for people."""
Sleep = Callable[[float], Awaitable[None]]


class Origin(StrEnum):
    """How a process came to be ours."""

    STARTED = "started"
    ADOPTED = "adopted"


@dataclass(frozen=True, slots=True)
class Program:
    """What is to run: `settings` are set over the runner's environment, and `dropped` are taken from it.

    `phases` maps a text in the log to the words that progress shows when it appears.
    """

    name: str
    argv: tuple[str, ...]
    host: str
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    phases: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Digest of all that makes this program another one."""
        return digest.of_value([self.argv, dict(self.settings), self.dropped])


@dataclass(frozen=True, slots=True)
class Record:
    """The file `.loop/ENVIRONMENT/run/NAME.json`; `started` is as in `procfs.Life`."""

    pid: int
    started: str
    program: str
    port: int
    log: str


class ManagedProcess:
    """One program, and its one process on this machine; `directory` is the environment's state directory."""

    def __init__(self, program: Program, directory: Path, environ: Mapping[str, str]) -> None:
        self.program = program
        self.record_path = directory.absolute() / "run" / f"{program.name}.json"
        self.log = directory.absolute() / "logs" / f"{program.name}.log"
        self._environ = environ
        self._exit_status: int | None = None

    def living(self) -> Record | None:
        """Return the record of the process where it lives and runs this very program."""
        record = self._record()
        ours = record is not None and record.program == self.program.digest and self._lives(record)
        return record if ours else None

    async def start(self, grace_s: float = 10.0) -> Origin:
        """Adopt the living process, or stop what is left of an older one and start anew.

        Raises TerminalError where the port is somebody else's or the program cannot be run.
        """
        if self.living():
            return Origin.ADOPTED
        # What a dead leader left serves nobody, and so is not asked first.
        await self.stop(grace_s if self._leader_lives() else 0.0)
        self._claim_port()
        self._launch()
        return Origin.STARTED

    async def wait_ready(self, ready: Ready, timeout_s: float, progress: Progress) -> None:
        """Return when `ready` says so.

        Raises TransientError with the log's last lines where the process ends or `timeout_s` is over.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        shown: set[str] = set()
        while not await ready():
            if not self.living():
                raise self._failure("ended while it started", "nothing serves there now")
            if loop.time() >= deadline:
                raise self._failure(f"does not serve after {timeout_s:g} s", "it is left running")
            for phase in self._phases():
                if phase not in shown:
                    progress(f"{self.program.name}: {phase}")
                    shown.add(phase)
            await asyncio.sleep(POLL_S)

    async def wait_end(self) -> None:
        """Return as soon as the process does not live any more."""
        record = self.living()
        try:
            descriptor = None if record is None else os.pidfd_open(record.pid)
        except ProcessLookupError:
            return
        if descriptor is None:
            return
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    async def stop(self, grace_s: float = 10.0) -> None:
        """End the process and all that it started: ask, and after `grace_s` seconds kill.

        That nothing lives is success. Raises TransientError where something cannot be ended.
        """
        self._signal(signal.SIGTERM)
        if not await self._gone_within(grace_s):
            self._signal(signal.SIGKILL)
            if not await self._gone_within(_KILLED_WITHIN_S):
                pids = ", ".join(str(one.pid) for one in self._family())
                raise transient(f"{self.program.name} cannot be stopped", f"still alive: {pids}")
        self.record_path.unlink(missing_ok=True)

    def last_lines(self) -> tuple[str, ...]:
        """Return the end of the log, blank lines left out."""
        lines = [line.rstrip() for line in self._read_log().splitlines() if line.strip()]
        return tuple(lines[-LAST_LINES:])

    def _record(self) -> Record | None:
        try:
            return Record(**json.loads(self.record_path.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _lives(self, record: Record) -> bool:
        self._reap(record.pid)
        life = procfs.life(record.pid)
        return life is not None and life.started == record.started

    def _leader_lives(self) -> bool:
        record = self._record()
        return record is not None and self._lives(record)

    def _reap(self, pid: int) -> None:
        """Take a child that ended off the table of processes; an adopted process is no child of ours."""
        with contextlib.suppress(ChildProcessError):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._exit_status = os.waitstatus_to_exitcode(status)

    def _family(self) -> tuple[procfs.Life, ...]:
        record = self._record()
        session = -1 if record is None or self._reused(record) else record.pid
        return procfs.family(session, f"{MARK}={self.record_path}")

    def _reused(self, record: Record) -> bool:
        life = procfs.life(record.pid)
        return life is not None and life.started != record.started

    def _signal(self, number: signal.Signals) -> None:
        for one in self._family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, number)

    async def _gone_within(self, seconds: float) -> bool:
        waited = 0.0
        while self._family():
            if waited >= seconds:
                return False
            await asyncio.sleep(POLL_S / 4)
            waited += POLL_S / 4
        if (record := self._record()) is not None:
            self._reap(record.pid)
        return True

    def _claim_port(self) -> None:
        family = socket.AF_INET6 if ":" in self.program.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.program.host, self.program.port))
            except OSError as error:
                holder = procfs.listener(self.program.port) or "its owner cannot be seen"
                address = f"{self.program.host}:{self.program.port}"
                raise terminal(
                    f"{self.program.name} cannot listen on {address}: {os.strerror(error.errno or 0)}",
                    holder,
                    fix="stop that process, or set another address in `loop.yaml`",
                ) from error

    def _launch(self) -> None:
        for path in (self.record_path, self.log):
            path.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        kept = {name: value for name, value in self._environ.items() if name not in self.program.dropped}
        environ = kept | dict(self.program.settings) | {MARK: str(self.record_path)}
        self._exit_status = None
        try:
            pid = os.posix_spawn(
                self.program.argv[0],
                self.program.argv,
                environ,
                file_actions=self._files(),
                setsid=True,
                setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
            )
        except OSError as error:
            raise terminal(f"{self.program.name} cannot be run", str(error)) from error
        self._write_record(pid)

    def _files(self) -> list[tuple[int, int, str, int, int] | tuple[int, int, int]]:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        return [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(self.log), flags, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]

    def _write_record(self, pid: int) -> None:
        life = procfs.life(pid)
        started = life.started if life else ""  # it has ended already, and `living` will say so
        record = Record(pid, started, self.program.digest, self.program.port, str(self.log))
        temporary = self.record_path.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(record)))
        temporary.replace(self.record_path)

    def _read_log(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _phases(self) -> Iterable[str]:
        text = self._read_log()
        return [words for sign, words in self.program.phases.items() if sign in text]

    def _failure(self, what: str, changed: str) -> TransientError:
        ended = () if self._exit_status is None else (f"exit status {self._exit_status}",)
        fix = f"read {self.log}"
        return transient(f"{self.program.name} {what}", *ended, *self.last_lines(), fix=fix, changed=changed)


async def keep(
    process: ManagedProcess,
    ready: Ready,
    progress: Progress,
    *,
    timeout_s: float,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Keep the program serving until cancelled: adopt or start it, and start it again whenever it ends.

    Cancelling leaves the process alive; `stop` ends it. Deaths and failures go to `progress`; each in a row
    waits longer (`backoff_s`), until the program has served for a minute. Raises only CancelledError.
    """
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        try:
            await process.start()
            await process.wait_ready(ready, timeout_s, progress)
            progress(f"{process.program.name}: serving")
            since = loop.time()
            await process.wait_end()
            progress(f"{process.program.name}: ended; starting it again")
            failures = 1 if loop.time() - since >= _SETTLED_S else failures + 1
        except LoopError as error:
            failures += 1
            progress(str(error))
        await sleep(backoff_s(failures))


def backoff_s(failures: int) -> float:
    """Return how many seconds to wait after so many failures (at least one) in a row: 0, 1, 2, 4, ... 60."""
    return min(_BACKOFF_MOST_S, _BACKOFF_FIRST_S * 2.0 ** (failures - 2)) if failures > 1 else 0.0
