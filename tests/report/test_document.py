"""A document in Markdown: what users wrote becomes no link, mention, issue or markup where a forge shows it."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from runner.report.document import Document, Link, Section, to_markdown

HOSTILE = (
    r"\[free gift](https://evil)",
    "[free gift](https://evil)",
    "![x](https://evil/p.png)",
    r"\`",
    "`rm`",
    "*strong* _slanted_ ~~gone~~",
    "<script>alert(1)</script> &lt;b>",
    "a | b \\| c",
    "@octocat #1 https://evil www.evil.example mailto:me@evil.example",
)


def shown(text: str) -> str:
    cells = (("what",), (text,))
    return to_markdown(Document("Week", "ok", (Section("Said", (text,), (text,), cells),)))


@pytest.mark.parametrize("text", HOSTILE)
def test_what_users_wrote_is_shown_as_it_is_and_is_no_markup(text: str) -> None:
    parsed = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(shown(text))
    parts = [child for each in parsed for child in each.children or ()]
    assert {each.type for each in parts} <= {"text", "text_special"}
    said = [each.children or () for each in parsed if each.type == "inline"]
    whole = ["".join(child.content for child in each).replace("\u200b", "") for each in said]
    assert whole.count(text) == 3


def test_nobody_is_mentioned_no_issue_named_and_no_address_becomes_a_link() -> None:
    said = shown(HOSTILE[-1])
    assert not re.search(r"@\w|#\d|https?://|www\.|mailto:\w", said)


def test_ordinary_text_and_names_of_metrics_stay_as_they_are() -> None:
    text = "refusal_rate is 4.1% (3.0% to 5.2%), n=900: fine - so far."
    assert shown(text).count(text) == 3


def test_a_cell_with_an_address_of_ours_leads_there() -> None:
    said = to_markdown(Document("Week", "ok", (Section("Said", table=(("a",), (Link("x", "docs/a.md"),))),)))
    assert "| [x](docs/a.md) |" in said
