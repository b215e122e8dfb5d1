"""A suite's question is found however it is spelled, and another question is not taken for it."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.feedback.preferences.leakage import Guarded, HeldOut, Suite, bare, is_drawn
from runner.feedback.preferences.likeness import Neighbours, fold, likeness, squeezed
from runner.feedback.preferences.quoted import Quoted
from tests.feedback.collected_worlds import asks

QUESTIONS = {
    "author": "Who wrote The Lantern Ledger?",
    "price": "혜성 부스러기 책은 얼마예요?",
    "opens": "When do you open on Saturday?",
    "page": "Is page 12 missing in Turnip Royal?",
    "thanks": "Is it true that the café on the third floor has closed by noon?",
}
GUARDED = Guarded([Suite("suite", QUESTIONS)], 0.9, str)
NAMES = st.sampled_from(sorted(QUESTIONS))
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
LOOK_ALIKE = str.maketrans("aeopcxyiATOHEK", "аеорсхуіАТОНЕК")
UNSEEN = [
    "\u200b",
    "\u200d",
    "\u00ad",
    "\u2060",
    "\ufeff",
    "\u180e",
    "\u3164",
    "\uffa0",
    "\u115f",
    "\u034f",
    "\ufe0f",
]


def found(*messages: tuple[str, str]) -> str | None:
    leak = GUARDED.leak(tuple({"role": role, "content": text} for role, text in messages))
    return leak.question if leak else None


def spread(draw, text, pieces, allowed=lambda _before, _after: True):
    """Return a text with pieces put in wherever the test wants some."""
    out = text[0]
    for before, after in pairwise(text):
        out += (draw(pieces) if allowed(before, after) else "") + after
    return out


@settings(max_examples=60)
@given(NAMES, st.data())
def test_what_cannot_be_seen_hides_no_question(name, data):
    text = spread(data.draw, QUESTIONS[name], st.sampled_from(["", *UNSEEN]))
    assert found(("user", text)) == name


@settings(max_examples=60)
@given(NAMES, st.data())
def test_spaces_put_in_and_left_out_hide_no_question(name, data):
    text = QUESTIONS[name].replace(
        " ", data.draw(st.sampled_from(["", " ", "\n", "_", "-", "\u3000", "\u2800"]))
    )
    gaps = st.sampled_from(["", "", " ", ".", "_", "\u00a0", "*"])
    text = spread(data.draw, text, gaps, lambda before, after: not (before.isdecimal() and after.isdecimal()))
    assert found(("user", text)) == name


@settings(max_examples=60)
@given(NAMES, st.data())
def test_case_width_form_and_look_alikes_hide_no_question(name, data):
    ways = [str.upper, str.lower, str.title, lambda text: text.translate(FULL_WIDTH)]
    ways += [lambda text: text.translate(LOOK_ALIKE), lambda text: "".join(f"{each}\u0336" for each in text)]
    ways += [
        lambda text, form=form: unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")
    ]
    text = QUESTIONS[name]
    for way in data.draw(st.lists(st.sampled_from(ways), max_size=3)):
        text = way(text)
    assert found(("user", text)) == name


@settings(max_examples=40)
@given(NAMES, st.text(max_size=30), st.text(max_size=30))
def test_what_stands_around_hides_no_question(name, before, after):
    assert found(("user", f"{before}. {QUESTIONS[name]} {after}")) is not None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("혜성부스러기 책은 얼마예요?", "price"),
        ("안녕하세요, 혜성부스러기책은 얼마예요? 감사합니다", "price"),
        ("Whowrote TheLanternLedger?", "author"),
        ("Who wrote The_Lantern_Ledger?", "author"),
        ("Wh\u043e wrote The L\u0430ntern Ledger?", "author"),
        ("<Who> wrote The Lantern L<e>dger", "author"),
        ("Ẃhö wrote thé Làntern Ledger", "author"),
        ("Who, by the way, wrote The Lantern Ledger?", "author"),
        ("Hi! Who wrote, if I may ask, The Lantern Ledger?", "author"),
        ("is it true that the cafe on the third floor has closed by noon", "thanks"),
    ],
)
def test_a_question_is_found_in_its_common_disguises(text, name):
    assert found(("user", text)) == name


@pytest.mark.parametrize(
    "text",
    [
        "When do you open on Sunday?",
        "Who wrote The Velvet Compass?",
        "Who wrote The Lantern Atlas?",
        "혜성 부스러기 책은 몇 쪽이에요?",
        "종이 나방 책은 얼마예요?",
        "Is page 13 missing in Turnip Royal?",
        "Is page 120 missing in Turnip Royal?",
        "Is page 1 2 missing in Turnip Royal?",
        "Who, as everybody in this town has always known, wrote The Lantern Ledger?",
        "Ledger Lantern The wrote who",
        "",
        "\u200b\u3164",
    ],
)
def test_another_title_another_day_another_number_is_another_question(text):
    assert found(("user", text)) is None


def test_words_put_in_that_tell_one_question_from_another_make_another_question():
    titles = {str(number): f"Which shelf has the book of {number * 'o'}?" for number in range(30)}
    own = {"inland": "How many days does a parcel take?", "abroad": "Can I pay from another country?"}
    guarded = Guarded([Suite("suite", own | titles)], 0.9, str)
    assert guarded.leak(asks("How many days does a parcel to another country take?")) is None
    assert guarded.leak(asks("How many days, on average, does a parcel take?")) is not None


@pytest.mark.parametrize("role", ["system", "developer", "assistant", "tool"])
def test_a_question_leaks_whoever_says_it(role):
    assert (
        found((role, f"You sell books. {QUESTIONS['author']} Mirel Oakhart."), ("user", "Thanks!"))
        == "author"
    )


def test_a_part_of_a_question_leaks_only_where_the_user_asks_it():
    assert found(("user", "the lantern ledger")) == "author"
    assert found(("user", "Which book?"), ("assistant", "The Lantern Ledger.")) is None


QUOTED = st.lists(
    st.sampled_from(["who", "wrote", "the", "lantern", "ledger", "12", "price"]), min_size=1, max_size=9
)


@settings(max_examples=80)
@given(st.lists(QUOTED, max_size=6), QUOTED)
def test_the_search_for_whole_questions_finds_what_looking_for_each_would_find(questions, said):
    texts, text = {" ".join(each) for each in questions}, " ".join(said)
    long = {each for each in texts if len(each) >= 12}
    quoted = Quoted(texts)
    assert {each for each in long if f" {each} " in f" {text} "} <= quoted.within(text) <= long
    assert quoted.around(text) == {each for each in long if len(text) >= 12 and f" {text} " in f" {each} "}


@given(st.text(max_size=40))
def test_what_is_folded_stays_as_it_is(text):
    for way in (fold, bare):
        assert way(way(text)) == way(text)
    assert "_" not in fold(text) and "  " not in fold(text)


@given(st.text(alphabet="ab 12\uac00\uac01", max_size=12), st.text(alphabet="ab 12\uac00\uac01", max_size=12))
def test_texts_that_differ_in_spaces_alone_are_the_same_but_numbers_stay_apart(one, other):
    assert (squeezed(fold(one)) == squeezed(fold(other))) <= (likeness(one, other) == 1.0)
    if squeezed(fold(one)) == squeezed(fold(other)):
        assert [match.text for match in Neighbours([one], 0.9).of(other)] == [fold(one)]
    assert likeness("1 2", "12") < 1.0


def test_a_question_kept_for_cases_is_held_in_other_spacing_too():
    kept = next(text for n in range(99) if is_drawn(text := f"파란 지도 {n * '책'} 어디 있어요", 0.2))
    held = HeldOut([asks(kept)], 0.2, 0.9)
    assert held.holds(asks(kept.replace(" ", "")))
    assert not held.holds(asks("빨간 우산 있어요"))
