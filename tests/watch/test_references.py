"""Reference sets: which ones the policy needs, and why one cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.spec.files import DirectoryFiles
from runner.spec.load import Spec, load_or_raise
from runner.watch.references import Missing, Reference, paths, read

NAME = "bookshop-reference"


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load_or_raise(DirectoryFiles(Path()))


def test_the_policy_names_every_set_that_its_detectors_compare_with_once(spec: Spec) -> None:
    assert paths(spec) == tuple(
        str(spec.datasets[name].path) for name in ("bookshop-facts", "bookshop-reference")
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "dvc pull"),
        ("", "holds no rows"),
        ("{not json", "not JSON lines"),
        ("[1, 2]\n", "holds no rows"),
    ],
)
def test_a_set_that_cannot_be_used_says_why(
    spec: Spec, tmp_path: Path, content: str | None, reason: str
) -> None:
    path = tmp_path / str(spec.datasets[NAME].path)
    path.parent.mkdir(parents=True)
    if content is not None:
        path.write_text(content)
    found = read(tmp_path, spec.datasets, NAME)
    assert isinstance(found, Missing) and reason in found.reason


def test_a_set_that_nobody_declared_is_no_set(spec: Spec, tmp_path: Path) -> None:
    assert isinstance(read(tmp_path, spec.datasets, "another"), Missing)


def test_rows_without_a_question_are_no_questions(spec: Spec, tmp_path: Path) -> None:
    path = tmp_path / str(spec.datasets[NAME].path)
    path.parent.mkdir(parents=True)
    path.write_text('{"question": "When do you open?"}\n{"answer": "at ten"}\n')
    found = read(tmp_path, spec.datasets, NAME)
    assert isinstance(found, Reference) and found.questions == ("When do you open?",)
