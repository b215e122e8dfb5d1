"""How often a user came lately is known of each session, whatever it is called and whatever it says."""

from __future__ import annotations

import json

import pytest

from runner.events.schema import Kind
from runner.signals import visits as visits_module
from runner.signals.outcomes import Count, Measures, Outcome
from runner.signals.visits import Visits
from tests.rollout.streams import ROLLOUT, START, request, vote

GAP, WINDOW = 1800.0, 86_400.0


def numbers(outcomes: list[Outcome], metric: str, how: Count = Count.FIRST) -> list[int]:
    return [each.visit for each in outcomes if each.metric == metric and each.how is how]


def test_sessions_are_numbered_within_a_window_that_begins_with_the_first() -> None:
    visits = Visits(100.0)
    assert [visits.number("ann", at) for at in (0, 30, 99, 100, 150, 260)] == [1, 2, 3, 1, 2, 1]
    assert visits.number("bob", 30) == 1


def test_names_of_sessions_and_what_they_say_make_no_difference() -> None:
    measures = Measures(ROLLOUT, GAP, window=WINDOW)
    events = [
        request(i, "ann", "candidate", START + i, **{"loop.session": f"s{i}", "loop.outcome": outcome})
        for i, outcome in enumerate(["error", "ok", "error", "ok"])
    ]
    assert numbers(measures.absorb(Kind.REQUEST, events), "error_rate") == [1, 2, 3, 4]
    assert numbers(measures.tick(START + 2 * GAP), "error_rate", Count.CLOSED) == [1, 2, 3, 4]


def test_a_session_that_says_nothing_takes_no_number() -> None:
    measures = Measures(ROLLOUT, GAP, window=WINDOW)
    refused = request(1, "ann", "candidate", START, **{"loop.outcome": "refused"})
    assert measures.absorb(Kind.REQUEST, [refused]) == []
    later = request(2, "ann", "candidate", START + 2 * GAP)
    assert numbers(measures.absorb(Kind.REQUEST, [later]), "error_rate") == [1]


def test_a_vote_is_of_the_time_when_its_answer_was_asked_for() -> None:
    measures = Measures(ROLLOUT, GAP)
    measures.absorb(Kind.REQUEST, [request(1, "ann", "candidate", START)])
    (found,) = [
        each
        for each in measures.absorb(Kind.FEEDBACK, [vote(1, "ann", START + 3600, rating=2)])
        if each.metric == "satisfaction"
    ]
    assert (found.at, found.asked) == (START + 3600, START)


def test_memory_is_bounded_and_who_was_away_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visits_module, "MOST_USERS", 3)
    visits = Visits(100.0)
    for user in ("ann", "bob", "cat", "ann", "dan"):
        visits.number(user, 1.0)
    assert len(visits.to_json()) == 3
    assert [visits.number(user, 2.0) for user in ("ann", "bob")] == [3, 1]


def test_read_back_it_goes_on_counting() -> None:
    visits = Visits(100.0)
    for user in ("ann", "bob", "ann"):
        visits.number(user, 5.0)
    copy = Visits.from_json(100.0, json.loads(json.dumps(visits.to_json())))
    assert copy.to_json() == visits.to_json() and copy.number("ann", 6.0) == 3
