"""Quantities as people write them: `5%`, `24h`, `2000ms`, `$50`. One parser for YAML values and conditions."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)$")
_RATIO = re.compile(r"^(\d+(?:\.\d+)?)\s*%$")


def _duration(value: Any) -> Any:
    if isinstance(value, str) and (match := _DURATION.match(value.strip())):
        return float(match[1]) * SECONDS[match[2]]
    if isinstance(value, str):
        raise ValueError(f"{value!r} is not a duration such as '30s', '24h' or '7d'")
    return value


def _ratio(value: Any) -> Any:
    if isinstance(value, str) and (match := _RATIO.match(value.strip())):
        return float(match[1]) / 100.0
    if isinstance(value, str):
        raise ValueError(f"{value!r} is not a share such as '5%' or 0.05")
    return value


Duration = Annotated[float, BeforeValidator(_duration), Field(ge=0, json_schema_extra={"unit": "seconds"})]
Ratio = Annotated[float, BeforeValidator(_ratio), Field(ge=0, le=1)]
