"""Texts made from rules for the tagger, and what the training makes of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import TerminalError
from runner.feedback.privacy.tagger.grammar import Grammar, Piece, parse
from runner.feedback.privacy.tagger.tokens import tokens
from runner.feedback.privacy.tagger.train import FRAMES, disturbed, example, labels

NAMED = {"name": lambda _: [("Ann Lee", "name")], "town": lambda _: [("Ghent", "place")]}


def made(rules: str, seed: int = 0) -> list[Piece]:
    return Grammar(parse(rules), NAMED).text("text", random.Random(seed))


def texts(rules: str) -> set[str]:
    return {"".join(part for part, _ in made(rules, seed)) for seed in range(40)}


def test_brackets_choose_and_names_expand() -> None:
    assert texts("@text\n[Dear|Hi] {who}[!|]\n@who\n{name}\nall") == {
        f"{greeting} {who}{mark}"
        for greeting in ("Dear", "Hi")
        for who in ("Ann Lee", "all")
        for mark in ("!", "")
    }


def test_brackets_nest_and_lines_end() -> None:
    assert texts("@text\na[b[c|d]|]\\nf") == {"abc\nf", "abd\nf", "a\nf"}


def test_spaces_that_an_empty_choice_would_double_are_dropped() -> None:
    assert texts("@text\nfrom [the|] {town}") == {"from the Ghent", "from Ghent"}


def test_a_weight_makes_an_alternative_likelier() -> None:
    chance = random.Random(1)
    grammar = Grammar(parse("@text\n9* a\nb"), {})
    drawn = [grammar.text("text", chance)[0][0] for _ in range(1000)]
    assert 850 < drawn.count("a") < 950


@pytest.mark.parametrize("rules", ["@text\na [b", "@text\na ] b", "@text\n{nobody}"])
def test_rules_that_make_no_sense_are_refused(rules: str) -> None:
    with pytest.raises(TerminalError):
        made(rules)


@pytest.mark.parametrize("path", sorted(FRAMES.glob("*.txt")), ids=lambda path: path.stem)
def test_every_rule_that_is_shipped_can_be_read(path: Path) -> None:
    assert "text" in parse(path.read_text(encoding="utf-8"))


@given(st.integers(0, 10_000))
def test_spans_name_the_same_pieces_however_a_text_is_disturbed(seed: int) -> None:
    pieces = made("@text\nDear {name}, how is {town}?\\nWell, {name} - write.")
    one = example(disturbed(pieces, random.Random(seed)))
    assert [one.text[start:end].lower() for start, end, _ in one.spans] == ["ann lee", "ghent", "ann lee"]
    assert [kind for _, _, kind in one.spans] == ["name", "place", "name"]


def test_labels_begin_anew_with_each_span() -> None:
    text = "Ann Lee Ghent now"
    assert labels(tokens(text), ((0, 7, "name"), (8, 13, "place"))) == ["B-name", "I-name", "B-place", "O"]
