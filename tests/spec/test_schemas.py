"""Schemas and reference: fresh, valid, complete, and no stricter than the loader."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path

import jsonschema
import pytest

from runner.errors import Severity
from runner.spec import reference, schemas
from runner.spec.base import Section
from runner.spec.describe import about, members, nested
from runner.spec.files import DirectoryFiles, MemoryFiles
from runner.spec.lint import schema_name
from runner.spec.parse import parse
from runner.spec.source import read
from tests.spec.repository import quarantine_text

ROOT = Path(__file__).parents[2]
FILES = DirectoryFiles(ROOT)


def test_the_shipped_schemas_are_what_the_types_say():
    assert schemas.check(FILES) == ()


def test_the_shipped_reference_is_what_the_types_say():
    assert reference.check(FILES) == ()


def test_a_schema_that_is_missing_outdated_or_left_over_is_told():
    contents = {path: text.encode() for path, text in schemas.render().items()}
    del contents["schemas/loop.json"]
    contents["schemas/cost.json"] += b" "
    contents["schemas/old.json"] = b"{}"
    found = {item.location.path: item.summary for item in schemas.check(MemoryFiles(contents))}
    assert found == {
        "schemas/loop.json": "the file is missing",
        "schemas/cost.json": "the file is not what its types say now",
        "schemas/old.json": "nothing generates this",
    }


@pytest.mark.parametrize("name", schemas.FILE_TYPES)
def test_a_schema_is_a_valid_schema(name):
    jsonschema.Draft202012Validator.check_schema(schemas.schema(name))


def test_every_file_that_the_loader_takes_passes_its_schema(repository):
    repository.texts["quarantine.yaml"] = quarantine_text("chat-v1.1--bbbbbbbbbbbb")
    parsed, _ = parse(repository.files)
    assert "quarantine" in parsed.paths
    assert len(parsed.paths) > 15
    for key, path in parsed.paths.items():
        validator = jsonschema.Draft202012Validator(schemas.schema(schema_name(key)))
        assert [error.message for error in validator.iter_errors(parsed.documents[path].value)] == []


@pytest.mark.parametrize(
    "path", sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("[lmdp]*/*.yaml"))
)
def test_every_shipped_file_passes_the_shipped_schema_that_its_first_line_names(path):
    document, _ = read(path, (ROOT / path).read_bytes())
    _, _, named = document.first_line.partition("$schema=")
    schema = json.loads(((ROOT / path).parent / named).read_text())
    assert [
        error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(document.value)
    ] == []


@pytest.mark.parametrize("value", ["5%", "5 %", 0.05, 1, "stabel", "5", -1, True])
def test_schema_and_loader_agree_on_how_a_share_is_written(repository, value):
    repository.set("policies/rollout.yaml", "holdback", to=value if value != 1 else 0.5)
    document, _ = read("x", repository.texts["policies/rollout.yaml"].encode())
    valid = jsonschema.Draft202012Validator(schemas.schema("rollout")).is_valid(document.value)
    assert valid == (repository.load().spec is not None)


@pytest.mark.parametrize("value", ["30s", "2000ms", 30, 0.5, "30", "soon", "-1s", None])
def test_schema_and_loader_agree_on_how_a_duration_is_written(repository, value):
    repository.set("loop.yaml", "poll", to=value)
    document, _ = read("x", repository.texts["loop.yaml"].encode())
    valid = jsonschema.Draft202012Validator(schemas.schema("loop")).is_valid(document.value)
    assert valid == (repository.load().spec is not None)


@pytest.mark.parametrize(
    "served", ["chat-v1.1--bbbbbbbbbbbb", "chat-v1.1", "chat-v1.1--BBBBBBBBBBBB", 7, None]
)
def test_schema_and_loader_agree_on_what_can_be_quarantined(repository, served):
    repository.texts["quarantine.yaml"] = quarantine_text("chat-v1.1--bbbbbbbbbbbb")
    repository.set("quarantine.yaml", "quarantined", 0, "served", to=served)
    document, _ = read("x", repository.texts["quarantine.yaml"].encode())
    valid = jsonschema.Draft202012Validator(schemas.schema("quarantine")).is_valid(document.value)
    assert valid == (repository.load().spec is not None)


def test_an_unknown_key_fails_the_schema_too(repository):
    repository.set("loop.yaml", "environments", "production", "engine", "max_lora", to=3)
    document, _ = read("x", repository.texts["loop.yaml"].encode())
    assert not jsonschema.Draft202012Validator(schemas.schema("loop")).is_valid(document.value)


def test_every_field_of_every_type_has_words():
    silent = [
        f"{kind.__name__}.{name}"
        for root in schemas.FILE_TYPES.values()
        for kind in nested(root).values()
        if issubclass(kind, Section)
        for name in kind.model_fields
        if name not in members(kind)
    ]
    assert silent == []


def test_every_type_has_words_of_its_own():
    kinds = {kind for root in schemas.FILE_TYPES.values() for kind in nested(root).values()}
    assert [kind.__name__ for kind in kinds if about(kind) in ("", about(Enum), about(Section))] == []


def test_a_file_without_its_first_line_is_a_warning_for_its_author(repository):
    repository.texts["policies/cost.yaml"] = repository.texts["policies/cost.yaml"].partition("\n")[2]
    found = repository.only()
    assert found.severity is Severity.WARNING
    assert found.fix == "let the first line be '# yaml-language-server: $schema=../schemas/cost.json'"
