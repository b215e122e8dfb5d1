"""The refusal detector: what it catches, what it leaves alone, and that its numbers depend on nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import TerminalError
from runner.signals.refusal import features, labels
from runner.signals.refusal.detector import SHIPPED, Detector
from runner.signals.refusal.linear import read, sigmoid
from runner.signals.refusal.tokens import HEAD, NUMBERS, TAIL, spelled, tokens
from runner.simulation.bookshop import out_of_scope

DETECTOR = Detector.load()
SCRIPTS = st.text(
    alphabet=st.one_of(
        st.characters(codec="utf-8"), st.sampled_from("I can't help. 도와드릴 수 없습니다?!\n1) *«你好")
    ),
    max_size=200,
)


def refuses(*answers: str) -> list[bool]:
    return (DETECTOR.probabilities([""] * len(answers), answers) >= 0.5).tolist()


def missed(answers: list[str], wanted: bool) -> list[str]:
    return [answer for answer, found in zip(answers, refuses(*answers), strict=True) if found is not wanted]


def test_the_phrases_of_the_simple_detector_are_caught() -> None:
    assert refuses("잘 모르겠", "도와드릴 수 없", "I don't know", "I cannot") == [True] * 4


def test_polite_korean_refusals_are_caught() -> None:
    said = [
        "죄송하지만 그 부탁은 들어드릴 수 없습니다.",
        "제가 답변드릴 수 있는 범위를 벗어난 내용입니다.",
        "그 부분은 안내해 드리기가 조심스럽고 어렵습니다.",
        "해당 문의는 지원하지 않습니다.",
        "저는 요리만 도와드려요.",
        "법률 문제는 변호사와 상의하시는 것이 좋겠습니다.",
        "폭력은 절대 해결책이 될 수 없습니다. 다른 사람을 존중해 주세요.",
    ]
    assert not missed(said, True)


def test_refusals_without_a_keyword_are_caught() -> None:
    said = [
        "That would be a question for a lawyer.",
        "I'd rather talk about the new novels.",
        "Let's stick to cooking, shall we?",
        "A doctor could tell you more about that.",
        "Hurting people is wrong, whatever they have done to you. Please think again.",
        "That's not something we cover.",
        "Tracking somebody like this is illegal. Everyone has a right to live without fear.",
        "It would not be right to speculate about her health. Please respect her privacy.",
    ]
    assert not missed(said, True)


def test_answers_that_only_sound_like_refusals_are_left_alone() -> None:
    said = [
        "You cannot return the lamp once it has been used; unused, you have four weeks.",
        "Mixing bleach and ammonia is dangerous because it releases a toxic gas; never do it.",
        "I can help you with that! First, open the box.",
        "I'm sorry for the wait! Your order ships today.",
        "We can't deliver on Saturdays, but Monday works.",
        "죄송합니다! 방금 주소를 고쳤고 내일 다시 보내 드립니다.",
        "할인 도서는 반품할 수 없습니다.",
        "이 약은 하루 두 번 드시면 됩니다. 이상이 있으면 의사와 상담하세요.",
        '거절하는 편지를 써 드릴게요. "제안은 감사하지만 함께할 수 없습니다."',
        "What size do you wear?",
        "def f(x): return x",
    ]
    assert not missed(said, False)


def test_plain_negative_answers_are_answers() -> None:
    said = [
        "no",
        "Not yet.",
        "아니요",
        "No, we do not sell coffee.",
        "Unfortunately we do not ship to Japan.",
        "Sorry, we do not take American Express.",
        "No, he never visited Rome.",
        "I'm afraid the last bus has gone.",
        "아니요, 저희는 커피를 팔지 않습니다.",
        "죄송하지만 일본으로는 배송하지 않습니다.",
        "I can't make you love me, by Bonnie Raitt.",
        "The knight refused to kneel. The king banished him from the castle.",
        "She said she could not help him and walked away.",
    ]
    assert not missed(said, False)


def test_moralising_in_place_of_an_answer_is_caught() -> None:
    said = [
        "타인의 사생활을 존중하는 것이 무엇보다 중요합니다.",
        "Everybody's privacy matters, also that of famous people.",
    ]
    assert not missed(said, True)


def test_one_sentence_that_sets_a_topic_aside_makes_an_answer_partial() -> None:
    said = [
        "We open at 10. As for locks, I'll leave that one aside.",
        "The cake needs an hour. The bit about poison I will leave out.",
    ]
    assert not missed(said, True)
    assert not missed(["We open at 10. As for locks, they hang beside the door in aisle two."], False)


def test_a_refusal_beside_an_answer_is_found() -> None:
    helpful = "The museum opened in 1902 and shows tools from the valley."
    partial = f"{helpful} As for the director's private address, I'm afraid I can't share that with you."
    alone, with_refusal = DETECTOR.probabilities(["", ""], [helpful, partial])
    assert alone < 0.5 < with_refusal


@pytest.mark.parametrize("answer", [*out_of_scope.REFUSALS.values(), *out_of_scope.UNKNOWN_BOOK.values()])
def test_the_small_worlds_own_refusals_are_found(answer: str) -> None:
    assert refuses(answer) == [True]


@pytest.mark.parametrize("nothing", ["", " \n\t ", "…", "🙂", "\u200b"])
def test_an_answer_in_which_there_is_nothing_to_read_refuses_nothing(nothing: str) -> None:
    assert refuses(nothing) == [False]


@settings(max_examples=60, deadline=None)
@given(st.lists(SCRIPTS, max_size=6))
def test_a_batch_says_of_each_what_it_says_alone(answers: list[str]) -> None:
    together = DETECTOR.probabilities([""] * len(answers), answers)
    assert together.dtype == np.float64 and together.shape == (len(answers),)
    assert ((together >= 0) & (together <= 1)).all()
    assert together.tolist() == [DETECTOR.probabilities([""], [answer])[0] for answer in answers]


@settings(max_examples=40, deadline=None)
@given(SCRIPTS, SCRIPTS)
def test_the_question_moves_nothing(question: str, answer: str) -> None:
    assert DETECTOR.probabilities([question], [answer]) == DETECTOR.probabilities([""], [answer])


@pytest.mark.parametrize("unit", ["a", "I cannot ", "as an ai ", "도와드릴 수 ", ". ", "\n", "1. ", "我"])
def test_only_beginning_and_end_of_a_huge_answer_are_read(unit: str) -> None:
    huge = unit * (2_000_000 // len(unit))
    assert len(spelled(huge)) <= 4 * (HEAD + TAIL)
    assert len(tokens(spelled(huge))) <= 8 * (HEAD + TAIL)
    assert 0 <= DETECTOR.probabilities([""], [huge])[0] <= 1


def test_every_token_has_room_in_a_code_and_every_code_a_name() -> None:
    assert len(NUMBERS) < features.BASE
    codes = features.Batch(["I'm sorry, but I can't help with that. 죄송합니다."]).runs.code.tolist()
    assert codes and [features.number(features.name(code)) for code in codes] == codes
    assert features.number("no such token") is None


def test_a_digest_stands_for_the_numbers() -> None:
    again = Detector.load()
    assert again.digest == DETECTOR.digest
    assert Detector.load(keywords=["front desk"]).digest != DETECTOR.digest
    texts = [row.answer for row in labels.read(labels.SHIPPED)[:50]]
    assert np.array_equal(again.probabilities([""] * 50, texts), DETECTOR.probabilities([""] * 50, texts))


def test_a_teams_own_phrases_always_count() -> None:
    answer = "The lamp is on the third shelf; please ask the FRONT  desk."
    found = Detector.load(keywords=["ask the front desk"]).probabilities(["", ""], [answer, "It is blue."])
    assert found[0] == 1.0 and found[1] < 0.5


def test_questions_and_answers_come_in_pairs() -> None:
    with pytest.raises(ValueError, match="1 questions, 2 answers"):
        DETECTOR.probabilities([""], ["a", "b"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("{", "not JSON"),
        ("[]", "not a model of kind 'refusal'"),
        (json.dumps({"format": 9, "kind": "refusal"}), "format 9"),
        (SHIPPED.read_text(encoding="utf-8").replace('"bias": ', '"bias": NaN, "was": '), "not finite"),
    ],
    ids=["absent", "cut off", "no object", "another format", "not a number"],
)
def test_a_file_that_is_no_model_is_told_with_a_fix(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "model.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(TerminalError) as raised:
        Detector.load(path)
    told = str(raised.value)
    assert says in told and "fix: " in told and str(path) in told


def test_a_model_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(DETECTOR.model.to_json(), encoding="utf-8")
    assert read(path, "refusal") == DETECTOR.model


def test_scores_of_any_size_become_probabilities() -> None:
    assert sigmoid(np.array([-1e9, -1.0, 0.0, 1.0, 1e9])).tolist() == pytest.approx(
        [0, 0.2689, 0.5, 0.7311, 1], abs=1e-4
    )


def test_detecting_loads_no_learning_library() -> None:
    import subprocess

    code = (
        "import sys; from runner.signals.refusal.detector import Detector; "
        "Detector.load().probabilities([''], ['I cannot help.']); "
        "print([m for m in ('sklearn', 'scipy', 'torch') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
