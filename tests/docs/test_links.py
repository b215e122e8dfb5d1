"""Every link inside the repository leads to something that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.documents import anchors, documents, fences, links, named
from tests.docs.scratch import ROOT


@pytest.mark.parametrize("document", documents(), ids=named)
def test_every_link_inside_the_repository_leads_somewhere(document: Path) -> None:
    broken = []
    for target in links(document.read_text()):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        place, _, anchor = target.partition("#")
        path = (document.parent / place).resolve() if place else document
        if not path.exists() or (anchor and anchor not in anchors(path.read_text())):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("document", [d for d in documents() if "reference" not in d.parts], ids=named)
def test_every_fenced_block_names_its_language(document: Path) -> None:
    assert [content for language, content in fences(document.read_text()) if not language] == []


def test_the_index_names_every_page() -> None:
    index = next(path for path in documents() if named(path) == "docs/README.md")
    named_there = {(index.parent / target).resolve() for target in links(index.read_text())}
    folders = {index.parent, index.parent / "guides", *ROOT.glob("examples/*")}
    pages = {path for path in documents() if path.parent in folders and path != index}
    assert pages - named_there == set()


def test_every_decision_stands_in_the_list_of_decisions() -> None:
    index = next(path for path in documents() if named(path) == "docs/adr/README.md")
    named_there = {(index.parent / target).resolve() for target in links(index.read_text())}
    assert {path for path in documents() if path.parent == index.parent and path != index} == named_there


def test_the_reader_of_documents_finds_what_is_there() -> None:
    text = "# A `b` c!\n[x](y.md#z)\n`[no](no)`\n```console\n$ one  # why\nout\n$ two \\\n  more\n```\n"
    from tests.docs.documents import commands

    assert list(links(text)) == ["y.md#z"]
    assert anchors(text) == {"a-b-c"}
    assert commands(text) == ["one", "two   more"]
