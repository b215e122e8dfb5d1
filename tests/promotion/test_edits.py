"""The edit of loop.yaml: what is meant changes, every other byte stays, and the way back is a revert."""

from __future__ import annotations

import difflib

import pytest
import yaml

from runner.errors import TerminalError
from runner.git.changes import roll_back
from runner.promotion.edits import begin_trial
from tests.spec.repository import ROOT

SHIPPED = (ROOT / "loop.yaml").read_text()
BLOCK = """\
# what serves
environments:
  staging:
    baseline: chat-v1.0   # trusted
    # about the gateway
    gateway: {alias: chat}
  production:
    standby: chat-v0.9
    baseline: chat-v1.0
"""
LAYOUTS = {
    "shipped": SHIPPED,
    "block": BLOCK,
    "flow": "environments: {staging: {baseline: chat-v1.0, gateway: {alias: chat}}, production: {baseline: x}}\n",
    "quoted": BLOCK.replace("baseline: chat-v1.0   #", 'baseline: "chat-v1.0"   #'),
    "line ends of another system": BLOCK.replace("\n", "\r\n"),
    "byte order mark": f"\ufeff{BLOCK}",
    "no last line end": "environments:\n  staging:\n    baseline: chat-v1.0",
    "comments below": BLOCK.replace("# trusted", "# trusted\n      # since May"),
    "standby": BLOCK.replace(
        "    baseline: chat-v1.0   #", "    standby: chat-v0.9\n    baseline: chat-v1.0   #"
    ),
    "empty standby": BLOCK.replace(
        "    baseline: chat-v1.0   #", "    standby:\n    baseline: chat-v1.0   #"
    ),
}


def changed(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line.startswith(("+ ", "- "))]


def staging(text: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(text.removeprefix("\ufeff"))["environments"]["staging"]
    return found


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_a_trial_begins_by_one_entry_more_and_a_rollback_takes_exactly_that_back(text: str) -> None:
    begun = begin_trial(text, "staging", "chat-v1.1", "canary")
    assert staging(begun) == {**staging(text), "rollout": {"candidate": "chat-v1.1", "stage": "canary"}}
    if "{staging" not in text:
        assert changed(text, begun) == ["+     rollout: {candidate: chat-v1.1, stage: canary}"]
    assert roll_back(begun, None, "staging")[0].rstrip() == text.rstrip()


def test_a_trial_needs_room_and_an_environment_that_is_there() -> None:
    begun = begin_trial(SHIPPED, "staging", "chat-v1.1", "canary")
    with pytest.raises(TerminalError, match="has a rollout already"):
        begin_trial(begun, "staging", "chat-v1.2", "canary")
    with pytest.raises(TerminalError, match="no environment 'mars'"):
        begin_trial(SHIPPED, "mars", "chat-v1.1", "canary")


@pytest.mark.parametrize("text", ["environments: [", "environments: {a: b}", "- x", ""])
def test_a_text_that_is_no_loop_yaml_is_an_error_in_words(text: str) -> None:
    with pytest.raises(TerminalError):
        begin_trial(text, "a", "chat-v1.1", "canary")
