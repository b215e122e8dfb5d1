"""A folder is replaced as a whole, whatever moment a crash picks."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from runner.errors import TransientError
from runner.feedback.folders import settle, swap

OLD = {"one.jsonl": "old one", "two.jsonl": "old two", "manifest.json": "old"}
NEW = {"one.jsonl": "new one", "three.jsonl": "new three", "manifest.json": "new"}
STEPS = ("mkdir", "rename", "fsync", "rmdir", "unlink", "open")
LIVED = 0


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "datasets" / "snapshot"


def test_what_is_built_takes_the_place_of_what_was_there(folder):
    swap(folder, _filled(OLD))
    swap(folder, _filled(NEW))
    assert _read(folder) == NEW
    assert _beside(folder) == ["snapshot"]


@pytest.mark.parametrize("before", [None, OLD])
def test_a_builder_that_fails_leaves_everything_as_it_was(folder, before):
    if before:
        swap(folder, _filled(before))

    def build(fresh: Path) -> None:
        _filled(NEW)(fresh)
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        swap(folder, build)
    assert _read(folder) == before
    assert _beside(folder) == (["snapshot"] if before else [])


@pytest.mark.parametrize("before", [None, OLD])
def test_a_crash_at_any_step_leaves_the_old_folder_or_the_new_one_whole(tmp_path, before):
    seen = []
    for step in range(200):
        folder = tmp_path / str(step) / "snapshot"
        if before:
            swap(folder, _filled(before))
        survived = dies_at(step, lambda folder=folder: swap(folder, _filled(NEW)))
        settle(folder)
        assert _read(folder) in (before, NEW)
        assert set(_beside(folder)) <= {"snapshot"}
        seen.append(_read(folder))
        if survived:
            break
    assert survived, "there are more steps than were tried"
    assert seen[0] == before
    assert seen[-1] == NEW
    assert seen == sorted(seen, key=lambda found: found == NEW), "what was new once stays new"


def test_a_crash_while_settling_is_settled_too(tmp_path):
    for step in range(50):
        folder = tmp_path / str(step) / "snapshot"
        folder.parent.mkdir()
        for name, files in ((".snapshot.new", NEW), (".snapshot.old", OLD)):
            (folder.parent / name).mkdir()
            _filled(files)(folder.parent / name)
        survived = dies_at(step, lambda folder=folder: settle(folder))
        settle(folder)
        assert _read(folder) == NEW
        assert _beside(folder) == ["snapshot"]
        if survived:
            return
    pytest.fail("there are more steps than were tried")


def test_two_do_not_write_at_the_same_moment(folder):
    swap(folder, _filled(OLD))
    holder = os.open(folder.parent, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with pytest.raises(TransientError, match="somebody else is writing"):
        swap(folder, _filled(NEW))
    os.close(holder)
    assert _read(folder) == OLD


def _filled(files):
    def build(fresh: Path) -> None:
        for name, text in files.items():
            (fresh / name).write_text(text)

    return build


def _read(folder):
    if not folder.exists():
        return None
    return {path.name: path.read_text() for path in folder.iterdir()}


def _beside(folder):
    return sorted(path.name for path in folder.parent.glob("*"))


def dies_at(step, act):
    """Act in a process of its own that is gone before its call number `step` to the file system; whether it lived."""
    child = os.fork()
    if child == 0:
        _arm(step)
        try:
            act()
        finally:
            os._exit(LIVED)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == LIVED


def _arm(step):
    left = [step]

    def counted(real):
        def call(*arguments, **named):
            if left[0] == 0:
                os._exit(LIVED + 1)
            left[0] -= 1
            return real(*arguments, **named)

        return call

    for name in STEPS:
        setattr(os, name, counted(getattr(os, name)))
