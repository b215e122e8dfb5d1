"""The frame of all pages: head, tabs, look; one Gradio application for each language.

`app` mounts them. The review queue's tab is built by whoever brings it: `build(who, words)` inside a `gr.Tab`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import Any

import gradio as gr

from runner.console.people import views
from runner.console.people.arena import Arena
from runner.console.people.desk import Desk
from runner.console.people.playground import Playground
from runner.console.people.ports import Person
from runner.console.people.words import Words
from runner.feedback.matchmaking import Kind

Who = Callable[[gr.Request], Person | None]
"""Says who sent a request, None where nobody is signed in."""
Review = Callable[[Who, Words], None]
"""Builds the review queue inside the current tab."""
SANS = (
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Noto Sans KR",
    "Apple SD Gothic Neo",
    "Malgun Gothic",
    "sans-serif",
)
MONO = ("ui-monospace", "SF Mono", "Menlo", "Liberation Mono", "monospace")
WAITING = 256
"""Events that may wait for their turn; more are refused."""


def build(desk: Desk, say: Words, kinds: tuple[Kind, ...], review: Review | None) -> gr.Blocks:
    """Return the pages in one language."""
    title = f"{say('title')} · {desk.environment}"
    blocks: gr.Blocks = gr.Blocks(title=title, analytics_enabled=False, fill_width=True)
    with blocks:
        top = gr.HTML(views.header(say, desk.environment, None), elem_id="top")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab(say("tab.arena"), id="arena", elem_id="tab-arena"):
                arena = Arena(desk, say, kinds)
            with gr.Tab(say("tab.playground"), id="playground", elem_id="tab-playground") as tab:
                playground = Playground(desk, say)
            with gr.Tab(say("tab.review"), id="review", elem_id="tab-review"):
                if review is None:
                    gr.HTML(f'<p class="quiet">{say("review.nothing")}</p>')
                else:
                    review(desk.person, say)

        async def opened(request: gr.Request) -> dict[Any, Any]:
            known = desk.person(request)
            shown = await arena.open(known)
            return shown | {top: views.header(say, desk.environment, known)}

        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        blocks.load(opened, None, [top, *arena.opened], **quiet)
        tab.select(playground.open, playground.version, playground.opened, **quiet)
    blocks.queue(max_size=WAITING, default_concurrency_limit=16, api_open=False)
    return blocks


def look() -> gr.themes.Base:
    """Return the theme: fonts of the system only, so that no host is asked for one."""
    return gr.themes.Base(
        primary_hue="teal",
        neutral_hue="stone",
        radius_size="md",
        text_size="md",
        font=SANS,
        font_mono=MONO,
    )


def style() -> str:
    """Return the style sheet of the pages."""
    return _asset("console.css")


def head(say: Words) -> str:
    """Return what stands in the document's head: its icon, its language and the keys."""
    return (
        '<link rel="icon" href="/icon.svg" type="image/svg+xml">'
        f"<script>document.documentElement.lang = '{say.language}';\n{_asset('console.js')}</script>"
    )


def _asset(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")
