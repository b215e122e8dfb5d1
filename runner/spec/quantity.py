"""Quantities as people write them: `5%`, `24h`, `2000ms`, `$50`. One parser for YAML values and conditions.

Values are held in base units: shares from 0 to 1, seconds, dollars. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, SerializationInfo, WithJsonSchema


class Dimension(StrEnum):
    """What kind of thing a number measures; only like is compared with like."""

    RATIO = "ratio"
    DURATION = "duration"
    MONEY = "money"
    SCORE = "score"
    COUNT = "count"


WITH_UNITS = "with units"
"""Context of a dump that people read: quantities in their largest whole unit, `1d` rather than 86400.0."""
_SCALES = {
    "%": (Dimension.RATIO, Decimal("0.01")),
    "ms": (Dimension.DURATION, Decimal("0.001")),
    "s": (Dimension.DURATION, Decimal(1)),
    "m": (Dimension.DURATION, Decimal(60)),
    "h": (Dimension.DURATION, Decimal(3600)),
    "d": (Dimension.DURATION, Decimal(86400)),
    "w": (Dimension.DURATION, Decimal(604800)),
}
NUMBER = r"\d{1,15}(?:\.\d{1,15})?"
UNIT = r"ms|[smhdw]|%"
DURATION_PATTERN = rf"^{NUMBER} ?(ms|[smhdw])$"
RATIO_PATTERN = rf"^{NUMBER} ?%$"
MONEY_PATTERN = rf"^\$ ?{NUMBER}$"
_QUANTITY = re.compile(rf"(?P<dollar>\$ ?)?(?P<number>{NUMBER})(?: ?(?P<unit>{UNIT}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in base units; `dimension` is None where no unit was written."""

    value: float
    dimension: Dimension | None


def parse(text: str) -> Quantity:
    """Read `5%`, `2000ms`, `$50` or `4.0`. Raises ValueError."""
    match = _QUANTITY.fullmatch(text.strip())
    if match is None or (match["dollar"] and match["unit"]):
        raise ValueError(f"'{text}' is not a quantity such as '5%', '2000ms', '$50' or '4.0'")
    number = Decimal(match["number"])
    if match["dollar"]:
        return Quantity(float(number), Dimension.MONEY)
    if match["unit"] is None:
        return Quantity(float(number), None)
    dimension, scale = _SCALES[match["unit"]]
    return Quantity(float(number * scale), dimension)


def show(value: float, dimension: Dimension) -> str:
    """Write a value so that `parse` gives the same value back."""
    number = Decimal(repr(value))
    match dimension:
        case Dimension.RATIO:
            return f"{_plain(number * 100)}%"
        case Dimension.MONEY:
            return f"${_plain(number)}"
        case Dimension.DURATION:
            return _show_duration(number)
        case _:
            return _plain(number)


def _show_duration(seconds: Decimal) -> str:
    for unit in ("w", "d", "h", "m", "s"):
        scale = _SCALES[unit][1]
        if seconds and seconds % scale == 0:
            return f"{_plain(seconds / scale)}{unit}"
    return f"{_plain(seconds * 1000)}ms"


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _reader(dimension: Dimension, example: str) -> BeforeValidator:
    """Let a field of this dimension be written as text with a unit."""

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            quantity = parse(value)
        except ValueError:
            quantity = None
        if quantity is None or quantity.dimension is not dimension:
            raise ValueError(f"'{value}' is not {example}")
        return quantity.value

    return BeforeValidator(read)


def _writer(dimension: Dimension) -> PlainSerializer:
    """Let a field of this dimension be dumped for people, too."""
    return PlainSerializer(lambda value, info: told(value, dimension, info))


def told(value: float, dimension: Dimension, info: SerializationInfo) -> float | str:
    """Return a value for a dump: with its unit where the context is `WITH_UNITS`, else in base units."""
    return show(value, dimension) if info.context == WITH_UNITS else value


def _spelling(pattern: str, **bounds: float) -> WithJsonSchema:
    """Tell editors both spellings: text with a unit, and a bare number in base units."""
    return WithJsonSchema({"anyOf": [{"type": "string", "pattern": pattern}, {"type": "number", **bounds}]})


Duration = Annotated[
    float,
    Field(ge=0, le=10 * 365 * 86400),
    _reader(Dimension.DURATION, "a duration such as '30s', '24h' or '7d'"),
    _writer(Dimension.DURATION),
    _spelling(DURATION_PATTERN, minimum=0, maximum=10 * 365 * 86400),
]
Ratio = Annotated[
    float,
    Field(ge=0, le=1),
    _reader(Dimension.RATIO, "a share such as '5%' or 0.05"),
    _writer(Dimension.RATIO),
    _spelling(RATIO_PATTERN, minimum=0, maximum=1),
]
Money = Annotated[
    float,
    Field(ge=0, le=1e12),
    _reader(Dimension.MONEY, "an amount of money such as '$50'"),
    _writer(Dimension.MONEY),
    _spelling(MONEY_PATTERN, minimum=0, maximum=1e12),
]
