"""How costs are shown: the figures of the sources, every form alike, and a picture that is one."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.economics.cost.balance import Never
from runner.economics.cost.simulation import Range
from runner.economics.cost.statement import Statement, state
from runner.events.traffic import Times
from runner.report import cost, dollars
from runner.report.cost_change import effect
from runner.report.plots_tornado import Row, tornado
from tests.economics.costs import CADENCE, SHIPPED, items, policy, served

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def shipped() -> Statement:
    return state(SHIPPED, CADENCE)


def test_the_figures_of_the_sources_stand_in_the_first_line(shipped: Statement) -> None:
    assert cost.headline(shipped) == (
        "The running account comes to $300.00 a month and $3,600.00 a year, "
        "and saves $1,800.00 a year against 'hosted model, priced by the token'."
    )


def test_it_says_what_the_running_account_leaves_out_and_that_nothing_is_measured(shipped: Statement) -> None:
    text = cost.to_text(shipped)
    assert "leaves out retraining, people's time and set-up" in text
    assert "assumed: requests (nothing was logged)" in text and "measured:" not in text


def test_measured_figures_are_told_from_assumed_ones_with_what_they_rest_on() -> None:
    text = cost.to_text(state(SHIPPED, CADENCE, served(days=3.0)))
    assert "measured: prompt tokens (5,000 answers), answer tokens (5,000 answers)" in text
    assert "assumed: requests (5,000 requests in 3.0 days are too short a time, 7 days are wanted)" in text


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(45, "45 seconds"), (2160, "36.0 minutes"), (86_400, "24.0 hours"), (172_800, "2.0 days")],
)
def test_a_short_log_is_told_in_the_unit_of_its_length(seconds: float, told: str) -> None:
    text = cost.to_text(state(SHIPPED, CADENCE, served(requests=6825, days=seconds / 86_400)))
    assert f"6,825 requests in {told} are too short a time, 7 days are wanted" in text


def test_a_month_that_costs_more_than_the_api_is_said_to(shipped: Statement) -> None:
    found = state(policy(items=items((1000, "month", "running"))), CADENCE)
    assert "costs $6,600.00 more a year against" in cost.headline(found)
    text = cost.to_text(found)
    assert "Never, running account: at this traffic nothing is saved: it costs $550.00 a month more" in text
    assert "nothing is saved" not in cost.to_text(shipped)


def test_text_markdown_and_html_hold_the_same_figures(shipped: Statement) -> None:
    def figures(text: str) -> set[str]:
        return set(re.findall(r"\$[\d,.]*\d", text))

    texts = [cost.to_text(shipped), cost.to_markdown(shipped, "costs"), cost.to_html(shipped, "costs")]
    assert figures(texts[0]) == figures(texts[1]) <= figures(texts[2])
    assert {"$300.00", "$3,600.00", "$1,800.00", "$450.00"} <= figures(texts[0])


def test_json_has_the_figures_that_programs_rely_on(shipped: Statement) -> None:
    value = json.loads(json.dumps(cost.to_json(shipped), allow_nan=False))
    assert value.keys() == {"format", "api", "setup", "items", "scopes", "sensitivity", "workload", "reasons"}
    running = value["scopes"][0]
    assert (running["month"], running["year"], running["saving_year"]) == (300.0, 3600.0, 1800.0)
    assert running["outlook"]["chance"] > 0.9
    assert value["workload"]["requests_per_month"]["source"] == "assumed"


def test_json_says_why_a_figure_does_not_exist() -> None:
    found = cost.to_json(state(policy(items=items((9, "thousand_requests", "running"))), CADENCE))
    running = found["scopes"][0]
    assert running["break_even"] is None and "$9.00 here" in running["break_even_never"]
    assert "payback_months" in running and "payback_months_never" in running
    json.dumps(found, allow_nan=False)


def test_a_reason_is_told_with_what_was_measured_of_its_bound() -> None:
    text = cost.to_text(state(SHIPPED, CADENCE, served(first_token=Times((0.05,), (2000,)))))
    assert "first_token_p95 < 100ms: it is so; first_token_p95 50 ms [50 ms to 50 ms] n=2000" in text
    assert "not proven either way; first_token_p95 not measured" in cost.to_text(state(SHIPPED, CADENCE))


def test_the_section_of_the_weekly_report_has_totals_reasons_and_the_picture(shipped: Statement) -> None:
    found = cost.section(shipped)
    assert found.title == "Cost" and len(found.items) == len(SHIPPED.reasons)
    assert [row[0] for row in found.table] == [
        "counted", "running account", "with retraining", "with people's time", "the API",
    ]  # fmt: skip
    ((_, picture),) = found.plots
    assert ElementTree.fromstring(picture).tag == f"{SVG}svg"


def test_nothing_changes_between_a_policy_and_itself(shipped: Statement) -> None:
    assert effect(shipped, shipped) == []


def test_the_first_engineering_time_in_a_policy_shows_in_everything_counted(shipped: Statement) -> None:
    before = state(policy(engineering={}), CADENCE)
    lines = effect(before, shipped)
    assert "set-up: $0.00 -> $2,400.00 once" in lines
    assert (
        "everything counted: $316.67 -> $436.67 a month, saved against the API: $1,600.00 -> $160.00 a year"
        in lines
    )


def test_the_picture_says_every_figure_in_words_too(shipped: Statement) -> None:
    drawn = ElementTree.fromstring(cost.picture(shipped))
    told = drawn.findtext(f"{SVG}desc") or ""
    for bar in shipped.bars:
        assert f"{bar.assumption.name}, " in told and dollars.change(bar.at_low) in told
    assert "nothing saved, running account at -$1,800" in told


CHANGES = st.floats(min_value=-1e9, max_value=1e9)


@settings(max_examples=50)
@given(st.lists(st.tuples(CHANGES, CHANGES), max_size=6), st.lists(CHANGES, max_size=2))
def test_every_bar_lies_within_the_picture_whatever_it_is_called(
    changes: list[tuple[float, float]], marks: list[float]
) -> None:
    rows = [Row(f"<{at}>" * 20, "a & b", low, high) for at, (low, high) in enumerate(changes)]
    drawn = ElementTree.fromstring(tornado(rows, "a title", dollars.change, [(at, "named") for at in marks]))
    width = float(drawn.attrib["viewBox"].split()[2])
    assert all(x >= 0 and x + size <= width for x, size in _bars(drawn))


@settings(max_examples=50)
@given(st.lists(st.tuples(CHANGES, CHANGES), max_size=6))
def test_every_bar_begins_where_nothing_changes(changes: list[tuple[float, float]]) -> None:
    rows = [Row("one", "", low, high) for low, high in changes]
    drawn = ElementTree.fromstring(tornado(rows, "a title", dollars.change))
    (axis,) = drawn.iter(f"{SVG}path")
    middle = float(re.findall(r"M([\d.]+)", axis.attrib["d"])[0])
    assert all(min(abs(x - middle), abs(x + size - middle)) < 0.2 for x, size in _bars(drawn))


def _bars(drawn: ElementTree.Element) -> list[tuple[float, float]]:
    """Return where each bar begins and how long it is; the two samples of the legend are smaller."""
    found = [each for each in drawn.iter(f"{SVG}rect") if each.attrib["height"] == "16"]
    return [(float(each.attrib["x"]), float(each.attrib["width"])) for each in found]


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (Range(46.2, 2848.8), "$40 to $2,840"),
        (Range(-2917.0, 886.0), "-$2,920 to $880"),
        (Range(270.6, 398.8), "$271 to $399"),
        (Range(1.234, 2.345), "$1.235 to $2.345"),
        (Range(300.0, 300.0), "$300.00 to $300.00"),
        (Range(-4.0, 3000.0), "$0 to $3,000"),
    ],
)
def test_an_interval_has_only_the_digits_that_another_seed_would_show(found: Range, shown: str) -> None:
    assert dollars.interval(found) == shown


def test_amounts_are_written_alike() -> None:
    assert [dollars.amount(x) for x in (1234.5, -0.001, -3.0)] == ["$1,234.50", "$0.00", "-$3.00"]
    assert [dollars.short(x) for x in (120.0, 0.5)] == ["$120", "$0.50"]
    assert [dollars.change(x) for x in (720.0, -2880.0, 0.0)] == ["+$720", "-$2,880", "$0"]
    assert dollars.traffic(66_666.67) == "66,667" and dollars.months(Never("so")) == "never"
