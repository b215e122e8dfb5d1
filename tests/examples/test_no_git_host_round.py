"""`ops/round.sh` of `examples/no-git-host`: which commands it calls, in which order, and when it stops.

To train and evaluate takes minutes and has tests of its own; here `loop` and `dvc` write down how they are called.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.examples.place import EXAMPLES

STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >> calls
case "$*" in
  decide) exit "$DECIDES";;
  "decide --json") echo '{"proposal": {"command": "loop train dpo --dataset pairs"}}'; exit "$DECIDES";;
  train*) echo '{"version": "chat-v0.1"}';;
  evaluate*) exit "$EVALUATED";;
esac
"""
DECIDED = ["dvc pull --quiet --allow-missing", "loop decide"]
TRAINED = [
    *DECIDED,
    "loop decide --json",
    "loop train dpo --dataset pairs --json",
    "loop evaluate chat-v0.1",
    "dvc push --quiet",
]


def checkout(folder: Path) -> None:
    """Make a checkout whose remote has a main branch, and nothing that waits for a review."""
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    for arguments in (
        ("init", "--quiet"),
        (*who, "commit", "--quiet", "--allow-empty", "--message=begin"),
        ("update-ref", "refs/remotes/origin/main", "HEAD"),
    ):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True)


@pytest.mark.parametrize(
    ("decides", "evaluated", "code", "calls"),
    [
        pytest.param(0, 0, 0, DECIDED, id="nothing-to-train"),
        pytest.param(1, 0, 1, DECIDED, id="no-decision"),
        pytest.param(2, 0, 0, [*TRAINED, "loop promote chat-v0.1 --to staging"], id="every-gate-passed"),
        pytest.param(2, 2, 2, TRAINED, id="a-gate-failed"),
    ],
)
def test_a_round_goes_as_far_as_its_verdicts(
    decides: int, evaluated: int, code: int, calls: list[str], tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("loop", "dvc"):
        (programs / name).write_text(STAND_IN)
        (programs / name).chmod(0o755)
    checkout(tmp_path)
    said = {"DECIDES": str(decides), "EVALUATED": str(evaluated), "PATH": f"{programs}:{os.environ['PATH']}"}
    script = EXAMPLES / "no-git-host/ops/round.sh"
    done = subprocess.run([script], cwd=tmp_path, env=said, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert (tmp_path / "calls").read_text().splitlines() == calls
