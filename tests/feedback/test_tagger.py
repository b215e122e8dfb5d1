"""The tagger: what it finds in texts of many kinds, where exactly, and how it reads its file."""

from __future__ import annotations

import threading
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import TerminalError
from runner.feedback.privacy.tagger import Span, digest, many, spans
from runner.feedback.privacy.tagger.lexicon import Lexicon, folded
from runner.feedback.privacy.tagger.model import LONGEST, PATH, entities, read
from runner.feedback.privacy.tagger.tokens import tokens

KINDS = {"name", "place", "address", "organisation"}


def found(text: str, language: str = "en") -> set[tuple[str, str]]:
    return {(text[span.start : span.end], span.entity) for span in spans(text, language)}


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("Good morning, my name is Petra Lindqvist and my parcel is late.", "Petra Lindqvist", "name"),
        ("hi, i'm marko petrović, can you reset my password?", "marko petrović", "name"),
        ("Please ask Dr. Okafor about the results.", "Okafor", "name"),
        ("We moved from Rotterdam to a small village.", "Rotterdam", "place"),
        ("She is studying in Portugal this year.", "Portugal", "place"),
        (
            "Ship it to 48 Willow Lane, Springfield, IL 62704.",
            "48 Willow Lane, Springfield, IL 62704",
            "address",
        ),
        ("I live at Bahnhofstraße 12.", "Bahnhofstraße 12", "address"),
        ("제 이름은 김서연입니다.", "김서연", "name"),
        ("박지훈씨에게 보내 주세요.", "박지훈", "name"),
        ("저는 부산에서 살고 있어요.", "부산", "place"),
    ],
)
def test_finds_people_places_and_addresses(text: str, value: str, kind: str) -> None:
    assert (value, kind) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "How do I change the password of my account?",
        "Do you have a book about the history of bread?",
        "We are closed on Monday and open until 6 pm on Friday.",
        "The new phone is too expensive, and the battery is bad.",
        "환불은 어떻게 하나요?",
        "이 책은 얼마예요?",
        "",
        " \n\n ",
        "?!... --- 12",
    ],
)
def test_finds_nobody_where_nobody_is_named(text: str) -> None:
    assert not found(text)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=120))
def test_spans_lie_in_the_text_in_order_and_apart(text: str) -> None:
    last = 0
    for span in spans(text):
        assert last <= span.start < span.end <= len(text)
        assert span.entity in KINDS
        assert 0 <= span.score <= 1.000001
        last = span.end


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=120))
def test_units_are_the_text_without_its_white_space(text: str) -> None:
    units = tokens(text)
    assert all(text[unit.start : unit.end] == unit.form for unit in units)
    assert all(one.end <= two.start for one, two in pairwise(units))
    covered = {at for unit in units for at in range(unit.start, unit.end)}
    assert all(text[at].isspace() for at in range(len(text)) if at not in covered)


@pytest.mark.parametrize("before", ["\U0001f600 ", "한글 ", "e\u0301te\u0301 ", "\n\n"])
def test_offsets_hold_behind_any_letters(before: str) -> None:
    assert ("Petra Lindqvist", "name") in found(f"{before}My name is Petra Lindqvist.")


def test_a_combining_accent_is_part_of_its_word() -> None:
    text = unicodedata.normalize("NFD", "José")
    assert [unit.form for unit in tokens(text)] == [text]


def test_a_long_text_is_searched_to_its_end() -> None:
    text = "Nothing new here. " * LONGEST + "My name is Petra Lindqvist."
    last = spans(text)[-1]
    assert text[last.start : last.end] == "Petra Lindqvist"


def test_a_text_without_an_end_of_a_sentence_is_cut_all_the_same() -> None:
    assert all(span.end <= 2 * (2 * LONGEST + 10) for span in spans("a " * (2 * LONGEST + 10)))


def test_many_texts_give_what_each_gives() -> None:
    texts = ["My name is Petra Lindqvist.", "", "저는 부산에서 살고 있어요."]
    assert many(texts) == [spans(text) for text in texts]


def test_threads_find_what_one_finds() -> None:
    texts = [f"My name is {name} and I live in Rotterdam." for name in ("Petra", "Marko", "Anna", "Paul")] * 5
    alone = many(texts)
    together: dict[int, list[Span]] = {}

    def work(at: int) -> None:
        together[at] = spans(texts[at])

    threads = [threading.Thread(target=work, args=(at,)) for at in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[at] for at in range(len(texts))] == alone


def test_the_shipped_file_is_small_and_named_by_its_content() -> None:
    assert PATH.stat().st_size <= 600 * 1024
    assert read(PATH).digest == digest()
    assert digest().startswith("sha256:")


@pytest.mark.parametrize("content", [b"", b"not a model", PATH.read_bytes()[:1000]])
def test_a_broken_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.xz"
    path.write_bytes(content)
    with pytest.raises(TerminalError, match="cannot be read"):
        read(path)


def test_labels_become_runs() -> None:
    labels = ["O", "B-name", "I-name", "B-name", "O", "I-place", "I-address"]
    assert entities(labels) == [("name", 1, 3), ("name", 3, 4), ("place", 5, 6), ("address", 6, 7)]


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.sampled_from(["g", "gs", "p", "c"])))
def test_a_lexicon_is_read_back_as_it_was_written(flags: dict[str, str]) -> None:
    read_back = Lexicon.parse(Lexicon(flags).text())
    assert all(read_back.flags(word) == kinds for word, kinds in flags.items())


def test_the_lexicon_ignores_case_and_accents() -> None:
    assert folded("ÉLODIE") == "elodie"
    assert Lexicon({"elodie": "g"}).flags("Élodie") == "g"
