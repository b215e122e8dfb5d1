"""Personal data for questions, all generated: names, e-mail addresses, phone numbers, card numbers.

Nothing of it belongs to anyone: addresses use domains reserved for examples, English phone numbers the
block reserved for fiction, Korean ones an exchange that is not given out, cards a test range (with a valid
check digit, since that is what detectors look for). Pure functions of a random generator.
"""

from __future__ import annotations

from random import Random

from runner.simulation.bookshop.values import Language

_FIRST = (
    "Nora",
    "Felix",
    "Ada",
    "Omar",
    "Ruth",
    "Hugo",
    "Lena",
    "Ivan",
    "Mina",
    "Theo",
    "Clara",
    "Ravi",
    "Elsa",
    "Noah",
)
_LAST = (
    "Hill",
    "Baker",
    "Stone",
    "Weber",
    "Silva",
    "Novak",
    "Berg",
    "Costa",
    "Moreau",
    "Young",
    "Kaya",
    "Lind",
    "Rossi",
)
_FAMILY = ("김", "이", "박", "최", "정", "강", "윤")
_GIVEN = ("민준", "서연", "지호", "하은", "도윤", "수아", "예준", "지민")
_DOMAINS = ("example.com", "example.org", "example.net")


def blanks(language: Language, rng: Random) -> dict[str, str]:
    """Return one customer's name, e-mail, phone and card number, as the customer would type them."""
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    korean = language is Language.KOREAN
    tail = f"{rng.randrange(10_000):04d}"
    return {
        "name": rng.choice(_FAMILY) + rng.choice(_GIVEN) if korean else f"{first} {last}",
        "email": f"{first}.{last}{rng.randrange(100)}@{rng.choice(_DOMAINS)}".lower(),
        "phone": f"010-0{rng.randrange(1000):03d}-{tail}" if korean else f"(555) 555-01{tail[:2]}",
        "card": card_number(rng),
    }


def card_number(rng: Random) -> str:
    """Return sixteen digits in groups of four, the last of which is the Luhn check digit."""
    digits = [4, 0, 0, 0, 0, 0, *(rng.randrange(10) for _ in range(9))]
    doubled = sum(sum(divmod(2 * d, 10)) if i % 2 == 0 else d for i, d in enumerate(digits))
    text = "".join(map(str, (*digits, -doubled % 10)))
    return " ".join(text[i : i + 4] for i in range(0, 16, 4))
