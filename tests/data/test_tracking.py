"""What DVC tracks and what of it is there, held against DVC's own word."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.data.hashes import HashCache
from runner.data.tracking import State, Tracked, read_tracking, survey
from runner.spec.files import MemoryFiles

if TYPE_CHECKING:
    from tests.data.conftest import Pipeline

ALL = ("data/folder", "data/made", "data/one.txt", "data/out", "e-k", "e-l")
MD5 = "d644a230f3ef20b00879aaceb61790af"


class Memory(MemoryFiles):
    """Files in memory that can be listed."""

    def paths(self) -> tuple[str, ...]:
        return tuple(sorted(self.contents))


def pointer(**changes: object) -> bytes:
    output = {"md5": MD5, "size": 5, "hash": "md5", "path": "x"} | changes
    lines = "\n  ".join(f"{key}: {value}" for key, value in output.items() if value is not None)
    return f"outs:\n- {lines}\n".encode()


@pytest.fixture
def restored(built: Pipeline) -> Iterator[Pipeline]:
    """The pipeline, put back as it was after the test."""
    kept = {path: built.read(path) for path in built.paths()}
    yield built
    for path in built.paths():
        (built.root / path).unlink()
    for path, content in kept.items():
        built.write(path, content)


def states(pipeline: Pipeline, cache: HashCache) -> dict[str, State]:
    return survey(read_tracking(pipeline), pipeline.root, cache)


def test_everything_that_dvc_tracks_is_found_and_nothing_that_git_holds(
    built: Pipeline, tmp_path: Path
) -> None:
    tracking = read_tracking(built)
    assert tracking.diagnostics == ()
    assert tuple(t.path for t in tracking.outputs) == ALL
    assert set(states(built, HashCache(tmp_path / "hashes")).values()) == {State.PRESENT}
    assert {t.path: t.size for t in tracking.outputs}["data/one.txt"] == 5


def test_states_agree_with_dvc_for_every_way_in_which_data_can_differ(
    restored: Pipeline, tmp_path: Path
) -> None:
    cache = HashCache(tmp_path / "hashes")
    states(restored, cache)
    shutil.rmtree(restored.root / "data/out")
    (restored.root / "e-k").unlink()
    restored.write("e-l", b"by hand\n")
    restored.write("data/folder/extra", b"")
    (restored.root / "data/folder/empty-too").mkdir()
    found = states(restored, cache)
    told = restored.data_status()["uncommitted"]
    assert {path for path, s in found.items() if s is State.MISSING} == {
        p.rstrip("/") for p in told["deleted"]
    }
    modified = {p.rstrip("/") for p in told["modified"] if p.rstrip("/") in ALL}
    assert {path for path, s in found.items() if s is State.MODIFIED} == modified == {"data/folder", "e-l"}


def test_invariant_14_a_broken_dvc_file_is_told_and_the_others_count() -> None:
    tracking = read_tracking(Memory({"a.dvc": b"outs: [", "b.dvc": pointer(path="b")}))
    assert tracking.outputs == (Tracked("b", MD5, 5, "b.dvc"),)
    assert [str(d.location) for d in tracking.diagnostics] == ["a.dvc"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"hash": None}, "hashed by DVC 2"),
        ({"md5": None}, "has no MD5"),
        ({"md5": "../../etc/passwd"}, "has no MD5"),
        ({"path": "../../x"}, "outside this repository"),
        ({"path": "/etc/passwd"}, "not a path in this repository"),
        ({"path": "s3://bucket/x"}, "not a path in this repository"),
        ({"path": None}, "not a path in this repository"),
        ({"path": "[1]"}, "not a path in this repository"),
    ],
)
def test_what_cannot_be_relied_on_is_refused(changes: dict[str, object], told: str) -> None:
    tracking = read_tracking(Memory({"data/x.dvc": pointer(**changes)}))
    assert tracking.outputs == ()
    assert [told in d.summary for d in tracking.diagnostics] == [True]


def test_a_hash_of_digits_only_stays_text() -> None:
    digits = "01234567890123456789012345678901"
    (found,) = read_tracking(Memory({"x.dvc": pointer(md5=digits)})).outputs
    assert found.hash == digits


def test_a_template_for_the_folder_of_a_stage_is_refused_and_never_guessed() -> None:
    lock = b"stages:\n  s@k:\n    outs:\n    - {path: x, hash: md5, md5: " + MD5.encode() + b"}\n"
    pipeline = b"stages:\n  s:\n    foreach: [k]\n    do: {wdir: 'd/${item}', cmd: c, outs: [x]}\n"
    tracking = read_tracking(Memory({"dvc.lock": lock, "dvc.yaml": pipeline}))
    assert tracking.outputs == ()
    assert "template in wdir" in tracking.diagnostics[0].summary


def test_names_that_dvc_ignores_do_not_count_as_changes(restored: Pipeline, tmp_path: Path) -> None:
    restored.write("data/folder/a/left.tmp", b"x")
    restored.write("data/folder/junk/left", b"x")
    assert states(restored, HashCache(tmp_path / "hashes"))["data/folder"] is State.PRESENT
    assert "data/folder/" not in restored.data_status().get("uncommitted", {}).get("modified", ())


@pytest.mark.parametrize("pattern", ["!kept", "data/*.tmp", "/top?", "a\\*"])
def test_ignore_patterns_that_are_not_followed_are_told(pattern: str) -> None:
    tracking = read_tracking(Memory({".dvcignore": pattern.encode(), "x.dvc": pointer()}))
    assert [t.path for t in tracking.outputs] == ["x"]
    assert [pattern in d.summary for d in tracking.diagnostics] == [True]


def test_ignore_patterns_count_below_their_folder_only() -> None:
    files = {".dvcignore": b"# why\n\n*.pyc\n", "a/.dvcignore": b"junk/\n"}
    files |= {"a/x.dvc": pointer(), "ab/x.dvc": pointer()}
    found = {t.path: t.ignore for t in read_tracking(Memory(files)).outputs}
    assert found == {"a/x": ("*.pyc", "junk/"), "ab/x": ("*.pyc",)}


def test_a_path_counts_from_the_folder_of_its_file_and_what_lies_below_it_is_not_looked_at() -> None:
    files = {".dvcignore": b"/templates/\na/x/left\n/x/\n", "templates/broken.dvc": b"outs: ["}
    files |= {"a/x.dvc": pointer(), "a/templates.dvc": pointer(path="templates")}
    tracking = read_tracking(Memory(files))
    assert {t.path: t.ignore for t in tracking.outputs} == {"a/x": ("/left",), "a/templates": ()}
    assert tracking.diagnostics == ()


def test_paths_that_dvc_ignores_do_not_count_as_changes_and_the_same_names_elsewhere_do(
    restored: Pipeline, tmp_path: Path
) -> None:
    ignored = restored.read(".dvcignore")
    restored.write(".dvcignore", ignored + b"/data/folder/b/\ndata/folder/own\n")
    restored.write("data/folder/b/left", b"x")
    restored.write("data/folder/own", b"x")
    assert states(restored, HashCache(tmp_path / "hashes"))["data/folder"] is State.PRESENT
    assert "data/folder/" not in restored.data_status().get("uncommitted", {}).get("modified", ())
    restored.write("data/folder/a/b/left", b"x")
    assert states(restored, HashCache(tmp_path / "hashes"))["data/folder"] is State.MODIFIED
    assert "data/folder/" in restored.data_status()["uncommitted"]["modified"]


GOOD = {
    "dvc.lock": b"schema: '2.0'\nstages:\n  a@k:\n    cmd: c\n    outs:\n    - path: x\n      hash: md5\n"
    b"      md5: d644a230f3ef20b00879aaceb61790af\n      size: 2\n",
    "dvc.yaml": b"stages:\n  a:\n    wdir: d\n    cmd: c\n    outs:\n    - x:\n        cache: false\n",
    "x.dvc": pointer(),
    ".dvcignore": b"# a\n*.pyc\njunk/\n",
}
edits = st.tuples(
    st.sampled_from(sorted(GOOD)), st.integers(0, 200), st.integers(0, 12), st.binary(max_size=6)
)


@settings(max_examples=400, deadline=None)
@given(st.lists(edits, min_size=1, max_size=3))
@example([("dvc.lock", 0, 200, b"- 1")])
@example([("dvc.yaml", 8, 200, b" [1]")])
@example([("x.dvc", 0, 200, b"[" * 6)])
def test_mutilated_dvc_files_give_diagnostics_and_never_a_traceback(
    changes: list[tuple[str, int, int, bytes]],
) -> None:
    contents = dict(GOOD)
    for name, start, length, fresh in changes:
        old = contents[name]
        contents[name] = old[:start] + fresh + old[start + length :]
    tracking = read_tracking(Memory(contents))
    assert all(not t.path.startswith(("..", "/")) and len(t.hash) >= 32 for t in tracking.outputs)


def test_reading_what_is_tracked_never_imports_dvc() -> None:
    code = "import sys, runner.data.tracking, runner.data.pull; print([m for m in sys.modules if 'dvc' in m])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
