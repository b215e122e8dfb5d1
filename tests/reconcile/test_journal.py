"""The journal keeps what was written before a crash, notices what was changed, and has one writer."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.errors import TerminalError
from runner.reconcile.journal import Journal, archives, read
from runner.reconcile.memory import Entry, Kind, fold, from_json, to_json
from runner.reconcile.observed import Memory
from tests.reconcile.simulated import Simulation, desired


def clock() -> float:
    return 1000.0


def written(path: Path, count: int) -> list[Entry]:
    with Journal(path, clock) as journal:
        return [journal.append(Kind.IN_SYNC, {"revision": f"r{i}", "spec_digest": "s"}) for i in range(count)]


def real_entries() -> list[Entry]:
    """Return the entries of a rollout, a restart and a promotion."""
    s = Simulation.of(2)
    s.settle(desired("v1", "v0", "v2"))
    s.replicas["http://r0"].restart()
    s.replicas["http://r1"].no_ops.add(desired("v3").baseline.served)
    s.settle(desired("v2", "v1", "v3", revision="r2"))
    s.now += 10_000.0
    s.settle(desired("v2", "v1", revision="r3"))
    return s.journal.entries


def test_what_was_appended_is_read_back_in_order_by_anybody(tmp_path: Path) -> None:
    entries = written(tmp_path / "journal.jsonl", 5)
    assert list(read(tmp_path / "journal.jsonl")) == entries
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5]


def test_a_journal_that_is_opened_again_goes_on_where_it_ended(tmp_path: Path) -> None:
    first, second = written(tmp_path / "journal.jsonl", 3), written(tmp_path / "journal.jsonl", 2)
    assert second[0].sequence == 4
    assert second[0].previous == first[-1].digest


def test_a_torn_last_line_is_cut_off_wherever_it_was_torn_and_nothing_else(tmp_path: Path) -> None:
    whole = tmp_path / "whole.jsonl"
    entries = written(whole, 3)
    data = whole.read_bytes()
    start = data.rindex(b"\n", 0, -1) + 1
    for cut in range(start + 1, len(data)):
        torn = tmp_path / f"torn-{cut}.jsonl"
        torn.write_bytes(data[:cut])
        with Journal(torn, clock) as journal:
            journal.append(Kind.IN_SYNC, {"revision": "after", "spec_digest": "s"})
        found = list(read(torn))
        assert found[:2] == entries[:2]
        assert [entry.kind for entry in found[2:]] == [Kind.REPAIRED, Kind.IN_SYNC]
        assert found[2].body == {"dropped_bytes": cut - start, "line": 3}


def test_a_tail_of_zeros_after_a_power_cut_is_a_torn_line_too(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    entries = written(path, 3)
    path.write_bytes(path.read_bytes() + b"\0" * 512)
    with Journal(path, clock):
        pass
    assert list(read(path))[:3] == entries


def test_a_reader_leaves_out_a_line_that_is_still_being_written(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    entries = written(path, 3)
    path.write_bytes(path.read_bytes()[:-5])
    assert list(read(path)) == entries[:2]


@settings(max_examples=60, deadline=None)
@example(line=3, at=-1, byte=0)
@example(line=3, at=-1, byte=32)
@given(line=st.integers(0, 3), at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_changed_byte_before_the_last_line_is_refused_and_the_line_named(
    tmp_path_factory: pytest.TempPathFactory, line: int, at: int, byte: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    written(path, 5)
    lines = path.read_bytes().splitlines(keepends=True)
    changed = bytearray(lines[line])
    spot = at % len(changed)
    if changed[spot] == byte:
        return
    changed[spot] = byte
    same = _same_entry(bytes(changed), lines[line])
    path.write_bytes(b"".join([*lines[:line], bytes(changed), *lines[line + 1 :]]))
    if same:
        return
    with pytest.raises(TerminalError) as raised:
        Journal(path, clock)
    location = raised.value.diagnostics[0].location
    assert location is not None
    assert location.path == str(path)


def test_a_changed_byte_in_a_last_line_that_ends_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    written(path, 3)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"sequence":3', b'"sequence":4'))
    with pytest.raises(TerminalError, match="the journal was changed"):
        Journal(path, clock)


def test_a_hole_of_zeros_in_the_last_line_is_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    entries = written(path, 3)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[2][:20], bytes(30), lines[2][50:]]))
    with Journal(path, clock):
        pass
    assert list(read(path))[:2] == entries[:2]


def _same_entry(one: bytes, other: bytes) -> bool:
    """A blank turned into a tab says the same in JSON."""
    try:
        return one.endswith(b"\n") and b"\n" not in one[:-1] and json.loads(one) == json.loads(other)
    except ValueError:
        return False


def test_a_line_that_was_taken_out_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    written(path, 4)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    with pytest.raises(TerminalError, match="follows another entry than number 1"):
        Journal(path, clock)


def test_a_second_runner_is_refused_and_told_who_holds_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    script = (
        "import sys, time; from pathlib import Path; from runner.reconcile.journal import Journal\n"
        "j = Journal(Path(sys.argv[1]), time.time); print('open', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(TerminalError, match=f"process {holder.pid} holds"):
            Journal(path, clock)
    finally:
        holder.kill()
        holder.communicate()
    with Journal(path, clock):
        pass


def test_a_long_journal_is_put_aside_and_remembers_the_same(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    entries = real_entries()
    with Journal(path, clock, rotate_at=10) as journal:
        for entry in entries:
            journal.append(entry.kind, entry.body)
            journal.rotate_if_long()
        remembered = journal.memory()
    with Journal(path, clock) as journal:
        assert journal.memory() == remembered
    assert len(list(read(path))) < 12
    kept = [entry for part in (*archives(path), path) for entry in read(part)]
    assert [entry.sequence for entry in kept] == list(range(1, len(kept) + 1))
    assert all(later.previous == earlier.digest for earlier, later in itertools.pairwise(kept))


def test_a_crash_between_putting_aside_and_beginning_anew_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    written(path, 12)
    (tmp_path / "journal-000000001.jsonl").hardlink_to(path)
    (tmp_path / "journal.next").write_text("half a checkp")
    written(path, 1)
    with Journal(path, clock, rotate_at=10) as journal:
        journal.rotate_if_long()
    kept = [entry for part in (*archives(path), path) for entry in read(part)]
    assert [entry.sequence for entry in kept] == list(range(1, 15))


def test_folding_in_pieces_is_folding_at_once() -> None:
    entries = real_entries()
    for cut in range(len(entries) + 1):
        assert fold(entries[cut:], fold(entries[:cut])) == fold(entries)


def test_a_checkpoint_says_all_that_is_remembered() -> None:
    entries = real_entries()
    for end in range(len(entries) + 1):
        memory = fold(entries[:end])
        assert from_json(json.loads(json.dumps(to_json(memory)))) == memory


def test_a_checkpoint_that_is_none_is_refused() -> None:
    broken = {**to_json(Memory()), "verified": [["only one"]]}
    with pytest.raises(TerminalError, match="cannot be read"):
        from_json(broken)


def test_a_runner_whose_journal_was_removed_writes_no_more(tmp_path: Path) -> None:
    path = tmp_path / "state" / "journal.jsonl"
    with Journal(path, lambda: 0.0) as journal:
        journal.append(Kind.IN_SYNC, {"revision": "r", "spec_digest": "s"})
        shutil.rmtree(path.parent)
        with pytest.raises(TerminalError, match="removed while the runner was at work"):
            journal.append(Kind.IN_SYNC, {"revision": "r", "spec_digest": "s"})
        with Journal(path, lambda: 0.0), pytest.raises(TerminalError):
            journal.append(Kind.IN_SYNC, {"revision": "r", "spec_digest": "s"})
