"""Which answers are examined: the same ones by every run, a share by policy, none twice."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from runner.evaluation.choice import Detector, answered, examined, is_drawn, spent, to_examine
from tests.doubles.event_files import request
from tests.evaluation.scripted import logged

OURS = Detector.SELF_CONSISTENCY
ASKED = json.dumps([{"role": "user", "content": "When do you open?"}])
SAID = json.dumps([{"role": "assistant", "content": "11 am."}])


def content(number: int, asked: str = ASKED, said: str = SAID) -> dict[str, str]:
    return {
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


def test_what_was_examined_is_skipped_and_what_was_broken_off_is_not() -> None:
    done = {"loop.request.id": "request-1", "loop.detector": "self_consistency", "loop.sample.count": 5}
    broken = {"loop.request.id": "request-2", "loop.detector": "self_consistency"}
    other = {"loop.request.id": "request-3", "loop.detector": "factual", "loop.sample.count": 0}
    samples = [done, broken, other]
    answers = [logged(number) for number in (1, 2, 3)]
    assert [each.request_id for each in to_examine(answers, samples, OURS, 1.0)] == ["request-2", "request-3"]
    assert examined(samples, Detector.FACTUAL) == {"request-3"}


def test_tokens_count_from_the_beginning_of_the_day() -> None:
    samples = [
        {"event.time": time, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": time}
        for time in (99, 100, 101)
    ]
    assert spent([*samples, {"event.time": 200}], since=100) == 221
