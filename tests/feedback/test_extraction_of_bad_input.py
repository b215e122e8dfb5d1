"""Whatever the log holds, nothing is lost, nothing counts twice, and what cannot be used is told."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.events.schema import Kind
from runner.feedback.extraction.words import asked, conversation, reply
from runner.feedback.records import record_id, to_json
from tests.feedback.shop_log import START_US, Log, collected

JUNK = b'\n{"event.id": "torn\n\xff\xfe\x00\n[1, 2]\nnull\n{"event.id": "x"}\n'
JUNK_LINES = 5
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "text", "type"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def log_of_everything() -> Log:
    log = Log()
    first = log.ask("Do you sell maps?", "Sorry, I do not know.", user="ann", at_s=1)
    log.ask("Do you sell maps?", "Sorry, I do not know it.", user="ann", at_s=9)
    log.feedback(first, user="ann", thumbs=1, after_s=1)
    log.feedback(first, user="ann", thumbs=-1, after_s=1)
    log.feedback(first, user="ann", correction="Yes, on the ground floor.", after_s=3)
    other = log.ask("How many pages has it?", "212 pages.", user="ben", at_s=50)
    log.shadow(other, "About 300 pages.")
    log.vote("Which one?", "This.", "That.")
    log.label(record_id(first), "bad")
    log.label(record_id(first), "good")
    log.content("nobody asked", START_US, "[]", "[]")
    return log


def lines(found) -> list[str]:
    values = (*found.records, *found.ballots, *found.labels)
    return [json.dumps(to_json(each), sort_keys=True) for each in values]


@pytest.fixture(scope="module")
def in_order(tmp_path_factory) -> list[str]:
    return lines(collected(log_of_everything().write(tmp_path_factory.mktemp("in-order"))))


@given(st.data())
@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
def test_order_repetition_and_damaged_lines_change_nothing(tmp_path_factory, in_order, data) -> None:
    log = log_of_everything()
    places = range(len(log.events))
    order = data.draw(st.permutations([*places, *data.draw(st.lists(st.sampled_from(places)))]))
    home = log.write(tmp_path_factory.mktemp("mixed"), order, extra=JUNK)
    found = collected(home)
    assert lines(found) == in_order
    assert found.census.duplicates == len(order) - len(log.events)
    assert found.census.damaged == JUNK_LINES * len({kind for kind, _ in log.events})
    assert found.left_out["without_request"] == 1


def test_answers_in_no_form_of_a_conversation_are_left_out_and_told(tmp_path) -> None:
    log, bad = Log(), 0
    for asked_, said in (
        ("not JSON", '[{"content": "a"}]'),
        ('{"role": "user"}', '[{"content": "b"}]'),
        ("[" * 100_000, '[{"content": "c"}]'),
        ('[{"role": "user", "content": "Q?"}]', "[" * 100_000),
        ('[{"role": "user", "content": "Q?"}]', '[{"content": ""}]'),
        ('[{"role": "assistant", "content": "I was asked nothing"}]', '[{"content": "d"}]'),
        ("[1, 2]", "[3]"),
        ('[{"role": "user", "content": null}]', '[{"content": "e"}]'),
    ):
        name = log.ask("?", "?", user="ann")
        log.events[-1] = (Kind.CONTENT, log.events[-1][1] | _messages(asked_, said))
        log.feedback(name, user="ann", thumbs=-1)
        bad += 1
    huge = log.ask("Tell me all: \ud800 " + "why? " * 200_000, "because " * 130_000, user="ann")
    log.feedback(huge, user="ann", thumbs=-1)
    parts = [{"type": "text", "text": "What is"}, {"type": "image_url"}, {"type": "text", "text": "this?"}]
    pictured = log.ask([{"role": "user", "content": parts}], "A book.", user="ann")
    log.feedback(pictured, user="ann", thumbs=-1)
    silent = log.ask("Are words kept?", "No.", user="ann")
    del log.events[-1]
    log.feedback(silent, user="ann", thumbs=-1)
    found = collected(log.write(tmp_path), tails=0.0)
    assert {each.id for each in found.records} == {record_id(huge), record_id(pictured)}
    assert found.left_out == {"unreadable": bad, "without_content": 1}
    assert (
        next(e for e in found.records if e.id == record_id(pictured)).prompt[-1]["content"] == "What is this?"
    )


def _messages(asked_: str, said: str) -> dict[str, str]:
    return {"gen_ai.input.messages": asked_, "gen_ai.output.messages": said}


@given(JSON)
@settings(max_examples=150)
def test_any_json_is_a_conversation_that_ends_in_a_question_or_none(value) -> None:
    text = json.dumps(value)
    found = conversation(text)
    assert found is None or (found[-1]["role"] == "user" and all(each["content"].strip() for each in found))
    assert isinstance(asked(text), str)
    assert isinstance(reply(text), str)
