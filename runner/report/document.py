"""A document of sections, as Markdown or as one HTML file that loads nothing: the one look of everything people read.

The weekly report, the checks of data sets and the standings of the arena are documents. Values in, text out; what
users wrote is shown as they wrote it and never read as markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from runner.report import plots

Rows = Sequence[Sequence[str]]


class Link(str):
    """The text of a cell that leads to an address of the web; elsewhere it is its text alone."""

    __slots__ = ("address",)

    def __new__(cls, text: str, address: str) -> Self:
        """Return the text; the address is one that this program made, never what somebody wrote."""
        made = super().__new__(cls, text)
        made.address = address
        return made

    address: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a document: text, a list, a table whose first row is its head, and plots (SVG) with captions."""

    title: str
    lines: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    table: Rows = ()
    plots: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A document. `level` is the word under its title; `words` are those that have a colour in tables.

    Colours exist for ok, warn, hold, retrain, inconclusive, slight, drift, passed, failed, better, worse, PASS, FAIL,
    ERROR.
    """

    title: str
    level: str
    sections: tuple[Section, ...]
    words: tuple[str, ...] = ()


def to_markdown(document: Document) -> str:
    """Return a document as Markdown, without plots."""
    lines = [f"# {document.title}", ""]
    for section in document.sections:
        lines += [f"## {section.title}", "", *(line for text in section.lines for line in (_safe(text), ""))]
        if section.items:
            lines += [*(f"- {_safe(item)}" for item in section.items), ""]
        if section.table:
            lines += [*_markdown(section.table), ""]
    return "\n".join(lines).rstrip() + "\n"


def to_html(document: Document) -> str:
    """Return a document as one HTML file that loads nothing."""
    from importlib.resources import files

    from jinja2 import Environment

    source = files("runner.report").joinpath("templates/document.html.j2").read_text(encoding="utf-8")
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)
    return page.render(
        title=document.title,
        sections=document.sections,
        level=document.level,
        words=document.words,
        style=plots.STYLE,
    )


def _safe(text: str) -> str:
    """Keep what users wrote from being read as HTML, links or pictures."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;")
    return plain.replace("[", "\\[").replace("`", "\\`").replace("\n", " ")


def _markdown(rows: Rows) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(map(_cell, cells)) + " |"

    return [line(rows[0]), "|" + " --- |" * len(rows[0]), *(line(row) for row in rows[1:])]


def _cell(text: str) -> str:
    plain = _safe(text).replace("|", "\\|")
    return f"[{plain}]({text.address})" if isinstance(text, Link) else plain
