"""`python -m runner.feedback.privacy.tagger.train`: makes texts from rules, learns from them, writes the model file.

Needs the development environment (Faker, phonenumbers, pycountry, the embedder's vocabulary) and no network. The same
seed gives the same file, in under ten minutes on one core. Nothing here runs in the product.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.feedback.privacy.tagger.features import features
from runner.feedback.privacy.tagger.grammar import Grammar, Piece, parse
from runner.feedback.privacy.tagger.korean import KoreanSlots
from runner.feedback.privacy.tagger.lexicon import FLAGS, Lexicon, folded
from runner.feedback.privacy.tagger.model import OUTSIDE, PATH, packed
from runner.feedback.privacy.tagger.slots import Slots
from runner.feedback.privacy.tagger.tokens import Token, tokens
from runner.feedback.privacy.tagger.values import LATIN, World, words, world

FRAMES = Path(__file__).parent / "frames"
BOOKSHOP = Path(__file__).resolve().parents[4] / "datasets" / "bookshop"
SEED = 20
_COMMONEST = 2500
_COMMON = 14000
_LONGEST_WORD = 16
_DROPPED = 52 - 6
"""Of the 52 binary digits of a weight's fraction, those that are not kept."""


@dataclass(frozen=True, slots=True)
class Example:
    """A text and where it names whom: (start, end, entity)."""

    text: str
    spans: tuple[tuple[int, int, str], ...]


def lexicon(lists: World, chance: random.Random) -> Lexicon:
    """Return what the tagger is to know of words: of each list only a part, so that it learns to do without."""
    found: dict[str, set[str]] = {}

    def add(flag: str, values: Iterable[str]) -> None:
        for word in words(values):
            low = folded(word)
            if len(low) <= _LONGEST_WORD and (low.isascii() or "\uac00" > low[0] > "\u0370"):
                found.setdefault(low, set()).add(flag)

    add("g", sorted({name for locale in LATIN for name in lists.people[locale].given}))
    add("s", sorted({name for locale in LATIN for name in lists.people[locale].surnames}))
    towns = sorted({*lists.towns, *(name for cities in lists.cities.values() for name in cities)})
    famous = set(lists.common[:_COMMON])
    add("p", chance.sample(towns, int(len(towns) * 0.4)))
    add("p", [town for town in towns if folded(town) in famous])
    add("r", (*lists.countries, *lists.regions))
    add("n", lists.languages)
    add("c", lists.common[_COMMONEST:_COMMON])
    add("C", lists.common[:_COMMONEST])
    return Lexicon({word: "".join(flag for flag in FLAGS if flag in flags) for word, flags in found.items()})


def example(pieces: Sequence[Piece]) -> Example:
    """Return pieces as one text with spans; neighbours of one kind stay apart."""
    text, spans = "", []
    for part, entity in pieces:
        if entity:
            spans.append((len(text), len(text) + len(part), entity))
        text += part
    return Example(text, tuple(spans))


def disturbed(pieces: list[Piece], chance: random.Random) -> list[Piece]:  # noqa: PLR0911 - one way each
    """Return pieces as careless people write them: all small, all capital, without marks, with a typing error."""
    luck = chance.random()
    change: Callable[[str], str] | None = None
    if luck < 0.13:
        change = str.lower
    elif luck < 0.16:
        change = str.upper
    elif luck < 0.20:
        return [
            (part.upper() if entity and chance.random() < 0.6 else part, entity) for part, entity in pieces
        ]
    elif luck < 0.23:
        return [(part.lower() if entity else part, entity) for part, entity in pieces]
    elif luck < 0.28:
        return [
            (part if entity else part.translate({ord(mark): None for mark in ".,!?:;'"}), entity)
            for part, entity in pieces
        ]
    elif luck < 0.32:
        return [(part if entity else _typo(part, chance), entity) for part, entity in pieces]
    elif luck < 0.335:
        mark = chance.choice(("> ", ">> ", "* ", "- ", "| ", "# ", "?? ", "... ", "• ", "// ", "\t", "  "))
        return [
            (mark, ""),
            *(
                (part if chance.random() < 0.02 else part.replace("\n", f"\n{mark}"), entity)
                for part, entity in pieces
            ),
        ]
    elif luck < 0.345:
        return [(part if entity else _garbled(part, chance), entity) for part, entity in pieces]
    return [(change(part), entity) for part, entity in pieces] if change else pieces


def _garbled(text: str, chance: random.Random) -> str:
    """Return a text whose marks were read in the wrong encoding."""
    wrong = chance.choice(("â€™", "â€“", "Ã¢", "€™", "\ufffd", "&amp;", "&#39;"))
    return "".join(wrong if mark in "'-–,:" else mark for mark in text)


def _typo(text: str, chance: random.Random) -> str:
    if len(text) < 4:
        return text
    at = chance.randrange(1, len(text) - 2)
    return text[:at] + chance.choice(
        (text[at + 1] + text[at] + text[at + 2 :], text[at + 1 :], text[at] + text[at:])
    )


def examples(count: int, seed: int, slots: World) -> Iterator[Example]:
    """Return `count` texts: most of them English, some Korean, some in other languages, some of the bookshop."""
    chance = random.Random(seed)
    table = Slots(slots).table() | KoreanSlots().table()
    grammars = [
        (Grammar(parse((FRAMES / f"{name}.txt").read_text(encoding="utf-8")), table), weight)
        for name, weight in (("english", 78), ("korean", 13), ("latin", 4))
    ]
    shop = bookshop()
    for _ in range(count):
        (grammar,) = chance.choices([*(g for g, _ in grammars), None], [*(w for _, w in grammars), 5])
        if grammar is None:
            yield Example(chance.choice(shop), ())
        else:
            yield example(disturbed(grammar.text("text", chance), chance))


def bookshop() -> list[str]:
    """Return the shop's questions and answers in which no person is named.

    Questions about the world stay, so a country that a shop's visitor asks about is often left as it is.
    """
    lines = (BOOKSHOP / "train_sft.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    named = {
        value for row in rows if row["expected"]["kind"] == "person" for value in row["expected"]["values"]
    }
    parts = {part for value in named for part in value.split()}
    texts = {row[key] for row in rows if row["trait"] != "personal" for key in ("question", "answer")}
    return sorted(text for text in texts if not any(part in text for part in parts))


def labels(units: Sequence[Token], spans: Sequence[tuple[int, int, str]]) -> list[str]:
    """Return the label of each unit."""
    found = [OUTSIDE] * len(units)
    at = 0
    for start, end, entity in spans:
        while at < len(units) and units[at].end <= start:
            at += 1
        first = True
        while at < len(units) and units[at].start < end:
            found[at] = f"{'B' if first else 'I'}-{entity}"
            first = False
            at += 1
    return found


def forgetful(known: Lexicon, chance: random.Random) -> Callable[[str], str]:
    """Return the lexicon's flags with a quarter of the names unknown: the field shall learn from the context too."""
    forgotten: dict[str, bool] = {}

    def flags(word: str) -> str:
        found = known.flags(word)
        if not set("gsp") & set(found):
            return found
        low = folded(word)
        if low not in forgotten:
            forgotten[low] = chance.random() < 0.25
        return "".join(flag for flag in found if flag not in "gsp") if forgotten[low] else found

    return flags


def train(count: int, seed: int, path: Path, iterations: int, penalty: float) -> int:
    """Write the model file and return its size in bytes."""
    import pycrfsuite

    lists = world()
    known = lexicon(lists, random.Random(seed))
    chance = random.Random(seed + 1)
    trainer = pycrfsuite.Trainer(verbose=False)
    for one in examples(count, seed + 2, lists):
        units = tokens(one.text)
        if units:
            trainer.append(features(units, one.text, forgetful(known, chance)), labels(units, one.spans))
    trainer.set_params(
        {
            "c1": penalty,
            "c2": 0.02,
            "max_iterations": iterations,
            "feature.minfreq": 6,
            "feature.possible_transitions": True,
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        trained = Path(folder) / "field"
        trainer.train(str(trained))
        content = packed(known, rounded(trained.read_bytes()))
    path.write_bytes(content)
    return len(content)


def rounded(trained: bytes) -> bytes:
    """Return a field whose weights keep six binary digits, which costs no accuracy and halves the compressed file.

    The file is CRFsuite's: the place of the features stands 28 bytes from its start; each has three numbers of four
    bytes and its weight.
    """
    (place,) = struct.unpack_from("<I", trained, 28)
    (count,) = struct.unpack_from("<I", trained, place + 8)
    content = bytearray(trained)
    for at in range(place + 12 + 12, place + 12 + 20 * count, 20):
        (weight,) = struct.unpack_from("<Q", content, at)
        struct.pack_into("<Q", content, at, (weight + (1 << _DROPPED - 1)) >> _DROPPED << _DROPPED)
    return bytes(content)


def main() -> None:
    """Train the model that is shipped, or a smaller one elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=36_000, help="texts to make")
    parser.add_argument("--seed", type=int, default=SEED, help="of everything that is drawn")
    parser.add_argument("--to", type=Path, default=PATH, help="where the model goes")
    parser.add_argument("--iterations", type=int, default=75, help="steps of the fit")
    parser.add_argument(
        "--penalty", type=float, default=1.0, help="weight of the absolute values: more makes a smaller file"
    )
    asked = parser.parse_args()
    print(f"{asked.to}: {train(asked.texts, asked.seed, asked.to, asked.iterations, asked.penalty)} bytes")


if __name__ == "__main__":
    main()
