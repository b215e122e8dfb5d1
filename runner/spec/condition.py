"""A condition of a YAML file, such as `error_rate > 5% OR satisfaction < baseline * 0.9`.

Types of policies hold it; it is written back as the text it was read from. The grammar is in `grammar`, the
tree in `expression`, whose names can be had from here too. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from runner.spec import grammar
from runner.spec.expression import (
    And,
    Baseline,
    Comparison,
    ConditionError,
    Constant,
    Expression,
    Not,
    Operator,
    Or,
    leaves,
    show,
)

__all__ = [
    "And",
    "Baseline",
    "Comparison",
    "Condition",
    "ConditionError",
    "Constant",
    "Expression",
    "Not",
    "Operator",
    "Or",
    "parse",
    "show",
]

MAX_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as written and as understood."""

    text: str
    expression: Expression

    def __str__(self) -> str:
        return self.text

    def comparisons(self) -> tuple[Comparison, ...]:
        """Return every comparison in it, in the order of the text."""
        return tuple(leaves(self.expression))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let a field of a YAML file be a condition; it is written back as its text."""
        del source, handler
        return core_schema.no_info_plain_validator_function(
            _validate, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Tell editors that it is text, by an example."""
        del schema, handler
        return {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_LENGTH,
            "examples": ["error_rate > 5% OR satisfaction < baseline"],
        }


def parse(text: str) -> Condition:
    """Read and check a condition. Raises ConditionError, with the place in the text."""
    if len(text) > MAX_LENGTH:
        shown = text[:60]
        raise ConditionError(
            shown, 0, 1, f"a condition has at most {MAX_LENGTH} characters, this has {len(text)}"
        )
    if "\n" in text:
        raise ConditionError(text.replace("\n", " "), text.index("\n"), 0, "a condition stands on one line")
    return Condition(text, grammar.read(text))


def _validate(value: Any) -> Condition:
    if isinstance(value, Condition):
        return value
    if not isinstance(value, str):
        raise ValueError("a condition is text such as 'error_rate > 5%'")
    return parse(value)
