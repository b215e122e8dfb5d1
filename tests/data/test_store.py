"""Whether DVC's store is a folder of the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.data.store import CONFIG, inside
from runner.errors import TerminalError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "repo/.dvc").mkdir(parents=True)
    return tmp_path / "repo"


def configure(root: Path, url: str, name: str = "store") -> None:
    (root / CONFIG).write_text(f"[core]\n    remote = store\n['remote \"{name}\"']\n    url = {url}\n")


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("../store", "store"),
        ("../data/of/dvc", "data/of/dvc"),
        ("../../store", None),
        ("/srv/store", None),
        ("s3://bucket/100%25", None),
        ("ssh://host/store", None),
    ],
)
def test_a_store_is_inside_where_its_path_from_dvcs_own_folder_leads_there(
    root: Path, url: str, folder: str | None
) -> None:
    configure(root, url)
    assert inside(root) == folder


def test_an_absolute_path_into_the_repository_is_inside_too(root: Path) -> None:
    configure(root, str(root / "store"))
    assert inside(root) == "store"


def test_without_a_default_store_there_is_none(root: Path) -> None:
    assert inside(root) is None
    configure(root, "../store", "other")
    assert inside(root) is None


def test_a_configuration_that_cannot_be_read_is_one_clear_error(root: Path) -> None:
    (root / CONFIG).write_text("remote = store\n")
    with pytest.raises(TerminalError, match=r"\.dvc/config cannot be read"):
        inside(root)


def test_the_shipped_store_is_a_folder_of_this_repository() -> None:
    assert inside(Path(__file__).resolve().parents[2]) == "store"
