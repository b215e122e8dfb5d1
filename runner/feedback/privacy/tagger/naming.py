"""People, towns and organisations as made-up texts name them.

Called by the training of the tagger alone.
"""

from __future__ import annotations

import random
import string

from runner.feedback.privacy.tagger.lexicon import folded
from runner.feedback.privacy.tagger.lists import LISTS
from runner.feedback.privacy.tagger.values import ENGLISH, LATIN, OTHER, World, pick, words


class Naming:
    """Draws names from the lists of `world`; `common`: words that are nobody's name."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._fine = (*LATIN, *ENGLISH * 4)
        self.common = _ordinary(world)

    def _locale(self, chance: random.Random) -> str:
        return str(pick(chance, OTHER)) if chance.random() < 0.03 else str(pick(chance, self._fine))

    def given(self, chance: random.Random) -> str:
        """Return a given name."""
        return str(pick(chance, self._world.people[self._locale(chance)].given))

    def surname(self, chance: random.Random) -> str:
        """Return a surname, now and then a double one or one with an article."""
        locale = self._locale(chance)
        name = str(pick(chance, self._world.people[locale].surnames))
        luck = chance.random()
        if luck < 0.04:
            return f"{name}-{pick(chance, self._world.people[locale].surnames)}"
        if luck < 0.07:
            return chance.choice(LISTS["surname_openings"]) + name
        return name

    def full(self, chance: random.Random) -> str:  # noqa: PLR0911 - one way of writing each
        """Return a whole name, with a second name, an initial or a `Jr.` now and then."""
        locale = self._locale(chance)
        people = self._world.people[locale]
        other = people if chance.random() < 0.7 else self._world.people[self._locale(chance)]
        given, surname = str(pick(chance, people.given)), str(pick(chance, other.surnames))
        luck = chance.random()
        if luck < 0.16:
            return f"{given} {chance.choice(string.ascii_uppercase)}{chance.choice(('.', '.', ''))} {surname}"
        if luck < 0.22:
            return f"{given} {pick(chance, people.given)} {surname}"
        if luck < 0.26:
            return f"{given}-{pick(chance, people.given)} {surname}"
        if luck < 0.31:
            return f"{given} {surname}{chance.choice(('-', ' '))}{pick(chance, other.surnames)}"
        if luck < 0.36:
            return f"{given} {self.surname(chance)}"
        if luck < 0.38:
            return f"{given} {surname}{chance.choice(LISTS['name_endings'])}"
        if luck < 0.40:
            return f'{given} "{pick(chance, people.given)}" {surname}'
        return f"{given} {surname}"

    def last_first(self, chance: random.Random) -> str:
        """Return a name with the surname first."""
        return f"{self.surname(chance)}, {self.given(chance)}"

    def initials(self, chance: random.Random) -> str:
        """Return a surname behind initials."""
        letters = [chance.choice(string.ascii_uppercase) for _ in range(chance.choice((1, 1, 2)))]
        return chance.choice(("{}. {}", "{} {}", "{}. {}")).format(
            chance.choice((". ", ".")).join(letters), self.surname(chance)
        )

    def city(self, chance: random.Random) -> str:
        """Return a town, real or made up."""
        luck = chance.random()
        if luck < 0.6:
            return str(pick(chance, self._world.towns))
        if luck < 0.65:
            return str(pick(chance, self._world.people[self._locale(chance)].surnames)) + chance.choice(
                LISTS["town_endings"]
            )
        if luck < 0.69:
            return chance.choice(LISTS["town_openings"]) + " " + str(pick(chance, self._world.towns))
        return str(pick(chance, self._world.cities[str(pick(chance, tuple(self._world.cities)))]))

    def organisation(self, chance: random.Random) -> str:  # noqa: PLR0911 - one kind each
        """Return a company, an office, a school, a club."""
        luck = chance.random()
        if luck < 0.4:
            return str(pick(chance, self._world.companies))
        if luck < 0.6:
            return f"{self.brand(chance)} {chance.choice(LISTS['organisations'])}"
        if luck < 0.68:
            kind = chance.choice(LISTS["organisations_of"])
            return f"{kind} {chance.choice((self.city(chance), str(pick(chance, self.common)).title()))}"
        if luck < 0.70:
            return f"{self.city(chance)} {chance.choice(LISTS['organisations'])}"
        if luck < 0.8:
            return "".join(chance.choice(string.ascii_uppercase) for _ in range(chance.randint(2, 5)))
        if luck < 0.88:
            first = f"{self.surname(chance)} {chance.choice(('&', 'and', '+'))}"
            return f"{first} {chance.choice((self.surname(chance), *LISTS['companies_and']))}"
        return self.brand(chance)

    def brand(self, chance: random.Random) -> str:
        """Return a made-up brand."""
        luck = chance.random()
        if luck < 0.3:
            return str(pick(chance, self.common)).title() + str(pick(chance, self.common))
        if luck < 0.45:
            return str(pick(chance, self.common)).title() + chance.choice(LISTS["brand_endings"])
        if luck < 0.6:
            return str(pick(chance, self.common)).title() + str(pick(chance, self.common)).title()
        return " ".join(str(pick(chance, self.common)).title() for _ in range(chance.randint(1, 3)))


def _ordinary(world: World) -> tuple[str, ...]:
    """Return common words that are neither a person's name nor a place's."""
    names = [name for people in world.people.values() for name in (*people.given, *people.surnames)]
    taken = {folded(word) for word in words((*names, *world.towns, *world.countries, *world.regions))}
    return tuple(word for word in world.common[300:12000] if word not in taken)
