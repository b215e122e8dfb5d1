"""Whether a judge may decide: agreement with people, its interval, and what is made of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.errors import TerminalError
from runner.evaluation.preference.calibration import (
    Calibration,
    Example,
    keep,
    kept,
    key,
    load,
    measured,
)
from runner.evaluation.preference.judge import Comparison
from runner.evaluation.preference.prompt import Word
from runner.spec.evaluation import Judge
from runner.spec.model import GateVerdict
from tests.evaluation.preference.jobs import CUSTOMERS, PREFERENCES

FOR, AGAINST, TIE = (
    Comparison(((Word.FIRST, Word.SECOND),)),
    Comparison(((Word.SECOND, Word.FIRST),)),
    Comparison(((Word.TIE, Word.TIE),)),
)
FLIPS = Comparison(((Word.FIRST, Word.FIRST),))
SILENT = Comparison(error="the judge said nothing")


def examples(number: int) -> list[Example]:
    return [Example(f"e{at}", f"question {at}", "yes, it is", "no") for at in range(number)]


def said(right: int, other: int, said_otherwise: Comparison = TIE, silent: int = 0) -> Calibration:
    """Return the calibration of a judge that agrees with people so often, and otherwise says something else."""
    found = examples(right + other + silent)
    verdicts = [FOR if each.chosen_first else AGAINST for each in found[:right]]
    against = [
        {TIE: TIE, FLIPS: FLIPS}.get(said_otherwise, AGAINST if each.chosen_first else FOR)
        for each in found[right : right + other]
    ]
    return measured(CUSTOMERS, found, [*verdicts, *against, *[SILENT] * silent])


def test_the_lower_end_of_agreement_has_to_reach_what_is_asked_for() -> None:
    assert said(90, 10, AGAINST).verdict is GateVerdict.PASS
    assert (
        said(72, 28, AGAINST).verdict is GateVerdict.INCONCLUSIVE
    )  # 72% is above 70%, and nothing is proven
    assert said(40, 60, AGAINST).verdict is GateVerdict.FAIL


@pytest.mark.parametrize("otherwise", [TIE, FLIPS])
def test_ties_and_verdicts_that_turn_with_the_places_count_half(otherwise: Comparison) -> None:
    found = said(60, 40, otherwise)
    assert found.agreement == pytest.approx(0.8)
    assert said(0, 100, otherwise).verdict is GateVerdict.FAIL


def test_few_pairs_say_nothing_however_well_they_go() -> None:
    found = said(29, 0)
    assert found.verdict is GateVerdict.INCONCLUSIVE and "30 are needed" in found.reason
    assert said(0, 0).verdict is GateVerdict.INCONCLUSIVE and said(0, 0).agreement is None
    assert said(30, 0).verdict is GateVerdict.PASS


def test_pairs_without_a_verdict_are_counted_and_are_no_agreement() -> None:
    found = said(40, 0, silent=60)
    assert (found.pairs, found.errors) == (40, 60)
    assert found.low < said(100, 0).low


def test_places_and_lengths_are_reported_beside_people() -> None:
    found = said(80, 20, FLIPS)
    assert found.consistency == pytest.approx(0.8)
    assert (found.longer_judge, found.longer_people) == (1.0, 1.0)
    assert found.kappa is not None and found.alpha is not None and found.alpha_low is not None
    assert found.alpha_low <= found.alpha
    assert said(100, 0).kappa == pytest.approx(1.0)


def test_what_nobody_compared_blindly_is_left_out(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in PREFERENCES.read_text(encoding="utf-8").splitlines()]
    found, digest = load(PREFERENCES, 10_000)
    votes = [row for row in rows if row["origin"] == "vote" and not row["synthetic"]]
    assert {each.id for each in found} == {row["id"] for row in votes} and len(votes) < len(rows)
    some, same = load(PREFERENCES, 30)
    assert some == found[:30] and same == digest
    shown_first = [each.chosen_first for each in found]
    assert 0.3 < sum(shown_first) / len(found) < 0.7
    path = tmp_path / "made.jsonl"
    path.write_text("".join(json.dumps({**row, "synthetic": True}) + "\n" for row in rows))
    assert load(path, 100)[0] == []


@pytest.mark.parametrize("text", ["{", "{}", '{"id": "a", "prompt": [], "chosen": [], "rejected": []}', "[]"])
def test_data_that_cannot_be_read_is_one_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(text + "\n")
    with pytest.raises(TerminalError, match="cannot be read"):
        load(path, 100)
    with pytest.raises(TerminalError, match="are not here"):
        load(tmp_path / "nothing.jsonl", 100)


def test_what_was_found_out_is_kept_for_this_judge_and_this_data_only(tmp_path: Path) -> None:
    found, name = said(90, 10), key(CUSTOMERS, "data")
    keep(tmp_path, name, found)
    assert kept(tmp_path, name) == found
    model = Judge(base_url="http://127.0.0.1:9", model="m", calibration="bookshop-preferences")
    others = [
        key(CUSTOMERS, "other"),
        key(model, "data"),
        key(model.model_copy(update={"model": "n"}), "data"),
    ]
    assert len({name, *others}) == 4 and all(kept(tmp_path, other) is None for other in others)
    (tmp_path / f"{name}.json").write_text("{}")
    assert kept(tmp_path, name) is None


def test_a_few_texts_that_no_judge_can_read_are_kept_as_such(tmp_path: Path) -> None:
    keep(tmp_path, "name", said(90, 10, silent=5))
    found = kept(tmp_path, "name")
    assert found is not None and found.errors == 5


def test_more_errors_are_not_kept_and_take_away_what_was_known(tmp_path: Path) -> None:
    keep(tmp_path, "name", said(90, 10))
    keep(tmp_path, "name", said(90, 10, silent=6))
    assert list(tmp_path.iterdir()) == []
