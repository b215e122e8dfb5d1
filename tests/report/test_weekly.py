"""The report of a week: the same sections as Markdown and as one HTML file, whatever users wrote."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from runner.report import weekly
from runner.report.weekly import Material, Raters, Tails
from runner.signals.reading import Holds, Level, Topic
from runner.spec.files import DirectoryFiles
from runner.spec.load import Spec, load_or_raise
from tests.report.snapshots import busy, quiet, reading

WEEK = 7 * 86_400.0
HOSTILE = "<script>alert(1)</script> | [x](javascript:alert(1)) `\n# not a title"


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load_or_raise(DirectoryFiles(Path()))


@pytest.fixture
def material(spec: Spec) -> Material:
    tails = (Tails("answer_tokens", ("first", "second"), ("last",)),)
    return Material("bookshop", busy(), WEEK, spec.policies.signals, (), Raters(41, 0.21), tails)


class Page(HTMLParser):
    """Collects the text, and what a browser would run or load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.active = "", []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        loads = [value for name, value in attrs if name in ("src", "href", "action", "onload", "onclick")]
        if tag in ("script", "iframe", "object", "link", "img") or loads:
            self.active.append((tag, loads))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_both_forms_tell_the_same(material: Material) -> None:
    markdown, page = weekly.to_markdown(material), Page(weekly.to_html(material))
    for section in weekly.sections(material):
        assert f"## {section.title}\n" in markdown
        assert section.title in page.text
        for row in section.table:
            assert all(cell in page.text for cell in row)


def test_what_passed_a_threshold_stands_first_with_the_threshold(material: Material) -> None:
    first = weekly.to_markdown(material).partition("## Next actions")[0]
    assert re.search(
        r"^- refusal_rate: warn \(refusal_rate > 15%.*\) for candidate chat-v1\.1 19\.8%$", first, re.M
    )


def test_a_cause_that_all_arms_and_groups_show_is_one_line_and_counted_once(
    material: Material, spec: Spec
) -> None:
    warn = (("warn", Holds.YES),)
    places = (
        {"arm": "baseline", "version": "v1"},
        {"arm": "candidate", "version": "v2"},
        {"segment": "beta"},
        {"segment": "staff"},
    )
    readings = (
        reading("latency_p99", 3.0, 2.5, 3.5, 90, level=Level.WARN, conditions=warn),
        *(
            reading("latency_p99", 3.0, 2.5, 3.5, 90, level=Level.WARN, conditions=warn, **at)
            for at in places
        ),
        reading("error_rate", 0.0, 0.0, 0.3, 9, level=Level.UNSURE),
        reading("error_rate", 0.0, 0.0, 0.3, 9, level=Level.UNSURE, arm="candidate"),
        reading(
            "over_refusal_rate",
            0.3,
            0.2,
            0.4,
            90,
            level=Level.RETRAIN,
            conditions=(("warn", Holds.YES), ("retrain", Holds.YES)),
        ),
    )
    found = replace(material, snapshot=replace(quiet(), readings=readings))
    short, follows, *_ = weekly.sections(found)
    assert "2 signals passed a threshold, 1 cannot be decided yet." in short.lines[0]
    assert "9 requests were to be answered" in short.lines[0]
    assert [item.partition(":")[0] for item in short.items] == ["over_refusal_rate", "latency_p99"]
    written = spec.policies.signals.signals["latency_p99"].thresholds.warn
    assert short.items[1] == (
        f"latency_p99: warn ({written}) for all 3000 ms, baseline v1 3000 ms, candidate v2 3000 ms, "
        "groups beta 3000 ms, staff 3000 ms"
    )
    assert [row[0].split()[1] for row in follows.table[1:]] == ["retrain:", "warn:"]
    assert tuple(follows.table[2]) == (
        "2. warn: latency_p99 wants a look (all, baseline v1, candidate v2, 2 groups)",
        "loop signals",
        "now",
    )


def test_lists_are_lists_and_a_verdict_is_a_word_with_a_colour(material: Material) -> None:
    page = weekly.to_html(material)
    assert page.count("<li>") == sum(len(section.items) for section in weekly.sections(material)) > 0
    assert '<p class="level is-retrain">retrain</p>' in page
    assert '<span class="word is-inconclusive">inconclusive</span>' in page


def test_a_plot_has_both_arms_a_scale_in_the_unit_and_its_thresholds(material: Material) -> None:
    quality = next(section for section in weekly.sections(material) if section.title == "Quality")
    drawing = dict(quality.plots)["refusal_rate"]
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawing)
    assert {"baseline chat-v1.0", "candidate chat-v1.1", "warn 15%", "retrain 25%", "0%", "10%"} <= set(texts)
    assert "all of it: 19.8%, 16.6% to 23.3%" in drawing
    alone = dict(quality.plots)["consistency"]
    assert "baseline" not in alone and "warn 60%" in alone


def test_one_user_is_one_user(material: Material) -> None:
    assert "Feedback came from 1 user." in weekly.to_markdown(replace(material, raters=Raters(1, 1.0)))


def test_each_goal_says_whether_it_is_reached(material: Material, spec: Spec) -> None:
    goals = weekly.to_markdown(material).partition("## Goals")[2].partition("\n## ")[0]
    for name in spec.policies.signals.kpis:
        assert re.search(rf"^\| {name} \|.*\|$", goals, re.MULTILINE)


def test_a_week_without_anything_is_told_as_such(spec: Spec) -> None:
    empty = Material("bookshop", quiet(), WEEK, spec.policies.signals)
    assert "no threshold is passed with certainty" in weekly.to_markdown(empty)
    assert "Nobody gave feedback" in Page(weekly.to_html(empty)).text


def test_what_users_wrote_stays_text(material: Material) -> None:
    drift = material.snapshot.drift
    assert drift is not None
    topics = (Topic(1, 0.5, 0.1, (HOSTILE,)),)
    hostile = replace(material, snapshot=replace(material.snapshot, drift=replace(drift, grown=topics)))
    page = Page(weekly.to_html(hostile))
    assert page.active == []
    assert "alert(1)" in page.text
    markdown = weekly.to_markdown(hostile)
    assert "<script" not in markdown
    assert "\n# not a title" not in markdown
    assert not re.search(r"(?<!\\)\[x\]\(", markdown)


def test_the_file_loads_nothing_from_anywhere(material: Material) -> None:
    page = weekly.to_html(material)
    assert Page(page).active == []
    assert "http" not in re.sub(r'xmlns="http://www\.w3\.org/2000/svg"|http-equiv', "", page)


def test_an_empty_cell_and_a_long_one_are_known_to_the_style(material: Material) -> None:
    page = weekly.to_html(material)
    assert '<td role="cell" class="blank" data-label="because">' in page
    assert '<td role="cell" class="long" data-label="because">' in page


def test_arms_are_told_apart_only_where_there_are_two_and_they_have_data(material: Material) -> None:
    def shown(**places: str) -> list[str]:
        arms = [reading("refusal_rate", 0.1, 0.05, 0.2, 90, arm=arm, version="v") for arm in places]
        empty_one = replace(reading("reask_rate", 0.1, 0.0, 0.2, 9, arm="baseline"), value=None)
        readings = (reading("refusal_rate", 0.1, 0.05, 0.2, 90), *arms, empty_one)
        found = replace(material, snapshot=replace(quiet(), readings=readings))
        return [
            row[1] for each in weekly.sections(found) if each.title == "Quality" for row in each.table[1:]
        ]

    assert shown(baseline="v") == ["all"]
    assert shown(baseline="v", candidate="v") == ["all", "baseline v", "candidate v"]
