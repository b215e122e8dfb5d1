"""What lies where a version is registered: what is of its own run is gone over, everything else is left alone."""

from __future__ import annotations

import errno
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from runner import digest
from runner.training import room
from runner.training.job import Job
from runner.training.register import MANIFEST, in_the_way, register
from tests.economics.runs import course
from tests.training.test_runs import DPO, ORIGIN

NAME = "chat-v1.1"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A run that came to its end."""
    adapter = tmp_path / "run/adapter"
    adapter.mkdir(parents=True)
    (adapter / "adapter_model.safetensors").write_text("weights")
    return Job(NAME, tmp_path / "run", tmp_path, "bookshop-base", None, tmp_path, DPO)


def result(job: Job) -> dict[str, Any]:
    measured: dict[str, Any] = {"steps": 40, "seconds": 1.0, "peak_mib": {"memory": 1.0}, "guards": []}
    return {
        "digest": digest.of_directory(job.folder / "adapter"),
        "rows": {"train": 30, "held_out": 2},
        "machine": {"device": "CPU", "precision": "float32"},
        "packages": {},
        "held_out": {},
        "history": course(),
        **measured,
    }


def track(models: Path) -> None:
    (models / f"{NAME}.dvc").write_text(f"outs:\n- md5: {'0' * 32}.dir\n  path: {NAME}\n")


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()
    }


def test_whatever_a_killed_registration_left_is_not_in_the_way(tmp_path: Path, job: Job) -> None:
    models, made = tmp_path / "models", result(job)
    placed = str(made["digest"])
    assert in_the_way(models, NAME, placed) == ()
    register(models, job, made, ORIGIN, lambda _: track(models))
    assert in_the_way(models, NAME, placed) == ()
    reports = models / "reports" / NAME
    (reports / f".{MANIFEST}.4711").write_text("{")
    for path in ((models / f"{NAME}.dvc"), *sorted(reports.iterdir(), reverse=True), reports):
        path.rmdir() if path.is_dir() else path.unlink()
        assert in_the_way(models, NAME, placed) == (), path


@pytest.mark.parametrize(
    "name, text",
    [
        (f"{NAME}/notes.txt", "mine"),
        (f"{NAME}.dvc", "outs: [{path: other}]"),
        (f"{NAME}.dvc", "{"),
        (f"reports/{NAME}/evaluation.json", "{}"),
        (f"reports/{NAME}/{MANIFEST}", '{"digest": "other"}'),
    ],
)
@pytest.mark.parametrize("registered", [True, False])
def test_what_is_not_of_the_run_is_in_the_way(
    tmp_path: Path, job: Job, name: str, text: str, registered: bool
) -> None:
    models, made = tmp_path / "models", result(job)
    if registered:
        register(models, job, made, ORIGIN, lambda _: track(models))
    (models / name).parent.mkdir(parents=True, exist_ok=True)
    (models / name).write_text(text)
    found = in_the_way(models, NAME, str(made["digest"]))
    assert any(name.rpartition("/")[0] in each or name in each for each in found), found


def test_a_run_that_has_not_ended_has_left_nothing_yet(tmp_path: Path, job: Job) -> None:
    models = tmp_path / "models"
    register(models, job, result(job), ORIGIN, lambda _: track(models))
    assert len(in_the_way(models, NAME, None)) == 3


def test_a_registration_that_fails_leaves_what_was_there_before(tmp_path: Path, job: Job) -> None:
    models, made = tmp_path / "models", result(job)

    def fail(_: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    register(models, job, made, ORIGIN, lambda _: track(models))
    (models / f"{NAME}.yaml").unlink()
    (models / ".gitignore").write_text(f"/{NAME}\n")
    (models / "reports" / NAME / "evaluation.json").write_text(json.dumps({"mine": True}))
    whole = tree(models)
    for seed in range(12):
        chance = random.Random(seed)
        for name, text in whole.items():
            (models / name).parent.mkdir(parents=True, exist_ok=True)
            (models / name).write_text(text)
            if chance.random() < 0.5 and name != f"{NAME}/adapter_model.safetensors":
                (models / name).unlink()
        before = tree(models)
        with pytest.raises(OSError, match="No space left"):
            register(models, job, made, ORIGIN, fail)
        assert tree(models) == before


@pytest.mark.parametrize(
    "said, words",
    [
        ("[Errno 28] No space left on device: '/x'", "the disk is full"),
        ("OSError: [Errno 122] Disk quota exceeded", "the share of the disk"),
        ("SafetensorError: Error while serializing: I/O error: File too large (os error 27)", "`ulimit -f`"),
    ],
)
def test_a_disk_that_is_full_is_told_in_words(said: str, words: str) -> None:
    assert words in (room.full(said) or "")
    assert room.full("ValueError: the file is too large to be nice") is None
