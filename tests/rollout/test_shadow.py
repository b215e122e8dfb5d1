"""Shadow: copies compared with what users got, session by session, and nothing made of missing data."""

from __future__ import annotations

import random

import pytest

from runner.events.schema import Kind
from runner.report import shadow as report
from runner.rollout.shadow import Comparison, Rules, Side, evaluate
from runner.rollout.verdict import Estimate
from runner.signals.detection import Detection
from tests.rollout.logs import START_US, Habits, Log, ask, copy_of, empty

PLAIN = Habits(errors=0.0, refusals=0.0, votes=0.0)
ANSWER = "It is on the third shelf."
REFUSAL = "I cannot help with that."


def asked(sessions: int, per_session: int = 1) -> Log:
    """Return sessions of users who ask the same number of times, and no copies yet."""
    log, rng = empty(), random.Random(3)
    for number in range(sessions):
        for turn in range(per_session):
            at = START_US + number * 1_000_000 + turn * 60_000_000
            ask(log, f"{number}-{turn}", at, "chat-v1.0", PLAIN, rng, loop__user=f"u{number}")
    return log


def compare(log: Log) -> Comparison:
    (found,) = evaluate(log[Kind.SHADOW], log[Kind.REQUEST], log[Kind.CONTENT], Rules())
    return found


def copied(log: Log, *answers: str, **fields: object) -> Log:
    """Copy every request, the answers by turns."""
    log[Kind.SHADOW] = [
        copy_of(request, answers[number % len(answers)], **fields)
        for number, request in enumerate(log[Kind.REQUEST])
    ]
    return log


def middle(found: Estimate) -> float:
    assert found.value is not None and found.low is not None and found.high is not None
    assert found.low <= found.value <= found.high
    return found.value


def test_a_copy_of_itself_is_the_same_in_everything() -> None:
    found = compare(copied(asked(50), ANSWER, gen_ai__usage__output_tokens=20))
    assert middle(found.same) == middle(found.similarity) == 1.0
    assert middle(found.length_ratio) == pytest.approx(1.0)
    assert found.disagreements == () and found.refusal_evidence == 1.0
    assert (found.copies, found.dropped, found.unmatched, found.compared, found.sessions) == (
        50,
        0,
        0,
        50,
        50,
    )


def test_each_session_has_one_voice_however_many_copies_it_has() -> None:
    log = asked(20)
    rng = random.Random(0)
    for turn in range(200):
        ask(log, f"t{turn}", START_US + turn, "chat-v1.0", PLAIN, rng, loop__user="talkative")
    log[Kind.SHADOW] = [
        copy_of(request, REFUSAL if request["loop.user"] == "talkative" else ANSWER)
        for request in log[Kind.REQUEST]
    ]
    found = compare(log)
    assert found.sessions == found.same.n == 21
    assert middle(found.refusals_gained) == pytest.approx(1 / 21)


def test_refusals_gained_and_lost_are_told_apart_and_become_certain() -> None:
    gained = compare(copied(asked(60), ANSWER, ANSWER, REFUSAL))
    assert middle(gained.refusals_gained) == pytest.approx(1 / 3) and middle(gained.refusals_lost) == 0.0
    assert gained.refusal_evidence > 1000
    few = compare(copied(asked(6), ANSWER, ANSWER, REFUSAL))
    assert few.refusal_evidence < 10
    balanced = asked(40)
    for event in balanced[Kind.CONTENT][::2]:
        event["gen_ai.output.messages"] = event["gen_ai.output.messages"].replace(ANSWER, REFUSAL)
    even = compare(copied(balanced, ANSWER, REFUSAL))
    assert middle(even.refusals_gained) == middle(even.refusals_lost) == 0.5
    assert even.refusal_evidence < 1


def test_longer_slower_and_failing_copies_show_on_their_own_side() -> None:
    log = copied(asked(200), ANSWER)
    for copy in log[Kind.SHADOW][::10]:
        copy["loop.outcome"], copy["error.type"] = "error", "timeout"
        del copy["gen_ai.output.messages"]
    found = compare(log)
    assert middle(found.length_ratio) == pytest.approx(2.0)
    errors = dict(found.errors)
    assert middle(errors[Side.COPIES]) == pytest.approx(0.1) and middle(errors[Side.USERS]) == 0.0
    medians = {each.side: each.estimate.value for each in found.latencies if each.q == 0.5}
    assert medians[Side.COPIES] == 0.7 and 0.4 < (medians[Side.USERS] or 0.0) < 0.6
    assert found.compared == 180


def test_dropped_copies_and_unknown_requests_are_counted_and_not_compared() -> None:
    log = copied(asked(10), ANSWER)
    log[Kind.SHADOW][0]["loop.outcome"] = "dropped"
    log[Kind.SHADOW][1]["loop.request.id"] = "nobody's"
    found = compare(log)
    assert (found.copies, found.dropped, found.unmatched, found.compared) == (9, 1, 1, 8)


def test_without_content_there_is_no_similarity_but_what_the_gateway_noted() -> None:
    log = copied(asked(10), ANSWER, loop__same=True)
    log[Kind.CONTENT] = []
    found = compare(log)
    assert middle(found.same) == 1.0
    assert found.similarity.value is None and found.refusals_gained.value is None and found.compared == 0


def test_examples_are_the_least_alike_one_of_a_session_and_cannot_break_the_report() -> None:
    log = copied(asked(3, per_session=3), ANSWER)
    for number, copy in enumerate(log[Kind.SHADOW][:6]):
        text = "Ask\\n\\u001b[31m somebody else" if number % 3 else "It is on the second shelf."
        copy["gen_ai.output.messages"] = f'[{{"role": "assistant", "content": "{text}"}}]'
    found = compare(log)
    assert len(found.disagreements) == 2
    assert found.disagreements[0].copy.startswith("Ask")
    text = report.to_text([found])
    assert "\x1b" not in text and "asked:      where is book" in text
    assert f"users got:  {ANSWER}" in text


def test_every_shadowed_version_stands_alone() -> None:
    log = copied(asked(10), ANSWER)
    for copy in log[Kind.SHADOW][:4]:
        copy["loop.version"] = "chat-v1.2"
    found = evaluate(log[Kind.SHADOW], log[Kind.REQUEST], log[Kind.CONTENT], Rules())
    assert [(each.served, each.copies) for each in found] == [
        ("chat-v1.1--bbbbbbbbbbbb", 6),
        ("chat-v1.2--bbbbbbbbbbbb", 4),
    ]


def test_no_copies_give_nothing() -> None:
    assert evaluate([], asked(3)[Kind.REQUEST], [], Rules()) == ()
    assert report.to_text([]) == ""


def test_a_phrase_of_the_policy_counts_as_a_refusal_on_both_sides() -> None:
    log = copied(asked(40), "Please look for it upstairs.", gen_ai__usage__output_tokens=20)
    for keywords, gained, lost in (((), 0.0, 0.0), (("look for it",), 1.0, 0.0)):
        rules = Rules(detection=Detection(keywords=keywords))
        (found,) = evaluate(log[Kind.SHADOW], log[Kind.REQUEST], log[Kind.CONTENT], rules)
        assert (found.refusals_gained.value, found.refusals_lost.value) == (gained, lost)
