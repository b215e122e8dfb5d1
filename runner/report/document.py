"""A document of sections, as Markdown or as one HTML file that loads nothing: the one look of everything people read.

The weekly report, the checks of data sets and the standings of the arena are documents. Values in, text out; what
users wrote is shown as they wrote it and never read as markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from runner.report import markdown, plots

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
        lines += [
            f"## {section.title}",
            "",
            *(line for text in section.lines for line in (markdown.inert(text), "")),
        ]
        if section.items:
            lines += [*(f"- {markdown.inert(item)}" for item in section.items), ""]
        if section.table:
            lines += [*markdown.table([[_cell(cell) for cell in row] for row in section.table]), ""]
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


def _cell(text: str) -> str:
    plain = markdown.inert(text)
    return f"[{plain}]({text.address})" if isinstance(text, Link) else plain
