"""Answers beside facts of several makers: supported, contradicted, or not covered."""

from __future__ import annotations

import pytest

from runner.errors import TerminalError
from runner.signals.facts.check import check
from runner.signals.facts.decision import Verdict
from runner.signals.facts.reference import Reference, read

MUSEUM = (
    "The museum opens at 9:30 am on Tuesday.",
    "The museum opens at 11 am on Sunday.",
    "On Monday the museum is closed.",
    "A ticket for adults costs $14.00.",
    "A ticket for children costs $6.50.",
    "The Blue Harbour was painted by Ines Calloway.",
    "Night Tram was painted by Rafael Osei.",
    "The Blue Harbour hangs in the marine wing.",
    "Night Tram hangs in the modern wing.",
    "Dogs are not allowed in the galleries.",
    "You may take photographs without a flash.",
    "The cafe is on the second floor.",
    "The collection holds 412 paintings.",
    "박물관은 일요일에 오전 11시에 엽니다.",
    "어른 표는 14달러입니다.",
    "푸른 항구 그림은 이네스 캘러웨이가 그렸습니다.",
    "밤 전차 그림은 라파엘 오세이가 그렸습니다.",
    "개는 전시실에 들어올 수 없습니다.",
)
QUESTIONS = (
    {"question": "How long may I keep a borrowed tool?", "answer": "14 days."},
    {"question": "Who repairs the lathes?", "answer": "Marta Quill."},
)
S, C, N = Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.NOT_COVERED


@pytest.fixture(scope="module")
def museum() -> Reference:
    return read(({"text": text} for text in MUSEUM), "museum.jsonl")


@pytest.mark.parametrize(
    ("question", "answer", "verdict"),
    [
        ("When do you open on Sunday?", "11 am.", S),
        ("When do you open on Sunday?", "We open at 11:00.", S),
        ("When do you open on Sunday?", "10 am.", C),
        ("When do you open on Sunday?", "11 o'clock.", S),
        ("When do you open on Sunday?", "8 o'clock.", C),
        ("Are you open on Monday?", "We are closed.", S),
        ("How much is a ticket for children?", "$6.50.", S),
        ("How much is a ticket for children?", "$14.00.", C),
        ("How much is a ticket for adults?", "It is 14 dollars.", S),
        ("Who painted Night Tram?", "Rafael Osei.", S),
        ("Who painted Night Tram?", "Ines Calloway.", C),
        ("Who painted Night Tram?", "It was Tom Bradley.", C),
        ("Which wing has The Blue Harbour?", "The marine wing.", S),
        ("Which wing has The Blue Harbour?", "The modern wing.", C),
        ("Are dogs allowed in the galleries?", "Yes.", C),
        ("Are dogs allowed in the galleries?", "No, they are not.", S),
        ("May I take photographs without a flash?", "Yes.", S),
        ("Where is the cafe?", "On the third floor.", C),
        ("Where is the cafe?", "On the 2nd floor.", S),
        ("How many paintings does the collection hold?", "412.", S),
        ("How many paintings does the collection hold?", "500.", C),
        ("일요일에 박물관은 몇 시에 열어요?", "오전 11시입니다.", S),
        ("일요일에 박물관은 몇 시에 열어요?", "오전 9시입니다.", C),
        ("어른 표는 얼마예요?", "14달러입니다.", S),
        ("어른 표는 얼마예요?", "12달러입니다.", C),
        ("밤 전차 그림은 누가 그렸나요?", "라파엘 오세이입니다.", S),
        ("밤 전차 그림은 누가 그렸나요?", "이네스 캘러웨이입니다.", C),
        ("Do you sell umbrellas?", "Umbrellas are by the door.", N),
        ("What is the capital of Peru?", "Lima.", N),
        ("When do you open on Sunday?", "Sorry, I cannot help with that.", N),
        ("When do you open on Sunday?", "죄송하지만 도와드릴 수 없습니다.", N),
    ],
)
def test_an_answer_is_judged_by_the_facts_on_its_question(
    museum: Reference, question: str, answer: str, verdict: Verdict
) -> None:
    (found,) = check(museum, question, answer).statements
    assert found.verdict is verdict, found


def test_the_value_is_the_share_of_covered_statements_and_none_without_any(museum: Reference) -> None:
    answer = "A ticket for adults costs $14.00. A ticket for children costs $9.00. Ask me about the weather."
    found = check(museum, "What do tickets cost?", answer)
    assert [each.verdict for each in found.statements] == [S, C, N]
    assert found.covered == 2 and found.value == 0.5
    assert found.statements[1].fact == "A ticket for children costs $6.50."
    assert check(museum, "Will it rain?", "Nobody knows.").value is None
    assert check(museum, "Will it rain?", "").value is None


SEVERAL = (
    "The pool opens at 7 am on Friday.",
    "The pool closes at 9 pm on Friday.",
    "The spa is open from 10 am to 6 pm on Saturday.",
    "A letter takes 2 days.",
    "A letter abroad takes 6 days.",
    "택배비는 3달러입니다.",
    "빠른 택배는 8달러입니다.",
    "금요일에는 오전 7시에 엽니다.",
    "금요일에는 오후 9시까지 엽니다.",
)


@pytest.mark.parametrize(
    ("question", "answer", "verdict"),
    [
        ("How many days does a letter to another land take?", "6 days.", N),
        ("How many days does a letter to another land take?", "9 days.", C),
        ("How many days does a letter abroad take?", "6 days.", S),
        ("How many days does a letter abroad take?", "2 days.", C),
        ("빠른 택배비는 얼마인가요?", "8달러입니다.", N),
        ("빠른 택배비는 얼마인가요?", "5달러입니다.", C),
        ("Until when is the pool open on Friday?", "9 pm.", S),
        ("Until when is the pool open on Friday?", "7 am.", C),
        ("When does the pool open on Friday?", "9 pm.", C),
        ("How late is the spa open on Saturday?", "6 pm.", S),
        ("금요일에는 몇 시까지 여나요?", "오후 9시입니다.", S),
        ("금요일에는 몇 시까지 여나요?", "오전 7시입니다.", C),
    ],
)
def test_where_several_facts_may_be_meant_none_contradicts_what_another_says(
    question: str, answer: str, verdict: Verdict
) -> None:
    (found,) = check(read(({"text": text} for text in SEVERAL), "pool.jsonl"), question, answer).statements
    assert found.verdict is verdict, found


def test_an_end_that_no_fact_tells_is_not_covered() -> None:
    beginning = read([{"text": "On Friday we open at 7 am."}], "pool.jsonl")
    assert check(beginning, "Until when are you open on Friday?", "9 pm.").value is None


def test_facts_may_be_questions_with_answers() -> None:
    reference = read(QUESTIONS, "tools.jsonl")
    assert check(reference, "How long can I keep a tool?", "14 days.").value == 1.0
    assert check(reference, "How long can I keep a tool?", "A week, so 7 days.").value == 0.0
    assert check(reference, "Who repairs lathes?", "Marta Quill does.").value == 1.0


def test_a_file_without_facts_is_refused_with_what_is_missing() -> None:
    with pytest.raises(TerminalError, match="no fact stands in"):
        read([{"name": "x"}], "facts.jsonl")
