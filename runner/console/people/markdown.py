"""A model's Markdown as HTML that is safe to show: no tags of its own, no images, no links that lead anywhere. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock, list_block
from markdown_it.token import Token

LONGEST = 20_000
"""Characters that are laid out as Markdown; a longer answer is shown as it is."""
_FIRST_ITEM = re.compile(r"(?:[-+*]|[01][.)])[ \t]+\S")


class _Renderer(RendererHTML):
    """Writes where a link leads behind its text, and no link."""

    def link_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:  # noqa: ARG002
        """Write nothing; a link's text stands for itself."""
        return ""

    def link_close(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:  # noqa: ARG002
        """Write where the link would lead, unless its text says so."""
        opened = next(each for each in reversed(tokens[:index]) if each.type == "link_open")
        target = str(opened.attrGet("href") or "")
        text = "".join(each.content for each in tokens[tokens.index(opened) : index])
        return (
            ""
            if opened.markup == "autolink" or text == target
            else f" <span class='target'>({_text(target)})</span>"
        )


@cache
def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "breaks": True}, renderer_cls=_Renderer)
    made.block.ruler.at("list", _list, {"alt": ["paragraph", "reference", "blockquote"]})
    return made.enable("table").disable(["image", "html_block", "html_inline"])


def _list(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Take for a list only what begins as one: "1997." is an answer, not the empty item of a list at 1997."""
    begins = state.bMarks[line] + state.tShift[line]
    is_one = silent or _FIRST_ITEM.match(state.src, begins)  # silent: it asks whether a paragraph ends here
    return bool(is_one) and list_block(state, line, end, silent)


def safe(text: str) -> str:
    """Return HTML of a text that nobody vouches for."""
    if len(text) > LONGEST:
        return f"<p class='as-is'>{_text(text)}</p>"
    return str(_markdown().render(text))


def _text(text: str) -> str:
    return html.escape(text, quote=True)


def escaped(text: str) -> str:
    """Return a text as HTML that shows it word for word."""
    return _text(text)
