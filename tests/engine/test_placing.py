"""The store of adapters: what is in it is whole, verified and never changes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner import digest
from runner.errors import LoopError, TerminalError, TransientError
from runner.serving import adapters
from runner.serving.adapters import Copy

BYTES = b"\x02\0\0\0\0\0\0\0{}"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(BYTES)
    (folder / "adapter_config.json").write_text(json.dumps({"r": 16}))
    (folder / "README.md").write_text("# notes")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def place(source: Path, store: Path) -> Path:
    return adapters.place(source, store, "chat-v1.0", digest.of_directory(source))


def test_a_placed_adapter_has_its_served_name_and_the_declared_bytes(source: Path, store: Path) -> None:
    declared = digest.of_directory(source)
    path = place(source, store)
    assert path == store.absolute() / f"chat-v1.0--{declared[:12]}"
    assert digest.of_directory(path) == declared
    assert adapters.inspect(path, declared) is Copy.INTACT
    assert adapters.placed(store) == (path.name,)


def test_a_placed_adapter_cannot_be_written(source: Path, store: Path) -> None:
    path = place(source, store)
    assert [oct(p.stat().st_mode & 0o222) for p in (path, *path.iterdir())] == ["0o0"] * 4


def test_placing_again_leaves_the_copy_alone(source: Path, store: Path) -> None:
    before = place(source, store).stat()
    after = place(source, store).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_placed_adapter_outlives_its_source(source: Path, store: Path) -> None:
    declared = digest.of_directory(source)
    path = place(source, store)
    (source / "README.md").unlink()
    assert adapters.place(source, store, "chat-v1.0", declared) == path


def test_other_bytes_than_declared_are_refused_with_both_digests(source: Path, store: Path) -> None:
    declared = digest.of_directory(source)
    (source / "README.md").write_text("# changed")
    with pytest.raises(TerminalError, match="another digest") as caught:
        adapters.place(source, store, "chat-v1.0", declared)
    assert declared in str(caught.value)
    assert digest.of_directory(source) in str(caught.value)
    assert list(store.iterdir()) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(position=st.integers(0, len(BYTES) - 1), value=st.integers(0, 255))
def test_a_damaged_copy_is_seen_and_replaced(source: Path, store: Path, position: int, value: int) -> None:
    path = place(source, store)
    weights = path / "adapter_model.safetensors"
    weights.chmod(0o644)
    weights.write_bytes(BYTES[:position] + bytes([value]) + BYTES[position + 1 :])
    declared = digest.of_directory(source)
    same = value == BYTES[position]
    assert adapters.inspect(path, declared) is (Copy.INTACT if same else Copy.DAMAGED)
    place(source, store)
    assert adapters.inspect(path, declared) is Copy.INTACT


@pytest.mark.parametrize(
    "name", ["adapter_model.bin", "weights.pt", "state.pkl", "optimizer.pth", "run.py", "noname"]
)
def test_a_file_that_could_run_code_is_refused(source: Path, store: Path, name: str) -> None:
    (source / name).write_bytes(b"x")
    with pytest.raises(TerminalError, match=name):
        place(source, store)
    assert not store.exists()


@pytest.mark.parametrize("missing", adapters.REQUIRED)
def test_an_adapter_without_weights_or_configuration_is_refused(
    source: Path, store: Path, missing: str
) -> None:
    (source / missing).unlink()
    with pytest.raises(TerminalError, match=missing):
        place(source, store)


def test_a_symbolic_link_is_refused_wherever_it_points(source: Path, store: Path) -> None:
    weights = source / "adapter_model.safetensors"
    real = weights.rename(source.parent / "elsewhere.safetensors")
    weights.symlink_to(real)
    with pytest.raises(TerminalError, match="symbolic link"):
        place(source, store)


def test_a_source_that_is_a_link_or_absent_is_refused(source: Path, store: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(source)
    for path in (link, tmp_path / "absent"):
        with pytest.raises(TerminalError, match="not a directory"):
            adapters.place(path, store, "chat-v1.0", "0" * 64)


def test_everything_that_is_wrong_is_told_at_once(source: Path, store: Path) -> None:
    (source / "adapter_config.json").unlink()
    (source / "a.pkl").touch()
    (source / "b.bin").touch()
    with pytest.raises(TerminalError) as caught:
        place(source, store)
    assert all(name in str(caught.value) for name in ("adapter_config.json", "a.pkl", "b.bin"))


@pytest.mark.parametrize("call", ["fsync", "fchmod"])
@pytest.mark.parametrize("failing", range(6))
def test_a_disk_that_fails_at_any_point_leaves_a_whole_copy_or_none(
    source: Path, store: Path, monkeypatch: pytest.MonkeyPatch, call: str, failing: int
) -> None:
    calls, plain = iter(range(1000)), getattr(os, call)

    def fail(*arguments: object) -> None:
        if next(calls) == failing:
            raise OSError(28, "no space left on device")
        plain(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        try:
            place(source, store)
        except TransientError as error:
            assert "no space left" in str(error)
    declared = digest.of_directory(source)
    assert all(adapters.inspect(store / name, declared) is Copy.INTACT for name in adapters.placed(store))
    assert adapters.inspect(place(source, store), declared) is Copy.INTACT
    assert [entry.name for entry in store.iterdir()] == list(adapters.placed(store))


def test_a_removed_adapter_is_gone_and_removing_it_again_is_success(source: Path, store: Path) -> None:
    path = place(source, store)
    adapters.remove(store, path.name)
    adapters.remove(store, path.name)
    assert list(store.iterdir()) == []
    assert adapters.inspect(path, "0" * 64) is Copy.ABSENT


def test_removing_goes_on_where_a_crash_left_it(source: Path, store: Path) -> None:
    path = place(source, store)
    path.rename(store / f".removing-{path.name}")
    assert adapters.placed(store) == ()
    adapters.remove(store, path.name)
    assert list(store.iterdir()) == []


@given(st.text(max_size=40))
def test_no_name_reaches_outside_the_store(name: str) -> None:
    for evil in (name, f"../{name}", f"/{name}", f"{name}/..", f"{name}--0123456789ab/../x"):
        if not adapters._SERVED.fullmatch(evil):
            with pytest.raises(LoopError):
                adapters.remove(Path("/nowhere"), evil)


def test_an_empty_store_and_no_store_hold_nothing(tmp_path: Path) -> None:
    assert adapters.placed(tmp_path) == ()
    assert adapters.placed(tmp_path / "absent") == ()
