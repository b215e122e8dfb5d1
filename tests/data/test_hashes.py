"""The cache of hashes: always what a full reading gives, and seldom a reading."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.data.hashes import HashCache

LATER = 4_000_000_000 * 1_000_000_000


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every path that is opened."""
    seen: list[Path] = []
    real: Callable[..., object] = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: seen.append(self) or real(self, *a, **k))
    return seen


names = st.text(alphabet="abZ-._ü한", min_size=1, max_size=3).filter(lambda s: s.strip(".") != "")
folders = st.dictionaries(
    st.lists(names, min_size=1, max_size=2).map(tuple), st.binary(max_size=8), max_size=5
)


@settings(max_examples=60, deadline=None)
@given(folders.filter(lambda f: not any(k[:1] in f for k in f if len(k) > 1)), st.data())
def test_a_cached_hash_equals_one_made_anew_after_every_edit(
    files: dict[tuple[str, ...], bytes], data: st.DataObject
) -> None:
    with TemporaryDirectory() as name:
        root, file = Path(name, "tree"), Path(name, "hashes")
        root.mkdir()
        for parts, content in files.items():
            path = root.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for _ in range(3):
            cache = HashCache(file, lambda: LATER)
            anew = HashCache(Path(name, "never-saved"), lambda: LATER)
            assert cache.dvc_hash(root) == cache.dvc_hash(root) == anew.dvc_hash(root)
            cache.save()
            if files:
                edited = root.joinpath(*data.draw(st.sampled_from(sorted(files))))
                edited.write_bytes(data.draw(st.binary(min_size=9, max_size=20)))


def test_a_file_that_looks_untouched_is_not_read_again_even_by_another_process(
    tmp_path: Path, opened: list[Path]
) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"weights")
    first = HashCache(tmp_path / "hashes", lambda: LATER)
    expected = hashlib.md5(b"weights", usedforsecurity=False).hexdigest()
    assert first.of_file(path, "md5") == expected
    first.save()
    opened.clear()
    assert HashCache(tmp_path / "hashes", lambda: LATER).of_file(path, "md5") == expected
    assert path not in opened


def test_a_file_that_was_changed_a_moment_ago_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    changed = path.stat().st_mtime_ns
    cache = HashCache(tmp_path / "hashes", lambda: changed + 1000)
    cache.of_file(path, "md5")
    path.write_bytes(b"two")
    os.utime(path, ns=(changed, changed))
    assert cache.of_file(path, "md5") == hashlib.md5(b"two", usedforsecurity=False).hexdigest()


def test_a_file_that_was_replaced_by_one_of_the_same_size_and_time_is_read_again(tmp_path: Path) -> None:
    path, other = tmp_path / "weights", tmp_path / "other"
    path.write_bytes(b"one")
    cache = HashCache(tmp_path / "hashes", lambda: LATER)
    cache.of_file(path, "md5")
    other.write_bytes(b"two")
    os.utime(other, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert cache.of_file(path, "md5") == hashlib.md5(b"two", usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"md5:/x": 3}', b'{"md5:/x": [1]}', b"\xff", b"null"])
def test_a_damaged_cache_counts_as_empty(tmp_path: Path, damage: bytes) -> None:
    file, path = tmp_path / "hashes", tmp_path / "weights"
    file.write_bytes(damage)
    path.write_bytes(b"x")
    assert HashCache(file).of_file(path, "md5") == hashlib.md5(b"x", usedforsecurity=False).hexdigest()


def test_hashes_of_files_that_are_gone_are_not_kept(tmp_path: Path) -> None:
    gone, stays = tmp_path / "gone", tmp_path / "stays"
    cache = HashCache(tmp_path / "hashes", lambda: LATER)
    for path in (gone, stays):
        path.write_bytes(b"x")
        cache.of_file(path, "md5")
    gone.unlink()
    cache.save()
    assert str(gone) not in (tmp_path / "hashes").read_text()
    assert str(stays) in (tmp_path / "hashes").read_text()


def test_what_is_absent_has_no_digest(tmp_path: Path) -> None:
    cache = HashCache(tmp_path / "hashes")
    assert cache.dvc_hash(tmp_path / "nothing") is None
    (tmp_path / "dangling").symlink_to("nowhere")
    assert cache.dvc_hash(tmp_path / "dangling") is None
