"""Which answers are examined: the same ones by every run, a share by policy, none twice."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from runner.evaluation.choice import ATTEMPTS, Detector, answered, is_drawn, key, spent, to_examine
from tests.doubles.event_files import request
from tests.evaluation.scripted import logged

OURS = Detector.SELF_CONSISTENCY
ASKED = json.dumps([{"role": "user", "content": "When do you open?"}])
SAID = json.dumps([{"role": "assistant", "content": "11 am."}])


def content(number: int, asked: str = ASKED, said: str = SAID) -> dict[str, str]:
    return {
        "event.id": f"event-{number}-content",
        "loop.request.id": f"request-{number}",
        "gen_ai.input.messages": asked,
        "gen_ai.output.messages": said,
    }


@given(st.text(max_size=40), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_holds_every_smaller_one(request_id: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert is_drawn(request_id, OURS, low) <= is_drawn(request_id, OURS, high)
    assert not is_drawn(request_id, OURS, 0.0) and is_drawn(request_id, OURS, 1.0)


def test_the_share_drawn_is_the_share_declared_and_another_for_each_detector() -> None:
    ids = [f"request-{number}" for number in range(4000)]
    ours = {each for each in ids if is_drawn(each, OURS, 0.1)}
    theirs = {each for each in ids if is_drawn(each, Detector.FACTUAL, 0.1)}
    assert 320 < len(ours) < 480 and 320 < len(theirs) < 480 and ours != theirs


def test_an_answer_needs_its_facts_and_its_words_and_the_newest_comes_first() -> None:
    digest = {"loop__adapter__digest": "a" * 64}
    requests = [
        request(1, **digest),
        request(2, **digest, loop__outcome="error"),
        request(3, **digest),
        request(4, **digest),
        request(5),
        request(6, **digest),
        request(7, **digest),
    ]
    contents = [
        content(1),
        content(2),
        content(4),
        content(5),
        content(6, asked='"a prompt"'),
        content(7, said="x"),
    ]
    found = answered(requests, contents)
    assert [each.request_id for each in found] == ["request-4", "request-1"]
    assert found[0].question == "When do you open?" and found[0].answer == "11 am."
    assert found[0].served == "chat-v1.0--aaaaaaaaaaaa" and found[0].input_tokens == 12


def sampled(
    number: int, detector: Detector, *, again: str = "", count: int | None = None
) -> dict[str, object]:
    name = key(f"event-{number}", detector) + again
    event = {"event.id": name, "loop.request.id": f"request-{number}", "loop.detector": detector.value}
    return event if count is None else {**event, "loop.sample.count": count}


def test_a_request_id_that_a_caller_gives_twice_neither_hides_an_answer_nor_lends_its_words() -> None:
    given_ = {"loop__request__id": "mine", "loop__adapter__digest": "a" * 64}
    requests = [request(1, **given_), request(2, **given_)]
    contents = [
        {**content(number), "loop.request.id": "mine", "gen_ai.output.messages": said}
        for number, said in ((1, SAID), (2, SAID.replace("11", "9")))
    ]
    answers = answered(requests, contents)
    assert [(each.event_id, each.answer) for each in answers] == [("event-2", "9 am."), ("event-1", "11 am.")]
    left = to_examine(answers, [sampled(1, OURS, count=5)], OURS, 1.0)
    assert [each.event_id for each in left] == ["event-2"]


def test_what_is_drawn_does_not_depend_on_the_request_id() -> None:
    drawn = {
        tuple(e.event_id for e in to_examine([logged(n, request_id=r) for n in range(300)], [], OURS, 0.1))
        for r in ("mine", "another", "event-1")
    }
    assert len(drawn) == 1 and 10 < len(drawn.pop()) < 60


def test_what_was_examined_is_skipped_and_what_was_broken_off_comes_last() -> None:
    samples = [
        sampled(1, OURS, count=5),
        sampled(2, OURS, again="-a"),
        sampled(3, Detector.FACTUAL, count=0),
    ]
    answers = [logged(number) for number in (1, 2, 3)]
    assert [each.event_id for each in to_examine(answers, samples, OURS, 1.0)] == ["event-3", "event-2"]
    facts = to_examine(answers, samples, Detector.FACTUAL, 1.0)
    assert [each.event_id for each in facts] == ["event-1", "event-2"]


def test_an_examination_is_begun_so_often_and_no_more() -> None:
    tries = [sampled(1, OURS, again=f"-{each}") for each in range(ATTEMPTS)]
    assert to_examine([logged(1)], tries[:-1], OURS, 1.0) == [logged(1)]
    assert to_examine([logged(1)], tries, OURS, 1.0) == []
    assert to_examine([logged(1)], tries, Detector.FACTUAL, 1.0) == [logged(1)]


def test_tokens_count_from_the_beginning_of_the_day() -> None:
    samples = [
        {"event.time": time, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": time}
        for time in (99, 100, 101)
    ]
    assert spent([*samples, {"event.time": 200}], since=100) == 221
