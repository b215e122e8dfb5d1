"""The oracle: exact, on every fact of the world, in both languages."""

from __future__ import annotations

import pytest

from runner.simulation.bookshop import out_of_scope
from runner.simulation.bookshop.oracle import Verdict, judge
from runner.simulation.bookshop.questions import Expected, Question, short_answer
from runner.simulation.bookshop.values import Kind, Language, show
from runner.simulation.bookshop.world import LEXICON, Fact, facts

EN, KO = Language.ENGLISH, Language.KOREAN
ASKED = [(fact, language) for fact in facts() for language in fact.languages]


def about(fact: Fact, language: Language) -> Question:
    return Question("", "", "", language, "plain", fact.id, Expected(fact.kind, fact.values), "")


def outside(language: Language) -> Question:
    return Question("", "", "", language, "out_of_scope", "", None, "")


def price(value: str, language: Language = EN) -> Question:
    return Question("", "", "", language, "plain", "", Expected(Kind.MONEY, (value,)), "")


def test_the_short_answer_and_the_full_sentence_of_every_fact_are_right() -> None:
    for fact, language in ASKED:
        assert judge(about(fact, language), short_answer(fact, language)) is Verdict.RIGHT, fact.id
        assert judge(about(fact, language), dict(fact.says)[language]) is Verdict.RIGHT, fact.id


def test_the_answer_of_any_other_fact_with_another_value_is_wrong() -> None:
    """All pairs of facts in one language: some 100,000 judgements."""
    for language in Language:
        answers = [(fact, short_answer(fact, language)) for fact, said in ASKED if said is language]
        for fact, _ in answers:
            question = about(fact, language)
            for other, answer in answers:
                same = other.kind is fact.kind and other.values[0] in fact.values
                verdict = judge(question, answer)
                assert verdict is (Verdict.RIGHT if same else Verdict.WRONG), (fact.id, answer)


def test_a_right_value_beside_a_wrong_one_is_wrong() -> None:
    for fact, language in ASKED:
        others = [f for f in facts() if f.kind is fact.kind and f.values[0] not in fact.values]
        if others:
            wrong = show(fact.kind, others[0].values[0], language, LEXICON)
            answer = f"{short_answer(fact, language)} {wrong}"
            assert judge(about(fact, language), answer) is Verdict.WRONG, answer


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("$12.50", Verdict.RIGHT),
        ("It costs 12.50 dollars, on shelf B2.", Verdict.RIGHT),
        ("it is $12.5", Verdict.RIGHT),
        ("12.50달러입니다.", Verdict.RIGHT),
        ("$12.50 or $13.00", Verdict.WRONG),
        ("$112.50", Verdict.WRONG),
        ("$12.05", Verdict.WRONG),
        ("12.50", Verdict.WRONG),
        ("", Verdict.WRONG),
        (out_of_scope.REFUSALS[EN], Verdict.REFUSED_WRONGLY),
        ("I do not know, $12.50 maybe", Verdict.REFUSED_WRONGLY),
    ],
)
def test_prices_are_judged_by_value_and_not_by_form(answer: str, verdict: Verdict) -> None:
    assert judge(price("12.50"), answer) is verdict


def test_a_refusal_is_right_only_out_of_scope_and_in_the_language_of_the_question() -> None:
    for language, other in ((EN, KO), (KO, EN)):
        for refusal in (out_of_scope.REFUSALS, out_of_scope.UNKNOWN_BOOK):
            assert judge(outside(language), refusal[language]) is Verdict.REFUSED_RIGHTLY
            assert judge(outside(language), refusal[other]) is Verdict.WRONG
            assert judge(price("12.50", language), refusal[language]) is Verdict.REFUSED_WRONGLY
        assert judge(outside(language), "$12.50") is Verdict.ANSWERED_OUT_OF_SCOPE


def test_a_name_in_the_wrong_language_does_not_serve_the_customer() -> None:
    fact = next(f for f in facts() if f.topic == "author" and KO in f.languages)
    assert judge(about(fact, KO), short_answer(fact, EN)) is Verdict.WRONG
    assert judge(about(fact, EN), short_answer(fact, KO)) is Verdict.WRONG


def test_only_right_answers_and_right_refusals_are_good() -> None:
    assert [verdict for verdict in Verdict if verdict.good] == [Verdict.RIGHT, Verdict.REFUSED_RIGHTLY]
