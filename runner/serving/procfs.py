"""What Linux's `/proc` says of processes: who lives, who belongs together, who listens on a port.

Called by `processes` only. It reads and never signals. A process that ends while it is read counts as ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_LISTENING = "0A"
_ENDED = "ZX"


@dataclass(frozen=True, slots=True)
class Life:
    """A living process: `started` tells it from any other that has or had the same id."""

    pid: int
    session: int
    started: str


def life(pid: int) -> Life | None:
    """Return a process that lives, or None; one that ended and waits for its parent does not live."""
    try:
        # The command's name stands in parentheses and may itself hold parentheses and blanks.
        fields = (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    if fields[0] in _ENDED:
        return None
    return Life(pid, session=int(fields[3]), started=f"{_boot()}:{fields[19]}")


def family(session: int, mark: str) -> tuple[Life, ...]:
    """Return the living processes of a session, and those whose environment holds `mark` (NAME=VALUE).

    Both are asked: a process may leave its session, and may overwrite the start of its environment.
    """
    lives = (life(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdigit())
    return tuple(one for one in lives if one and (one.session == session or _has(one.pid, mark)))


def listener(port: int) -> str | None:
    """Return `pid N: COMMAND` of a process that listens on a TCP port, as far as it may be seen."""
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and sockets & _open_files(entry):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            return f"pid {entry.name}: {command[:120]}"
    return None


def _boot() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def _has(pid: int, mark: str) -> bool:
    try:
        return mark.encode() in (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _listening(port: int) -> list[str]:
    rows = [row.split() for name in ("tcp", "tcp6") for row in _lines(PROC / "net" / name)[1:]]
    return [row[9] for row in rows if row[3] == _LISTENING and int(row[1].rpartition(":")[2], 16) == port]


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else [""]


def _open_files(process: Path) -> set[str]:
    found = set()
    try:
        for descriptor in (process / "fd").iterdir():
            found.add(str(descriptor.readlink()))
    except OSError:
        pass
    return found
