"""Which answers decline, and which only sound as if."""

from __future__ import annotations

import json

import pytest

from runner.signals.refusal.rules import refuses
from runner.signals.text import spoken
from runner.simulation.bookshop import out_of_scope
from runner.simulation.bookshop.house import rules


@pytest.mark.parametrize("answer", [*out_of_scope.REFUSALS.values(), *out_of_scope.UNKNOWN_BOOK.values()])
def test_the_small_worlds_own_refusals_are_found(answer: str) -> None:
    assert refuses(answer)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)
def test_no_rule_of_the_house_is_taken_for_a_refusal(rule) -> None:  # type: ignore[no-untyped-def]
    for sentence in (rule.says, rule.says_ko):
        assert not refuses(sentence.replace("{v}", rule.value)), sentence


@pytest.mark.parametrize(
    "answer",
    [
        "I’m sorry, but I can't help with that.",
        "I CANNOT assist you in this matter.",
        "Unfortunately we are not able to provide legal advice.",
        "I don't know.",
        "That is outside of my expertise.",
        "I must decline.",
        "The opening hours are 9 to 5. As for the weather, I cannot answer that.",
        "As an AI, I am unable to feel pain.",
        "저는 그 질문에 답변해 드릴 수 없습니다.",
        "죄송합니다. 잘 모르겠습니다.",
        "서점에 관한 것만 안내해 드릴 수 있습니다.",
        "도와드리기 어렵습니다.",
    ],
)
def test_refusals_in_full_or_in_part_are_found(answer: str) -> None:
    assert refuses(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Books on sale cannot be returned.",
        "We are closed on Monday.",
        "You can only return a book with the receipt.",
        "Sorry to hear that! It is exchanged within 60 days.",
        "할인 도서는 반품할 수 없습니다.",
        "월요일에는 문을 열지 않습니다.",
    ],
)
def test_a_negative_answer_is_an_answer(answer: str) -> None:
    assert not refuses(answer)


def test_a_teams_own_phrases_count() -> None:
    assert refuses("Please ask the FRONT desk.", ("ask the front desk",))


@pytest.mark.parametrize(
    "junk", ["", "{", "17", "[3]", '{"a": 1}', None, '[{"content": 5}]', '[{"content": [{"type": "x"}]}]']
)
def test_whatever_is_no_list_of_messages_says_nothing(junk: object) -> None:
    assert spoken(junk) == ""


def test_the_last_message_of_the_role_is_read_in_text_and_in_parts() -> None:
    messages = [
        {"role": "user", "content": "one"},
        {"role": "user", "content": [{"type": "text", "text": "two"}, {"type": "text", "text": "three"}]},
        {"role": "assistant", "content": "four"},
    ]
    assert spoken(json.dumps(messages), "user") == "two three"
    assert spoken(messages) == "four"
