"""The files of a commit, read without a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner import digest
from runner.git.repository import Repository, Revision
from runner.spec.files import DirectoryFiles

if TYPE_CHECKING:
    from tests.git.conftest import Scratch

parts = st.text(alphabet="ab .-_ü'\"\t", min_size=1, max_size=4).filter(lambda s: s.strip(". ") != "")
paths = st.lists(parts, min_size=1, max_size=3).map("/".join)
trees = st.dictionaries(paths, st.binary(max_size=64), min_size=1, max_size=8)


def placeable(tree: dict[str, bytes]) -> bool:
    """No path is at once a file and the directory of another."""
    return not any(other != path and other.startswith(f"{path}/") for path in tree for other in tree)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=trees.filter(placeable))
def test_every_file_of_a_commit_is_listed_and_read_byte_for_byte(
    scratch: Scratch, tree: dict[str, bytes]
) -> None:
    scratch.git("rm", "-r", "--quiet", "--force", "--ignore-unmatch", ".")
    for path, content in tree.items():
        scratch.write(path, content)
    files = Repository(scratch.root, scratch.environ).files_at(Revision(scratch.commit()))
    assert files.paths() == tuple(sorted(tree))
    assert {path: files.read(path) for path in tree} == tree


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=trees.filter(placeable))
def test_a_clean_checkout_and_its_commit_look_the_same_through_the_port(
    scratch: Scratch, tree: dict[str, bytes]
) -> None:
    scratch.git("rm", "-r", "--quiet", "--force", "--ignore-unmatch", ".")
    for path, content in tree.items():
        scratch.write(path, content)
    commit = Repository(scratch.root, scratch.environ).files_at(Revision(scratch.commit()))
    folder = DirectoryFiles(scratch.root)
    for directory in {Path(path).parent.as_posix() for path in tree}:
        assert commit.list(directory) == folder.list(directory)
        if directory != ".":
            assert commit.digest(directory) == folder.digest(directory)
    assert [commit.read(path) for path in tree] == [folder.read(path) for path in tree]


def test_a_commit_reads_the_same_whatever_happens_to_the_working_tree(scratch: Scratch) -> None:
    revision = Revision(scratch.commit(**{"loop.yaml": "old", "models/a.yaml": "a"}))
    scratch.write("loop.yaml", "edited and not committed")
    scratch.write("models/b.yaml", "not committed")
    files = Repository(scratch.root, scratch.environ).files_at(revision)
    assert files.read("loop.yaml") == b"old"
    assert files.list("models") == ("a.yaml",)


@pytest.mark.parametrize(
    "path", ["nothing.yaml", "models", "../outside.yaml", "/etc/passwd", "", "link.yaml"]
)
def test_what_is_no_file_of_the_commit_is_not_found(scratch: Scratch, path: str) -> None:
    (scratch.root.parent / "outside.yaml").write_text("secret")
    (scratch.root / "link.yaml").symlink_to("../outside.yaml")
    revision = Revision(scratch.commit(**{"models/a.yaml": "a"}))
    with pytest.raises(FileNotFoundError):
        Repository(scratch.root, scratch.environ).files_at(revision).read(path)


def test_a_directory_that_is_not_there_lists_nothing(scratch: Scratch) -> None:
    files = Repository(scratch.root, scratch.environ).files_at(Revision(scratch.commit(a="1")))
    assert files.list("models") == ()


def test_the_digest_of_weights_comes_from_where_dvc_put_them(scratch: Scratch) -> None:
    scratch.write(".gitignore", "weights/\n")
    revision = Revision(scratch.commit(a="1"))
    scratch.write("weights/chat/adapter.safetensors", b"\0\1")
    files = Repository(scratch.root, scratch.environ).files_at(revision)
    assert files.digest("weights/chat") == digest.of_directory(scratch.root / "weights/chat")
    assert files.digest("weights/chat/adapter.safetensors") is None
    assert files.digest("weights/other") is None


def test_a_directory_without_a_file_holds_no_weights(scratch: Scratch) -> None:
    files = Repository(scratch.root, scratch.environ).files_at(Revision(scratch.commit(a="1")))
    (scratch.root / "weights/chat/empty").mkdir(parents=True)
    assert files.digest("weights/chat") is None


@pytest.mark.parametrize("path", ["..", "/etc", "weights/../../outside", "link"])
def test_no_digest_is_taken_of_anything_outside_the_repository(scratch: Scratch, path: str) -> None:
    (scratch.root.parent / "outside").mkdir()
    revision = Revision(scratch.commit(a="1"))
    (scratch.root / "link").symlink_to("../outside")
    assert Repository(scratch.root, scratch.environ).files_at(revision).digest(path) is None


def test_the_caller_may_hand_in_a_digest_that_is_cached(scratch: Scratch) -> None:
    revision = Revision(scratch.commit(a="1"))
    repository = Repository(scratch.root, scratch.environ)
    asked: list[Path] = []
    files = repository.files_at(revision, lambda path: asked.append(path) or "cached")
    assert files.digest("weights/chat") == "cached"
    assert asked == [scratch.root / "weights/chat"]


def test_all_files_of_the_spec_come_in_one_process(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {f"models/m{i}.yaml": str(i) for i in range(30)}
    files = Repository(scratch.root, scratch.environ).files_at(Revision(scratch.commit(**names)))
    files.read("models/m0.yaml")
    monkeypatch.setattr("subprocess.Popen", None)
    assert [files.read(path) for path in names] == [str(i).encode() for i in range(30)]
