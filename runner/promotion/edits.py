"""The edit of loop.yaml that puts a version on trial; that a candidate becomes the baseline is `git.changes.conclude`.

Called by `loop promote`. Texts in, texts out: the edit keeps every byte that it does not mean, and is proven by
reading its result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.errors import TerminalError, terminal
from runner.git import insert
from runner.git.changes import LOOP_FILE
from runner.spec.source import read


def begin_trial(text: str, environment: str, candidate: str, stage: str) -> str:
    """Return loop.yaml with `candidate` on trial in `environment`, in `stage`; one line more.

    Raises TerminalError where a rollout is there already, or the text cannot be edited so.
    """
    before = _environment(text, environment)
    if "rollout" in before:
        raise terminal(f"{LOOP_FILE}: environment '{environment}' has a rollout already")
    beside = "standby" if before.get("standby") is not None else "baseline"
    value = f"{{candidate: {candidate}, stage: {stage}}}"
    edited = insert.beside(text, ("environments", environment, beside), "rollout", value)
    wanted = {**before, "rollout": {"candidate": candidate, "stage": stage}}
    return _proven(text, edited, environment, wanted)


def _proven(before: str, after: str, environment: str, wanted: Mapping[str, Any]) -> str:
    """Return the edited text, where it means what it should and nothing else. Raises TerminalError."""
    old = _value(before)
    expected = {**old, "environments": {**old["environments"], environment: wanted}}
    if _value(after) != expected:
        raise terminal(
            f"{LOOP_FILE}: environment '{environment}' cannot be edited without changing more",
            fix="write it in block style, one key on a line",
        )
    return after


def _environment(text: str, name: str) -> Mapping[str, Any]:
    found = (_value(text).get("environments") or {}).get(name)
    if not isinstance(found, dict):
        raise terminal(f"{LOOP_FILE}: there is no environment '{name}'")
    return found


def _value(text: str) -> Mapping[str, Any]:
    document, problems = read(LOOP_FILE, text.encode())
    if document is None or problems:
        raise TerminalError(*problems)
    return document.value
