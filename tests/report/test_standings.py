"""The plots of standings and progress are sound whatever the data, and hostile names stay text."""

from __future__ import annotations

import dataclasses
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


def test_a_verdict_that_hangs_on_one_rater_says_so_first_and_names_the_rater() -> None:
    eager = [dataclasses.replace(each, user="ee" * 16) for each in decided("other", "base", 570, 30)]
    rest = decided("other", "base", 60, 140, start=1000)
    found = compute(eager + rest, Rules("base", resamples=50), np.random.default_rng(6))
    text = report.to_text(found, "t")
    assert "no verdict on other (hangs on one rater): it wins 78.8% of 800 votes" in text
    assert "30.0% without eeeeeeee (600 votes)" in text and "is better" not in text
    assert report.to_json(found)["duels"][0]["verdict"] == "hangs on one rater"
    assert report.document(found, "t").level == "inconclusive"


def test_of_a_lone_rater_and_of_answers_of_one_length_only_what_is_known_is_said() -> None:
    cast = [dataclasses.replace(each, user="aa" * 16) for each in decided("other", "base", 2, 1)]
    text = report.to_text(compute(cast, Rules("base", resamples=50), np.random.default_rng(7)), "t")
    assert "All votes are of one rater, aaaaaaaa." in text and "one rater only" in text
    assert "What length wins is not known: the two answers of every vote are equally long." in text
    assert "twice as long" not in text and "others' votes" not in text


def test_a_version_on_which_one_rater_alone_voted_is_said_to_have_no_votes_without() -> None:
    alone = [dataclasses.replace(each, user="bb" * 16) for each in decided("new", "base", 4, 4, start=900)]
    found = compute(
        decided("other", "base", 40, 30) + alone, Rules("base", resamples=50), np.random.default_rng(8)
    )
    text = report.to_text(found, "t")
    assert "without bbbbbbbb (8 votes) new has no votes" in text
    assert "by up to 0.00" not in text
