"""What signals keep a rollout waiting for: only what is certain, about this candidate, and measured lately."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from runner.report import standing
from runner.signals.reading import Holds
from runner.spec.files import DirectoryFiles
from runner.spec.load import load_or_raise
from runner.spec.signals import SignalPolicy
from tests.report.snapshots import AT, NEW, busy, reading


@pytest.fixture(scope="module")
def policy() -> SignalPolicy:
    return load_or_raise(DirectoryFiles(Path())).policies.signals


def said(
    policy: SignalPolicy, holds: Holds, now: float = AT, candidate: str = NEW, **place: str
) -> tuple[str, ...]:
    found = reading("satisfaction", 3.1, 3.0, 3.2, 900, conditions=(("hold", holds),), **place)
    snapshot = replace(busy(), readings=(found,))
    document = json.loads(json.dumps(standing.to_json(snapshot, policy)))
    return standing.holding(document, candidate, now)


def test_what_certainly_holds_is_told_with_figures_and_threshold(policy: SignalPolicy) -> None:
    (text,) = said(policy, Holds.YES, arm="candidate", version=NEW)
    assert text == "satisfaction is 3.10 (3.00 to 3.20): satisfaction < baseline"


@pytest.mark.parametrize("holds", [Holds.NO, Holds.UNSURE])
def test_what_is_not_certain_keeps_nobody_waiting(policy: SignalPolicy, holds: Holds) -> None:
    assert said(policy, holds) == ()


def test_another_version_is_not_held_for_it(policy: SignalPolicy) -> None:
    assert said(policy, Holds.YES, candidate="chat-v9", arm="candidate", version=NEW) == ()
    assert said(policy, Holds.YES, arm="baseline", version="chat-v1.0") == ()
    assert said(policy, Holds.YES, candidate="chat-v9") != ()


def test_what_was_measured_long_ago_says_nothing(policy: SignalPolicy) -> None:
    assert said(policy, Holds.YES, now=AT + standing.FRESH_S) != ()
    assert said(policy, Holds.YES, now=AT + standing.FRESH_S + 1) == ()
    assert said(policy, Holds.YES, now=AT - 1) == ()


def test_a_group_of_users_alone_holds_nothing(policy: SignalPolicy) -> None:
    assert said(policy, Holds.YES, segment="beta") == ()


@pytest.mark.parametrize("document", [None, [], {}, {"format": 1}, {"format": 2, "at": AT, "holds": []}])
def test_what_is_something_else_is_refused(document: object) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        standing.holding(document, NEW, AT)
