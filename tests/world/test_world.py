"""The closed world: large enough, deterministic, and free of anything that would make a judgement unsure."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

from runner.simulation.bookshop.values import Kind, Language, read, show
from runner.simulation.bookshop.world import LEXICON, books, facts


def test_the_world_has_at_least_150_facts_and_a_fifth_of_them_in_korean() -> None:
    known = facts()
    korean = [fact for fact in known if Language.KOREAN in fact.languages]
    assert len(known) >= 150
    assert len(korean) / len(known) >= 0.2


def test_every_fact_has_an_id_of_its_own() -> None:
    assert max(Counter(fact.id for fact in facts()).values()) == 1


def test_no_two_books_share_what_tells_them_apart() -> None:
    for attribute in ("title", "author", "shelf", "price", "pages"):
        values = [getattr(book, attribute) for book in books()]
        assert len(set(values)) == len(values), attribute


def test_no_title_or_name_is_part_of_another_in_either_language() -> None:
    for kind, words in LEXICON.items():
        forms = [
            (form.casefold(), word.en)
            for word in words
            for language in Language
            for form in word.forms(language)
        ]
        clashes = [(a, b) for a, one in forms for b, other in forms if one != other and a in b]
        assert not clashes, kind


def test_every_value_is_read_back_from_how_it_is_written() -> None:
    for fact in facts():
        for value in fact.values:
            for language in Language:
                written = show(fact.kind, value, language, LEXICON)
                assert read(fact.kind, f"({written})", (language,), LEXICON) == {value}


def test_values_that_only_look_alike_are_told_apart() -> None:
    one = (Language.ENGLISH,)
    assert read(Kind.MONEY, "$12.5, 12.50 dollars and 12.50달러", one, LEXICON) == {"12.50"}
    assert read(Kind.CLOCK, "9:30 am, 오전 9시 30분, 9:30", one, LEXICON) == {"09:30"}
    assert read(Kind.CLOCK, "12 pm but not 12 am", one, LEXICON) == {"12:00", "00:00"}
    assert read(Kind.PAGES, "1312 pages", one, LEXICON) == {"1312"}
    assert read(Kind.SHELF, "shelf b2, not AB2 or B20", one, LEXICON) == {"B2", "B20"}
    assert read(Kind.YEAR, "call 20121 in 2012", one, LEXICON) == {"2012"}


def test_the_world_is_read_without_torch_or_a_network() -> None:
    code = (
        "import sys, runner.simulation.bookshop.suites, runner.simulation.bookshop.oracle;"
        "print([m for m in ('torch', 'transformers', 'socket', 'asyncio') if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
