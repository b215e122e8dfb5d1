"""The real browser: where it is, how it is started, and how one writes into a page as a person does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.waiting import until

CHROMIUM = Path("/usr/bin/chromium")
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]

_AT_REST = """() => new Promise((done) => {
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50)));
})"""


def write(tab: Any, box: str, text: str) -> None:
    """Write into a box until it stays: Gradio may still be emptying one that has only just come."""
    until(lambda: _stays(tab, box, text), f"'{text}' stands in {box}")


def _stays(tab: Any, box: str, text: str) -> bool:
    tab.fill(box, text)
    tab.evaluate(_AT_REST)
    return bool(tab.input_value(box) == text)
