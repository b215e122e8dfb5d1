"""Runs the `git` command so that it never asks, never hangs and never picks up somebody else's settings.

Called by this package only. It turns whatever goes wrong with the command itself (not installed,
no answer, a failing exit status) into errors that a user can read; it knows nothing of what was asked.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.errors import LoopError, terminal, transient

READ_SECONDS = 30.0

# What a caller may still say about transport and where settings are; everything else that begins with GIT_
# (GIT_DIR, GIT_INDEX_FILE, ... are set inside hooks) would point the command at another repository.
_KEPT = frozenset(
    {
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSH_VARIANT",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CAPATH",
        "GIT_EXEC_PATH",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_SYSTEM",
        "GIT_CONFIG_NOSYSTEM",
    }
)
_NEVER_ASK = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
    "GCM_INTERACTIVE": "never",
}
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.quotePath=false",
    "color.ui=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "log.showSignature=false",
    "protocol.ext.allow=never",
    "merge.autoStash=false",
    "submodule.recurse=false",
    "i18n.commitEncoding=UTF-8",
)
# What git says where the disk or another command is in the way: the same call may succeed later.
_PASSING = re.compile(
    r"No space left on device|Disk quota exceeded|Read-only file system|Input/output error"
    r"|Unable to create '[^']*\.lock': |cannot lock ref|unable to write|could not write index"
    r"|Another git process seems to be running|Cannot allocate memory|Resource temporarily unavailable"
)
_LOCK = re.compile(r"Unable to create '([^']*\.lock)': File exists")


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ended by itself: its exit status and what it wrote."""

    status: int
    stdout: bytes
    stderr: str


@dataclass(frozen=True, slots=True)
class Git:
    """The `git` command in one directory, with the environment of `environ` less Git's own variables."""

    directory: Path
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    program: str = "git"

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        seconds: float = READ_SECONDS,
        extra: Mapping[str, str] | None = None,
    ) -> Finished:
        """Run a command to its end, whatever its exit status; `extra` adds to its environment.

        Raises TerminalError where git is not installed, and TransientError after `seconds`.
        """
        process = self._start(arguments, extra or {})
        try:
            stdout, stderr = process.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired as error:
            _end_group(process)
            late = f"`git {arguments[0]}` did not end within {seconds:g} s"
            raise transient(late, f"directory: {self.directory}") from error
        except BaseException:  # Ctrl-C: the command is in a session of its own and would live on
            _end_group(process)
            raise
        return Finished(process.returncode, stdout, stderr.decode(errors="replace").strip())

    def read(self, *arguments: str, stdin: bytes = b"", extra: Mapping[str, str] | None = None) -> bytes:
        """Return what a command printed.

        Raises TerminalError where it failed, with git's own words; TransientError where a full disk or
        another command's lock was in the way.
        """
        finished = self.run(*arguments, stdin=stdin, extra=extra)
        if finished.status:
            raise failure(arguments[0], finished)
        return finished.stdout

    def _start(self, arguments: tuple[str, ...], extra: Mapping[str, str]) -> subprocess.Popen[bytes]:
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        try:
            return subprocess.Popen(
                [self.program, *settings, "-C", str(self.directory), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**_environment(self.environ), **extra},
                start_new_session=True,  # no terminal to ask on, and one group to end
            )
        except FileNotFoundError as error:
            raise terminal(
                f"the command '{self.program}' was not found",
                fix="install Git 2.30 or later and put it on PATH",
            ) from error


def failure(command: str, finished: Finished) -> LoopError:
    """Return the error for a command that failed, with its own words as evidence."""
    said = finished.stderr.splitlines() or ["it said nothing"]
    summary = f"`git {command}` failed with status {finished.status}"
    if _PASSING.search(finished.stderr):
        lock = _LOCK.search(finished.stderr)
        fix = f"where no other git command is running, delete {lock[1]}" if lock else None
        return transient(summary, *said[:5], fix=fix)
    fix = None
    if "dubious ownership" in finished.stderr:
        fix = "run as the owner of the repository, or name it in git's setting safe.directory"
    return terminal(summary, *said[:5], fix=fix)


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in environ.items() if not k.startswith("GIT_") or k in _KEPT}
    return {**kept, **_NEVER_ASK, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End the command and its transport (ssh), which may outlive it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
