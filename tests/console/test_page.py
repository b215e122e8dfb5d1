"""What stands on the page, read from its HTML: order, words, and what is left out."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.console.monitor import page, views, words
from runner.console.monitor.feed import Feed
from runner.signals.reading import Level, Snapshot, Topic
from tests.console import pages
from tests.report import snapshots


class Text(HTMLParser):
    """Collects ids, and text without markup."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self._parts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_data(self, data: str) -> None:
        self._parts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._parts).split())


def shown(snapshot: Snapshot) -> Text:
    made = replace(pages.healthy(snapshot.at), snapshot=snapshot)
    return Text(page.whole(made, snapshot.at))


@pytest.mark.parametrize("make", [snapshots.busy, snapshots.quiet])
def test_whatever_was_measured_can_be_shown(make: object) -> None:
    assert callable(make)
    found = shown(make())
    assert len(found.ids) == len(set(found.ids))
    assert {name in found.ids for name in page.PARTS} == {True}


def test_before_the_first_snapshot_there_is_a_page() -> None:
    found = Text(page.whole(Feed("production").page, 0.0))
    assert "Nothing is measured yet" in found.text and "No runner at work" in found.text


def test_quality_comes_first_and_in_order() -> None:
    ids = shown(snapshots.busy()).ids
    parts = [each for each in ids if each in page.PARTS]
    assert parts == list(page.PARTS)
    cards = [each for each in ids if each in ("refusals", "reasks", "hallucination", "satisfaction")]
    assert cards == ["refusals", "reasks", "hallucination", "satisfaction"]


@given(st.lists(st.sampled_from(Level), min_size=1, max_size=6))
def test_the_headline_is_the_gravest_reading(levels: list[Level]) -> None:
    first = snapshots.reading("error_rate", 0.01, 0.0, 0.02, 100)
    readings = tuple(replace(first, level=level) for level in levels)
    made = replace(pages.healthy(), snapshot=replace(snapshots.quiet(), readings=readings))
    head = views.head(made, snapshots.AT)
    assert words.ORDER.index(head.level) == max(map(words.ORDER.index, levels))
    grave = sum(level in (Level.WARN, Level.HOLD, Level.RETRAIN) for level in levels)
    assert len(head.causes) + head.more == grave


def test_arms_stand_side_by_side_on_one_scale() -> None:
    both = views.strip(snapshots.busy(), "refusal_rate").cells
    assert [cell.arm for cell in both] == ["baseline", "candidate"]
    left, right = (float(re.search(r'cx="([\d.]+)"', cell.bar).group(1)) for cell in both)  # type: ignore[union-attr]
    assert left < right


def test_what_is_not_measured_by_arm_is_shown_for_everyone() -> None:
    assert [cell.arm for cell in views.strip(snapshots.busy(), "consistency").cells] == ["everyone"]


def test_an_arm_that_changed_version_shows_the_fuller_reading() -> None:
    snapshot = snapshots.busy()
    few = replace(snapshot.readings[1], version="chat-v0.9", n=3)
    both = replace(snapshot, readings=(few, *snapshot.readings))
    assert views.strip(both, few.metric).cells[0].reading.version == snapshots.OLD


def test_insufficient_drift_is_never_called_drift() -> None:
    snapshot = snapshots.quiet()
    drift = replace(
        snapshots.drift(alarm=""), divergence=None, low=None, n=12, needed=380, grown=(), shrunk=()
    )
    found = shown(replace(snapshot, drift=drift)).text
    assert "insufficient" in found and "12 questions of 380 that are needed" in found


@pytest.mark.parametrize(
    "question",
    ["<script>alert(1)</script>", "a\u202eb\u2066c", "x" * 5000, "line\nbreak\ttab", "{{ 7*7 }}", "\ud800"],
)
def test_questions_are_harmless_however_they_are_written(question: str) -> None:
    drift = replace(snapshots.drift(), grown=(Topic(1, 0.3, 0.1, (question,)),))
    html = page.parts(replace(pages.healthy(), snapshot=replace(snapshots.busy(), drift=drift)), 0.0)["drift"]
    found = Text(html)
    assert "script" not in found.tags
    assert not set(html) & set("\u202e\u2066\ud800\t")
    assert "x" * (words.LONGEST + 1) not in html


@pytest.mark.parametrize("name", ["text", "level", "arm", "segment"])
def test_a_filter_of_nonsense_shows_a_page(name: str) -> None:
    chosen = page.filtered({name: "<b>", "other": "x"})
    assert "<b>" not in page.whole(pages.healthy(), 0.0, chosen)


def test_the_filter_in_brief_leaves_out_what_is_fine_of_arms_and_segments() -> None:
    rows = views.table(snapshots.busy())
    brief = [row.reading for row in rows if page.Filter().shows(row)]
    hidden = [row.reading for row in rows if not page.Filter().shows(row)]
    assert brief and hidden
    assert all(each.arm or each.segment for each in hidden)
    assert not any(views.stands_out(each) for each in hidden)


def test_a_table_that_nobody_could_read_is_cut_and_says_so() -> None:
    first = snapshots.reading("error_rate", 0.01, 0.0, 0.02, 100)
    grave = replace(first, segment="zz", level=Level.HOLD)
    many = (*(replace(first, segment=f"s{number}") for number in range(900)), grave)
    snapshot = replace(snapshots.quiet(), readings=many)
    assert len(views.table(snapshot)) == views.MOST_ROWS
    assert views.table(snapshot)[0].reading is grave
    assert f"{901 - views.MOST_ROWS} more" in shown(snapshot).text


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("refusal_rate", 0.0614, "6.1%"),
        ("refusal_rate", 0.0, "0%"),
        ("error_rate", 0.0041, "0.41%"),
        ("latency_p95", 0.96, "960 ms"),
        ("latency_p99", 2.61, "2.61 s"),
        ("cost_per_1000", 3.875, "$3.88"),
        ("prompt_tokens", 1234.0, "1,234"),
        ("satisfaction", 4.213, "4.21"),
        ("refusal_rate", None, "–"),
        ("right:some-suite", 0.5, "0.50"),
    ],
)
def test_numbers_stand_in_their_own_unit(metric: str, value: float | None, text: str) -> None:
    assert words.number(metric, value) == text


@given(st.floats(0, 1e8))
def test_an_age_is_never_empty(seconds: float) -> None:
    assert re.fullmatch(r"just now|\d+ (s|min|h|d) ago", words.ago(seconds))
