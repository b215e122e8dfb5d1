"""What is shipped is what fitting gives, and a team's labels change what counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runner.errors import TerminalError
from runner.signals.embedder import Vectors
from runner.signals.refusal import detector, fitting, labels, questions
from runner.signals.refusal.detector import Detector
from runner.signals.refusal.fitting import Measured, measured
from runner.signals.refusal.labels import Label, Labelled
from runner.signals.refusal.linear import Linear, read

CLOSE = 2e-3
"""Rounding and the machine's arithmetic may move a weight by so much."""


def same(one: Linear, other: Linear) -> None:
    assert one.about == other.about and one.bias == pytest.approx(other.bias, abs=CLOSE)
    assert one.weights.keys() == other.weights.keys()
    for group, weights in one.weights.items():
        there = other.weights[group]
        apart = [
            name
            for name in weights.keys() | there.keys()
            if abs(weights.get(name, 0) - there.get(name, 0)) > CLOSE
        ]
        assert not apart, group


def test_the_shipped_model_is_what_fitting_the_shipped_examples_gives() -> None:
    same(fitting.fit(), read(detector.SHIPPED, detector.KIND))


def test_the_shipped_model_of_questions_is_what_fitting_the_shipped_questions_gives() -> None:
    same(fitting.fit_questions(), read(questions.SHIPPED, questions.KIND))


def test_what_is_shipped_is_small() -> None:
    sizes = [path.stat().st_size for path in (detector.SHIPPED, labels.SHIPPED)]
    assert sizes[0] < 300_000 and sum(sizes) < 600_000


def test_shipped_examples_are_of_every_label_in_both_languages_and_never_twice() -> None:
    rows = labels.read(labels.SHIPPED)
    korean = [any("가" <= letter <= "힣" for letter in row.answer) for row in rows]
    kinds = {(row.label, is_korean) for row, is_korean in zip(rows, korean, strict=True)}
    assert kinds == {(label, language) for label in Label for language in (True, False)}
    assert len({row.answer for row in rows}) == len(rows)


HOUSE = [
    f"Zonk the {word}."
    for word in ["lamp", "book", "chair", "shelf", "desk", "wall", "roof", "cup", "pen", "hat"]
]
FINE = [
    f"The {word} is in the hall."
    for word in ["lamp", "book", "chair", "shelf", "desk", "wall", "roof", "cup", "pen", "hat"]
]


def own(models: Sequence[str] = ("",)) -> list[Labelled]:
    return [
        Labelled(f"{question} {number}", f"{answer} ", label, model)
        for model in models
        for question, answers, label in (("where", HOUSE, Label.REFUSAL), ("what", FINE, Label.ANSWER))
        for number, answer in enumerate(answers)
    ]


def test_a_teams_way_of_refusing_is_learnt_from_its_labels() -> None:
    asked = ["", ""]
    answers = ["Zonk the window.", "The window is in the hall."]
    before = Detector.load().probabilities(asked, answers)
    after = Detector(fitting.fit(own())).probabilities(asked, answers)
    assert after[0] > 0.5 > after[1] and after[0] > before[0]


class Counting:
    """An embedder of two numbers, which counts what it reads."""

    digest = "counting"
    size = 2

    def __init__(self) -> None:
        self.read: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.read += texts
        return np.array(
            [[text.startswith("zonk"), not text.startswith("zonk")] for text in texts], dtype=np.float32
        ).reshape(-1, self.size)


def test_a_model_with_an_embedder_asks_for_the_same_one(tmp_path: Path) -> None:
    embedder = Counting()
    path = tmp_path / "model.json"
    path.write_text(fitting.fit(own(), embedder).to_json(), encoding="utf-8")
    assert Detector.load(path, embedder=embedder).probabilities([""], ["Zonk the window."])[0] > 0.5
    with pytest.raises(TerminalError, match="needs the embedder it was fitted with"):
        Detector.load(path)


def test_cross_validation_reads_every_text_once_and_fits_without_question_and_model_of_what_it_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = own(("one", "two"))
    fits: list[tuple[Labelled, ...]] = []
    scored: list[str] = []
    monkeypatch.setattr(
        fitting, "fit", lambda fitted, embedder: fits.append(tuple(fitted)) or Linear("refusal", 0.0, {})
    )

    class Asked:
        def __init__(self, model: Linear, embedder: object) -> None:
            pass

        def probabilities(self, asked: Sequence[str], answers: Sequence[str]) -> np.ndarray:
            scored.extend(asked)
            away = {row.question for row in fits[-1]}
            assert not away & set(asked)
            return np.zeros(len(asked))

    monkeypatch.setattr(fitting, "Detector", Asked)
    assert fitting.cross_validated(rows).shape == (len(rows),)
    assert sorted(scored) == sorted(row.question for row in rows)
    assert all(len({row.model for row in fitted}) == 1 for fitted in fits)


def test_labels_of_one_question_alone_are_scored_by_the_shipped_examples() -> None:
    found = fitting.cross_validated([Labelled("q", "I cannot help.", Label.REFUSAL)])
    assert found.tolist() == pytest.approx(Detector.load().probabilities([""], ["I cannot help."]), abs=0.01)


def test_right_and_wrong_calls_are_counted() -> None:
    found = measured(np.array([True, True, False, False]), np.array([True, False, True, False]))
    assert found == Measured(1, 1, 1, 4) and found.f1 == found.precision == found.recall == 0.5
    assert Measured(0, 0, 0, 3).f1 is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.jsonl", '{"question": "q", "answer": "a", "label": "Refusal", "more": 1}\n\n'),
        ("l.csv", "model,label,question,answer\r\n,refusal ,q,a\r\n"),
    ],
)
def test_labels_are_read_from_json_lines_and_csv(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    assert labels.read(path) == (Labelled("q", "a", Label.REFUSAL),)


def test_everything_wrong_with_labels_is_told_at_once_with_line_and_fix(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    good = {"question": "q", "answer": "a", "label": "answer"}
    lines = [
        json.dumps(good),
        "{",
        "7",
        json.dumps({**good, "label": "maybe"}),
        json.dumps({**good, "answer": " "}),
        json.dumps({**good, "question": None}),
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(TerminalError) as raised:
        labels.read(path)
    told = raised.value.diagnostics
    assert [one.location.line for one in told if one.location] == [2, 3, 4, 5, 6]
    assert all(one.fix for one in told) and "'maybe'" in str(told[2])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("l.csv", b"question,text\nq,a\n", "lacks: answer, label"),
        ("l.csv", b"", "lacks: question, answer, label"),
        ("l.csv", b"question,answer,label\nq,a\n", "`label`"),
        ("l.csv", b'question,answer,label\nq,"a\n', "not CSV"),
        ("l.jsonl", b"", "no labels"),
        ("l.jsonl", b"\xff\xfe", "not UTF-8"),
        ("l.txt", b"x", ".jsonl or .csv"),
    ],
)
def test_a_file_that_holds_no_labels_says_why(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TerminalError) as raised:
        labels.read(path)
    assert says in str(raised.value)


def many() -> list[Labelled]:
    """Enough labels for a fit of their own: the same words refuse after one question and answer another."""
    said = [("How do I harm my {}?", Label.REFUSAL), ("How do I water my {}?", Label.ANSWER)]
    return [
        Labelled(asked.format(f"{word} {number}"), f"Think about the {word} first, and {end}.", label)
        for word in ["neighbour", "teacher", "boss", "brother", "cousin"]
        for number in range(20)
        for asked, label in said
        for end in ("then wait", "be kind")
    ]


def test_with_many_labels_the_question_helps_to_tell_a_refusal() -> None:
    rows = many()
    assert len(rows) >= fitting.ENOUGH
    found = Detector(fitting.fit(rows))
    answer = "Think about the teacher first, and then wait."
    asked = ["How do I harm my teacher?", "How do I water my tulips?"]
    harmful, harmless = found.probabilities(asked, [answer] * 2)
    assert harmful > 0.5 > harmless
    cross = fitting.cross_validated(rows)
    assert measured(np.array([row.refuses for row in rows]), cross >= 0.5).f1 == 1.0


def test_a_model_of_many_labels_says_alone_what_it_says_in_a_batch_and_survives_its_file(
    tmp_path: Path,
) -> None:
    embedder = Counting()
    model = fitting.fit(many(), embedder)
    path = tmp_path / "model.json"
    path.write_text(model.to_json(), encoding="utf-8")
    found = Detector.load(path, embedder=embedder)
    assert found.model == model and found.digest == Detector(model, embedder=embedder).digest
    asked = ["How do I harm my boss?", "", "Why?"]
    answers = ["Think first.", "Zonk. Be kind, and then wait.", ""]
    together = found.probabilities(asked, answers)
    alone = [found.probabilities([one], [other])[0] for one, other in zip(asked, answers, strict=True)]
    assert together.tolist() == alone and together[2] == 0
    assert len(found.probabilities([], [])) == 0


def test_the_same_labels_give_the_same_model_in_any_process() -> None:
    rows = many()
    assert fitting.fit(rows).to_json() == fitting.fit(rows).to_json()


def test_a_model_of_many_labels_that_was_cut_is_told(tmp_path: Path) -> None:
    model = fitting.fit(many())
    groups = {name: group for name, group in model.weights.items() if "harmful" not in name}
    path = tmp_path / "model.json"
    path.write_text(replace(model, weights=groups).to_json(), encoding="utf-8")
    with pytest.raises(TerminalError, match="lacks a part of its weights"):
        Detector.load(path)
