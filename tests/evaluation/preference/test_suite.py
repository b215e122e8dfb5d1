"""Win rates from the questions to the figures, over the judge's real HTTP side."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from runner.evaluation.gates import decide_one
from runner.evaluation.results import Measured, SuiteResult
from runner.spec.condition import parse
from runner.spec.evaluation import Arbiter, Gate, Judge
from runner.spec.model import GateVerdict
from tests.evaluation.preference.jobs import CUSTOMERS, PREFERENCES, asked, brief, carried, full, job, wrong
from tests.evaluation.scripted import scripted

ROWS = asked(120)
WON = Gate(suite="preference", require=parse("win_rate > 50%"))


def value(result: SuiteResult, metric: str) -> Measured:
    found = result.of(metric)
    assert found is not None, metric
    return found


def verdict(result: SuiteResult) -> GateVerdict:
    return decide_one("preferred", WON, result).verdict


@pytest.fixture(scope="module")
def sentences() -> SuiteResult:
    """Whole sentences against bare answers, in the eyes of the bookshop's customers."""
    return carried(job(ROWS, full(ROWS), brief(ROWS)), CUSTOMERS)


def test_people_prefer_whole_sentences_and_the_gate_passes(sentences: SuiteResult) -> None:
    found = value(sentences, "win_rate")
    assert found.n == len(ROWS) and found.value is not None and found.value > 0.6
    assert found.low is not None and found.low > 0.5
    assert sentences.error is None and verdict(sentences) is GateVerdict.PASS


def test_the_other_way_round_it_fails_and_two_equal_versions_prove_nothing(sentences: SuiteResult) -> None:
    turned = carried(job(ROWS, brief(ROWS), full(ROWS)), CUSTOMERS)
    one, other = value(sentences, "win_rate"), value(turned, "win_rate")
    assert one.value is not None and other.value == pytest.approx(1.0 - one.value)
    assert verdict(turned) is GateVerdict.FAIL
    same = carried(job(ROWS, brief(ROWS), brief(ROWS)), CUSTOMERS)
    assert value(same, "win_rate").value == 0.5 and value(same, "ties").value == 1.0
    assert verdict(same) is GateVerdict.INCONCLUSIVE


def test_every_question_keeps_both_answers_and_who_won(sentences: SuiteResult) -> None:
    assert [row.id for row in sentences.rows] == [row["id"] for row in ROWS]
    notes = [row.note for row in sentences.rows]
    found = value(sentences, "win_rate")
    assert f"{notes.count('won')} won, {notes.count('tied')} tied, {notes.count('lost')} lost" == found.about
    first = sentences.rows[0]
    assert first.answer == full(ROWS)[first.question] and first.parent_answer == brief(ROWS)[first.question]
    assert first.right and first.parent_right


def test_what_lies_behind_is_measured_too(sentences: SuiteResult) -> None:
    assert value(sentences, "judge_agreement").n >= 95, (
        "of 100, but for texts that masking has made unreadable"
    )
    assert value(sentences, "judge_position_consistency").value == 1.0
    assert value(sentences, "judge_first_place").value == 0.5
    tokens = value(sentences, "judge_tokens")
    assert tokens.value is not None and tokens.value > 10 * tokens.n > 0
    longer = value(sentences, "judge_longer").value
    assert longer is not None and longer > 0.6
    own, parents = value(sentences, "answer_characters").value, sentences.of_baseline("answer_characters")
    assert parents is not None and own is not None and parents.value is not None and own > 2 * parents.value
    parts = [value(sentences, f"win_rate.language.{language}").n for language in ("en", "ko")]
    assert sum(parts) == len(ROWS) and all(parts)


def test_at_equal_length_nothing_is_said_where_no_two_answers_are_nearly_as_long(
    sentences: SuiteResult,
) -> None:
    found = value(sentences, "win_rate_length_controlled")
    assert found.value is None and "too few for equal length" in found.about


def test_right_answers_decide_without_anybody() -> None:
    half = ROWS[: len(ROWS) // 4]
    mixed = brief(ROWS) | wrong(half)
    found = carried(job(ROWS, mixed, brief(ROWS), Arbiter.REFERENCE))
    assert value(found, "win_rate").value == pytest.approx(0.5 - len(half) / len(ROWS) / 2)
    assert verdict(found) is GateVerdict.FAIL
    both = carried(job(ROWS, wrong(ROWS), wrong(ROWS), Arbiter.REFERENCE))
    assert value(both, "ties").value == 1.0


def test_a_question_that_stands_twice_counts_once() -> None:
    twice = [*ROWS[:40], *({**row, "id": f"again-{row['id']}"} for row in ROWS[:40])]
    found = carried(job(twice, full(ROWS), brief(ROWS)), CUSTOMERS)
    assert value(found, "win_rate").n == len(found.rows) == 40


def judged_by(script: str, rows: list[dict[str, object]], **more: object) -> SuiteResult:
    """Carry a suite through with a model that always says the same."""

    async def go() -> tuple[str, SuiteResult]:
        async with scripted(script) as server:
            declared = Judge(base_url=server.url, model="m", calibration="bookshop-preferences", repeats=1)
            return server.url, await asyncio.to_thread(
                carried, job(rows, full(rows), brief(rows)), declared, **more
            )

    return asyncio.run(go())[1]


def test_a_judge_that_people_do_not_agree_with_passes_nothing_and_fails_nothing() -> None:
    found = judged_by("FIRST", ROWS[:20])
    told = value(found, "win_rate")
    assert (told.value, told.low, told.high) == (None, None, None)
    assert "it would be 50.0%" in told.about and verdict(found) is GateVerdict.INCONCLUSIVE
    assert "not calibrated" in decide_one("preferred", WON, found).evidence


def test_a_judge_that_does_not_answer_is_an_error() -> None:
    found = judged_by("I would rather not say.", ROWS[:20])
    assert found.error is not None and "no verdict" in found.error
    assert verdict(found) is GateVerdict.ERROR
    gone = Judge(base_url="http://127.0.0.1:9", model="m", calibration="bookshop-preferences", repeats=1)
    found = carried(job(ROWS[:20], full(ROWS), brief(ROWS)), gone)
    assert verdict(found) is GateVerdict.ERROR


def test_questions_without_a_verdict_are_lost_for_one_end_and_won_for_the_other() -> None:
    strange = [
        {**row, "id": f"s{at}", "question": f"What is {at} times two?"} for at, row in enumerate(ROWS[:20])
    ]
    rows = [*ROWS, *strange]
    tables = [
        table | {row["question"]: text for row in strange}
        for table, text in ((full(ROWS), "a"), (brief(ROWS), "b"))
    ]
    whole, part = carried(job(rows, *tables), CUSTOMERS), carried(job(ROWS, *tables), CUSTOMERS)
    one, other = value(whole, "win_rate"), value(part, "win_rate")
    assert one.value == other.value and one.n == other.n and "20 undecided" in one.about
    assert one.low is not None and other.low is not None and one.low < other.low
    assert one.high is not None and other.high is not None and one.high > other.high
    assert value(whole, "judge_errors").value == pytest.approx(20 / 140)
    assert [row.note.partition(":")[0] for row in whole.rows[-20:]] == ["no verdict"] * 20


def test_a_judge_is_calibrated_once_for_the_same_data(tmp_path: Path) -> None:
    planned = job(ROWS[:10], full(ROWS), brief(ROWS))
    first = carried(planned, CUSTOMERS, calibrations=tmp_path)
    (kept,) = tmp_path.iterdir()
    known = json.loads(kept.read_text())
    kept.write_text(json.dumps(known | {"agreement": 0.123}))
    again = carried(planned, CUSTOMERS, calibrations=tmp_path)
    assert value(first, "judge_agreement").value == known["agreement"]
    assert value(again, "judge_agreement").value == 0.123
    data = tmp_path / "others.jsonl"
    data.write_text(
        "".join(PREFERENCES.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8"
    )
    carried(replace(planned), CUSTOMERS, calibrations=tmp_path, calibration=data)
    assert len(list(tmp_path.glob("*.json"))) == 2
