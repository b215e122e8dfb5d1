"""Segments are whole lines, survive the process, and are never reopened; what is durable is on the disk."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import TerminalError
from runner.events.disk import is_held
from runner.events.schema import FIELDS, Kind, Type
from runner.events.writer import GroupCommit, LogUnwritable, OsDisk, Rotation, SegmentWriter


class Clock:
    """Microseconds that pass only when the test says so."""

    def __init__(self) -> None:
        self.now = 1_790_000_000_000_000

    def __call__(self) -> int:
        return self.now


def feedback(number: int, **more: Any) -> dict[str, Any]:
    return {
        "event.id": f"e{number}",
        "event.time": number,
        "loop.environment": "test",
        "gen_ai.response.id": "r",
        "loop.user": "u",
        "loop.group": "public",
    } | more


def writer(folder: Path, clock: Clock | None = None, **options: Any) -> SegmentWriter:
    return SegmentWriter(folder, Kind.FEEDBACK, clock or Clock(), **options)


def ids(folder: Path) -> list[str]:
    """Return the ids of all complete lines, segment by segment."""
    found = []
    for path in sorted(folder.glob("feedback-*.jsonl")):
        *lines, torn = path.read_bytes().split(b"\n")
        assert torn == b""
        found += [json.loads(line)["event.id"] for line in lines]
    return found


def test_an_appended_event_is_in_the_file_before_append_returns(tmp_path: Path) -> None:
    log = writer(tmp_path)
    for number in range(3):
        log.append(feedback(number))
        assert ids(tmp_path) == [f"e{n}" for n in range(number + 1)]
    log.close()


def test_a_segment_is_open_until_it_is_complete_and_says_so_in_its_name(tmp_path: Path) -> None:
    log = writer(tmp_path)
    log.append(feedback(1))
    (path,) = tmp_path.iterdir()
    assert path.name == f"feedback-1790000000000000-{os.getpid()}.open.jsonl"
    log.close()
    (path,) = tmp_path.iterdir()
    assert path.name == f"feedback-1790000000000000-{os.getpid()}.jsonl"


def test_a_segment_is_complete_at_its_size(tmp_path: Path) -> None:
    log = writer(tmp_path, rotation=Rotation(size_bytes=300))
    for number in range(7):
        log.append(feedback(number))
    log.sync()
    sizes = [p.stat().st_size for p in tmp_path.iterdir() if ".open." not in p.name]
    assert len(sizes) == 2
    assert all(300 <= size < 600 for size in sizes)
    log.close()
    assert ids(tmp_path) == [f"e{n}" for n in range(7)]


def test_a_segment_is_complete_at_its_age_by_a_clock_that_nobody_sets(tmp_path: Path) -> None:
    clock, seconds = Clock(), [100.0]
    log = writer(tmp_path, clock, rotation=Rotation(age_s=60, monotonic=lambda: seconds[0]))
    log.append(feedback(1))
    for jump_us in (86_400_000_000, -2 * 86_400_000_000):
        clock.now += jump_us
        assert not log.is_due
    seconds[0] += 60
    assert log.is_due
    log.sync()
    assert [p.name.count(".open.") for p in tmp_path.iterdir()] == [0]
    assert not log.is_due


def test_another_writer_of_the_same_moment_takes_another_name(tmp_path: Path) -> None:
    first, second = writer(tmp_path), writer(tmp_path)
    first.append(feedback(1))
    second.append(feedback(2))
    assert len(list(tmp_path.iterdir())) == 2
    first.close()
    second.close()


def test_a_clock_that_was_set_back_never_leads_into_an_old_segment(tmp_path: Path) -> None:
    for number in range(3):
        log = writer(tmp_path, rotation=Rotation(size_bytes=1))
        log.append(feedback(2 * number))
        log.append(feedback(2 * number + 1))
        log.close()
    assert sorted(ids(tmp_path)) == [f"e{n}" for n in range(6)]
    assert len(list(tmp_path.iterdir())) == 6


class Faulty(OsDisk):
    """A disk that takes `room` bytes more, and syncs only while `syncs`."""

    def __init__(self, room: int = 10**9, syncs: bool = True) -> None:
        self.room, self.syncs = room, syncs

    def write(self, descriptor: int, data: bytes) -> int:
        if not self.room:
            raise OSError(28, "No space left on device")
        taken = super().write(descriptor, data[: self.room])
        self.room -= taken
        return taken

    def sync(self, descriptor: int) -> None:
        if not self.syncs:
            raise OSError(5, "Input/output error")
        super().sync(descriptor)


@given(room=st.integers(0, 2000))
def test_a_disk_that_fills_up_at_any_byte_leaves_whole_lines_only(
    tmp_path_factory: pytest.TempPathFactory, room: int
) -> None:
    folder = tmp_path_factory.mktemp("full")
    disk = Faulty(room)
    log = writer(folder, disk=disk)
    written = []
    for number in range(20):
        try:
            log.append(feedback(number))
        except LogUnwritable as error:
            assert "No space left on device" in str(error)
        else:
            written.append(f"e{number}")
    assert ids(folder) == written
    disk.room = 10**9
    log.append(feedback(99))
    assert ids(folder) == [*written, "e99"]
    assert log.appended == len(written) + 1
    log.close()


def test_several_events_are_appended_all_or_none(tmp_path: Path) -> None:
    log = writer(tmp_path)
    with pytest.raises(TerminalError):
        log.append(feedback(1), {"event.id": "half"})
    assert list(tmp_path.iterdir()) == []
    log.append(feedback(1), feedback(2))
    assert ids(tmp_path) == ["e1", "e2"]
    log.close()


def test_a_directory_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    log = writer(tmp_path / "absent")
    with pytest.raises(LogUnwritable, match="cannot be written: No such file or directory"):
        log.append(feedback(1))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"surprise": 1}, "'surprise' is not a field"),
        ({"loop.rating": "5"}, "'loop.rating' is '5', not int"),
        ({"loop.rating": True}, "'loop.rating' is True, not int"),
        ({"loop.rating": 2**63}, "not int"),
        ({"loop.comment": None}, "'loop.comment' is None, not str"),
        ({"event.id": 3}, "'event.id' is 3, not str"),
    ],
)
def test_an_event_that_does_not_fit_the_schema_is_refused(
    tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    with pytest.raises(TerminalError, match="not an event of kind 'feedback'") as refused:
        writer(tmp_path).append(feedback(1, **change))
    assert fault in str(refused.value)


@pytest.mark.parametrize("kind", Kind)
def test_every_required_field_of_every_kind_is_required(tmp_path: Path, kind: Kind) -> None:
    sample = {Type.TEXT: "x", Type.WHOLE: 1, Type.REAL: 0.5, Type.BOOL: True}
    whole = {f.name: sample[f.type] for f in FIELDS[kind]}
    log = SegmentWriter(tmp_path, kind, Clock())
    log.append(whole)
    for field in FIELDS[kind]:
        if field.required:
            with pytest.raises(TerminalError, match=f"'{field.name}' is missing"):
                log.append({k: v for k, v in whole.items() if k != field.name})
    log.close()


def test_sync_brings_the_bytes_the_name_and_the_directory_to_the_disk(tmp_path: Path) -> None:
    calls: list[str] = []

    class Told(OsDisk):
        def sync(self, descriptor: int) -> None:
            calls.append("bytes")

        def sync_directory(self, directory: Path) -> None:
            calls.append("names")

    log = writer(tmp_path, disk=Told())
    log.append(feedback(1))
    assert (log.durable, calls) == (0, [])
    log.sync()
    assert (log.durable, calls) == (1, ["bytes", "names"])
    log.append(feedback(2))
    log.sync()
    assert (log.durable, calls) == (2, ["bytes", "names", "bytes"])
    log.close()


class Forgetful(OsDisk):
    """A disk whose first `failures` syncs fail, and lose what the file held; a later sync of it "succeeds"."""

    def __init__(self, failures: int = 1) -> None:
        self.failures = failures

    def sync(self, descriptor: int) -> None:
        if self.failures:
            self.failures -= 1
            os.ftruncate(descriptor, 0)
            raise OSError(5, "Input/output error")
        super().sync(descriptor)


@pytest.mark.parametrize("size_bytes", [1, 10**6])
@pytest.mark.parametrize("failures", [1, 2, 3])
def test_invariant_10_what_a_failed_sync_may_have_lost_is_written_again_before_it_is_durable(
    tmp_path: Path, size_bytes: int, failures: int
) -> None:
    log = writer(tmp_path, disk=Forgetful(failures), rotation=Rotation(size_bytes=size_bytes))
    log.append(feedback(1), feedback(2))
    log.append(feedback(3))
    refused = 0
    while log.durable < 3:
        try:
            log.sync()
        except LogUnwritable as error:
            assert "Input/output error" in str(error)
            assert log.durable == 0
            refused += 1
    assert refused >= 1
    log.append(feedback(4))
    log.close()
    assert set(ids(tmp_path)) == {"e1", "e2", "e3", "e4"}
    assert log.durable == 4


def test_what_is_durable_is_not_written_again(tmp_path: Path) -> None:
    disk = Faulty()
    log = writer(tmp_path, disk=disk)
    log.append(feedback(1))
    log.sync()
    log.append(feedback(2))
    disk.syncs = False
    with pytest.raises(LogUnwritable):
        log.sync()
    disk.syncs = True
    log.close()
    assert Counter(ids(tmp_path)) == {"e1": 1, "e2": 2}
    assert log.lost == 0


def test_no_more_is_taken_than_can_be_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.events.writer.HELD_BYTES", 400)
    log = writer(tmp_path)
    log.append(feedback(1))
    with pytest.raises(LogUnwritable, match="too much waits to become durable"):
        for number in range(2, 9):
            log.append(feedback(number))
    log.sync()
    log.append(feedback(9))
    log.close()
    assert ids(tmp_path)[-1] == "e9"


@pytest.mark.parametrize("whole", [True, False])
def test_a_deleted_segment_is_told_counted_and_what_was_not_durable_is_written_again(
    tmp_path: Path, whole: bool
) -> None:
    folder = tmp_path / "events"
    folder.mkdir()
    log = writer(folder)
    log.append(feedback(1), feedback(2))
    log.sync()
    if whole:
        shutil.rmtree(folder)
    else:
        next(folder.iterdir()).unlink()
    log.append(feedback(3))
    with pytest.raises(LogUnwritable, match="deleted while it was written"):
        log.sync()
    assert (log.durable, log.lost) == (2, 2)
    log.sync()
    assert (log.durable, log.lost) == (3, 2)
    log.close()
    assert ids(folder) == ["e3"]


def test_a_segment_is_locked_while_its_writer_lives_and_not_after(tmp_path: Path) -> None:
    log = writer(tmp_path)
    log.append(feedback(1))
    (path,) = tmp_path.iterdir()
    assert is_held(path)
    log.close()
    (path,) = tmp_path.iterdir()
    assert not is_held(path)
    assert not is_held(tmp_path / "absent")


def test_threads_may_append_and_sync_at_the_same_time(tmp_path: Path) -> None:
    log = writer(tmp_path, rotation=Rotation(size_bytes=2000))
    done = threading.Event()

    def keep_syncing() -> None:
        while not done.is_set():
            log.sync()

    def keep_appending(start: int) -> None:
        for number in range(start, start + 200):
            log.append(feedback(number))

    syncing = threading.Thread(target=keep_syncing)
    appending = [threading.Thread(target=keep_appending, args=(n * 200,)) for n in range(4)]
    for thread in (syncing, *appending):
        thread.start()
    for thread in appending:
        thread.join()
    done.set()
    syncing.join()
    log.close()
    assert Counter(ids(tmp_path)) == Counter(f"e{n}" for n in range(800))


def test_invariant_10_a_killed_process_leaves_every_event_that_append_took(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from tests.events.test_writer import feedback, writer, Clock
from runner.events.writer import Rotation
log = writer(Path(sys.argv[1]), rotation=Rotation(size_bytes=5000))
number = 0
while True:
    log.append(feedback(number))
    print(number, flush=True)
    number += 1
    if number % 50 == 0:
        log.sync()
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        acknowledged = [int(process.stdout.readline()) for _ in range(333)]
        process.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in process.stdout if line.endswith("\n")]
    logged = Counter(ids(tmp_path))
    assert [n for n in acknowledged if logged[f"e{n}"] != 1] == []
    assert len(logged) - len(acknowledged) <= 1


def commit(log: SegmentWriter, failures: list[LogUnwritable], interval_s: float = 60.0) -> GroupCommit:
    return GroupCommit((log,), interval_s, failures.append)


def test_whoever_waits_is_told_when_the_event_is_durable_without_waiting_for_the_interval(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        log = writer(tmp_path)
        group = commit(log, [])
        for number in range(3):
            log.append(feedback(number))
            await group.durable(log)
            assert log.durable == number + 1
        log.close()

    asyncio.run(run())


def test_many_who_wait_share_few_syncs(tmp_path: Path) -> None:
    syncs = 0

    class Counting(OsDisk):
        def sync(self, descriptor: int) -> None:
            nonlocal syncs
            syncs += 1

    async def run() -> None:
        log = writer(tmp_path, disk=Counting())
        group = commit(log, [])

        async def one(number: int) -> None:
            log.append(feedback(number))
            await group.durable(log)

        await asyncio.gather(*(one(n) for n in range(100)))
        assert log.durable == 100
        log.close()

    asyncio.run(run())
    assert syncs < 10


def test_whoever_waits_is_told_of_a_disk_that_failed(tmp_path: Path) -> None:
    failures: list[LogUnwritable] = []
    disk = Faulty()

    async def run() -> None:
        log = writer(tmp_path, disk=disk)
        group = commit(log, failures, 0.01)
        log.append(feedback(1))
        disk.syncs = False
        with pytest.raises(LogUnwritable, match="Input/output error"):
            await group.durable(log)
        disk.syncs = True
        await group.durable(log)
        assert log.durable == 1
        log.close()

    asyncio.run(run())
    assert failures
