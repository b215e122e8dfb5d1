"""What a document takes for granted before its first command, brought about in its clone.

A guide begins where its reader stands: with a remote, a rollout that was logged, a version that waits for its review.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable

import yaml

from tests.docs.scratch import ROOT, Clone
from tests.promotion.shop import HEAD
from tests.rollout.logs import Habits, rollout, write

NEW, DIGEST = "chat-v1.1", "4fbfd06b8306" + "0" * 52
PROMOTION = f"loop/promote-staging-{NEW}--{DIGEST[:12]}"
SESSIONS = 16
"""Of the logged rollout: few, since a backtest takes its time for each."""


def engineer(clone: Clone) -> None:
    """Give the clone a remote, and a log in which a candidate failed more often than the baseline."""
    _remote(clone)
    log = rollout(Habits(errors=0.005), Habits(errors=0.12), SESSIONS)
    write(log, clone.root / ".loop/production/events")


def reviewer(clone: Clone) -> None:
    """Let the remote have a branch that asks for a version's trial in staging."""
    _remote(clone)
    clone.git("switch", "--quiet", "--create", PROMOTION)
    _register(clone)
    _stage(clone, "staging", "canary")
    clone.git("push", "--quiet", "origin", PROMOTION)
    clone.git("switch", "--quiet", "main")
    clone.git("branch", "--quiet", "--delete", "--force", PROMOTION)


def oncall(clone: Clone) -> None:
    """Have a trial in its third stage; the names that the guide gives to its three commits are tags here."""
    _remote(clone)
    _register(clone)
    for tag, stage in (("BEGIN", "canary"), ("ADVANCE_1", "small"), ("ADVANCE_2", "half")):
        _stage(clone, "production", stage)
        clone.git("tag", tag)
    clone.git("push", "--quiet", "origin", "main")


def data_steward(clone: Clone) -> None:
    """Put the shipped pairs where `dvc pull` puts them."""
    pairs = "datasets/snapshot/preferences.jsonl"
    (clone.root / pairs).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(ROOT / pairs, clone.root / pairs)


def tutorial(clone: Clone) -> None:
    """Let the remote have a branch that asks for new data sets, as `loop data propose` pushes one."""
    _remote(clone)
    clone.git("switch", "--quiet", "--create", "loop/data")
    declared = clone.root / "datasets/bookshop-preferences.yaml"
    declared.write_text(declared.read_text() + "# made anew\n")
    clone.git("commit", "--quiet", "--all", "--message", "Take new data sets from feedback")
    clone.git("push", "--quiet", "origin", "loop/data")
    clone.git("switch", "--quiet", "main")


PREPARED: dict[str, Callable[[Clone], None]] = {
    "docs/tutorial.md": tutorial,
    "docs/guides/engineer.md": engineer,
    "docs/guides/reviewer.md": reviewer,
    "docs/guides/oncall.md": oncall,
    "docs/guides/data-steward.md": data_steward,
}


def _remote(clone: Clone) -> None:
    bare = clone.root.with_name("remote.git")
    clone.git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    clone.git("remote", "add", "origin", str(bare))
    clone.git("push", "--quiet", "--set-upstream", "origin", "main")


def _register(clone: Clone) -> None:
    """Commit a version's file; nobody has its bytes."""
    models = clone.root / "models"
    version = yaml.safe_load((models / "chat-v1.0.yaml").read_text())
    version |= {"name": NEW, "type": "DPO", "parent": "chat-v1.0"}
    version["adapter"] |= {"path": f"models/{NEW}", "digest": DIGEST}
    version["training"] |= {"recipe": "dpo", "dataset": "bookshop-preferences"}
    (models / f"{NEW}.yaml").write_text(HEAD + yaml.safe_dump(version, sort_keys=False))
    clone.git("add", "models")
    clone.git("commit", "--quiet", "--message", f"Register {NEW}")


def _stage(clone: Clone, environment: str, stage: str) -> None:
    """Commit that the version is on trial in a stage, and nothing else in the file."""
    path = clone.root / "loop.yaml"
    before, head, rest = path.read_text().partition(f"\n  {environment}:\n")
    begin, baseline, end = rest.partition("    baseline: chat-v1.0\n")
    lines = [line for line in end.splitlines(keepends=True) if not line.startswith("    rollout:")]
    trial = f"    rollout: {{candidate: {NEW}, stage: {stage}}}\n"
    path.write_text("".join((before, head, begin, baseline, trial, *lines)))
    clone.git("commit", "--quiet", "--all", "--message", f"Put {NEW} in stage {stage} of {environment}")
