"""What the rules of Korean texts end in: Korean names, towns, addresses, companies, phones.

Called by the training of the tagger alone; needs the development environment for Faker's lists.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from runner.feedback.privacy.tagger.features import SURNAMES
from runner.feedback.privacy.tagger.grammar import Slot
from runner.feedback.privacy.tagger.lists import LISTS
from runner.feedback.privacy.tagger.slots import ADDRESS, NAME, ORGANISATION, PLACE
from runner.feedback.privacy.tagger.values import digits, people, pick

_COMMON = "김이박최정강조윤장임한오서신권황안송류홍"
_RARE = "".join(sorted(SURNAMES))
_TWO = ("남궁", "황보", "제갈", "선우", "독고", "사공")
_FIRST = (
    "민서지현도하예준시우수주은채윤건승재성영진태상동종정미경혜선유소나다라세아연원인창철규기광병석호훈희"
)
_SECOND = "준우서현민지윤연은수진호아영희정경미숙자혁훈석철환욱빈린원율재성규태식용길순옥선혜나라람솔별온"


class KoreanSlots:
    """Producers of Korean values; `table` names them for the grammar."""

    def __init__(self) -> None:
        from faker import Faker
        from faker.providers.address.ko_KR import Provider

        self._given = people("ko_KR").given
        fake = Faker("ko_KR")
        fake.seed_instance(7)
        self._companies = tuple(sorted({fake.company() for _ in range(300)}))
        self._cities = (*Provider.cities, *Provider.metropolitan_cities, *Provider.provinces)
        self._boroughs = tuple(Provider.boroughs)
        self._provinces = tuple(Provider.provinces)
        self._metropolitan = tuple(Provider.metropolitan_cities)
        self._roads = tuple(Provider.road_names)
        self._countries = tuple(name for name in Provider.countries if len(name) > 1)

    def table(self) -> dict[str, Slot]:
        """Return slot name -> producer."""
        named: dict[str, tuple[str, Callable[[random.Random], str]]] = {
            "kfull": (NAME, self._full),
            "kgiven": (NAME, self._first),
            "ksurname": (NAME, self._surname),
            "kcity": (PLACE, self._city),
            "kgu": (PLACE, lambda c: str(pick(c, self._boroughs))),
            "kdong": (PLACE, self._dong),
            "kcountry": (PLACE, lambda c: str(pick(c, self._countries))),
            "kaddress": (ADDRESS, self._address),
            "korg": (ORGANISATION, self._company),
            "kphone": (
                "",
                lambda c: digits(
                    c,
                    pick(c, ("010-####-####", "010########", "02-###-####", "031-###-####", "010 #### ####")),
                ),
            ),
            "kword": ("", lambda c: str(pick(c, LISTS["korean_words"]))),
        }

        def maker(entity: str, make: Callable[[random.Random], str]) -> Slot:
            return lambda chance: [(make(chance), entity)]

        return {name: maker(entity, make) for name, (entity, make) in named.items()}

    def _surname(self, chance: random.Random) -> str:
        luck = chance.random()
        return str(pick(chance, _COMMON if luck < 0.75 else _RARE if luck < 0.97 else _TWO))

    def _first(self, chance: random.Random) -> str:
        luck = chance.random()
        if luck < 0.4:
            return str(pick(chance, self._given))
        return chance.choice(_FIRST) + (chance.choice(_SECOND) if luck < 0.97 else "")

    def _full(self, chance: random.Random) -> str:
        return self._surname(chance) + (" " if chance.random() < 0.02 else "") + self._first(chance)

    def _city(self, chance: random.Random) -> str:
        return str(pick(chance, LISTS["korean_towns"] if chance.random() < 0.5 else self._cities))

    def _dong(self, chance: random.Random) -> str:
        return (
            chance.choice(_FIRST)
            + chance.choice(_SECOND)
            + chance.choice(("동", "동", "읍", "면", "리", "역"))
        )

    def _road(self, chance: random.Random) -> str:
        name = (
            str(pick(chance, self._roads))
            if chance.random() < 0.4
            else chance.choice(_FIRST) + chance.choice(_SECOND + "산성문대천")
        )
        branch, lane = f"로{chance.randint(1, 99)}길", f"{chance.randint(1, 99)}길"
        name += chance.choice(("로", "로", "길", "대로", branch, lane))
        return f"{name} {chance.randint(1, 900)}{chance.choice(('', '', f'-{chance.randint(1, 40)}'))}"

    def _address(self, chance: random.Random) -> str:
        luck = chance.random()
        if luck < 0.5:
            area = pick(chance, self._metropolitan if chance.random() < 0.6 else LISTS["korean_cities"])
            area = f"{area} {pick(chance, self._boroughs)}"
        elif luck < 0.75:
            area = f"{pick(chance, self._provinces)} {pick(chance, self._cities)}"
        elif luck < 0.9:
            area = str(pick(chance, self._boroughs))
        else:
            area = self._city(chance)
        luck = chance.random()
        street = (
            f"{self._dong(chance)} {chance.randint(1, 900)}{chance.choice(('', f'-{chance.randint(1, 40)}', '번지'))}"
            if luck < 0.3
            else self._road(chance)
        )
        if chance.random() < 0.08:
            return street
        detail = chance.choice(
            (
                "",
                "",
                f", {chance.randint(101, 120)}동 {chance.randint(1, 25)}0{chance.randint(1, 4)}호",
                f" {chance.randint(1, 25)}층",
                f" {self._dong(chance)[:2]}아파트 {chance.randint(101, 120)}동 {chance.randint(101, 1500)}호",
                f" ({self._dong(chance)})",
                f" {chance.randint(101, 900)}호",
            )
        )
        return f"{area} {street}{detail}"

    def _company(self, chance: random.Random) -> str:
        if chance.random() < 0.5:
            return str(pick(chance, self._companies))
        return f"{chance.choice(_FIRST)}{chance.choice(_SECOND)}{chance.choice(LISTS['korean_firms'])}"
