"""Street addresses, postcodes and boxes as many countries write them.

Called by the training of the tagger alone.
"""

from __future__ import annotations

import random
import string

from runner.feedback.privacy.tagger.lists import LISTS
from runner.feedback.privacy.tagger.naming import Naming
from runner.feedback.privacy.tagger.values import LATIN, STREETS, World, digits, pick


class Streets:
    """Draws addresses from the lists of `world`."""

    def __init__(self, world: World, naming: Naming) -> None:
        self._world = world
        self._naming = naming

    def street_name(self, chance: random.Random) -> str:
        """Return a street without a number."""
        luck = chance.random()
        if luck < 0.45:
            return str(pick(chance, self._world.streets[str(pick(chance, STREETS))]))
        return f"{self._street_word(chance)} {chance.choice(LISTS['street_suffixes'])}"

    def _street_word(self, chance: random.Random) -> str:
        luck = chance.random()
        if luck < 0.3:
            word = chance.choice(LISTS["street_words"])
        elif luck < 0.55:
            word = self._naming.surname(chance)
        elif luck < 0.7:
            word = str(pick(chance, self._world.towns))
        elif luck < 0.8:
            word = self._naming.given(chance)
        else:
            word = str(pick(chance, self._naming.common)).title()
        return f"{chance.choice(LISTS['directions'])} {word}" if chance.random() < 0.1 else word

    def _number(self, chance: random.Random) -> str:
        luck = chance.random()
        number = (
            digits(chance, "#" * pick(chance, (1, 2, 2, 2, 3, 3, 4, 5)))
            if luck < 0.3
            else str(chance.randint(1, 999))
        )
        if luck > 0.9:
            number += chance.choice("abcABCD")
        elif luck > 0.87:
            number += f"{chance.choice('-/')}{chance.randint(1, 30)}"
        return number

    def _unit(self, chance: random.Random) -> str:
        unit = pick(chance, LISTS["units"])
        number, small, letter = digits(chance, "###"), str(chance.randint(1, 40)), chance.choice("ABCDEF")
        both = f"{chance.randint(1, 20)}{chance.choice(string.ascii_uppercase)}"
        return f"{unit}{'' if unit == '#' else ' '}{chance.choice((number, small, letter, both))}"

    def street(self, chance: random.Random) -> str:
        """Return a street with a number as some country writes it."""
        luck = chance.random()
        if luck < 0.35:
            street = f"{self._number(chance)} {self._street_word(chance)} {chance.choice(LISTS['street_suffixes'])}"
        elif luck < 0.7:
            street = pick(chance, LISTS["streets_abroad"])
            word = self._foreign_word(chance)
            if (
                "{s}" in street
                and street[street.index("{s}") + 3 : street.index("{s}") + 4].islower()
                and " " not in word
            ):
                word = word.rstrip("aeiou")
            street = street.replace("{s}", word).replace("{n}", str(chance.randint(1, 300)))
        elif luck < 0.85:
            street = f"{self.street_name(chance)} {self._number(chance)}"
        else:
            street = f"{self._number(chance)} {self.street_name(chance)}"
        if chance.random() < 0.12:
            street = f"{self._number(chance)} {street}"
        return street

    def _foreign_word(self, chance: random.Random) -> str:
        people = self._world.people[str(pick(chance, LATIN))]
        luck = chance.random()
        if luck < 0.4:
            return str(pick(chance, people.surnames))
        if luck < 0.6:
            return f"{pick(chance, people.given)} {pick(chance, people.surnames)}"
        return str(pick(chance, self._world.towns)) if luck < 0.85 else str(pick(chance, people.given))

    def zip(self, chance: random.Random) -> str:
        """Return a postcode."""
        pattern = pick(
            chance,
            LISTS["postcodes"],
        )
        return "".join(
            chance.choice(string.ascii_uppercase) if c == "?" else c for c in digits(chance, pattern)
        )

    def _area(self, chance: random.Random) -> str:
        """Return a town line: town, region and postcode in one of the orders that countries have."""
        town, code = self._naming.city(chance), self.zip(chance)
        luck = chance.random()
        if luck < 0.07:
            town = town.upper()
        if luck < 0.3:
            return f"{town}{chance.choice((', ', ' ', chr(10) + ', ', ' , '))}{pick(chance, LISTS['states'])} {code}"
        if luck < 0.5:
            return f"{code} {town}"
        if luck < 0.7:
            return f"{town}{chance.choice((' ', ', '))}{code}"
        if luck < 0.8:
            return f"{town}, {pick(chance, self._world.regions)}{chance.choice(('', ' ' + code))}"
        if luck < 0.85:
            first, second = pick(chance, self._world.pairs)
            return f"{first}, {second}{chance.choice(('', ' ' + code))}"
        return town

    def _parts(self, chance: random.Random) -> list[str]:
        parts = [self.street(chance)]
        if chance.random() < 0.4:
            parts.insert(0 if chance.random() < 0.1 else 1, self._unit(chance))
        if chance.random() < 0.88:
            parts.append(self._area(chance))
        if chance.random() < 0.4:
            country = str(pick(chance, self._world.countries))
            parts.append(country.upper() if chance.random() < 0.15 else country)
            if chance.random() < 0.3:
                parts[-1] += f" {self.zip(chance)}"
        return parts

    def one_line(self, chance: random.Random) -> str:
        """Return an address, mostly in one line."""
        luck = chance.random()
        if luck < 0.04:
            return self.po_box(chance)
        if luck < 0.06:
            return self.corner(chance)
        return str(pick(chance, LISTS["address_separators"])).join(self._parts(chance))

    def block(self, chance: random.Random) -> str:
        """Return an address over several lines."""
        if chance.random() < 0.06:
            return self.po_box(chance)
        return str(pick(chance, LISTS["block_separators"])).join(self._parts(chance))

    def po_box(self, chance: random.Random) -> str:
        """Return a box at the post, or an address of a navy."""
        luck = chance.random()
        military = f"{chance.choice(('APO', 'FPO', 'DPO'))} {chance.choice(('AA', 'AE', 'AP'))}"
        military += f" {digits(chance, '#####')}"
        joint = chance.choice(("\n", "\n", ", ", " "))
        if luck < 0.25:
            unit = (
                f"{chance.choice(('PSC', 'Unit', 'CMR'))} {digits(chance, '####')}{chance.choice((',', ''))}"
            )
            return f"{unit} Box {digits(chance, '####')}{joint}{military}"
        if luck < 0.4:
            return f"{chance.choice(LISTS['ships'])} {self._naming.surname(chance)}{joint}{military}"
        box = f"{chance.choice(LISTS['boxes'])} {self._number(chance)}"
        return box if luck < 0.6 else f"{box}{chance.choice((', ', joint))}{self._area(chance)}"

    def corner(self, chance: random.Random) -> str:
        """Return a crossing of two streets."""
        opening = chance.choice(LISTS["corner_openings"])
        first = f"{opening}{self._corner_street(chance)} {chance.choice(('and', 'and', '&'))}"
        return f"{first} {self._corner_street(chance)}"

    def _corner_street(self, chance: random.Random) -> str:
        return self.street_name(chance) if chance.random() < 0.6 else self.street(chance)
