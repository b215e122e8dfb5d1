"""The facts of the bookshop: what is true in the closed world, and nothing else is.

Deterministic: everything follows from the lists of names, the rules of the house and one seed. `questions`
asks for these facts and `oracle` knows every other value that an answer might wrongly give. Pure values;
no I/O.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from runner.simulation.bookshop import house
from runner.simulation.bookshop.catalogue import AUTHORS, OWNER, PLACES, SECTIONS, THINGS, TITLES, WEEKDAYS
from runner.simulation.bookshop.values import Kind, Language, Lexicon, Word, show

SEED = 20261121
KOREAN_BOOKS = 12
LEXICON: Lexicon = {
    Kind.PERSON: (*AUTHORS, OWNER),
    Kind.TITLE: TITLES,
    Kind.SECTION: SECTIONS,
    Kind.WEEKDAY: WEEKDAYS,
    Kind.PLACE: PLACES,
    Kind.THING: THINGS,
}


Said = tuple[tuple[Language, str], ...]


@dataclass(frozen=True, slots=True)
class Book:
    """One book of the shop. `price` in dollars as text, `shelf` a letter and a number, `copies` in stock."""

    title: Word
    author: Word
    section: Word
    shelf: str
    price: str
    pages: int
    year: int
    copies: int


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is true. `topic` says which questions ask for it, `subject` fills their blanks.

    `values` are canonical; an answer is right if it gives one of them and no other value of that kind.
    `says` is a plain sentence in each language that the fact exists in.
    """

    id: str
    topic: str
    kind: Kind
    values: tuple[str, ...]
    subject: tuple[Word, ...] = ()
    says: Said = ()

    @property
    def languages(self) -> tuple[Language, ...]:
        """The languages that customers ask for it in."""
        return tuple(language for language, _ in self.says)

    def value(self, language: Language) -> str:
        """The first of the values, as people write it."""
        return show(self.kind, self.values[0], language, LEXICON)


@cache
def books() -> tuple[Book, ...]:
    """Return the catalogue; no two books share an author, a shelf, a price or a number of pages."""
    rng = random.Random(SEED)
    prices = rng.sample([f"{cents / 100:.2f}" for cents in range(650, 3000, 25)], len(TITLES))
    pages = rng.sample(range(96, 520, 4), len(TITLES))
    years = [rng.randrange(1990, 2026) for _ in TITLES]
    copies = [rng.choice((0, 1, 2, 3, 4, 5, 6, 8, 9)) for _ in TITLES]
    places = [
        (section, f"{letter}{number}")
        for letter, section in zip("ABCDEFGH", SECTIONS, strict=True)
        for number in (1, 2, 3)
    ]
    rng.shuffle(places)
    rows = zip(TITLES, AUTHORS, places, prices, pages, years, copies, strict=True)
    return tuple(
        Book(title, author, section, shelf, price, page, year, copy)
        for title, author, (section, shelf), price, page, year, copy in rows
    )


@cache
def facts() -> tuple[Fact, ...]:
    """Return every fact, in a fixed order."""
    each_book = [
        fact for number, book in enumerate(books()) for fact in _of_book(book, number < KOREAN_BOOKS)
    ]
    return (*each_book, *_comparisons(), *_suggestions(), *_hours(), *map(_of_rule, house.rules()))


def rule(fact: Fact) -> house.Rule | None:
    """Return the rule of the house that a fact states, or None for facts about books and hours."""
    return next((r for r in house.rules() if r.id == fact.topic), None)


_BOOK_SAYS = {  # topic: English, Korean ("" where nobody asks in Korean)
    "author": ("{t} was written by {v}.", "{t} 책의 저자는 {v}입니다."),
    "price": ("{t} costs {v}.", "{t} 책의 가격은 {v}입니다."),
    "shelf": ("{t} is on {v}.", "{t} 책은 {v}에 있습니다."),
    "copies": ("There are {v} of {t} in stock.", "{t} 책은 {v} 있습니다."),
    "section": ("{t} is in the {v} section.", ""),
    "pages": ("{t} has {v}.", ""),
    "year": ("{t} was published in {v}.", ""),
}


def _of_book(book: Book, korean: bool) -> list[Fact]:
    asked = {
        "author": (Kind.PERSON, book.author.en),
        "price": (Kind.MONEY, book.price),
        "shelf": (Kind.SHELF, book.shelf),
        "copies": (Kind.COPIES, str(book.copies)),
        "section": (Kind.SECTION, book.section.en),
        "pages": (Kind.PAGES, str(book.pages)),
        "year": (Kind.YEAR, str(book.year)),
    }
    found = []
    for topic, (kind, value) in asked.items():
        english, in_korean = _BOOK_SAYS[topic]
        if topic == "copies" and book.copies == 0:
            english, in_korean = "{t} is sold out.", "{t} 책은 품절입니다."
        said = _say(kind, value, english, in_korean if korean else "", t=book.title)
        found.append(Fact(f"{topic}/{_slug(book.title)}", topic, kind, (value,), (book.title,), said))
    said = _say(
        Kind.TITLE,
        book.title.en,
        "{a} wrote {v}.",
        "{a} 작가의 책은 {v}입니다." if korean else "",
        a=book.author,
    )
    found.append(
        Fact(f"wrote/{_slug(book.author)}", "wrote", Kind.TITLE, (book.title.en,), (book.author,), said)
    )
    return found


def _comparisons() -> list[Fact]:
    """Fixed pairs: each book with the next for price, each second one with the third after it for length."""
    found, shelf = [], books()
    for number, book in enumerate(shelf):
        other = shelf[(number + 1) % len(shelf)]
        cheaper = min(book, other, key=lambda b: float(b.price))
        korean = "더 싼 책은 {v}입니다." if number < KOREAN_BOOKS - 1 else ""
        said = _say(Kind.TITLE, cheaper.title.en, "{v} is the cheaper one.", korean)
        found.append(_pair("cheaper", (book, other), cheaper, said))
        if number % 2 == 0:
            other = shelf[(number + 3) % len(shelf)]
            longer = max(book, other, key=lambda b: b.pages)
            said = _say(Kind.TITLE, longer.title.en, "{v} is the longer one.", "")
            found.append(_pair("longer", (book, other), longer, said))
    return found


def _pair(topic: str, pair: tuple[Book, Book], winner: Book, said: Said) -> Fact:
    titles = tuple(book.title for book in pair)
    name = "/".join((topic, *map(_slug, titles)))
    return Fact(name, topic, Kind.TITLE, (winner.title.en,), titles, said)


def _suggestions() -> list[Fact]:
    """Any title of the section is right; the first one is what the short answer names."""
    found = []
    for section in SECTIONS:
        titles = tuple(book.title.en for book in books() if book.section == section)
        korean = "{s} 코너의 추천 책은 {v}입니다."
        said = _say(Kind.TITLE, titles[0], "A {s} book we like is {v}.", korean, s=section)
        found.append(Fact(f"suggest/{section.en}", "suggest", Kind.TITLE, titles, (section,), said))
    return found


def _hours() -> list[Fact]:
    found = []
    for word, (_, opens, closes) in zip(WEEKDAYS, house.HOURS, strict=True):
        rows = (
            ("opens", opens, "On {d} we open at {v}.", "{d}에는 {v}에 엽니다."),
            ("closes", closes, "On {d} we close at {v}.", "{d}에는 {v}까지 합니다."),
        )
        for topic, value, english, korean in rows:
            if value == "closed":
                english, korean = "On {d} we are {v}.", "{d}은 {v}입니다."
            said = _say(Kind.CLOCK, value, english, korean, d=word)
            found.append(Fact(f"{topic}/{word.en.lower()}", topic, Kind.CLOCK, (value,), (word,), said))
    return found


def _of_rule(each: house.Rule) -> Fact:
    said = _say(each.kind, each.value, each.says, each.says_ko)
    return Fact(f"house/{each.id}", each.id, each.kind, (each.value,), (), said)


def _say(kind: Kind, value: str, english: str, korean: str, **words: Word) -> Said:
    said = []
    for language, template in ((Language.ENGLISH, english), (Language.KOREAN, korean)):
        names = {key: word.forms(language)[0] for key, word in words.items()}
        if template:
            said.append((language, template.format(v=show(kind, value, language, LEXICON), **names)))
    return tuple(said)


def _slug(word: Word) -> str:
    return "-".join("".join(c for c in part if c.isalnum()) for part in word.en.lower().split())
