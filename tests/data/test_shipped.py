"""What the files of the desired state say of data is what DVC tracks."""

from __future__ import annotations

from pathlib import Path

from runner.data.tracking import read_tracking
from runner.git.repository import Repository
from runner.spec.files import DirectoryFiles
from runner.spec.load import load_or_raise

ROOT = Path(__file__).resolve().parents[2]


def test_every_data_set_that_is_tracked_names_the_hash_that_dvc_has() -> None:
    repository = Repository(ROOT)
    tracked = {each.path: each.hash for each in read_tracking(repository.files_at(repository.head())).outputs}
    datasets = load_or_raise(DirectoryFiles(ROOT)).datasets
    known = {name: (each.hash, tracked[each.path]) for name, each in datasets.items() if each.path in tracked}
    assert len(known) >= 5
    assert {name: pair for name, pair in known.items() if pair[0] != pair[1]} == {}


def test_everything_that_dvc_is_told_here_can_be_read() -> None:
    repository = Repository(ROOT)
    assert read_tracking(repository.files_at(repository.head())).diagnostics == ()
