"""The machine: Python, cores, memory, disk, GPU, open files, tools, clock.

The operating system and a few programs are asked. The bounds are for one small deployment on one machine; a large model
wants more, which only its engine can tell.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.doctor.finding import Finding, Look, aside, failed, ok, unchecked, warning

AREA = "machine"
GIB = 1 << 30
LEAST_PYTHON = (3, 11)
LEAST_GIT = (2, 30)
FEW_CORES, LITTLE_MEMORY, LITTLE_DISK, NO_DISK, FEW_FILES = 2, 4 * GIB, 10 * GIB, 1 * GIB, 4096
CLOCK_SECONDS = 300.0
_TOOL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the machine has: bytes of memory that are free for use, bytes of disk that are free below `folder`."""

    cores: int
    memory: int | None
    disk: int
    folder: Path
    open_files: int


def looks(root: Path, newest_commit: float | None, now: float) -> Iterator[Look]:
    """Yield what to look at. `newest_commit` is when the newest commit here was made, `now` the time, since 1970."""

    async def seen() -> Iterable[Finding]:
        return hardware(await aside(lambda: _hardware(root)))

    async def python() -> Iterable[Finding]:
        return [judge_python(sys.version_info[:3])]

    async def gpu() -> Iterable[Finding]:
        return [judge_gpu(await aside(_gpus))]

    async def tools() -> Iterable[Finding]:
        return judge_tools(
            await aside(_git_version), {name: shutil.which(name) for name in ("make", "node", "act")}
        )

    async def clock() -> Iterable[Finding]:
        return [judge_clock(await aside(_synchronised), newest_commit, now)]

    yield Look(AREA, "Python", python)
    yield Look(AREA, "cores, memory, disk, open files", seen)
    yield Look(AREA, "GPU", gpu)
    yield Look(AREA, "tools", tools)
    yield Look(AREA, "clock", clock)


def judge_python(version: tuple[int, ...]) -> Finding:
    """Judge the version of Python that runs."""
    shown = ".".join(map(str, version))
    if version[:2] < LEAST_PYTHON:
        return failed("Python", shown, "install Python 3.11 or later, and build .venv with it: `make setup`")
    return ok("Python", shown)


def hardware(seen: Hardware) -> Iterator[Finding]:
    """Judge cores, memory, disk and open files."""
    yield (
        ok("cores", str(seen.cores))
        if seen.cores >= FEW_CORES
        else warning("cores", str(seen.cores), f"give it {FEW_CORES}: engine and gateway want one each")
    )
    if seen.memory is None:
        yield unchecked("memory", "this system does not say what is free")
    elif seen.memory < LITTLE_MEMORY:
        fix = f"end what else runs; an engine, gateway, monitor and console want {_gib(LITTLE_MEMORY)} and the model"
        yield warning("memory", f"{_gib(seen.memory)} available", fix)
    else:
        yield ok("memory", f"{_gib(seen.memory)} available")
    yield _disk(seen)
    yield (
        ok("open files", str(seen.open_files))
        if seen.open_files >= FEW_FILES
        else warning("open files", f"{seen.open_files} at once", f"raise it: `ulimit -n {FEW_FILES * 4}`")
    )


def _disk(seen: Hardware) -> Finding:
    said = f"{_gib(seen.disk)} free below {seen.folder}"
    fix = "free some: `dvc gc --workspace` drops old versions of data; a full disk stops all answers"
    if seen.disk < NO_DISK:
        return failed("disk", said, fix)
    return warning("disk", said, fix) if seen.disk < LITTLE_DISK else ok("disk", said)


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"


def judge_gpu(names: tuple[str, ...] | None) -> Finding:
    """Judge the GPUs that were found; None where nothing could tell. None is needed: there is a vLLM for CPUs."""
    if names is None:
        return unchecked("GPU", "there is no `nvidia-smi`; vLLM runs on the CPU")
    if not names:
        return warning(
            "GPU", "`nvidia-smi` finds none", "look at the driver: `nvidia-smi`; or serve on the CPU"
        )
    return ok("GPU", ", ".join(names))


def judge_tools(git: tuple[int, ...] | None, others: dict[str, str | None]) -> Iterator[Finding]:
    """Judge the programs that are called: Git always, make for the shipped set-up, node and act by nobody but tests."""
    if git is None:
        yield failed("git", "it was not found", "install Git 2.30 or later and put it on PATH")
    elif git < LEAST_GIT:
        yield failed("git", ".".join(map(str, git)), "install Git 2.30 or later")
    else:
        yield ok("git", ".".join(map(str, git)))
    for name, path in others.items():
        if path:
            yield ok(name, path)
        elif name == "make":
            yield warning(name, "it was not found", "install make: Loop's own set-up is `make setup`")
        else:
            yield unchecked(name, "not here, and only tests of workflows want it")


def judge_clock(synchronised: bool | None, newest_commit: float | None, now: float) -> Finding:
    """Judge the clock: events are told apart by it, and a commit from the future says that it is late."""
    if newest_commit is not None and newest_commit - now > CLOCK_SECONDS:
        said = f"the newest commit here is {(newest_commit - now) / 60:.0f} min ahead of this clock"
        return warning("clock", said, "set it: `timedatectl set-ntp true`; events ahead of it are left out")
    if synchronised is None:
        return unchecked("clock", "nothing here says whether it is synchronised")
    if not synchronised:
        return warning("clock", "it is not synchronised", "set it: `timedatectl set-ntp true`")
    return ok("clock", "synchronised")


def _hardware(root: Path) -> Hardware:
    return Hardware(
        cores=len(os.sched_getaffinity(0)),
        memory=_available(Path("/proc/meminfo")),
        disk=shutil.disk_usage(root).free,
        folder=root,
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    )


def _available(meminfo: Path) -> int | None:
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _said(*command: str) -> str | None:
    """Return what a program printed, None where it is not there, fails or takes too long."""
    try:
        ended = subprocess.run(
            command, capture_output=True, timeout=_TOOL_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.decode(errors="replace").strip() if ended.returncode == 0 else None


def _gpus() -> tuple[str, ...] | None:
    said = _said("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader")
    return None if said is None and not shutil.which("nvidia-smi") else tuple((said or "").splitlines())


def _git_version() -> tuple[int, ...] | None:
    found = re.search(r"\d+(?:\.\d+)+", _said("git", "--version") or "")
    return tuple(map(int, found[0].split("."))) if found else None


def _synchronised() -> bool | None:
    said = _said("timedatectl", "show", "--property=NTPSynchronized", "--value")
    return {"yes": True, "no": False}.get(said or "")
