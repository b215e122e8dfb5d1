"""`loop log`: one entry a line, oldest first, across files put aside; a journal that was changed is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.cli.log import as_line
from runner.reconcile.journal import Journal
from runner.reconcile.memory import Entry, Kind
from tests.cli import workbench
from tests.cli.workbench import Bench, Live, refused


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "repo")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with workbench.live(tmp_path_factory.mktemp("log") / "repo") as live:
        assert live.bench.loop("apply").code == 0
        yield live


def written(bench: Bench, number: int) -> None:
    """Keep a journal of `number` agreements that was put aside every four entries."""
    times = iter(range(1000))
    with Journal(bench.state("journal.jsonl"), lambda: 1_790_000_000.0 + next(times), rotate_at=4) as journal:
        for at in range(number):
            body = {"revision": f"{at:040d}", "spec_digest": "s", "plan": "p"}
            journal.append(Kind.IN_SYNC, body)
            journal.rotate_if_long()


def test_before_anything_was_done_it_says_so_and_is_no_error(bench: Bench) -> None:
    said = bench.loop("log")
    assert (said.code, said.out) == (0, "")
    assert "nothing was done in 'production' yet; `loop up` begins" in said.err
    assert bench.loop("log", "--json").err == ""


def test_what_an_apply_did_is_told_attempt_by_attempt_with_its_reason(live: Live) -> None:
    lines = live.bench.loop("log").out.splitlines()
    served = live.bench.served()
    words = [line.split("  ", 2)[1].strip() for line in lines]
    assert words == ["attempted", "done"] * 4 + ["in_sync"]
    assert f"place_files {served} disk  (files missing)" in lines[0]
    assert "live agrees with " in lines[-1]


def test_json_is_the_journal_word_for_word(live: Live) -> None:
    said = live.bench.loop("log", "--json", "-n", "0").out.splitlines()
    stored = live.bench.state("journal.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in said] == [json.loads(line) for line in stored]


def test_a_failure_of_many_lines_is_one_line() -> None:
    body = {
        "action": "load_adapter",
        "target": "load_adapter x http://r0",
        "message": "error: no\n  fix: yes",
    }
    line = as_line(Entry(1, 0.0, Kind.FAILED, body, "", ""))
    assert line == "1970-01-01 00:00:00  failed      load_adapter x http://r0  (error: no; fix: yes)"


def test_the_last_entries_are_shown_oldest_first_and_0_shows_what_was_put_aside(bench: Bench) -> None:
    written(bench, 10)
    every = [json.loads(line)["sequence"] for line in bench.loop("log", "-n", "0", "--json").out.splitlines()]
    assert every == list(range(1, len(every) + 1)) and len(every) > 10
    last = [json.loads(line)["sequence"] for line in bench.loop("log", "-n", "3", "--json").out.splitlines()]
    assert last == every[-3:]


def test_a_journal_that_was_changed_is_an_error_with_its_line(bench: Bench) -> None:
    written(bench, 3)
    path = bench.state("journal.jsonl")
    path.write_text(path.read_text().replace("1790000001.0", "1790000009.0"))
    for name in ("log", "plan"):
        refused(bench.loop(name), f"{path}:2", "the journal was changed", "fix: ")


def test_a_torn_last_line_is_left_out(bench: Bench) -> None:
    written(bench, 3)
    path = bench.state("journal.jsonl")
    path.write_bytes(path.read_bytes()[:-5])
    assert len(bench.loop("log").out.splitlines()) == 2


def test_every_kind_of_entry_has_words() -> None:
    entered = {"rollout_id": "r-1", "stage": "canary", "started": 1.0, "since": 1.0}
    proven = {"served": "v2--b", "condition": "errors: error_rate > 5%"}
    action = {"action": "roll_back", "served": "v2--b", "target": "roll_back v2--b"}
    bodies = {
        Kind.ENTERED: (entered, "the live routes give 'canary' of rollout r-1"),
        Kind.ATTEMPTED: ({**action, "rollback": proven}, "roll_back v2--b  (errors: error_rate > 5%)"),
        Kind.DONE: ({**action, "config": "", "result": {}}, "roll_back v2--b"),
        Kind.FAILED: (
            {**action, "message": "error: full\n  fix: x"},
            "roll_back v2--b  (error: full; fix: x)",
        ),
        Kind.IN_SYNC: ({"revision": "f" * 40}, "live agrees with ffffffffffff"),
        Kind.REPAIRED: ({"line": 3, "dropped_bytes": 7}, "a torn line 3 of 7 bytes was cut off"),
        Kind.CHECKPOINT: ({"owned": ["v1--a", "v2--b"]}, "2 adapters owned"),
    }
    assert bodies.keys() == set(Kind)
    for kind, (body, words) in bodies.items():
        line = as_line(Entry(1, 1_790_000_000.0, kind, body, "", ""))
        assert line.split("  ", 2)[2].strip() == words, kind
        assert kind.value in line


@pytest.mark.parametrize("count", ["-1", "x", ""])
def test_a_count_that_is_none_is_refused(bench: Bench, count: str) -> None:
    refused(bench.loop("log", "-n", count), "loop log --help")
