"""A quarter in minutes: the shipped repository with its days shortened, its addresses free, its remote beside it.

Stages, conditions, gates, signals and recipes stay the shipped ones; what differs is listed in `EDITS`, each with its
reason, and stands in one commit of the scratch repository, so that the Git log shows it. Called by `place`. Edits
files of a scratch repository, nothing else.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.demo.claims import Unfulfilled

DAY_S = 4
"""Seconds that a day lasts: a quarter of ninety days takes six minutes."""
ADDRESS = re.compile(r"127\.0\.0\.1:\d+")
REMOTE = "\ngit: {remote: origin, branch: main}\n"


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one file; `why` is told to whoever asks what the demo does differently."""

    path: str
    old: str
    new: str
    why: str


ROLLOUT, SIGNALS = "policies/rollout.yaml", "policies/signals.yaml"
SHORTER = "a day lasts four seconds"
DOZENS = "certified by dozens of sessions, not by thousands"
EDITS = (
    Edit(ROLLOUT, "    duration: 24h", f"    duration: {DAY_S}s", SHORTER),
    Edit(ROLLOUT, "    duration: 48h", f"    duration: {2 * DAY_S}s", SHORTER),
    Edit(ROLLOUT, "    duration: 72h", f"    duration: {3 * DAY_S}s", SHORTER),
    Edit(ROLLOUT, "conclude_after: 72h", f"conclude_after: {3 * DAY_S}s", SHORTER),
    Edit(ROLLOUT, "session_gap: 30m ", "session_gap: 1s ", SHORTER),
    Edit(ROLLOUT, "user_window: 24h ", f"user_window: {DAY_S}s ", SHORTER),
    Edit(ROLLOUT, "every: 2s", "every: 1s", "looks as often as two cores allow"),
    Edit(ROLLOUT, "margin: 10% ", "margin: 25% ", DOZENS),
    Edit(
        ROLLOUT,
        "slow: latency_p99 > 2000ms",
        "slow: latency_p95 > baseline * 3",
        "how fast this machine is, is not the question",
    ),
    Edit(ROLLOUT, "advance_evidence: 20 ", "advance_evidence: 10 ", DOZENS),
    Edit(ROLLOUT, "crashes: crash_rate > 1%", "crashes: crash_rate > 10%", DOZENS),
    Edit(ROLLOUT, "rollback_if: error_rate > 5% OR", "rollback_if: error_rate > 10% OR", DOZENS),
    Edit(
        SIGNALS,
        "retrain: input_drift > 0.5",
        "retrain: input_drift > 0.05",
        "figures are kept by the hour, so a minute of new questions stands beside all that was asked before",
    ),
    Edit(
        SIGNALS,
        "    window: 7d\n    detector: {kind: drift,",
        "    window: 1m\n    detector: {kind: drift,",
        SHORTER,
    ),
    Edit(
        "policies/evaluation.yaml",
        "{rate: 8, duration: 60s}",
        "{rate: 32, duration: 15s}",
        "the same five hundred requests in less time",
    ),
    Edit(
        "policies/evaluation.yaml",
        "latency_p99 < 2000ms",
        "latency_p99 < 20s",
        "how fast this machine is, is not the question",
    ),
    Edit(
        "policies/training.yaml",
        "epochs: 5",
        "epochs: 3",
        "two hundred pairs in place of three hundred: fewer steps keep more of the facts",
    ),
    Edit("loop.yaml", "poll: 2s", "poll: 1s", SHORTER),
    Edit("loop.yaml", "grace_period: 10m", "grace_period: 5s", SHORTER),
)


def shorten(root: Path) -> None:
    """Make the repository at `root` one that lives through a quarter in minutes. Raises Unfulfilled, OSError."""
    for edit in EDITS:
        replace_once(root / edit.path, edit.old, edit.new)
    spec = root / "loop.yaml"
    spec.write_text(_alone(spec.read_text(encoding="utf-8")), encoding="utf-8")


def replace_once(path: Path, old: str, new: str) -> None:
    """Replace what a file holds exactly once. Raises Unfulfilled where it does not."""
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise Unfulfilled(f"{path.name} holds '{old.strip()}' {text.count(old)} times, not once")
    path.write_text(text.replace(old, new), encoding="utf-8")


def _alone(text: str) -> str:
    """Return loop.yaml with production alone, on free addresses, following a remote."""
    before, rest = text.split("  staging:\n", 1)
    production = rest.split("  production:\n", 1)[1]
    production = re.sub(r"    promote_after:\n(      .*\n)+", "", production)
    whole = f"{before}  production:\n{production}{REMOTE}"
    ports = iter(_free_ports(len(ADDRESS.findall(whole))))
    return ADDRESS.sub(lambda _: f"127.0.0.1:{next(ports)}", whole)


def _free_ports(count: int) -> Iterator[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        yield from [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
