"""Fetching by DVC's own command: what arrives, what is said meanwhile, and what each failure means."""

from __future__ import annotations

import shutil
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.data.command import is_progress
from runner.data.hashes import HashCache
from runner.data.pull import pull
from runner.data.tracking import State, read_tracking, state_of
from runner.errors import TerminalError, TransientError

if TYPE_CHECKING:
    from tests.data.conftest import Pipeline


@pytest.fixture
def copy(built: Pipeline, tmp_path: Path) -> Path:
    """A copy of the pipeline without its cache and without what it made."""
    root = tmp_path / "copy"
    shutil.copytree(built.root, root, ignore=shutil.ignore_patterns("cache", "tmp"), symlinks=True)
    shutil.rmtree(root / "data/folder")
    return root


def test_missing_data_is_fetched_and_what_dvc_says_is_handed_on(
    built: Pipeline, copy: Path, tmp_path: Path
) -> None:
    tracked = {t.path: t for t in read_tracking(built).outputs}["data/folder"]
    said: list[str] = []
    pull(copy, ["data/folder"], said.append, environ=built.environ)
    assert state_of(tracked, copy, HashCache(tmp_path / "hashes")) is State.PRESENT
    assert any("fetched" in line for line in said)
    assert not any("\r" in line or "\x1b" in line for line in said)


def test_a_file_that_was_changed_by_hand_is_never_overwritten(built: Pipeline, copy: Path) -> None:
    (copy / "data/one.txt").write_bytes(b"by hand")
    with pytest.raises(TerminalError, match="changed by hand"):
        pull(copy, ["data/one.txt"], lambda _: None, environ=built.environ)
    assert (copy / "data/one.txt").read_bytes() == b"by hand"


def test_data_that_was_never_pushed_is_told_with_what_to_do(built: Pipeline, copy: Path) -> None:
    config = copy / ".dvc/config"
    config.write_text(config.read_text().replace("/store\n", "/another-store\n"))
    (built.root.parent / "another-store").mkdir(exist_ok=True)
    with pytest.raises(TransientError, match="lacks it or cannot be reached") as error:
        pull(copy, ["data/folder"], lambda _: None, environ=built.environ)
    assert "dvc push" in str(error.value)


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda root: (root / ".dvc/config").write_text(""), "no DVC remote is configured"),
        (
            lambda root: (root / ".dvc/config").write_text("[core]\nremote = x\n"),
            "configuration is not valid",
        ),
        (lambda root: (root / "data/folder.dvc").write_text("outs: ["), "not valid"),
        (lambda root: (root / "data/folder.dvc").unlink(), "does not track it"),
        (lambda root: shutil.rmtree(root / ".dvc"), "no DVC repository"),
    ],
)
def test_each_permanent_failure_is_named(built: Pipeline, copy: Path, break_it, told: str) -> None:  # type: ignore[no-untyped-def]
    break_it(copy)
    with pytest.raises(TerminalError, match=told):
        pull(copy, ["data/folder"], lambda _: None, environ=built.environ)


def test_invariant_3_a_remote_that_cannot_be_reached_is_not_taken_for_an_empty_one(
    built: Pipeline, copy: Path
) -> None:
    with socket.socket() as nobody:  # bound and never listening: every connection is refused
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}/store"
        (copy / ".dvc/config").write_text(
            f"[core]\n    remote = far\n['remote \"far\"']\n    url = {address}\n"
        )
        with pytest.raises(TransientError, match="cannot be reached"):
            pull(copy, ["data/folder"], lambda _: None, environ=built.environ)


def test_a_fetch_that_does_not_end_is_ended_with_all_it_started(
    built: Pipeline, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = copy / "slow"
    slow.write_text(f"#!/bin/sh\necho $$ > {copy}/pid\necho started\nsleep 600 & wait\n")
    slow.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(slow))
    with pytest.raises(TransientError, match="did not end within 1 s"):
        pull(copy, ["data/folder"], lambda _: None, seconds=1.0, environ=built.environ)
    group = int((copy / "pid").read_text())
    for _ in range(100):
        if not _members(group):
            break
        time.sleep(0.05)
    assert _members(group) == []


def _members(group: int) -> list[str]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(stat.parent.name)
    return found


@pytest.mark.parametrize(
    ("line", "bar"),
    [
        ("Collecting          |7.00 [00:00,  486entry/s]", True),
        ("!", True),
        ("A       models/chat-v1.0/", False),
        ("4 files fetched and 3 files added", False),
        ("ERROR: failed to pull data from the cloud", False),
    ],
)
def test_the_states_of_a_bar_are_told_from_lines_that_say_something(line: str, bar: bool) -> None:
    assert is_progress(line) is bar
