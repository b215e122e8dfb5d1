"""Win rates from people's votes: only those on exactly these bytes, and never by one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from runner.evaluation.gates import decide_one
from runner.evaluation.results import Measured, SuiteResult
from runner.feedback.records import Ballot, Choice
from runner.spec.condition import parse
from runner.spec.evaluation import Arbiter, Gate
from runner.spec.model import GateVerdict
from tests.evaluation.preference.jobs import carried, job
from tests.feedback.arenas import ballot, decided

GATE = Gate(suite="preference", require=parse("win_rate > 50%"))
DIGESTS = {"chat-v1.1": "b" * 64, "chat-v1.0": "a" * 64}


def votes(won: int, lost: int, ties: int = 0, people: int = 20) -> list[Ballot]:
    """Return votes on the two versions of the job, by so many people in turn."""
    found = decided("chat-v1.1", "chat-v1.0", won, lost, ties)
    return [
        replace(
            each,
            user=f"u{at % people}",
            left=replace(each.left, digest=DIGESTS[each.left.version]),
            right=replace(each.right, digest=DIGESTS[each.right.version]),
        )
        for at, each in enumerate(found)
    ]


def told(ballots: Sequence[Ballot]) -> SuiteResult:
    return carried(job([], {}, {}, Arbiter.VOTES, ballots=lambda: ballots))


def win_rate(ballots: Sequence[Ballot]) -> Measured:
    found = told(ballots).of("win_rate")
    assert found is not None
    return found


def verdict(ballots: Sequence[Ballot]) -> GateVerdict:
    return decide_one("preferred", GATE, told(ballots)).verdict


def test_many_people_decide() -> None:
    found = win_rate(votes(160, 50, 10))
    assert found.value == pytest.approx((160 + 5) / 220) and found.n == 220 and "20 people" in found.about
    assert verdict(votes(160, 50)) is GateVerdict.PASS
    assert verdict(votes(50, 160)) is GateVerdict.FAIL
    assert verdict(votes(100, 100)) is GateVerdict.INCONCLUSIVE


@pytest.mark.parametrize("people", [1, 2, 3])
def test_few_people_decide_nothing_however_often_they_vote(people: int) -> None:
    ballots = votes(400, 20, people=people)
    found = win_rate(ballots)
    assert found.value is None and "it would be 95" in found.about
    assert verdict(ballots) is GateVerdict.INCONCLUSIVE
    assert "rater" in decide_one("preferred", GATE, told(ballots)).evidence


def test_one_person_among_many_who_votes_most_decides_nothing() -> None:
    others = votes(60, 60)
    zealot = [
        replace(each, id=f"z{at}", comparison=f"z{at}", user="zealot")
        for at, each in enumerate(votes(300, 0))
    ]
    assert verdict([*others, *zealot]) is GateVerdict.INCONCLUSIVE


def test_votes_on_other_bytes_do_not_count() -> None:
    others = [replace(each, left=replace(each.left, digest="c" * 64)) for each in votes(200, 20)]
    stranger = [ballot(1000 + at, "chat-v1.1", "chat-v0.9") for at in range(50)]
    found = win_rate([*others, *stranger])
    assert (found.value, found.n) == (None, 0) and "nobody voted" in found.about
    assert verdict([*others, *stranger]) is GateVerdict.INCONCLUSIVE
    assert win_rate([*votes(20, 20), *others, *stranger]).n == 40


def test_votes_that_do_not_count_in_the_arena_do_not_count_here() -> None:
    hidden = [replace(each, counted=False) for each in votes(200, 0)]
    assert win_rate(hidden).n == 0


def test_every_vote_is_a_row_with_both_answers_and_who_won() -> None:
    ballots = [
        replace(each, left=replace(each.left, text="left text"), right=replace(each.right, text="right text"))
        for each in votes(2, 2, 2)
    ]
    ballots.append(replace(ballots[0], id="bad", comparison="bad", choice=Choice.NEITHER))
    rows = told(ballots).rows
    assert [row.note for row in rows] == ["won", "won", "lost", "lost", "tied", "tied", "both bad"]
    for row, each in zip(rows, ballots, strict=True):
        own, other = (each.left, each.right) if each.left.version == "chat-v1.1" else (each.right, each.left)
        assert (row.answer, row.parent_answer) == (own.text, other.text)


def test_kinds_of_questions_are_told_apart() -> None:
    ballots = [
        replace(each, category="creative" if at % 2 else "factual_qa")
        for at, each in enumerate(votes(80, 40))
    ]
    found = told(ballots)
    parts = [found.of(f"win_rate.category.{name}") for name in ("creative", "factual_qa")]
    assert sum(part.n for part in parts if part is not None) == 120
