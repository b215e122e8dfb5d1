"""Pieces of Markdown that a forge shows: what people and models wrote stays text, whatever is in it.

Text in blocks and words of a line can mention nobody, close no issue and become no markup. Called by reports that are
shown in pull requests. Decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from runner.report import figures

_RUN = re.compile("`+")
_MARKUP = re.compile(r"[\\`*\[\]~!]|(?<!\w)_|_(?!\w)")
"""Signs that make markup; underscores within a word make none."""
_FOUND = re.compile(r"[@#]|(?i:https?|ftp):(?=//)|(?i:\bwww)(?=\.)|(?i:mailto|xmpp):")
"""What a forge finds in shown text: people, issues and addresses."""


def fenced(text: str, words: str = "text") -> list[str]:
    """Return lines that show a text as it is: nothing in it can end the block, mention anybody or be markup."""
    plain = "".join(each if each.isprintable() or each == "\n" else " " for each in text)
    longest = max((len(found) for found in _RUN.findall(plain)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{words}", *plain.splitlines(), fence]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table, its first row the head; the cells are safe already."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"

    return [line(rows[0]), f"|{' --- |' * len(rows[0])}", *(line(row) for row in rows[1:])]


def folded(title: str, lines: Sequence[str]) -> list[str]:
    """Return lines that are shown once somebody opens them."""
    return [f"<details><summary>{title}</summary>", "", *lines, "", "</details>", ""]


def word(text: Any) -> str:
    """Return words of ours or a name in one line, whatever is in it read as text; long ones are cut."""
    return inert(figures.line(str(text)))


def inert(text: str) -> str:
    """Return a text in one line as Markdown that shows it as it is.

    A zero-width space keeps `@`, `#` and addresses from naming people and issues and from becoming links: they are
    looked for in what is shown.
    """
    plain = _MARKUP.sub(r"\\\g<0>", figures.printable(text))
    return _FOUND.sub("\\g<0>\u200b", plain.replace("&", "&amp;").replace("<", "&lt;"))


def beginning(text: str, longest: int) -> str:
    """Return the beginning of a text up to a blank line outside of any block."""
    kept: list[str] = []
    safe: list[str] = []
    fence = ""
    for line in text[:longest].splitlines():
        kept.append(line)
        if line.startswith("```"):
            fence = "" if fence and line == fence else fence or line.rstrip("abcdefghijklmnopqrstuvwxyz")
        if not line and not fence:
            safe = list(kept)
    return "\n".join(safe).rstrip()
