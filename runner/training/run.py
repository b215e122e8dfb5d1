"""One run of training in a process of its own: `python -m runner.training.run JOB.json`, started by `launch`.

It loads the parent, proves that the policy is it, trains from the last whole checkpoint, and writes the adapter and
`result.json`, the latter last. What it has to say goes to standard output, one JSON object a line; what libraries say
goes to standard error. It ends when standard input does: whoever started it is gone then. Under `accelerate launch`
there is one such process for each device, and the first speaks and writes. It registers nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import platform
import resource
import shutil
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

from runner import digest
from runner.errors import LoopError, terminal
from runner.spec.training import DpoRecipe, KtoRecipe, SftRecipe
from runner.training import dpo, guards, kto, proof, rows, settings, sft, whole
from runner.training.guards import Guard, Reading, Tripped
from runner.training.job import THREADS, Job, put, read
from runner.training.rows import Rows
from runner.training.start import Start, start

ADAPTER, RESULT, STATE, LOCK = "adapter", "result.json", "state", "lock"
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "safetensors", "tokenizers")


@dataclass(frozen=True, slots=True)
class Trained:
    """How a run ended: its history, the guards at their worst, figures of held-out rows, seconds, rows of each kind."""

    history: tuple[dict[str, Any], ...]
    readings: tuple[Reading, ...]
    held: dict[str, float]
    seconds: float
    rows: Rows


def run(job: Job) -> None:
    """Run a job to its end, from wherever an earlier process left it. Raises Tripped, LoopError, OSError."""
    data = rows.read(job.data, job.recipe.type)
    found = Rows(data) if isinstance(job.recipe, SftRecipe) else rows.split(data)
    if not found.train:
        raise terminal("there is nothing to train on", f"{job.data}: {len(data)} rows")
    begun = start(job.base, job.parent, job.recipe)
    fit = _fits(begun, job, data)
    guards.hold([fit])
    trainer = _trainer(begun, found, job)
    trained = _train(trainer, begun, job, found, fit)
    if trainer.is_world_process_zero():
        _write(trainer, job, trained)


def _fits(begun: Start, job: Job, data: tuple[rows.Row, ...]) -> Reading:
    def tokens(messages: rows.Messages) -> int:
        return len(begun.tokenizer.encode(begun.tokenizer.apply_chat_template(messages, tokenize=False)))

    share = rows.truncated(data, tokens, job.recipe.max_length)
    return Reading(Guard.TRUNCATED, share, job.recipe.guards.max_truncated, 0)


def _trainer(begun: Start, found: Rows, job: Job) -> Any:
    pace = settings.pace(job.recipe, len(found.train), job.folder / STATE)
    match job.recipe:
        case SftRecipe():
            return sft.trainer(begun, found, job.recipe, pace)
        case DpoRecipe():
            return dpo.trainer(begun, found, job.recipe, pace)
        case KtoRecipe():
            return kto.trainer(begun, found, job.recipe, pace)
        case _:
            assert_never(job.recipe)


def _train(trainer: Any, begun: Start, job: Job, found: Rows, fit: Reading) -> Trained:
    """Prove, train and measure."""
    from runner.training.watch import Lengths, Watch

    proven = proof.prove(trainer, job)
    _emit_proof(trainer, proven)
    guards.hold(proven)
    model = trainer.accelerator.unwrap_model(trainer.model)
    growth = None
    if found.held:
        lengths = Lengths(begun.tokenizer, found.prompts)
        parents = lengths.mean(model)
        growth = lambda: lengths.mean(model) / parents  # noqa: E731
    checkpoint = whole.last(job.folder / STATE)
    weights = None if checkpoint is None else checkpoint / "adapter_model.safetensors"
    before = 0.0 if checkpoint is None else float(whole.about(checkpoint)["seconds"])
    watch = Watch(job.recipe, growth, _emit, weights, before)
    if checkpoint is not None and trainer.is_world_process_zero():
        _emit({"event": "resumed", "step": int(checkpoint.name.rpartition("-")[2])})
    trainer.add_callback(watch)
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    _same_everywhere(trainer, model)
    readings = (fit, *proven, *guards.worst(trainer.state.log_history, job.recipe))
    held = _held(trainer, found)
    return Trained(_history(trainer), readings, held, watch.seconds, found)


def _same_everywhere(trainer: Any, model: Any) -> None:
    """Raise TerminalError where processes that trained together ended with different weights."""
    import torch

    moved = [weights.detach().double().sum() for weights in model.parameters() if weights.requires_grad]
    sums = trainer.accelerator.gather(torch.stack(moved).sum().reshape(1)).tolist()
    if len(set(sums)) > 1:
        raise terminal(
            "the processes did not train the same weights", f"sums of weights: {', '.join(map(repr, sums))}"
        )


def _history(trainer: Any) -> tuple[dict[str, Any], ...]:
    """Return what was logged, without the count of tokens, which begins anew where a run goes on."""
    dropped = ("num_tokens", "eval_num_tokens")
    return tuple(
        {key: value for key, value in entry.items() if key not in dropped}
        for entry in trainer.state.log_history
    )


def _held(trainer: Any, found: Rows) -> dict[str, float]:
    """Return what the trainer measures of the rows that are held out."""
    if not found.held:
        return {}
    from datasets import Dataset  # type: ignore[attr-defined]  # the library, not the folder of that name

    measured = trainer.evaluate(Dataset.from_list(list(found.held)))
    timing = ("runtime", "_time", "per_second", "num_tokens", "epoch")
    return {
        key.removeprefix("eval_"): value
        for key, value in measured.items()
        if isinstance(value, float) and not key.endswith(timing)
    }


def _write(trainer: Any, job: Job, trained: Trained) -> None:
    """Write the adapter, its record and, last, the result. Raises OSError."""
    from runner.training import adapter_files, probe_record

    partial, adapter = job.folder / f"{ADAPTER}.partial", job.folder / ADAPTER
    for folder in (partial, adapter):
        shutil.rmtree(folder, ignore_errors=True)
    adapter_files.write(trainer.accelerator.unwrap_model(trainer.model), partial, job.base_name)
    probe_record.write(job.base, partial, rows.talks(trained.rows.train))
    partial.replace(adapter)
    value = {
        "digest": digest.of_directory(adapter),
        "steps": trainer.state.global_step,
        "rows": {"train": len(trained.rows.train), "held_out": len(trained.rows.held)},
        "seconds": round(trained.seconds, 1),
        "peak_mib": _peak_mib(),
        "machine": _machine(),
        "packages": dict(_packages()),
        "guards": [reading.to_json() for reading in trained.readings],
        "held_out": {key: round(value, 6) for key, value in sorted(trained.held.items())},
        "history": trained.history,
    }
    put(job.folder / RESULT, json.dumps(_numbers(value), ensure_ascii=False) + "\n")


def _numbers(value: Any) -> Any:
    """Return a value with null for what is no number, which JSON has no word for."""
    if isinstance(value, dict):
        return {key: _numbers(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _packages() -> Iterator[tuple[str, str]]:
    from importlib.metadata import version

    for name in PACKAGES:
        yield name, version(name)


def _machine() -> dict[str, Any]:
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return {
        "device": device,
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "threads": torch.get_num_threads(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "precision": str(settings.precision()).removeprefix("torch."),
    }


def _peak_mib() -> dict[str, float]:
    """Return the most memory that this process had, of the machine and of its GPU."""
    import torch

    found = {"memory": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)}
    if torch.cuda.is_available():
        found["gpu"] = round(torch.cuda.max_memory_allocated() / 2**20, 1)
    return found


def _emit_proof(trainer: Any, proven: tuple[Reading, ...]) -> None:
    if trainer.is_world_process_zero():
        for reading in proven:
            _emit({"event": "proof", **reading.to_json()})


def _emit(event: dict[str, Any]) -> None:
    print(json.dumps(_numbers(event), ensure_ascii=False), flush=True)


def _end_with_caller() -> None:
    """End this process at once when the other end of standard input is closed."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main() -> int:
    """Run the job of the command line; whatever goes wrong is told as an event."""
    _end_with_caller()
    import torch

    try:
        job = read(Path(sys.argv[1]))
        torch.set_num_threads(THREADS)
        # Another process of a run that was just killed may still be about to end.
        with (job.folder / LOCK).open("a") as lock:
            if int(os.environ.get("RANK", "0")) == 0:
                fcntl.flock(lock, fcntl.LOCK_EX)
            run(job)
    except Tripped as stop:
        shown = {"shown": f"{stop.reading.value:.4g}", "advice": stop.reading.advice}
        _emit({"event": "tripped", **stop.reading.to_json(), **shown})
        return 1
    except LoopError as error:
        told = error.diagnostics[0]
        _emit({"event": "failed", "summary": told.summary, "evidence": told.evidence, "fix": told.fix})
        return 1
    except (
        Exception
    ) as error:  # torch, safetensors and the trainer raise what they like; the caller needs one sentence
        traceback.print_exc()
        _emit({"event": "failed", "summary": f"{type(error).__name__}: {_first_line(error)}"})
        return 1
    return 0


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "no reason was given")


if __name__ == "__main__":
    sys.exit(main())
