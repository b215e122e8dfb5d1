"""The plots of standings and progress are sound whatever the data, and hostile names stay text."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runner.feedback.standings.figures import Rules
from runner.feedback.standings.standings import Standings, compute
from runner.report import standings as report
from runner.report.plots import Span
from runner.report.plots_progress import Amount, amounts, filled
from runner.report.plots_standings import Field, Row, forest
from tests.feedback.arenas import World, arena, decided

HOSTILE = "<script>alert(1)</script>"
numbers = st.floats(-1e6, 1e6)
names = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)
spans = st.none() | st.tuples(numbers, numbers, numbers).map(
    lambda ends: Span(sorted(ends)[1], sorted(ends)[0], sorted(ends)[2])
)
rows = st.lists(st.builds(Row, names, st.tuples(spans, spans)), max_size=6)
counts = st.integers(0, 10**6)


def parsed(svg: str) -> ElementTree.Element:
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img" and "nan" not in svg and "inf" not in svg
    return root


def standings(strengths: dict[str, float], votes: int = 150) -> Standings:
    cast = arena(World(strengths, users=12), votes, np.random.default_rng(1))
    return compute(cast, Rules(next(iter(strengths)), resamples=50), np.random.default_rng(2))


@given(rows, numbers, names)
def test_a_forest_is_sound_whatever_the_data(found: list[Row], even: float, title: str) -> None:
    root = parsed(forest(found, ("one", "other"), Field(even, lambda value: f"{value:.3g}"), title))
    assert (root[0].text or "") == title
    for dot in root.iter("{http://www.w3.org/2000/svg}circle"):
        assert 0 <= float(dot.get("cx", "-1")) <= 480


@given(counts, st.lists(st.tuples(names, counts), max_size=4))
def test_a_filled_bar_is_sound_and_never_longer_than_its_track(
    there: int, levels: list[tuple[str, int]]
) -> None:
    for bar in parsed(filled(there, levels, "t")).iter("{http://www.w3.org/2000/svg}rect"):
        assert float(bar.get("width", "nan")) <= 476


@given(st.lists(st.builds(Amount, names, counts, counts, st.booleans()), max_size=6))
def test_amounts_are_sound_whatever_the_data(found: list[Amount]) -> None:
    parsed(amounts(found, "t"))


def test_the_picture_says_its_figures_in_words() -> None:
    found = standings({"base": 0.0, "better": 1.0})
    words = parsed(report.picture(found))[1].text or ""
    for each in found.plain.strengths:
        assert f"{each.version}, as voted: {each.strength.value:+.2f}" in words


def test_a_page_takes_hostile_names_as_text() -> None:
    page = report.to_page(standings({"base": 0.0, HOSTILE: 1.0}), HOSTILE)
    assert HOSTILE not in page and "&lt;script&gt;" in page


def test_only_the_first_digits_of_a_rater_are_shown() -> None:
    found = compute(decided("base", "other", 40, 12), Rules("base", resamples=50), np.random.default_rng(3))
    text = report.to_text(found, "t")
    assert report.short(f"{'ab' * 16}") == "abababab"
    assert found.raters.largest[: report.HASH] in text


def test_few_raters_are_said_to_make_intervals_too_narrow() -> None:
    cast = arena(World({"base": 0.0, "other": 0.5}, users=4), 80, np.random.default_rng(4))
    found = compute(cast, Rules("base", resamples=50), np.random.default_rng(5))
    assert "too narrow" in report.to_text(found, "t")
    assert "too narrow" not in report.to_text(standings({"base": 0.0, "other": 0.5}), "t")
