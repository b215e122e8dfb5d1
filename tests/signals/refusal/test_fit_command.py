"""`loop signals fit refusal`: a file of labels in, a model that policies can name out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from runner.cli.signals_fit import LEAST, command
from runner.errors import TerminalError
from runner.signals.refusal.detector import Detector

ROWS = [
    {"question": f"{word}?", "answer": answer, "label": label}
    for word in (f"{thing} {number}" for thing in ("lamp", "book", "chair", "desk") for number in range(5))
    for answer, label in (
        ("Zonk.", "refusal"),
        ("It is in the hall.", "answer"),
        ("Hall; the rest zonk.", "partial"),
    )
]


def written(folder: Path, rows: Sequence[dict[str, str]] = ROWS) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_model_is_written_and_measured(tmp_path: Path) -> None:
    output = tmp_path / "models" / "refusal.json"
    said = CliRunner().invoke(command, ["refusal", str(written(tmp_path)), "--output", str(output), "--json"])
    assert said.exit_code == 0, said.output
    told = json.loads(said.output)
    assert told["labels"] == 60 and told["refusals"] == 40 and 0 <= told["measured"]["fitted"]["f1"] <= 1
    detector = Detector.load(output)
    assert detector.model.digest == told["digest"]
    assert detector.probabilities([""], ["Zonk."])[0] > 0.5
    assert [entry.name for entry in output.parent.iterdir()] == ["refusal.json"]


def test_people_are_told_figures_place_and_how_to_use_it(tmp_path: Path) -> None:
    output = tmp_path / "m.json"
    said = CliRunner().invoke(command, ["refusal", str(written(tmp_path)), "--output", str(output)])
    for words in ("60 labels, 40 of them refusals", "shipped", "fitted", str(output), "fewer than 50"):
        assert words in said.output


@pytest.mark.parametrize(("refusals", "answers"), [(1, 1), (40, 19), (19, 20), (0, 20)])
def test_too_few_labels_of_a_kind_are_told_with_how_many_it_takes(
    tmp_path: Path, refusals: int, answers: int
) -> None:
    declined = [row for row in ROWS if row["label"] != "answer"][:refusals]
    helped = [row for row in ROWS if row["label"] == "answer"][:answers]
    output = tmp_path / "models" / "m.json"
    path = written(tmp_path, declined + helped)
    said = CliRunner().invoke(command, ["refusal", str(path), "--output", str(output)])
    told = str(said.exception)
    assert isinstance(said.exception, TerminalError) and "fix: " in told
    for words in (f"{refusals} refusals", f"{answers} answers", f"{LEAST} of each"):
        assert words in told
    assert not output.parent.exists()


def test_just_enough_labels_are_fitted(tmp_path: Path) -> None:
    declined = [row for row in ROWS if row["label"] != "answer"][:LEAST]
    helped = [row for row in ROWS if row["label"] == "answer"][:LEAST]
    output = tmp_path / "m.json"
    path = written(tmp_path, declined + helped)
    assert CliRunner().invoke(command, ["refusal", str(path), "--output", str(output)]).exit_code == 0
    assert output.is_file()


def test_bad_labels_write_nothing(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"question": "q", "answer": "a", "label": "no"}\n', encoding="utf-8")
    output = tmp_path / "m.json"
    said = CliRunner().invoke(command, ["refusal", str(path), "--output", str(output)])
    assert isinstance(said.exception, TerminalError) and f"{path}:1" in str(said.exception)
    assert not output.exists()


def test_a_place_that_cannot_be_written_is_told_before_anything_is_fitted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "m.json"
    said = CliRunner().invoke(command, ["refusal", str(written(tmp_path)), "--output", str(place)])
    assert isinstance(said.exception, TerminalError) and "cannot be written" in str(said.exception)


@pytest.mark.parametrize("arguments", [["--help"], ["refusal", "--help"]])
def test_help_has_an_example(arguments: list[str]) -> None:
    said = CliRunner().invoke(command, arguments)
    assert said.exit_code == 0 and "loop signals fit refusal labels.jsonl" in said.output
