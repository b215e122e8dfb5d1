"""Runs DVC's own command in a process of its own, and hands on what it says line by line.

Called by `pull` and `pipeline`. Whatever happens to the caller, nothing that was started is left.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_BAR = re.compile(r"\[\d+:\d\d.*\]$|^!$")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its status, what it said, and whether it was ended because its time was over."""

    status: int
    said: tuple[str, ...]
    expired: bool


def dvc(
    root: Path,
    arguments: Sequence[str],
    progress: Callable[[str], None],
    seconds: float,
    environ: Mapping[str, str] = os.environ,
) -> Ended:
    """Run `dvc ARGUMENTS` at `root` for at most `seconds`."""
    process = _start(root, arguments, environ)
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        _end(process)

    late = threading.Timer(seconds, expire)
    late.start()
    try:
        said = tuple(_follow(process, progress))
        status = process.wait()
    finally:
        late.cancel()
        _end(process)
    return Ended(status, said, expired.is_set())


def is_progress(line: str) -> bool:
    """Return whether a line is one state of a bar, which is of use only to somebody who is watching."""
    return bool(_BAR.search(line))


def _start(root: Path, arguments: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # Git's variables, set inside hooks, would lead DVC to another repository.
    kept = {key: value for key, value in environ.items() if not key.startswith("GIT_")}
    return subprocess.Popen(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=root,
        env=kept | {"DVC_NO_ANALYTICS": "1", "DVC_IGNORE_ISATTY": "1", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _follow(process: subprocess.Popen[bytes], progress: Callable[[str], None]) -> Iterator[str]:
    """Hand on what is said, a line at a time; a progress bar ends its lines with carriage returns."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    with process.stdout as stream:
        for line in _lines(stream):
            text = _CONTROL.sub("", line.decode(errors="replace")).strip()
            if text:
                progress(text)
                yield text


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while chunk := os.read(stream.fileno(), 65536):
        *whole, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
        yield from whole
    yield rest


def _end(process: subprocess.Popen[bytes]) -> None:
    """End DVC and what it started; after a normal end there is nothing left to end."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
