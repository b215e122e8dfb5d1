"""Every shell command in the documents works: it is run here, or in the place that this file names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.documents import commands, documents, named
from tests.docs.scratch import ROOT, Clone

# What builds the environment, needs a running deployment or takes minutes is run elsewhere: a pattern of the
# whole command, and the file and text which show where.
ELSEWHERE = {
    r"make (setup|test|lint|check)": (".ci/run", "make test"),
    r"make (docs|format)": ("Makefile", "lint: setup"),
}
# Commands that answer with another exit code than 0 where nothing is wrong.
STATUSES = {r"loop plan\b.*": {0, 2}}

DOCUMENTS = [path for path in documents() if commands(path.read_text())]


def run_elsewhere(command: str) -> tuple[str, str] | None:
    return next((place for pattern, place in ELSEWHERE.items() if re.fullmatch(pattern, command)), None)


def allowed(command: str) -> set[int]:
    return next((found for pattern, found in STATUSES.items() if re.fullmatch(pattern, command)), {0})


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_command_in_a_document_works(document: Path, tmp_path: Path) -> None:
    here = [c for c in commands(document.read_text()) if run_elsewhere(c) is None]
    clone = Clone(tmp_path / "clone") if here else None
    for command in here:
        assert clone is not None
        done = clone.run(command)
        assert done.returncode in allowed(command), f"$ {command}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("pattern", ELSEWHERE)
def test_what_is_run_elsewhere_is_named_by_a_document_and_shown_to_be_run_there(pattern: str) -> None:
    file, text = ELSEWHERE[pattern]
    assert text in (ROOT / file).read_text()
    written = [command for path in documents() for command in commands(path.read_text())]
    assert any(re.fullmatch(pattern, command) for command in written)
