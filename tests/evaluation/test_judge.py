"""The judge: both orders, three words, and an error for anything else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runner.errors import TerminalError
from runner.evaluation.chat import UnknownModel
from runner.evaluation.compare import ByJudge, Compared
from runner.evaluation.judge import Judge, Judgement, Outcome
from runner.evaluation.price import Meter
from tests.evaluation.scripted import HANG, Said, Scripted, client_of, scripted


def judged(
    *script: Said, repeats: int = 1, one: str = "11 am.", other: str = "At eleven.", **endpoint: Any
) -> tuple[Judgement, Scripted, Meter]:
    async def go() -> tuple[Judgement, Scripted, Meter]:
        meter = Meter()
        async with scripted(*script) as server, client_of(server.url, [], **endpoint) as client:
            found = await Judge(client, repeats).compare("When?", one, other, meter)
            return found, server, meter

    return asyncio.run(go())


def test_every_pair_is_judged_in_both_orders() -> None:
    found, server, meter = judged("SAME", "SAME", repeats=2)
    assert found == Judgement(Outcome.JUDGED, 1.0, "")
    told = [body["messages"][1]["content"] for body in server.asked]
    first = [text.index("11 am.") < text.index("At eleven.") for text in told]
    assert first == [True, False, True, False]
    assert all(body["temperature"] == 0.0 for body in server.asked)
    assert meter.replies == 4 and meter.tokens.both == 4 * 11


def test_a_judge_that_favours_the_first_place_comes_out_between() -> None:
    def favours(body: dict[str, Any]) -> str:
        text = body["messages"][1]["content"]
        return "SAME" if text.index("11 am.") < text.index("At eleven.") else "DIFFERENT"

    assert judged(favours)[0].value == 0.5


@pytest.mark.parametrize(
    ("said", "value"), [("SAME", 1.0), ("partly.", 0.5), (' "DIFFERENT" ', 0.0), ("**Same**", 1.0)]
)
def test_one_word_is_a_verdict_however_it_is_dressed(said: str, value: float) -> None:
    assert judged(said)[0].value == value


@pytest.mark.parametrize(
    "said", ["", "I think SAME", "SAME or DIFFERENT", "0.9", "NOT SAME", "ok", "SAME\nDIFFERENT"]
)
def test_garbage_is_an_error_and_never_a_value(said: str) -> None:
    for script in ((said,), ("SAME", said)):
        found = judged(*script)[0]
        assert found.outcome is Outcome.ERROR and found.value is None
        assert "the judge said" in found.reason


@pytest.mark.parametrize("fault", [HANG, (429, "slow down"), (500, "")])
def test_a_judge_that_does_not_answer_is_an_error_and_what_it_had_said_is_counted(fault: Said) -> None:
    found, server, meter = judged("SAME", fault, timeout=0.05, tries=2)
    assert found.outcome is Outcome.ERROR and found.value is None and "did not answer" in found.reason
    assert len(server.asked) == 3 and meter.replies == 1


def test_a_judge_that_is_busy_for_a_moment_is_asked_again() -> None:
    assert judged((429, ""), "SAME", "SAME")[0].value == 1.0


def test_a_judge_that_refuses_the_key_ends_it() -> None:
    with pytest.raises(TerminalError, match="401"):
        judged((401, ""))


def test_a_judge_that_does_not_exist_ends_it_and_is_not_taken_for_a_version_that_is_gone() -> None:
    with pytest.raises(TerminalError, match="no model 'm'") as found:
        judged((404, '{"error": {"message": "no m here"}}'))
    assert not isinstance(found.value, UnknownModel)


def test_a_pair_that_the_judge_does_not_take_is_an_error() -> None:
    assert judged((400, "too long"))[0].outcome is Outcome.ERROR


def test_equal_answers_are_not_asked_about() -> None:
    found, server, meter = judged("DIFFERENT", one="11 AM. ", other="11 am.")
    assert found.value == 1.0 and server.asked == [] and meter.tokens.both == 0


def test_answers_are_compared_pair_by_pair_and_an_error_leaves_no_matrix() -> None:
    def compared(*script: Said) -> tuple[Compared, int, int]:
        async def go() -> tuple[Compared, int, int]:
            meter = Meter()
            async with scripted(*script) as server, client_of(server.url, []) as client:
                by = ByJudge(Judge(client))
                found = await by.compare("When?", ["a b", "c d", "e f"], meter)
                return found, meter.tokens.both, by.most("When?", 3, 3)

        return asyncio.run(go())

    found, spent, most = compared("SAME", "SAME", "DIFFERENT", "DIFFERENT", "PARTLY")
    assert found.matrix == [[1.0, 1.0, 0.0], [1.0, 1.0, 0.5], [0.0, 0.5, 1.0]]
    assert 0 < spent <= most
    assert compared("SAME", "SAME", "hm")[0].matrix is None


def test_the_bound_grows_with_the_texts_and_holds_where_the_server_does_not_count() -> None:
    async def go() -> None:
        async with scripted("SAME", usage=False) as server, client_of(server.url) as client:
            judge, meter = Judge(client, 2), Meter()
            await judge.compare("When?", "a" * 50, "b" * 70, meter)
            assert meter.tokens.both == judge.most("When?", "a" * 50, "b" * 70)
            assert judge.most("When?", "a" * 50, "b" * 71) > meter.tokens.both

    asyncio.run(go())
