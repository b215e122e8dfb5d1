"""Runs jobs of training one after the other in forks of one process, each under what its test wants to happen to it.

Importing the training libraries takes longer than a small run: they are imported once, here. Called with a list of
orders in JSON, `python -m tests.training.jobs '[{"job": "job.json", "kill_at": 3, "largest": 100000}]'`; prints a line
of JSON for each, its status and what it said. `kill_at` has the run killed when it opens the so-manieth file of a
checkpoint for writing; no file may grow beyond `largest` bytes, as on a disk that is full.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.training.forked import LIBRARIES, forked

RUN = "runner.training.run"


def main() -> None:
    """Read the orders and run them."""
    for name in (*LIBRARIES, "trl.trainer.dpo_trainer", "trl.trainer.kto_trainer"):
        importlib.import_module(name)
    told = os.fdopen(os.dup(1), "w")
    for order in json.loads(sys.argv[1]):
        with tempfile.TemporaryFile("w+") as said:
            os.dup2(said.fileno(), 1)
            status = _one(order)
            said.seek(0)
            print(json.dumps({"status": status, "said": said.read()}), file=told, flush=True)


def _one(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if "kill_at" in order:
        _kill_at(order["kill_at"])
    if "largest" in order:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["largest"], resource.RLIM_INFINITY))
    status = forked(RUN, [order["job"]])
    if status < 0:
        os.kill(os.getpid(), -status)
    os._exit(status)


def _kill_at(count: int) -> None:
    """Kill the process at the so-manieth file of a checkpoint that Python opens for writing."""
    left = count

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event != "open" or not isinstance(arguments[0], str | Path):
            return
        mode = arguments[1]
        if "checkpoint-" in str(arguments[0]) and isinstance(mode, str) and mode.startswith("w"):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)


if __name__ == "__main__":
    main()
