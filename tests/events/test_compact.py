"""Compaction moves events and neither loses nor repeats one, whatever happens in between."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from runner.errors import TerminalError, TransientError
from runner.events import columns, manifest
from runner.events.compact import DAMAGED, Compaction, Compactor, is_written
from runner.events.lake import Lake
from runner.events.schema import Kind
from tests.doubles.event_files import DAY_US, START_US, line, request, segment

ROOT = Path(__file__).parents[2]
LATER_US = START_US + 3_600_000_000


def compactor(home: Path, now_us: int = LATER_US, **changes: Any) -> Compactor:
    settings = {"writer_lives": lambda segment: segment.pid == os.getpid(), **changes}
    return Compactor(home / "events", home / "lake", now_us=lambda: now_us, **settings)


def found(home: Path) -> list[str]:
    with Lake(home / "lake", home / "events") as lake:
        return sorted(lake.requests().to_pyarrow()["event.id"].to_pylist())


def names(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "events").iterdir())


def ids(*numbers: int) -> list[str]:
    return [f"event-{number}" for number in numbers]


def test_closed_segments_become_one_part_for_each_day_named_by_its_content(tmp_path: Path) -> None:
    segment(
        tmp_path / "events",
        [line(request(0)), line(request(1)), line(request(2, event__time=START_US + DAY_US))],
    )
    done = compactor(tmp_path).run()
    assert (done.segments, done.events) == (1, 3)
    first, second = done.parts
    assert first.startswith("request/day=2026-09-21/part-")
    assert second.startswith("request/day=2026-09-22/part-")
    file = pq.ParquetFile(tmp_path / "lake" / first)
    assert file.schema_arrow.equals(columns.schema(Kind.REQUEST))
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert found(tmp_path) == ids(0, 1, 2)


def test_a_segment_whose_writer_lives_is_left_alone_and_one_whose_writer_died_is_moved(
    tmp_path: Path,
) -> None:
    segment(tmp_path / "events", [line(request(0))], live=True, pid=os.getpid())
    segment(tmp_path / "events", [line(request(1)), b'{"event.id": "to'], live=True)
    done = compactor(tmp_path).run()
    assert (done.segments, done.events, done.torn) == (1, 1, 1)
    assert found(tmp_path) == ids(0, 1)


def test_a_writer_lives_while_it_holds_its_segment_whatever_its_number_and_the_clock_say(
    tmp_path: Path,
) -> None:
    ours = segment(tmp_path / "events", [line(request(0))], live=True, pid=1, opened_us=START_US)
    segment(tmp_path / "events", [line(request(1))], live=True, pid=os.getpid(), opened_us=LATER_US + DAY_US)
    with ours.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = compactor(tmp_path, writer_lives=is_written, grace_us=0).run()
        assert (done.segments, done.events) == (1, 1)
        assert names(tmp_path) == [ours.name]
    assert compactor(tmp_path, writer_lives=is_written, grace_us=0).run().events == 1


def test_a_segment_that_was_moved_before_its_writer_had_locked_it_is_not_removed(tmp_path: Path) -> None:
    path = segment(tmp_path / "events", [], live=True)
    compactor(tmp_path, writer_lives=is_written).run()
    with path.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert compactor(tmp_path, LATER_US + DAY_US, writer_lives=is_written).run().removed == 0
        held.write(line(request(0)))
    assert compactor(tmp_path, LATER_US + DAY_US, writer_lives=is_written).run().events == 1


def test_the_segment_of_a_killed_writer_is_moved_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    script = """
        import sys, time
        from pathlib import Path
        from runner.events.schema import Kind
        from runner.events.writer import SegmentWriter
        from tests.doubles.event_files import request
        log = SegmentWriter(Path(sys.argv[1]), Kind.REQUEST, lambda: time.time_ns() // 1000)
        log.append(request(0))
        print("ready", flush=True)
        time.sleep(600)
    """
    (tmp_path / "events").mkdir()
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "events")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            assert compactor(tmp_path, writer_lives=is_written).run().events == 0
        finally:
            process.send_signal(signal.SIGKILL)
    assert compactor(tmp_path, writer_lives=is_written).run().events == 1


def test_a_segment_is_removed_only_after_the_grace(tmp_path: Path) -> None:
    segment(tmp_path / "events", [line(request(0))])
    assert compactor(tmp_path, LATER_US, grace_us=10).run().removed == 0
    assert compactor(tmp_path, LATER_US + 9, grace_us=10).run().removed == 0
    assert found(tmp_path) == ids(0)
    assert compactor(tmp_path, LATER_US + 10, grace_us=10).run().removed == 1
    assert names(tmp_path) == []
    assert found(tmp_path) == ids(0)
    state = manifest.load(tmp_path / "lake")
    assert state is not None
    assert state.segments == {}


def test_an_event_that_comes_again_after_its_segment_was_moved_counts_once(tmp_path: Path) -> None:
    segment(tmp_path / "events", [line(request(0)), line(request(0))])
    assert compactor(tmp_path, grace_us=0).run().duplicates == 1
    segment(tmp_path / "events", [line(request(0)), line(request(1))], opened_us=START_US + 5)
    assert found(tmp_path) == ids(0, 1)
    assert compactor(tmp_path, grace_us=0).run().duplicates == 1
    assert found(tmp_path) == ids(0, 1)


def test_what_a_segment_gains_after_it_was_moved_is_read_and_moved_too(tmp_path: Path) -> None:
    path = segment(tmp_path / "events", [line(request(0))], live=True)
    compactor(tmp_path).run()
    with path.open("ab") as file:
        file.write(line(request(1)))
    assert found(tmp_path) == ids(0, 1)
    assert compactor(tmp_path, grace_us=0).run().events == 1
    assert found(tmp_path) == ids(0, 1)
    assert names(tmp_path) == []


def test_damaged_lines_are_named_and_their_bytes_are_kept(tmp_path: Path) -> None:
    segment(tmp_path / "events", [line(request(0)), b"\x00\x01\n", line(request(1)), b"{}\n"])
    done = compactor(tmp_path, grace_us=0).run()
    assert [damage.length for damage in done.damaged] == [3, 3]
    (kept,) = (tmp_path / "lake" / DAMAGED).iterdir()
    assert kept.read_bytes() == b"\x00\x01\n{}\n"
    assert found(tmp_path) == ids(0, 1)


def test_a_second_compactor_stands_back(tmp_path: Path) -> None:
    segment(tmp_path / "events", [line(request(0))])
    (tmp_path / "lake").mkdir()
    with (tmp_path / "lake" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(TransientError, match="another compaction"):
            compactor(tmp_path).run()
    assert compactor(tmp_path).run().events == 1


def test_a_small_pass_moves_all_segments_one_after_the_other(tmp_path: Path) -> None:
    for number in range(5):
        segment(tmp_path / "events", [line(request(number))], opened_us=START_US + number)
    done = compactor(tmp_path, pass_bytes=1).run()
    assert (done.segments, done.events, len(done.parts)) == (5, 5, 5)
    assert found(tmp_path) == ids(0, 1, 2, 3, 4)


def test_many_small_parts_of_a_day_become_one_and_the_old_ones_go_after_the_grace(tmp_path: Path) -> None:
    for number in range(4):
        segment(tmp_path / "events", [line(request(number))], opened_us=START_US + number)
    compactor(tmp_path, pass_bytes=1, merge_at=5, grace_us=10).run()
    with Lake(tmp_path / "lake", tmp_path / "events") as before:
        segment(
            tmp_path / "events",
            [line(request(4)), line(request(5, event__time=START_US + DAY_US))],
            opened_us=START_US + 9,
        )
        compactor(tmp_path, merge_at=5, grace_us=10).run()
        state = manifest.load(tmp_path / "lake")
        assert state is not None
        assert sorted(part.rows for part in state.parts) == [1, 5]
        compactor(tmp_path, LATER_US + 9, merge_at=5, grace_us=10).run()
        assert before.requests().count().to_pyarrow().as_py() == 4, "one who began before reads on"
    assert found(tmp_path) == ids(0, 1, 2, 3, 4, 5)
    compactor(tmp_path, LATER_US + 10, merge_at=5, grace_us=10).run()
    assert len(list((tmp_path / "lake").glob("*/day=*/*"))) == 2
    assert found(tmp_path) == ids(0, 1, 2, 3, 4, 5)


def test_no_events_directory_is_nothing_to_do(tmp_path: Path) -> None:
    assert compactor(tmp_path).run() == Compaction()


def test_a_lost_or_broken_manifest_is_an_error_and_no_part_is_deleted(tmp_path: Path) -> None:
    segment(tmp_path / "events", [line(request(0))])
    (part,) = compactor(tmp_path, grace_us=0).run().parts
    path = tmp_path / "lake" / manifest.NAME
    for content in ("{", "[]", '{"format": 2}', json.dumps({"format": 1, "generation": 1, "parts": 3})):
        path.write_text(content)
        with pytest.raises(TerminalError, match="manifest cannot be read"):
            compactor(tmp_path).run()
    path.unlink()
    with pytest.raises(TerminalError, match="its manifest is gone"):
        compactor(tmp_path).run()
    assert (tmp_path / "lake" / part).exists()


class Killed(BaseException):
    """The process ends here; nothing that would not run after SIGKILL may run."""


def dying_after(calls: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Let every call that changes the disk count, and the one after `calls` never happen."""
    done = 0

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            nonlocal done
            if done >= calls:
                raise Killed
            done += 1
            return real(*args, **more)

        return call

    for owner, name in (
        (os, "fsync"),
        (Path, "replace"),
        (Path, "unlink"),
        (Path, "mkdir"),
        (pq, "write_table"),
    ):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    return lambda: done


def crash_case(home: Path) -> list[str]:
    """Two days, two kinds of writer end, a repeat, damage, and one segment moved and due for removal."""
    events = home / "events"
    segment(events, [line(request(0)), line(request(1))])
    compactor(home, START_US, merge_at=2).run()
    segment(
        events,
        [line(request(1)), line(request(2)), line(request(3, event__time=START_US + DAY_US))],
        opened_us=START_US + 1,
    )
    segment(events, [line(request(4)), b"damage\n", b'{"event.id": "torn'], opened_us=START_US + 2, live=True)
    segment(events, [line(request(5))], opened_us=START_US + 3, live=True, pid=os.getpid())
    return ids(0, 1, 2, 3, 4, 5)


def test_invariant_10_a_compaction_killed_between_any_two_steps_loses_nothing_and_counts_nothing_twice(
    tmp_path: Path,
) -> None:
    steps = 0
    finished = False
    while not finished:
        home = tmp_path / str(steps)
        expected = crash_case(home)
        with pytest.MonkeyPatch.context() as patch:
            dying_after(steps, patch)
            try:
                compactor(home, merge_at=2).run()
                finished = True
            except Killed:
                pass
        assert found(home) == expected, f"after {steps} steps"
        for days in (1, 2, 3):
            compactor(home, LATER_US + days * DAY_US, merge_at=2).run()
        assert found(home) == expected, f"after {steps} steps and three more passes"
        assert len(names(home)) == 1, "all but the live segment are gone"
        on_disk = sorted(p.relative_to(home / "lake").as_posix() for p in (home / "lake").glob("*/day=*/*"))
        state = manifest.load(home / "lake")
        assert state is not None
        assert on_disk == sorted(part.file for part in state.parts), "no leftovers"
        steps += 1
    assert steps > 15


def test_a_compactor_process_ended_by_sigkill_leaves_a_lake_that_the_next_one_finishes(
    tmp_path: Path,
) -> None:
    script = """
        import os, signal, sys
        from pathlib import Path
        from runner.events.compact import Compactor
        left, real = int(sys.argv[2]), os.fsync
        def fsync(descriptor):
            global left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            real(descriptor)
        os.fsync = fsync
        home = Path(sys.argv[1])
        Compactor(home / "events", home / "lake", now_us=lambda: 1_800_000_000_000_000, grace_us=0).run()
    """
    for steps in (1, 4, 8):
        home = tmp_path / str(steps)
        segment(home / "events", [line(request(0)), line(request(1, event__time=START_US + DAY_US))])
        command = [sys.executable, "-c", textwrap.dedent(script), str(home), str(steps)]
        ended = subprocess.run(command, cwd=ROOT, check=False).returncode
        assert ended == -signal.SIGKILL
        assert found(home) == ids(0, 1)
        compactor(home, grace_us=0).run()
        assert found(home) == ids(0, 1)
        assert names(home) == []
