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
from runner.report.limits import Limit
from runner.signals.reading import Level, Snapshot, Topic
from runner.signals.readings import measure
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
    assert (head.level is Level.FINE) == (
        Level.FINE in levels and set(levels) <= {Level.FINE, Level.UNMEASURED}
    )
    grave = sum(level in (Level.WARN, Level.HOLD, Level.RETRAIN) for level in levels)
    assert len(head.causes) + head.more == grave


def levelled(*levels: Level) -> Snapshot:
    """A snapshot with one metric after another on these levels."""
    metrics = [f"right:{number}" for number in range(len(levels))]
    first = snapshots.reading("error_rate", 0.01, 0.0, 0.02, 100)
    readings = (replace(first, metric=name, level=level) for name, level in zip(metrics, levels, strict=True))
    return replace(snapshots.quiet(), readings=tuple(readings))


def test_one_fine_signal_among_undecided_ones_does_not_make_all_well() -> None:
    text = shown(levelled(*[Level.UNSURE] * 40, Level.FINE)).text
    assert "Not enough data yet to say that all is well" in text and "All is well" not in text


def test_a_few_undecided_signals_are_counted() -> None:
    text = shown(levelled(*[Level.FINE] * 9, Level.UNSURE, Level.UNMEASURED)).text
    assert "Nothing is wrong so far; 1 of 10 signals cannot be decided yet" in text


def test_a_card_with_an_undecided_part_is_not_fine() -> None:
    parts = [
        snapshots.reading("consistency", 0.7, 0.6, 0.8, 100),
        snapshots.reading("factuality", 0.9, 0.4, 1.0, 5, level=Level.UNSURE),
    ]
    cards = views.cards(replace(snapshots.quiet(), readings=tuple(parts)))
    assert [card.level for card in cards if card.key == "hallucination"] == [Level.UNSURE]


LIMITS = {"refusal_rate": (Limit("warn", "above 40%", (0.4,)), Limit("retrain", "above 40%", (0.4,)))}


def test_a_threshold_stands_on_the_bars_of_all_arms_and_in_words() -> None:
    strip = views.strip(snapshots.busy(), "refusal_rate", LIMITS["refusal_rate"])
    assert strip.limits == "warn and retrain above 40%"
    numbers = [re.findall(r'class="end"[^>]*>([^<]+)<', cell.bar) for cell in strip.cells]
    assert numbers == [["0%", "60%", "40%"]] * 2
    found = replace(pages.healthy(), snapshot=snapshots.busy(), thresholds=LIMITS)
    assert strip.limits in Text(page.whole(found, snapshots.AT)).text


def alone(snapshot: Snapshot) -> Snapshot:
    """The same without a candidate."""
    return replace(
        snapshot,
        readings=tuple(each for each in snapshot.readings if each.arm != "candidate"),
        histograms=tuple(each for each in snapshot.histograms if each.arm != "candidate"),
    )


def test_where_one_arm_answers_nothing_stands_twice() -> None:
    found = views.folded(alone(snapshots.busy()))
    places = [(each.metric, each.segment) for each in found.readings]
    assert len(places) == len(set(places))
    assert not any(each.arm for each in (*found.readings, *found.histograms))
    assert [cell.arm for cell in views.strip(found, "refusal_rate").cells] == ["everyone"]
    assert "baseline" not in Text(page.parts(replace(pages.healthy(), snapshot=found), 0.0)["quality"]).text


def test_folding_hides_no_arm_that_is_worse_than_everyone() -> None:
    snapshot = alone(snapshots.busy())
    worse = tuple(
        replace(each, level=Level.HOLD) if (each.metric, each.arm) == ("refusal_rate", "baseline") else each
        for each in snapshot.readings
    )
    found = views.folded(replace(snapshot, readings=worse))
    assert [(each.metric, each.level) for each in found.readings if each.arm] == [
        ("refusal_rate", Level.HOLD)
    ]


def test_with_two_arms_nothing_is_folded() -> None:
    assert views.folded(snapshots.busy()) == snapshots.busy()


def test_percentiles_of_one_table_are_of_one_window_and_say_which() -> None:
    made = {each.name: each for each in views.spreads(alone(snapshots.busy()))}
    tokens = made["Time to first token"]
    assert tokens.window == "Plot and percentiles: last 24 h."
    assert all(value.startswith("≤") for _, values in tokens.rows for value in values)
    whole = {each.name: each for each in views.spreads(views.folded(alone(snapshots.busy())))}["Latency"]
    assert whole.window == "Plot: last 24 h. Percentiles: last 1 h."
    assert [values for _, values in whole.rows] == [("310 ms",), ("1.12 s",), ("2.61 s",)]


def test_the_window_of_plots_is_that_of_the_histograms() -> None:
    assert views.SPREAD_S == measure.HISTOGRAM_HOURS * 3600


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
