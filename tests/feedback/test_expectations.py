"""What a data set declares is what Great Expectations checks, and what was found is kept for these bytes only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.errors import TerminalError
from runner.feedback.expectations.checked import Checked, keep, kept
from runner.feedback.expectations.validate import validate
from runner.report import expectations as report
from runner.spec.dataset import DatasetFile

CONVERSATION = [{"role": "user", "content": "Hello?"}]


def declared(**changes: Any) -> DatasetFile:
    """A data set of conversations that expects something of every kind."""
    value: dict[str, Any] = {
        "name": "talks",
        "role": "preferences",
        "path": "talks.jsonl",
        "schema": {
            "id": "text",
            "prompt": "messages",
            "votes": "whole",
            "score": "real",
            "synthetic": "bool",
            "tags": "texts",
            "category": "text",
            "about": "record",
        },
        "expectations": [
            {"column": "id", "expect": "unique"},
            {"column": "id", "expect": "matches", "pattern": "^p[0-9]+$"},
            {"column": "id", "expect": "length_between", "low": 2, "high": 4},
            {"column": "votes", "expect": "value_between", "low": 1},
            {"column": "category", "expect": "in_set", "values": ["a", "b"]},
            {"column": "score", "expect": "not_null", "share": "50%"},
        ],
        "minimum": {"rows": 2, "per_category": 1},
        "categories": ["a", "b"],
        "provenance": {"description": "made here"},
    }
    return DatasetFile.model_validate(value | changes)


def row(number: int, **changes: Any) -> dict[str, Any]:
    """One row that meets everything."""
    good = {
        "id": f"p{number}",
        "prompt": CONVERSATION,
        "votes": 3,
        "score": 0.5,
        "synthetic": False,
        "tags": ["x"],
        "category": "ab"[number % 2],
        "about": {},
    }
    return {key: value for key, value in (good | changes).items() if value is not ...}


def checked(root: Path, rows: list[Any], dataset: DatasetFile | None = None) -> Checked:
    """Write rows and check them."""
    (root / "talks.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in rows))
    return validate(root, dataset or declared(), 1.0)


def test_rows_that_meet_everything_pass(tmp_path: Path) -> None:
    found = checked(tmp_path, [row(1), row(2), row(3, score=1)])
    assert found.passed, found.failed
    assert (found.rows, dict(found.categories)) == (3, {"a": 1, "b": 2})


@pytest.mark.parametrize(
    ("rows", "broken"),
    [
        ([row(1), row(2), row(2, category="b")], "id is unique"),
        ([row(1), row(2, id="q2")], "id matches ^p[0-9]+$"),
        ([row(1), row(22222)], "id has 2 to 4 characters"),
        ([row(1), row(2, votes=0)], "votes is at least 1"),
        ([row(1), row(2), row(3, category="c")], "category is one of a, b"),
        ([row(1), row(2, votes="many")], "votes is whole"),
        ([row(1), row(2, votes=True)], "votes is whole"),
        ([row(1), row(2, id=...)], "id is text"),
        ([row(1), row(2, prompt="Hello?")], "prompt is messages"),
        ([row(1), row(2, prompt=[{"role": "stranger", "content": "x"}])], "prompt is messages"),
        ([row(1), row(2, tags=[1])], "tags is texts"),
        ([row(1), row(2, about=[])], "about is record"),
        ([row(1), row(2, synthetic=0)], "synthetic is bool"),
        ([row(2)], "at least 2 rows"),
        ([row(2), row(4)], "categories a, b all occur"),
        ([row(1), row(2), "no object"], "every line is a JSON object"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_kind_of_fault_is_found_by_its_own_expectation(
    tmp_path: Path, rows: list[Any], broken: str
) -> None:
    failed = [f"{line.column} {line.says}".strip() for line in checked(tmp_path, rows).failed]
    assert broken in failed


def test_a_category_with_too_few_rows_fails_though_it_occurs(tmp_path: Path) -> None:
    dataset = declared(minimum={"rows": 1, "per_category": 2})
    failed = checked(tmp_path, [row(1), row(2), row(4)], dataset).failed
    assert [line.says for line in failed] == ["every category has at least 2 rows"]


def test_a_share_of_the_rows_may_miss_what_is_expected_of_a_share(tmp_path: Path) -> None:
    half = checked(tmp_path, [row(1, score=None), row(2)])
    assert "is there in 0.5 of the rows or more" not in [line.says for line in half.failed]
    most = checked(tmp_path, [row(1, score=None), row(2, score=None), row(3)])
    assert "is there in 0.5 of the rows or more" in [line.says for line in most.failed]


def test_a_file_without_a_row_fails_and_does_not_break(tmp_path: Path) -> None:
    assert "at least 2 rows" in [line.says for line in checked(tmp_path, []).failed]


def test_what_was_found_is_kept_for_these_bytes_and_these_expectations_only(tmp_path: Path) -> None:
    found = checked(tmp_path, [row(1), row(2)])
    keep(tmp_path, found)
    assert kept(tmp_path, declared(), found.hash) == found
    assert kept(tmp_path, declared(), "0" * 32) is None
    assert kept(tmp_path, declared(minimum={"rows": 3}), found.hash) is None


@pytest.mark.parametrize("content", ["", "[]", "{", '{"lines": 3}'])
def test_what_is_kept_and_damaged_counts_as_not_checked(tmp_path: Path, content: str) -> None:
    found = checked(tmp_path, [row(1), row(2)])
    keep(tmp_path, found)
    (tmp_path / ".loop/data/talks.json").write_text(content)
    assert kept(tmp_path, declared(), found.hash) is None


def test_a_file_that_is_not_there_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="dvc pull"):
        validate(tmp_path, declared(), 1.0)


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Checked]:
    """A data set that fails with an example that is markup."""
    yield checked(tmp_path, [row(1), row(2, category="<img src=x onerror=alert(1)>")])


def test_the_page_shows_failures_first_and_hostile_values_as_text(hostile: Checked) -> None:
    page = report.to_page((hostile,), (("thumbs", "none was made yet"),))
    assert "<img" not in page
    assert "&lt;img src=x" in page
    assert page.index("category is one of a, b") < page.index("id is unique")
    assert "thumbs" in page


def test_the_text_names_what_is_not_so_with_an_example(hostile: Checked) -> None:
    text = report.to_text((hostile,))
    assert "talks  failed" in text
    assert "not so: category is one of a, b (1 of 2 rows)" in text
