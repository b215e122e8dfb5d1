"""Plots: well-formed and self-contained whatever the data, and their figures stand in words too."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from runner.report import plots

numbers = st.floats(-1e6, 1e6)
values = st.lists(st.none() | numbers, max_size=30)
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
bars = st.lists(st.tuples(st.floats(1e-4, 1e4), st.integers(0, 1000)), max_size=12).map(
    lambda pairs: plots.Bars(
        "arm",
        tuple(sorted({edge for edge, _ in pairs})),
        tuple(n for _, n in pairs)[: len({e for e, _ in pairs})],
    )
)


def parsed(svg: str) -> ElementTree.Element:
    """Return the element, having checked what holds of every plot."""
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert [child.tag.rpartition("}")[2] for child in root][:2] == ["title", "desc"]
    assert "nan" not in svg and "inf" not in svg
    assert not re.search(r"style=|href|<script|\bid=", svg.split("</desc>", 1)[1])
    return root


def told(svg: str) -> str:
    return parsed(svg)[1].text or ""


@given(values, texts)
def test_a_sparkline_is_sound_whatever_the_data(found: list[float | None], title: str) -> None:
    assert (parsed(plots.sparkline(found, title))[0].text or "") == title


@given(st.none() | numbers, st.none() | numbers, st.none() | numbers, numbers, numbers)
def test_an_interval_stays_on_its_scale(
    value: float | None, low: float | None, high: float | None, left: float, right: float
) -> None:
    root = parsed(plots.interval(plots.Span(value, low, high), plots.Scale(left, right, (left,)), "t"))
    for dot in root.iter("{http://www.w3.org/2000/svg}circle"):
        assert 0 <= float(dot.get("cx", "-1")) <= 240


@given(st.lists(bars, max_size=3))
def test_histograms_are_sound_whatever_the_data(found: list[plots.Bars]) -> None:
    parsed(plots.histogram(found, "t"))


@given(st.lists(st.builds(plots.Dot, numbers, st.none() | numbers, st.none() | numbers, st.none() | numbers)))
def test_a_line_is_sound_whatever_the_data(found: list[plots.Dot]) -> None:
    parsed(plots.line(found, "t", marks=((0.1, "slight"),)))


tracks = st.builds(
    plots.Track,
    texts,
    st.lists(st.builds(plots.Dot, numbers, st.none() | numbers)).map(tuple),
    st.builds(plots.Span, st.none() | numbers, st.none() | numbers, st.none() | numbers),
    st.integers(0, 7),
)


@given(st.lists(tracks, max_size=3), st.lists(st.tuples(numbers, texts), max_size=3))
def test_lines_are_sound_and_stay_within_whatever_the_data(
    found: list[plots.Track], marks: list[tuple[float, str]]
) -> None:
    root = parsed(plots.lines(found, "t", plots.Axis(marks=tuple(marks))))
    for dot in root.iter("{http://www.w3.org/2000/svg}circle"):
        assert 0 <= float(dot.get("cx", "-1")) <= 400 and 0 <= float(dot.get("cy", "-1")) <= 186


@given(st.floats(1e-6, 1e9))
def test_a_scale_ends_at_a_round_number_that_is_not_far(value: float) -> None:
    assert value <= plots.above(value) <= 2 * value


def test_an_axis_has_numbers_and_named_levels() -> None:
    track = plots.Track("", (plots.Dot(0, 0.1), plots.Dot(1, 0.2)), plots.Span(0.15, 0.1, 0.2))
    axis = plots.Axis(ticks=lambda value: f"{100 * value:.0f}%", marks=((0.3, "warn 30%"),))
    texts_ = [each.text for each in parsed(plots.lines([track], "t", axis)) if each.tag.endswith("text")]
    assert {"0%", "10%", "20%", "30%", "warn 30%"} <= set(texts_)


def test_numbers_below_a_bar_leave_each_other_room() -> None:
    scale = plots.Scale(0.0, 1.0, (0.5, 0.505, 0.98), lambda value: f"{value:g}")
    svg = plots.interval(plots.Span(0.2), scale, "t")
    assert [each.text for each in parsed(svg) if each.tag.endswith("text")] == ["0", "1", "0.5"]
    assert told(svg) == "0.2; limits at 0.5, 0.505, 0.98"


@given(st.lists(st.tuples(texts, st.floats(0, 1e6)), max_size=9))
def test_stacked_shares_are_sound_whatever_the_data(found: list[tuple[str, float]]) -> None:
    parsed(plots.stacked(found, "t"))


def test_what_others_wrote_is_escaped() -> None:
    evil = "<script>alert(1)</script>&\"'"
    for svg in (
        plots.sparkline([1.0], evil, lambda _value: evil),
        plots.histogram([plots.Bars(evil, (1.0, 2.0), (1, 2))], evil, lambda _value: evil),
        plots.line([plots.Dot(0, 1.0)], evil, lambda _value: evil, lambda _at: evil, ((1.0, evil),)),
        plots.stacked([(evil, 1.0)], evil),
    ):
        assert (parsed(svg)[0].text or "") == evil


def test_nothing_measured_is_said_so() -> None:
    assert told(plots.sparkline([None, None], "t")) == "no data"
    assert told(plots.interval(plots.Span(None), plots.Scale(0, 1), "t")) == "no data"
    assert told(plots.histogram([plots.Bars("a", (1.0,), (0,))], "t")) == "no data"
    assert told(plots.line([plots.Dot(0, None)], "t")) == "no data"
    assert told(plots.stacked([("a", 0.0)], "t")) == "no data"


def test_a_gap_in_the_data_is_a_gap_in_the_line() -> None:
    whole, broken = (
        next(
            each.get("d", "") for each in parsed(plots.sparkline(found, "t")) if each.tag.endswith("path")
        ).count("M")
        for found in ([1.0, 2.0, 3.0, 4.0], [1.0, None, 3.0, 4.0])
    )
    assert (whole, broken) == (1, 2)


def test_the_figures_stand_in_words() -> None:
    svg = plots.interval(
        plots.Span(0.2, 0.1, 0.4), plots.Scale(0, 1), "t", lambda share: f"{100 * share:.0f}%"
    )
    assert told(svg) == "20%, between 10% and 40%"


def test_two_histograms_differ_in_more_than_colour() -> None:
    edges = tuple(math.exp(0.2 * each) for each in range(1, 5))
    both = [plots.Bars("old", edges, (1, 2, 3, 1)), plots.Bars("new", edges, (2, 2, 1, 1))]
    first, second = [each for each in parsed(plots.histogram(both, "t")) if each.get("fill")][:2]
    assert first.get("fill") != "none" and not first.get("stroke-dasharray")
    assert second.get("fill") == "none" and second.get("stroke-dasharray")


def test_colours_can_be_told_from_white_and_from_black() -> None:
    def luminance(colour: str) -> float:
        parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    svg = "".join(
        plots.interval(plots.Span(0.5), plots.Scale(0, 1), "t", series=series) for series in range(8)
    )
    dark = luminance("#15181b")
    for colour in set(re.findall(r"#[0-9a-f]{6}", svg)):
        own = luminance(colour)
        assert 1.05 / (own + 0.05) >= 3 and (own + 0.05) / (dark + 0.05) >= 3, colour
