"""`loop validate`: everything that is wrong at once, for people and for programs, and never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.workbench import Bench, call, refused


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("validate") / "repo")


@pytest.fixture(autouse=True)
def restored(bench: Bench) -> None:
    bench.git("checkout", "--quiet", "--force", "main")
    bench.git("clean", "--quiet", "-d", "--force")


def test_a_valid_repository_is_counted(bench: Bench) -> None:
    said = bench.loop("validate")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("valid: 2 environments, 2 models, ")
    assert said.out.endswith(" 8 policies\n")


def test_all_errors_are_told_at_once_each_with_file_line_and_fix(bench: Bench) -> None:
    for name, right, wrong in (
        ("loop.yaml", "baseline:", "basline:"),
        ("models/chat-v1.1.yaml", "recipe: dpo", "recipe: dop"),
    ):
        text = (bench.root / name).read_text()
        (bench.root / name).write_text(text.replace(right, wrong))
    said = bench.loop("validate")
    assert said.code == 1 and said.out == ""
    assert "loop.yaml:" in said.err and "models/chat-v1.1.yaml:" in said.err
    assert "did you mean 'dpo'?" in said.err
    count = said.err.count("error: ")
    assert said.err.endswith(f"{count} errors; nothing was changed\n")


def test_json_says_the_same_as_the_text(bench: Bench) -> None:
    assert json.loads(bench.loop("validate", "--json").out) == {"valid": True, "diagnostics": []}
    text = (bench.root / "loop.yaml").read_text()
    (bench.root / "loop.yaml").write_text(text.replace("prune_limit:", "prune_limt:"))
    said = bench.loop("validate", "--json")
    value = json.loads(said.out)
    assert said.code == 1 and value["valid"] is False
    (found,) = value["diagnostics"]
    assert (found["severity"], found["path"]) == ("error", "loop.yaml")
    assert found["line"] == text[: text.index("prune_limit:")].count("\n") + 1
    assert "prune_limit" in found["fix"]


def spoil_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def spoil_bytes(path: Path) -> None:
    path.write_bytes(b"\xff\xfe name: x")


def spoil_empty(path: Path) -> None:
    path.write_text("")


def spoil_deep(path: Path) -> None:
    path.write_text("[" * 20_000)


def spoil_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


@pytest.mark.parametrize("name", ["loop.yaml", "policies/cost.yaml", "models/chat-v1.0.yaml"])
@pytest.mark.parametrize("spoil", [spoil_directory, spoil_bytes, spoil_empty, spoil_deep, spoil_link])
def test_a_file_that_is_no_file_is_an_error_that_names_it(
    bench: Bench, name: str, spoil: Callable[[Path], None]
) -> None:
    spoil(bench.root / name)
    said = bench.loop("validate")
    # A folder in the place of a version is no version, which is told where the version is used, by its name.
    refused(said, Path(name).stem, "nothing was changed")


def test_it_looks_at_the_working_tree_and_needs_no_git(bench: Bench, tmp_path: Path) -> None:
    for path, text in bench.files.texts.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert call("--root", str(tmp_path), "validate").code == 0
