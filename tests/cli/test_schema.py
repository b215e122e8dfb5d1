"""`loop schema`: the schema of each kind of file, and generated files that are neither stale nor by chance."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.cli import reference
from runner.cli.main import loop
from runner.spec.schemas import FILE_TYPES
from tests.cli.workbench import CHECKOUT, Bench, call, refused


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A repository with every generated file in it."""
    bench = Bench(tmp_path_factory.mktemp("schema") / "repo")
    assert bench.loop("schema", "--write").code == 0
    return bench


@pytest.mark.parametrize("name", FILE_TYPES)
def test_every_kind_of_file_has_a_schema_that_explains_its_fields(name: str) -> None:
    said = call("schema", name)
    value = json.loads(said.out)
    assert said.code == 0
    assert value["properties"] and value["additionalProperties"] is False
    assert all("description" in field or "$ref" in field for field in value["properties"].values())


@pytest.mark.parametrize("arguments", [[], ["loop", "--check"], ["--write", "--check"], ["lop"]])
def test_a_wrong_request_names_what_there_is(arguments: list[str]) -> None:
    refused(call("schema", *arguments), *FILE_TYPES, "loop schema --help")


def test_what_was_written_is_fresh_and_writing_again_changes_nothing(written: Bench) -> None:
    assert written.loop("schema", "--check").out.startswith("fresh: ")
    assert written.loop("schema", "--write").out == ""


@pytest.mark.parametrize("path", ["schemas/loop.json", "docs/reference/cli.md", "docs/reference/events.md"])
def test_a_file_changed_by_hand_or_missing_is_stale_and_the_fix_mends_it(written: Bench, path: str) -> None:
    target = written.root / path
    target.write_text(target.read_text() + "\n")
    refused(written.loop("schema", "--check"), path, "loop schema --write")
    target.unlink()
    refused(written.loop("schema", "--check"), path)
    assert written.loop("schema", "--write").out == f"wrote {path}\n"
    assert written.loop("schema", "--check").code == 0


def test_pages_do_not_depend_on_the_terminal_of_whoever_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = set()
    for columns in ("50", "80", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        pages.add(reference.commands(loop))
    assert len(pages) == 1


def test_a_folder_in_the_place_of_a_page_is_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").write_text((CHECKOUT / "loop.yaml").read_text())
    (tmp_path / "schemas").write_text("not a folder")
    refused(call("--root", str(tmp_path), "schema", "--write"), "schemas")
