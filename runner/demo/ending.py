"""The end of the quarter: the figures of the last line, and the files that stay when the scratch folder has gone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from runner.demo.place import git
from runner.demo.report import Commit, Played, to_html
from runner.demo.story import Quarter

FIELD = "\x1f"
KEYS = (
    *("seconds", "promoted", "rolled_back", "reverted_by_hand", "decided", "requests", "failed_requests"),
    *("failed_without_an_engine", "zero_traffic_ms", "git_log"),
)
NOTHING: dict[str, Any] = dict.fromkeys(KEYS)
"""The figures of a quarter that did not begin."""


def figures(quarter: Quarter) -> dict[str, Any]:
    """Return what the last line says; None for what did not happen."""
    customers = quarter.customers
    return NOTHING | {
        "seconds": round(time.time() - quarter.tell.began, 1),
        "promoted": quarter.promoted,
        "rolled_back": quarter.rolled_back,
        "reverted_by_hand": quarter.reverted_by_hand,
        "decided": quarter.decided,
        "requests": len(customers.seen()),
        "failed_requests": len(customers.failed()),
        "failed_without_an_engine": len(customers.failed(*quarter.outage)) if quarter.outage else None,
        "zero_traffic_ms": quarter.zero_traffic_ms,
        "git_log": quarter.place.subjects(),
    }


def write(quarter: Quarter, told: dict[str, Any], fulfilled: bool) -> Path:
    """Write the report of the quarter beside the pages that the product made of it; return its path."""
    report = quarter.kept / "report.html"
    report.write_text(to_html(_played(quarter, told, fulfilled)), encoding="utf-8")
    return report


def _played(quarter: Quarter, told: dict[str, Any], fulfilled: bool) -> Played:
    return Played(
        began=quarter.tell.began,
        figures=told,
        lines=quarter.tell.lines,
        marks=quarter.marks,
        seen=quarter.customers.seen(),
        evaluations=quarter.evaluations,
        log=_log(quarter),
        fulfilled=fulfilled,
    )


def _log(quarter: Quarter) -> list[Commit]:
    form = FIELD.join(("%h", "%an", "%s"))
    lines = git(quarter.place.remote, "log", "--reverse", f"--format={form}", "main").splitlines()
    return [Commit(*line.split(FIELD)) for line in lines]
