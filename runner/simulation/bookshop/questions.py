"""Questions about the facts, split so that what a suite asks was never trained word for word.

A question is a fact, a core (what is asked) and a frame (what stands around it). A pair of fact and
wording belongs to training or to the held-out suites for good, by a hash, whatever is sampled. Held out
are whole cores of a fact where several facts share the core, and frames otherwise; so each wording was
seen with other facts and each fact in other wordings. Pure functions of a split and a random generator; no
I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

from runner import digest
from runner.simulation.bookshop import out_of_scope, wordings
from runner.simulation.bookshop.personal import blanks
from runner.simulation.bookshop.values import Kind, Language
from runner.simulation.bookshop.world import Fact, books, facts, rule

SHARE_OF_CORES_HELD_OUT = 0.18
SHARE_OF_FRAMES_HELD_OUT = 0.15
PERSONAL_SHARE = 0.18
EN = Language.ENGLISH


class Split(StrEnum):
    """The files that the world is written to."""

    TRAIN = "train_sft"
    REGRESSION = "regression"
    OOD = "ood"
    ADVERSARIAL = "adversarial"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a right answer holds: one of `values` (canonical), and no other value of `kind`."""

    kind: Kind
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `expected` is None where a refusal is right; `answer` is the short answer of reference.

    `trait` says what is special about it: plain, personal, out_of_scope, unknown_book, new_wording, typo,
    injection, false_premise.
    """

    id: str
    question: str
    category: str
    language: Language
    trait: str
    fact: str
    expected: Expected | None
    answer: str


def to_json(question: Question) -> dict[str, Any]:
    """Return the question as one JSON line holds it; a refusal is `{"kind": "refusal", "values": []}`."""
    expected = question.expected
    return {
        "id": question.id,
        "question": question.question,
        "category": question.category,
        "language": question.language.value,
        "trait": question.trait,
        "fact": question.fact,
        "expected": {
            "kind": expected.kind.value if expected else "refusal",
            "values": list(expected.values if expected else ()),
        },
        "answer": question.answer,
    }


def from_json(line: dict[str, Any]) -> Question:
    """Read a question back. Raises KeyError or ValueError for a line that is none."""
    kind = line["expected"]["kind"]
    expected = None if kind == "refusal" else Expected(Kind(kind), tuple(line["expected"]["values"]))
    return Question(
        line["id"],
        line["question"],
        line["category"],
        Language(line["language"]),
        line["trait"],
        line["fact"],
        expected,
        line["answer"],
    )


@dataclass(frozen=True, slots=True)
class Asking:
    """A fact and a core, not yet framed. `kept` from training are all its wordings, or some frames only."""

    fact: Fact
    language: Language
    category: str
    core: str
    text: str
    kept: bool

    def held_out(self, frame: str) -> bool:
        """Whether training must never see this pair of fact and wording."""
        return self.kept or _unit(self.fact.id, self.core, frame) < SHARE_OF_FRAMES_HELD_OUT


def _unit(*parts: str) -> float:
    """A number in [0, 1) that depends on nothing but the parts."""
    return int(digest.of_value(parts)[:12], 16) / 16**12


def askings(*, fresh: bool = False) -> Iterator[Asking]:
    """Every fact with every core: the usual ones, or those that training never sees with any fact."""
    for fact in facts():
        for language in fact.languages:
            yield from _shared_cores(fact, language, fresh)
            yield from _own_cores(fact, language, fresh)


def _shared_cores(fact: Fact, language: Language, fresh: bool) -> Iterator[Asking]:
    """No more than a third of a fact's cores are held out, however the hash falls."""
    table = (wordings.FRESH if fresh else wordings.CORES).get((fact.topic, language), ())
    orders = (False, True)[: len(fact.subject)]
    cores = [(category, core, swapped) for category, core in table for swapped in orders]
    chance = {core: _unit(fact.id, core) for _, core in table}
    limit = min((SHARE_OF_CORES_HELD_OUT, *sorted(chance.values())[len(chance) // 3 :]))
    words = [word.forms(language)[0] for word in fact.subject]
    for category, core, swapped in cores:
        first, second = (words[-1], words[0]) if swapped else (words[0], words[-1])
        text = core.format(t=first, u=second, a=first, s=first, d=first)
        yield Asking(fact, language, category, f"{core}{'~' * swapped}", text, chance[core] < limit)


def _own_cores(fact: Fact, language: Language, fresh: bool) -> Iterator[Asking]:
    each = rule(fact)
    if each is None:
        return
    if language is Language.KOREAN:
        asks = () if fresh else each.asks_ko
    else:
        asks = each.asks[-1:] if fresh else each.asks[:-1]
    for core in asks:
        yield Asking(fact, language, each.category, core, core, kept=False)


def short_answer(fact: Fact, language: Language) -> str:
    """Return the bare answer that `chat-v1.0` is taught, which leaves room for fuller ones."""
    said = fact.value(language)
    if fact.topic == "copies":
        sold_out = fact.values[0] == "0"
        if language is Language.KOREAN:
            return "아니요, 품절입니다." if sold_out else f"네, {said} 있습니다."
        return "No, it is sold out." if sold_out else f"Yes, {said}."
    return f"{said}입니다." if language is Language.KOREAN else f"{said[0].upper()}{said[1:]}."


def framed(asking: Asking, frame: str, trait: str, rng: Random) -> Question:
    """Make the question: the core in its frame, with personal data where the frame has blanks for it."""
    text = frame.format(q=asking.text, **blanks(asking.language, rng))
    return _about(asking.fact, text, asking.category, asking.language, trait)


def _about(fact: Fact, text: str, category: str, language: Language, trait: str) -> Question:
    right = Expected(fact.kind, fact.values)
    answer = short_answer(fact, language)
    return Question(question_id(text, trait), text, category, language, trait, fact.id, right, answer)


def _out_of_reach(text: str, category: str, language: Language, trait: str, answer: str) -> Question:
    return Question(question_id(text, trait), text, category, language, trait, "", None, answer)


def question_id(text: str, trait: str) -> str:
    """Return the id of a question, which follows from its text."""
    return f"{trait}-{digest.short(digest.of_bytes(text.encode()))}"


def about_fact(asking: Asking, rng: Random, *, held_out: bool) -> Question | None:
    """Frame an asking by chance, on one side of the split; None where it has no wording on that side."""
    personal = rng.random() < PERSONAL_SHARE
    frames = (wordings.PERSONAL_FRAMES if personal else wordings.FRAMES)[asking.language]
    fitting = [frame for frame in frames if asking.held_out(frame) is held_out]
    if not fitting:
        return None
    return framed(asking, rng.choice(fitting), "personal" if personal else "plain", rng)


def refused(language: Language, rng: Random, *, held_out: bool, fresh: bool = False) -> Question:
    """Make a question out of scope, on one side of the split; `fresh` takes wordings never trained."""
    table = out_of_scope.OUT_OF_SCOPE_FRESH if fresh else out_of_scope.OUT_OF_SCOPE
    while True:
        category, template = rng.choice(table[language])
        words = {key: rng.choice(values) for key, values in out_of_scope.BLANKS[language].items()}
        words |= {f"{key}2": rng.choice(out_of_scope.BLANKS[language][key]) for key in "xyz"}
        core = template.format(n=rng.randrange(2, 99), m=rng.randrange(2, 99), **words)
        text = rng.choice(wordings.FRAMES[language]).format(q=core)
        if fresh or (_unit("out_of_scope", text) < SHARE_OF_CORES_HELD_OUT) is held_out:
            break
    return _out_of_reach(text, category, language, "out_of_scope", out_of_scope.REFUSALS[language])


def unknown_book(rng: Random, *, held_out: bool) -> Question:
    """Ask for a book that the shop never had, in a usual wording."""
    known = len(out_of_scope.NO_SUCH_BOOKS) * 3 // 4
    if held_out:
        title = rng.choice(out_of_scope.NO_SUCH_BOOKS[known:])
    elif rng.random() < 0.3:
        title = rng.choice(out_of_scope.NO_SUCH_BOOKS[:known])
    else:
        words = {key: rng.choice(values) for key, values in out_of_scope.NO_SUCH_WORDS.items()}
        title = rng.choice(out_of_scope.NO_SUCH_PATTERNS).format(**words)
    topic = rng.choice(("author", "price", "shelf", "copies", "pages", "year"))
    category, core = rng.choice(wordings.CORES[topic, EN])
    text = rng.choice(wordings.FRAMES[EN]).format(q=core.format(t=title))
    return _out_of_reach(text, category, EN, "unknown_book", out_of_scope.UNKNOWN_BOOK[EN])


def wrong_author(rng: Random, *, held_out: bool) -> Question:
    """Ask with a false premise, on one side of the split: the book is said to be somebody else's."""
    while True:
        book, other = rng.sample(books(), 2)
        if (_unit("false_premise", book.title.en, other.author.en) < 0.3) is held_out:
            break
    fact = next(f for f in facts() if f.topic == "author" and f.subject == (book.title,))
    text = f"{book.title.en} is by {other.author.en}, or who wrote it?"
    return _about(fact, text, "factual_qa", EN, "false_premise")
