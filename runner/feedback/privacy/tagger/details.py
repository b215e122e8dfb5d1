"""Numbers, dates, mail and web addresses: what stands in texts besides names and is none.

Called by the training of the tagger alone.
"""

from __future__ import annotations

import random

from runner.feedback.privacy.tagger.lists import LISTS
from runner.feedback.privacy.tagger.naming import Naming
from runner.feedback.privacy.tagger.values import digits, pick


class Details:
    """Draws what has a form of its own; names in it come from `naming`."""

    def __init__(self, naming: Naming) -> None:
        self._naming = naming

    def email(self, chance: random.Random) -> str:
        """Return an e-mail address."""
        given, surname = self._naming.given(chance).lower(), self._naming.surname(chance)
        user = chance.choice(
            (
                f"{given}.{surname.lower()}",
                f"{given}{surname}",
                f"{given[0]}{surname.lower()}",
                f"{given}{chance.randint(1, 99)}",
                str(pick(chance, self._naming.common)),
            )
        )
        return (
            f"{user.replace(' ', '')}@{pick(chance, self._naming.common)}{pick(chance, LISTS['mail_hosts'])}"
        )

    def url(self, chance: random.Random) -> str:
        """Return an address on the web."""
        host = chance.choice(
            (
                self._naming.brand(chance).replace(" ", ""),
                str(pick(chance, self._naming.common)),
                f"{pick(chance, self._naming.common)}-{pick(chance, self._naming.common)}",
            )
        )
        site = f"{chance.choice(LISTS['url_openings'])}{host}.{chance.choice(LISTS['url_hosts'])}"
        page, part = (f"/{pick(chance, self._naming.common)}" for _ in range(2))
        return site + chance.choice(("", "/", page, f"{part}/{chance.randint(1, 99)}"))

    def phone(self, chance: random.Random) -> str:
        """Return a telephone number."""
        return digits(
            chance,
            pick(
                chance,
                LISTS["phones"],
            ),
        )

    def placeholder(self, chance: random.Random) -> str:
        """Return what a template has where a value belongs."""
        first, joint = chance.choice(LISTS["placeholder_first"]), chance.choice("_ _-")
        name = f"{first}{joint}{chance.choice(LISTS['placeholder_second'])}"
        return chance.choice(LISTS["placeholder_marks"]) % chance.choice((name, name.upper()))

    def amount(self, chance: random.Random) -> str:
        """Return an amount of money."""
        return f"{chance.choice(LISTS['currencies'])}{chance.randint(1, 9999)}{chance.choice(LISTS['cents'])}"

    def date(self, chance: random.Random) -> str:
        """Return a date, or a day of the week."""
        month, day, year = chance.choice(LISTS["months"]), chance.randint(1, 28), chance.randint(1930, 2029)
        number = chance.randint(1, 12)
        return chance.choice(
            (
                f"{month} {day}, {year}",
                f"{day} {month} {year}",
                f"{month} {day}",
                f"{day}th of {month}",
                f"{year}-{number:02}-{day:02}",
                f"{day}/{number}/{year}",
                f"{day}.{number}.{year}",
                f"{month} {year}",
                chance.choice(LISTS["days"]),
                f"{chance.choice(LISTS['days'])}, {month} {day}",
                f"{month[:3]} {day}",
                f"{year}-{number:02}-{day:02} {chance.randint(0, 23):02}:"
                f"{chance.randint(0, 59):02}:{chance.randint(0, 59):02}",
                f"the {day}th",
            )
        )

    def time(self, chance: random.Random) -> str:
        """Return a time of the day."""
        hour, minute = chance.randint(1, 12), chance.randint(0, 59)
        return chance.choice(
            (
                f"{hour} am",
                f"{hour}pm",
                f"{hour}:{minute:02}",
                f"{hour}:{minute:02} PM",
                f"{hour} o'clock",
                "noon",
            )
        )
