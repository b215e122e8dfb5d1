"""`loop shadow`: copies beside answers, from segments on disk."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from runner.events.schema import Kind
from tests.cli.workbench import PRODUCTION, Bench, refused
from tests.rollout.logs import START_US, Habits, ask, copy_of, empty, write


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "repo")


def test_copies_are_compared_with_what_users_got(bench: Bench) -> None:
    log, rng = empty(), random.Random(0)
    for number in range(40):
        ask(log, f"n{number}", START_US + number, "chat-v1.0", Habits(errors=0.0, refusals=0.0), rng)
    answers = ("It is on the third shelf.", "I cannot help with that.")
    log[Kind.SHADOW] = [copy_of(request, answers[at % 2]) for at, request in enumerate(log[Kind.REQUEST])]
    write(log, bench.state("events"))
    said = bench.loop("shadow")
    assert (said.code, said.err) == (0, "")
    assert "shadow chat-v1.1--bbbbbbbbbbbb: 40 copies in 40 sessions" in said.out
    rows = {line.strip().partition("  ")[0]: line for line in said.out.splitlines()}
    assert " 50.0% [" in rows["word for word the same"] and " 50.0% [" in rows["refusals gained"]
    assert " 2.00 [" in rows["length, copy / answer"]
    assert "the copy:   I cannot help with that." in said.out
    (value,) = json.loads(bench.loop("shadow", "--json").out)
    assert value["same"]["value"] == 0.5 and value["compared"] == 40


def test_without_a_shadow_or_without_copies_it_says_which(bench: Bench) -> None:
    assert "has no shadow; set `shadow:" in bench.loop("shadow").out
    bench.files.set(*PRODUCTION, "shadow", to={"version": "chat-v1.1"})
    bench.commit("a shadow")
    said = bench.loop("shadow")
    assert said.code == 0 and "no copy went to chat-v1.1 yet" in said.out
    assert json.loads(bench.loop("shadow", "--json").out) == []
    refused(bench.loop("shadow", "-e", "prod"), "there is no environment 'prod'")
