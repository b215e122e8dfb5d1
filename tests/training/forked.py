"""Run commands one after the other, each in a process of its own that need not import the training libraries again.

Importing them takes as long as ten seconds, more than what a test has them do: they are imported once, here, and each
command runs in a fork as `python -m` would run it. Called with a list of them in
JSON, `python -m tests.training.forked '[["MODULE", "ARGUMENT"]]'`; ends with the status of the first that fails.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import sys
import traceback

LIBRARIES = (
    "datasets",
    "peft",
    "torch",
    "transformers.models.qwen2.modeling_qwen2",
    "trl.trainer.sft_trainer",
)


def forked(module: str, arguments: list[str]) -> int:
    """Run one command in a fork and return its exit status."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # a fork must never go on in what was its parent's code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Read the commands and run them."""
    for name in LIBRARIES:
        importlib.import_module(name)
    for module, *arguments in json.loads(sys.argv[1]):
        if status := forked(module, arguments):
            raise SystemExit(status)


if __name__ == "__main__":
    main()
