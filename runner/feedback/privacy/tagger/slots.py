"""What the rules of the grammar end in: a person, a town, an address, a number, each written in one of many ways.

Called by the training of the tagger alone. A slot returns pieces of text with the kind of personal data that each is.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable

from runner.feedback.privacy.tagger.details import Details
from runner.feedback.privacy.tagger.grammar import Slot
from runner.feedback.privacy.tagger.lists import LISTS
from runner.feedback.privacy.tagger.naming import Naming
from runner.feedback.privacy.tagger.streets import Streets
from runner.feedback.privacy.tagger.values import World, digits, pick

NAME, PLACE, ADDRESS, ORGANISATION = "name", "place", "address", "organisation"


class Slots:
    """Producers of values; `table` names them for the grammar."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._naming = Naming(world)
        self._streets = Streets(world, self._naming)
        self._details = Details(self._naming)

    def table(self) -> dict[str, Slot]:
        """Return slot name -> producer."""
        world = self._world
        named: dict[str, tuple[str, Callable[[random.Random], str]]] = {
            "full": (NAME, self._naming.full),
            "given": (NAME, self._naming.given),
            "surname": (NAME, self._naming.surname),
            "last_first": (NAME, self._naming.last_first),
            "initials": (NAME, self._naming.initials),
            "city": (PLACE, self._naming.city),
            "country": (PLACE, lambda c: str(pick(c, world.countries))),
            "region": (PLACE, lambda c: str(pick(c, world.regions))),
            "state": (PLACE, lambda c: str(pick(c, LISTS["states"]))),
            "street": (ADDRESS, self._streets.street),
            "streetname": (ADDRESS, self._streets.street_name),
            "address": (ADDRESS, self._streets.one_line),
            "block": (ADDRESS, self._streets.block),
            "pobox": (ADDRESS, self._streets.po_box),
            "zip": (ADDRESS, self._streets.zip),
            "corner": (ADDRESS, self._streets.corner),
            "org": (ORGANISATION, self._naming.organisation),
            "job": ("", lambda c: str(pick(c, world.jobs)).split(",")[0]),
            "language": ("", lambda c: str(pick(c, world.languages))),
            "phrase": ("", lambda c: str(pick(c, world.phrases))),
            "word": ("", lambda c: str(pick(c, self._naming.common))),
            "capital": ("", lambda c: str(pick(c, self._naming.common)).title()),
            "title_case": (
                "",
                lambda c: " ".join(str(pick(c, self._naming.common)).title() for _ in range(c.randint(1, 4))),
            ),
            "email": ("", self._details.email),
            "url": ("", self._details.url),
            "phone": ("", self._details.phone),
            "card": (
                "",
                lambda c: digits(
                    c, "#### #### #### ####" if c.random() < 0.4 else "#" * c.choice((13, 15, 16, 16, 19))
                ),
            ),
            "iban": (
                "",
                lambda c: (
                    c.choice(("DE", "GB", "FR", "ES", "IT", "NL"))
                    + digits(c, "##")
                    + c.choice(("", "ABNA", "WEST", " "))
                    + digits(c, "#" * c.randint(12, 18))
                ),
            ),
            "ip": (
                "",
                lambda c: (
                    ".".join(str(c.randint(0, 255)) for _ in range(4))
                    if c.random() < 0.6
                    else ":".join(f"{c.randint(0, 65535):x}" for _ in range(8))
                ),
            ),
            "ssn": ("", lambda c: digits(c, "###-##-####")),
            "number": ("", lambda c: digits(c, "#" * c.randint(1, 10))),
            "placeholder": ("", self._details.placeholder),
            "bar": ("", lambda _: "|"),
            "small": ("", lambda c: str(c.randint(2, 99))),
            "code": (
                "",
                lambda c: (
                    "".join(c.choice(string.ascii_uppercase) for _ in range(c.randint(1, 3)))
                    + c.choice(("-", "", " "))
                    + digits(c, "#" * c.randint(2, 7))
                ),
            ),
            "year": ("", lambda c: str(c.randint(1900, 2029))),
            "amount": ("", self._details.amount),
            "date": ("", self._details.date),
            "time": ("", self._details.time),
        }

        def maker(entity: str, make: Callable[[random.Random], str]) -> Slot:
            return lambda chance: [(make(chance), entity)]

        return {name: maker(entity, make) for name, (entity, make) in named.items()}
