"""The calendar as text, as a Gantt chart and as iCalendar: the same dates, whatever people call their work."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.economics.agenda import Agenda, Closed, Trained, agenda
from runner.report import calendar, gantt, icalendar
from runner.spec.cadence import CadencePolicy
from runner.spec.model import TrainingType
from tests.economics.situations import NOW, cadence

TRAINED = (Trained("chat-v1.1", TrainingType.DPO, date(2026, 11, 17), True),)
FROZEN = Closed(
    "production",
    datetime(2026, 11, 27, 7, tzinfo=UTC),
    datetime(2026, 11, 30, tzinfo=UTC),
    "no weekend; really: #1",
)


def found(policy: CadencePolicy | None = None, months: int = 1) -> Agenda:
    return replace(agenda(policy or cadence(), NOW, months, TRAINED), closed=(FROZEN,))


def worded(**change: object) -> CadencePolicy:
    """Return the shipped cadence with its first piece of the month changed."""
    policy = cadence()
    first, *others = policy.monthly.work
    cycle = policy.monthly.model_copy(update={"work": (first.model_copy(update=change), *others)})
    return policy.model_copy(update={"monthly": cycle})


def tasks(chart: str) -> list[tuple[str, str]]:
    """Return the name and the data of each task, as Mermaid's grammar takes a line apart."""
    lines = [line.strip() for line in chart.splitlines()[4:] if not line.strip().startswith("section ")]
    return [(name, data) for name, _, data in (line.partition(":") for line in lines)]


def events(text: str) -> list[dict[str, str]]:
    """Return the properties of each event, unfolded as RFC 5545, 3.1 says."""
    lines = text.replace("\r\n ", "").split("\r\n")
    made: list[dict[str, str]] = []
    for line in lines:
        if line == "BEGIN:VEVENT":
            made.append({})
        elif made and line != "END:VCALENDAR" and line:
            name, _, value = line.partition(":")
            made[-1][name] = value
    return made


def test_text_says_what_is_on_what_is_next_and_which_round_was_trained():
    text = calendar.to_text(found(), "bookshop")
    assert "began on Sun 2026-11-15, 'chat-v1.1' was trained on 2026-11-17; the next" in " ".join(
        text.split()
    )
    assert "On today\n  month: evaluate until Sat 2026-11-21: evaluate the new version" in text
    assert "Next\n  month: staging from Sun 2026-11-22" in text
    assert re.search(r"^  production +Fri 2026-11-27 07:00 +Mon 2026-11-30 00:00 +no weekend", text, re.M)


def test_what_reaches_over_the_end_of_a_month_stays_in_every_form_until_it_is_over():
    made = agenda(cadence(), datetime(2027, 3, 1, tzinfo=UTC).timestamp(), 1)
    text = calendar.to_text(made, "bookshop")
    assert "Month from Mon 2027-02-01 to Sun 2027-02-28, what is not over\n" in text
    assert "month: watch until Tue 2027-03-02: watch the figures" in text
    assert [each["work"][0]["name"] for each in calendar.to_json(made)["earlier"]] == ["watch"]
    assert ("watch the figures ", "active, 2027-02-24, 2027-03-03") in tasks(
        gantt.to_mermaid(made, "bookshop")
    )
    uids = [each["UID"] for each in events(icalendar.to_ics(made, "bookshop"))]
    assert "monthly-2027-02-watch@bookshop.loop" in uids and len(set(uids)) == len(uids)


def test_a_freeze_window_that_is_over_is_not_told():
    over = replace(FROZEN, begins=FROZEN.begins - timedelta(days=30), ends=FROZEN.ends - timedelta(days=30))
    assert "Freeze windows" not in calendar.to_text(replace(found(), closed=(over,)), "bookshop")


def test_json_has_every_piece_with_its_moments():
    value = calendar.to_json(found())
    month, quarter = value["cycles"]
    assert [piece["is_on"] for piece in month["work"]] == [False, False, True, False, False, False]
    assert quarter["work"][0]["begins"] == "2026-10-01T00:00:00+00:00"
    assert [each["trained"] for each in value["rounds"]][2] == ["chat-v1.1"]


def test_a_chart_has_a_task_for_each_piece_with_dates_that_end_before_the_next():
    made = tasks(gantt.to_mermaid(replace(found(), closed=()), "bookshop"))
    assert made[0] == ("collect preferences, 300 are the target ", "done, 2026-11-01, 2026-11-15")
    assert made[2] == ("evaluate the new version ", "active, 2026-11-20, 2026-11-22")
    assert made[-1] == ("chat-v1.1 by DPO ", "milestone, done, 2026-11-17, 0d")


def test_a_chart_counts_minutes_only_where_something_begins_within_a_day():
    assert "dateFormat YYYY-MM-DD\n" in gantt.to_mermaid(replace(found(), closed=()), "bookshop")
    text = gantt.to_mermaid(found(), "bookshop")
    assert "dateFormat YYYY-MM-DD HH:mm\n" in text
    assert ("no weekend, really, 1 ", "crit, 2026-11-27 07:00, 2026-11-30 00:00") in tasks(text)


@given(st.text(min_size=1, max_size=60))
def test_no_words_of_a_policy_become_grammar_of_a_chart(words):
    plain, made = (gantt.to_mermaid(found(worded(work=each)), "bookshop") for each in ("x", words))
    assert len(made.splitlines()) == len(plain.splitlines())
    name, data = tasks(made)[0]
    assert data == tasks(plain)[0][1]
    assert not set(name) & set("#;%{}<>\n")


@pytest.mark.parametrize(
    "words", ["title page", "Section 2", "click here", "2026-11-01 begins", "excludes x"]
)
def test_a_task_does_not_begin_as_a_statement_does(words):
    assert tasks(gantt.to_mermaid(found(worded(work=words)), "b"))[0][0] == f"to {words} "


def test_an_event_of_whole_days_ends_on_the_day_after():
    first = events(icalendar.to_ics(found(), "bookshop"))[0]
    assert first["UID"] == "monthly-2026-11-collect@bookshop.loop"
    assert (first["DTSTART;VALUE=DATE"], first["DTEND;VALUE=DATE"]) == ("20261101", "20261115")
    assert first["SUMMARY"] == "bookshop: collect preferences\\, 300 are the target"


def test_a_piece_within_a_day_has_moments_in_utc():
    policy = worded(starts=6 * 3600.0)
    made = agenda(policy, NOW, 1, (), ZoneInfo("Asia/Seoul"))
    first = events(icalendar.to_ics(made, "bookshop"))[0]
    assert (first["DTSTART"], first["DTEND"]) == ("20261031T210000Z", "20261114T210000Z")


def test_what_moves_keeps_its_uid_and_nothing_shares_one():
    before = events(icalendar.to_ics(found(months=6), "bookshop"))
    moved = cadence().monthly.model_copy(update={"anchor": date(2027, 3, 5)})
    later = events(
        icalendar.to_ics(found(cadence().model_copy(update={"monthly": moved}), months=6), "bookshop")
    )
    uids = [each["UID"] for each in before]
    assert len(set(uids)) == len(uids)
    shared = [each for each in later if each["UID"].startswith("monthly-") and each["UID"] in uids]
    assert len(shared) == 6 * 6
    assert all(each not in before for each in shared)


def test_freeze_windows_that_begin_or_end_together_are_events_of_their_own():
    later = replace(FROZEN, ends=FROZEN.ends + timedelta(days=3))
    other = replace(FROZEN, reason="stocktaking")
    made = replace(found(), closed=(FROZEN, later, other, FROZEN))
    frozen = [
        each for each in events(icalendar.to_ics(made, "bookshop")) if each["UID"].startswith("frozen-")
    ]
    assert len(frozen) == len({each["UID"] for each in frozen}) == 3
    assert frozen[0]["UID"].startswith("frozen-production-20261127T070000Z-20261130T000000Z-")


@given(st.text(max_size=300))
def test_lines_are_folded_at_75_octets_and_unfold_to_the_escaped_text(words):
    text = icalendar.to_ics(found(worded(work=words)), "bookshop")
    assert text.endswith("END:VCALENDAR\r\n")
    for line in text.split("\r\n"):
        assert len(line.encode()) <= icalendar.LONGEST and line.isprintable()
    summary = events(text)[0]["SUMMARY"]
    read = re.sub(r"\\(.)", lambda sign: {"n": "\n"}.get(sign[1], sign[1]), summary, flags=re.DOTALL)
    kept = "".join(each for each in words if each.isprintable() or each == "\n")
    assert read == f"bookshop: {kept}"
    assert len(events(text)) == len(events(icalendar.to_ics(found(), "bookshop")))
