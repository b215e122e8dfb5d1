"""Only a checkpoint whose every byte is there counts; a half-written one is thrown away."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.training import whole


def checkpoint(folder: Path, step: int, *, sealed: bool = True) -> Path:
    made = folder / f"checkpoint-{step}"
    (made / "ref").mkdir(parents=True)
    (made / "adapter_model.safetensors").write_bytes(b"weights" * step)
    (made / "ref/adapter_model.safetensors").write_bytes(b"reference")
    (made / "trainer_state.json").write_text("{}")
    if sealed:
        whole.seal(made, {"seconds": float(step)})
    return made


def test_the_newest_whole_checkpoint_is_found_by_its_number(tmp_path: Path) -> None:
    for step in (2, 10, 9):
        checkpoint(tmp_path, step)
    found = whole.last(tmp_path)
    assert found == tmp_path / "checkpoint-10"
    assert whole.about(found) == {"seconds": 10.0}


def test_there_is_none_where_nothing_was_written(tmp_path: Path) -> None:
    assert whole.last(tmp_path) is None
    assert whole.last(tmp_path / "nothing") is None


def test_one_that_was_not_sealed_is_thrown_away(tmp_path: Path) -> None:
    older, newer = checkpoint(tmp_path, 1), checkpoint(tmp_path, 2, sealed=False)
    assert whole.last(tmp_path) == older
    assert not newer.exists()


@pytest.mark.parametrize(
    "name", ["adapter_model.safetensors", "ref/adapter_model.safetensors", "trainer_state.json"]
)
@pytest.mark.parametrize("how", ["gone", "shorter", "other"])
def test_one_of_which_any_file_is_not_as_it_was_is_thrown_away(tmp_path: Path, name: str, how: str) -> None:
    older, newer = checkpoint(tmp_path, 1), checkpoint(tmp_path, 2)
    path = newer / name
    match how:
        case "gone":
            path.unlink()
        case "shorter":
            path.write_bytes(path.read_bytes()[:-1])
        case _:
            path.write_bytes(bytes(len(path.read_bytes())))
    assert whole.last(tmp_path) == older
    assert not newer.exists()


@pytest.mark.parametrize("seal", [b"", b"{", b"[]", b'{"files": {}}'])
def test_a_damaged_seal_seals_nothing(tmp_path: Path, seal: bytes) -> None:
    (checkpoint(tmp_path, 3) / whole.SEAL).write_bytes(seal)
    assert whole.last(tmp_path) is None
