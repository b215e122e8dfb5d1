"""Public tasks by lm-evaluation-harness, which is installed by whoever wants them (`pip install lm-eval[api]`).

It runs in a process of its own (`python -m runner.evaluation.harness`, a job on standard input), because it takes the
whole process over: threads, an event loop, signals, logging. It asks the engine's OpenAI-compatible completions, so the
served adapter is measured and not a copy of it. Called by the harness suite.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runner.errors import terminal, transient
from runner.evaluation.bench import Tasks, TaskScore

MODULE: Final = "lm_eval"
IN_FLIGHT: Final = 8
_METRICS: Final = (
    *("acc,none", "exact_match,strict-match", "exact_match,flexible-extract", "exact_match,none"),
    "acc_norm,none",
)
"""Where a task has several metrics, the first of these is its share of right answers."""


@dataclass(frozen=True, slots=True)
class LmEval:
    """Runs tasks against the server at `base_url`; `tokenizer` is the base model's folder or name.

    `key` goes to the child in the variable that the harness reads (OPENAI_API_KEY).
    """

    base_url: str
    tokenizer: str
    environ: Mapping[str, str]
    key: str | None = None

    async def __call__(self, tasks: Tasks) -> Sequence[TaskScore]:
        """Return each task's score. Raises TerminalError where the harness is missing or does not know a task."""
        if importlib.util.find_spec(MODULE) is None:
            raise terminal(
                "lm-evaluation-harness is not installed here",
                f"tasks: {', '.join(tasks.names)}",
                fix="install it: `uv pip install 'lm-eval[api]'`, or take the suite out of policies/evaluation.yaml",
            )
        job = {
            "model": tasks.served,
            "base_url": f"{self.base_url.rstrip('/')}/v1/completions",
            "tokenizer": self.tokenizer,
            "tasks": list(tasks.names),
            "limit": tasks.limit,
        }
        return _scores(await self._child(json.dumps(job)))

    async def _child(self, job: str) -> Any:
        environ = {**self.environ, "OPENAI_API_KEY": self.key or "none", "TOKENIZERS_PARALLELISM": "false"}
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "runner.evaluation.harness"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        try:
            out, err = await child.communicate(job.encode())
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if child.returncode:
            said = err.decode(errors="replace").strip().splitlines()[-5:]
            raise terminal(
                "lm-evaluation-harness failed",
                *said,
                fix="try the same tasks with its own command, `lm_eval`",
            )
        try:
            return json.loads(out.decode().splitlines()[-1])
        except (ValueError, IndexError) as error:
            raise transient("lm-evaluation-harness ended without results", str(error)) from error


def _scores(results: Any) -> list[TaskScore]:
    """Return right answers and questions of each task. Raises TerminalError where a task has no such figure."""
    found = []
    for task, n in results["n"].items():
        metrics = results["results"].get(task, {})
        share = next((metrics[name] for name in _METRICS if isinstance(metrics.get(name), int | float)), None)
        if share is None:
            known = ", ".join(sorted(metrics)) or "nothing"
            raise terminal(
                f"task '{task}' has no share of right answers",
                f"it measures: {known}",
                fix="name tasks that measure acc or exact_match",
            )
        found.append(TaskScore(task, round(share * n), n))
    return found


def main() -> None:
    """Read a job from standard input, run it, and write the results as the last line of standard output.

    What the harness prints goes to standard error, so that it cannot be taken for the results.
    """
    import lm_eval  # type: ignore[import-not-found]

    job, out = json.load(sys.stdin), sys.stdout
    sys.stdout = sys.stderr
    arguments = {
        "model": job["model"],
        "base_url": job["base_url"],
        "tokenizer": job["tokenizer"],
        "tokenizer_backend": "huggingface",
        "tokenized_requests": False,
        "num_concurrent": IN_FLIGHT,
    }
    found = lm_eval.simple_evaluate(
        model="local-completions",
        model_args=arguments,
        tasks=job["tasks"],
        limit=job["limit"],
        log_samples=False,
    )
    counts = {task: int(each["effective"]) for task, each in found["n-samples"].items()}
    out.write(json.dumps({"results": found["results"], "n": counts}, default=str) + "\n")


if __name__ == "__main__":
    main()
