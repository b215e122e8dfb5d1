"""Starts a run of training in a process of its own, follows what it says, and leaves nothing of it behind.

Called by `loop train`. With more than one GPU the process is started through `accelerate launch`, one for each, else
plainly: the same command trains on a laptop and on a server. No torch here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import runner
from runner import digest
from runner.errors import LoopError, terminal, transient
from runner.training import room
from runner.training.guards import MEANING, Guard
from runner.training.job import THREADS, Job
from runner.training.run import ADAPTER, RESULT

LOG = "log.txt"
GOES_ON = "nothing was registered; the same command goes on from the last checkpoint"
Tell = Callable[[dict[str, Any]], None]


def gpus(environ: Mapping[str, str] = os.environ, devices: Path = Path("/dev")) -> int:
    """Return how many NVIDIA GPUs this process may use; 0 on a machine without."""
    listed = environ.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        return len([each for each in listed.split(",") if each.strip() and each.strip() != "-1"])
    return sum(re.fullmatch(r"nvidia\d+", path.name) is not None for path in devices.iterdir())


def finished(job: Job) -> dict[str, Any] | None:
    """Return the result of a run that came to its end; None where it did not, or its adapter is damaged."""
    try:
        value: dict[str, Any] = json.loads((job.folder / RESULT).read_text(encoding="utf-8"))
        whole = digest.of_directory(job.folder / ADAPTER) == value["digest"]
    except (OSError, ValueError, KeyError):
        return None
    return value if whole else None


def train(job: Job, tell: Tell) -> dict[str, Any]:
    """Run a job and return its result; `tell` gets every event but the last.

    Raises TerminalError where a guard stopped it or it failed, TransientError where its process was ended from outside.
    Whatever ends this function ends the processes that it started.
    """
    failure: LoopError | None = None
    with (job.folder / LOG).open("ab") as log:
        process = _start(job, log)
        try:
            for event in _events(process, log):
                match event["event"]:
                    case "tripped":
                        failure = failure or _tripped(job, event)
                    case "failed":
                        failure = failure or _failed(job, event)
                    case _:
                        tell(event)
            status = process.wait()
        finally:
            _end(process)
    found = finished(job)
    if failure is not None:
        raise failure
    if status or found is None:
        raise _ended(job, status)
    return found


def _start(job: Job, log: Any) -> subprocess.Popen[bytes]:
    path = job.write()
    command = [sys.executable, "-m"]
    if job.processes > 1:
        command += [
            "accelerate.commands.launch",
            "--num_processes",
            str(job.processes),
            "--num_machines",
            "1",
        ]
        command += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
        command += ["--multi_gpu", "--module"]
    package = Path(runner.__file__).parents[1]
    return subprocess.Popen(
        [*command, "runner.training.run", str(path)],
        cwd=job.folder,
        env={
            **os.environ,
            "PYTHONPATH": f"{package}{os.pathsep}{os.environ.get('PYTHONPATH', '')}".rstrip(os.pathsep),
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "OMP_NUM_THREADS": str(THREADS),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,
    )


def _events(process: subprocess.Popen[bytes], log: Any) -> Iterator[dict[str, Any]]:
    """Yield what the run says; what libraries print goes to the log."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    for line in process.stdout:
        try:
            event = json.loads(line)
            known = isinstance(event, dict) and "event" in event
        except ValueError:
            known = False
        if known:
            yield event
        else:
            log.write(line)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the run; processes in further sessions end with the pipe that all of them read."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tripped(job: Job, event: Mapping[str, Any]) -> LoopError:
    guard = Guard(event["guard"])
    limit = "it has to be one" if event["limit"] is None else f"limit: {event['limit']:g}"
    return terminal(
        f"training of '{job.name}' was stopped by the guard '{guard.value}' at step {event['step']}",
        f"{MEANING[guard]}: {event['shown']}; {limit}",
        fix=event["advice"],
        changed="nothing was registered",
    )


def _failed(job: Job, event: Mapping[str, Any]) -> LoopError:
    said, full = event["summary"], room.full(event["summary"])
    return terminal(
        f"training of '{job.name}' failed: {full or said}",
        *event.get("evidence", ()),
        *([said] if full else []),
        f"log: {job.folder / LOG}",
        fix=event.get("fix")
        or (room.fix(job) if full else "put right what it says, then run the same command again"),
        changed=GOES_ON,
    )


def _ended(job: Job, status: int) -> LoopError:
    how = f"by signal {-status}" if status < 0 else f"with status {status}"
    return transient(
        f"training of '{job.name}' ended {how} before it was done",
        "the kernel ends processes with signal 9 where memory is short" if status == -signal.SIGKILL else "",
        f"log: {job.folder / LOG}",
        fix="run the same command again",
        changed=GOES_ON,
    )
