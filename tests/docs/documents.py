"""Finds the documents, and in them links, headings and shell commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.docs.scratch import ROOT

_FENCE = re.compile(r"^(`{3,})(\w*)[^\n]*\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)[^)]*\)")
_SOURCE = re.compile(r"(?:src|href)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#+\s+(.*?)\s*$", re.MULTILINE)
SHELLS = ("console", "bash", "sh", "shell")


def documents() -> list[Path]:
    """The Markdown files that people read."""
    top = [path for path in ROOT.glob("*.md") if path.is_file()]
    return sorted([*top, *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])


def named(path: Path) -> str:
    """A document's path from the top."""
    return path.relative_to(ROOT).as_posix()


def links(text: str) -> Iterator[str]:
    """Every target of a link or picture outside code."""
    prose = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))
    yield from _LINK.findall(prose)
    yield from _SOURCE.findall(prose)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to headings."""
    plain = (re.sub(r"[`*]", "", heading.lower()) for heading in _HEADING.findall(_FENCE.sub("", text)))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def fences(text: str) -> Iterator[tuple[str, str]]:
    """Language and content of every fenced block."""
    for _, language, content in _FENCE.findall(text):
        yield language, content


def commands(text: str) -> list[str]:
    """Every shell command: lines after `$ ` in console blocks, all lines but comments in the others.

    A line that ends in a backslash goes on in the next.
    """
    found = []
    for language, content in fences(text):
        if language not in SHELLS:
            continue
        lines = content.replace("\\\n", "").splitlines()
        if language == "console":
            found += [line[2:] for line in lines if line.startswith("$ ")]
        else:
            found += [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return [re.sub(r"\s+#\s.*$", "", command).strip() for command in found]
