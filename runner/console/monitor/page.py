"""The monitor page as HTML: whole for the first paint, and part by part for updates.

One set of templates writes both, so that what a script brings later is what a reload would show. Everything is
escaped by the templates; only the plots, which escape themselves, come as markup.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from runner.console.monitor import shifts, trials, views, words
from runner.console.monitor.feed import Page
from runner.report import plots
from runner.signals.reading import Level, Reading

ASSETS = Path(__file__).parent / "assets"
PARTS = ("head", "quality", "rollout", "drift", "spreads", "cost", "signals", "decisions")
"""The sections that are replaced on their own, in reading order."""
ANY, BRIEF = "any", "brief"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows of the table are shown: `ANY`, or an arm, a segment, a level; `text` occurs in the name.

    `BRIEF` is everyone together, and of arms or segments only what stands out.
    """

    arm: str = BRIEF
    segment: str = BRIEF
    level: str = ANY
    text: str = ""

    def shows(self, row: views.Row) -> bool:
        """Return whether a row is shown."""
        found = row.reading
        return (
            _shows(self.arm, found.arm, found)
            and _shows(self.segment, found.segment, found)
            and self.level in (ANY, found.level.name.lower())
            and self.text.lower() in row.name.lower()
        )


def _shows(wanted: str, own: str, found: Reading) -> bool:
    if wanted == BRIEF:
        return own == "" or views.stands_out(found)
    return wanted in (ANY, own)


def filtered(query: Mapping[str, str]) -> Filter:
    """Return the filter of a query; names that it does not know are ignored."""
    return replace(
        Filter(), **{name: query[name] for name in ("arm", "segment", "level", "text") if name in query}
    )


def whole(page: Page, now: float, chosen: Filter | None = None) -> str:
    """Return the page for the first paint; `now` is in seconds since 1970."""
    shown = _values(page, now, chosen or Filter())
    sections = {name: Markup(_part(name, shown)) for name in PARTS}
    return (
        _templates()
        .get_template("page.html")
        .render(
            shown, parts=sections, style=asset_name("page.css"), script=asset_name("page.js"), build=build()
        )
    )


def parts(page: Page, now: float) -> dict[str, str]:
    """Return the sections as HTML, by name."""
    shown = _values(page, now, Filter())
    return {name: _part(name, shown) for name in PARTS}


def assets() -> dict[str, tuple[bytes, str]]:
    """Return what the page loads, by name: content and media type. A name changes with the content."""
    return {
        asset_name("page.css"): (_content("page.css"), "text/css; charset=utf-8"),
        asset_name("page.js"): (_content("page.js"), "text/javascript; charset=utf-8"),
        "icon.svg": (_content("icon.svg"), "image/svg+xml"),
    }


def asset_name(name: str) -> str:
    """Return the name under which a file is served."""
    stem, _, kind = name.rpartition(".")
    return f"{stem}.{hashlib.sha256(_content(name)).hexdigest()[:12]}.{kind}"


@cache
def build() -> str:
    """Return what changes with scripts, styles and templates, so that an open page knows it is from another build."""
    joined = b"".join(path.read_bytes() for path in sorted(ASSETS.rglob("*")) if path.is_file())
    return hashlib.sha256(joined).hexdigest()[:12]


@cache
def _content(name: str) -> bytes:
    own = (ASSETS / name).read_bytes()
    return own + plots.STYLE.encode() if name == "page.css" else own


def _values(page: Page, now: float, chosen: Filter) -> dict[str, object]:
    snapshot = None if page.snapshot is None else views.folded(page.snapshot)
    page = replace(page, snapshot=snapshot)
    return {
        "page": page,
        "snapshot": snapshot,
        "head": views.head(page, now),
        "now": now,
        "chosen": chosen,
        "ago": lambda at: words.ago(now - at),
    }


def _part(name: str, shown: Mapping[str, object]) -> str:
    return _templates().get_template(f"{name}.html").render(shown).strip()


@cache
def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        views=views,
        shifts=shifts,
        trials=trials,
        words=words,
        Level=Level,
        levels=tuple(reversed(words.ORDER)),
        any=ANY,
        brief=BRIEF,
    )
    made.tests["shown_by"] = lambda row, chosen: chosen.shows(row)
    return made
