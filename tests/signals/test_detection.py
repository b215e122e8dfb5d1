"""What a rollout's evidence detects with: as declared, the same for every batch, and known by its digest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.errors import TerminalError
from runner.signals import reask
from runner.signals.detection import REASKS, REFUSALS, SHIPPED, Detection
from runner.signals.lexical import Lexical
from runner.signals.outcomes import SOURCES
from runner.signals.refusal import detector
from runner.spec.signals import SignalPolicy

ANSWERS = (
    "Sorry, I can only help with the bookshop.",
    "It is on the third shelf, to the left of the stairs.",
    "",
    "죄송하지만 그 질문에는 답변을 드릴 수 없습니다.",
    "Please ask a colleague at the front desk, who knows the shelves.",
)


def declared(**signals: dict[str, Any]) -> Detection:
    return Detection.of(
        SignalPolicy.model_validate(
            {
                "signals": {
                    name: {"source": "content", "window": "24h", "detector": what}
                    for name, what in signals.items()
                }
            }
        )
    )


def refused(detection: Detection, *answers: str) -> list[bool]:
    return detection.refuses()([""] * len(answers), answers)


def fitted(path: Path, **changes: Any) -> Path:
    """Write the shipped model with other values to a file."""
    path.write_text(json.dumps({**json.loads(detector.SHIPPED.read_text("utf-8")), **changes}), "utf-8")
    return path


def test_what_a_policy_leaves_out_is_as_shipped() -> None:
    assert declared() == SHIPPED == Detection()
    assert declared(refusal_rate={"kind": "refusal"}, reask_rate={"kind": "reask"}) == SHIPPED


def test_what_a_policy_declares_for_the_two_metrics_is_used_and_of_no_other_metric() -> None:
    found = declared(
        over_refusal_rate={"kind": "refusal", "threshold": 0.9},
        refusal_rate={"kind": "refusal", "threshold": 0.7, "keywords": ["no idea"], "model": "a/model.json"},
        reask_rate={"kind": "reask", "within": "5m", "threshold": 0.8},
    )
    assert found == Detection(0.7, ("no idea",), "a/model.json", 300.0, 0.8)
    assert found.below(Path("/srv/repo")).model == "/srv/repo/a/model.json"


def test_a_keyword_counts_whatever_the_model_says_and_a_threshold_moves_the_line() -> None:
    assert refused(SHIPPED, *ANSWERS) == [True, False, False, True, False]
    assert refused(Detection(keywords=("Ask a COLLEAGUE",)), *ANSWERS) == [True, False, False, True, True]
    assert refused(Detection(refusal_threshold=1.0), *ANSWERS) == [False] * 5
    assert refused(Detection(refusal_threshold=0.0), ANSWERS[1]) == [True]


def test_a_batch_says_what_its_answers_say_one_by_one() -> None:
    assert refused(SHIPPED, *ANSWERS) == [refused(SHIPPED, answer)[0] for answer in ANSWERS]
    assert refused(SHIPPED) == []


def test_a_likeness_from_the_threshold_on_is_a_question_asked_again() -> None:
    one, other = map(reask.sketch, ("How long can I return a book?", "how long can i give a book back?"))
    alike = reask.likeness(one, other)
    assert 0.0 < alike < 1.0
    assert Detection(reask_threshold=alike).asked_again(one, other)
    assert not Detection(reask_threshold=alike + 0.01).asked_again(one, other)


CHANGES: dict[str, Callable[[Detection], Detection]] = {
    "threshold": lambda each: replace(each, refusal_threshold=0.6),
    "keywords": lambda each: replace(each, keywords=("no idea",)),
    "within": lambda each: replace(each, within=60.0),
    "likeness": lambda each: replace(each, reask_threshold=0.7),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_digest_tells_every_change_where_it_is_asked_for(change: str) -> None:
    changed = CHANGES[change](SHIPPED)
    assert changed.digest != SHIPPED.digest
    assert changed.needed_by(SOURCES) == changed
    asked = REFUSALS if change in ("threshold", "keywords") else REASKS
    assert changed.needed_by(frozenset({asked})) == changed
    assert changed.needed_by(SOURCES - {asked}) == SHIPPED


def test_the_digest_is_of_a_models_bytes_and_not_of_their_place(tmp_path: Path) -> None:
    here, there = (Detection(model=str(fitted(tmp_path / name))) for name in ("one.json", "two.json"))
    assert here.digest == there.digest
    fitted(tmp_path / "two.json", bias=-50.0)
    assert here.digest != there.digest != replace(there, model=str(tmp_path / "gone.json")).digest
    assert Detection(model="gone.json").needed_by(frozenset({REASKS})) == SHIPPED


def test_other_bytes_at_the_same_place_are_another_model(tmp_path: Path) -> None:
    detection = Detection(model=str(fitted(tmp_path / "model.json")))
    assert refused(detection, ANSWERS[0]) == [True]
    fitted(tmp_path / "model.json", bias=-50.0)
    assert refused(detection, ANSWERS[0]) == [False]


def test_a_model_over_spelling_works_and_one_over_meaning_is_told(tmp_path: Path) -> None:
    lexical = Lexical()
    dense = [0.0] * lexical.size
    path = fitted(tmp_path / "model.json", embedder=lexical.digest, dense=dense)
    assert refused(Detection(model=str(path)), *ANSWERS) == refused(SHIPPED, *ANSWERS)
    fitted(path, embedder="minilm", dense=[0.0] * 384)
    with pytest.raises(TerminalError, match="needs the embedder it was fitted with"):
        Detection(model=str(path)).refuses()


@pytest.mark.parametrize("damage", ["gone", "torn", "folder"])
def test_a_model_that_cannot_be_read_is_told_with_its_place(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "model.json"
    if damage == "torn":
        path.write_text('{"format": 1,')
    if damage == "folder":
        path.mkdir()
    with pytest.raises(TerminalError, match=r"model\.json") as caught:
        Detection(model=str(path)).refuses()
    assert caught.value.diagnostics[0].fix
