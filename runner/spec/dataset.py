"""`datasets/NAME.yaml`: what a data set is for, where its bytes are, and what must hold for them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from runner.spec.base import DvcHash, InsidePath, Name, Section, Text
from runner.spec.quantity import Ratio


class Role(StrEnum):
    """What a data set is for."""

    SFT = "sft"
    PREFERENCES = "preferences"
    REGRESSION = "regression"
    OOD = "ood"
    ADVERSARIAL = "adversarial"
    REFERENCE = "reference"
    EVENTS = "events"


class ColumnType(StrEnum):
    """Type of a column of the JSON lines."""

    TEXT = "text"
    TEXTS = "texts"
    WHOLE = "whole"
    REAL = "real"
    BOOL = "bool"
    MESSAGES = "messages"
    """A conversation: a list of `{role, content}`."""
    RECORD = "record"
    """Keys and values, whatever they are."""


class Expect(StrEnum):
    """What may be expected of a column; each becomes one Great Expectations check."""

    NOT_NULL = "not_null"
    UNIQUE = "unique"
    LENGTH_BETWEEN = "length_between"
    VALUE_BETWEEN = "value_between"
    IN_SET = "in_set"
    MATCHES = "matches"


class Expectation(Section):
    """One thing that must hold for a column."""

    column: Name
    """Which column."""
    expect: Expect
    """What must hold."""
    low: float | None = None
    """Least length or value."""
    high: float | None = None
    """Greatest length or value."""
    values: tuple[str, ...] = ()
    """The set, for `in_set`."""
    pattern: str | None = None
    """The regular expression, for `matches`."""
    share: Annotated[Ratio, Field(gt=0)] = 1.0
    """Least share of rows for which it must hold."""


class Minimum(Section):
    """How much there must be."""

    rows: Annotated[int, Field(ge=1)] = 1
    """Rows in all."""
    per_category: Annotated[int, Field(ge=0)] = 0
    """Rows of every category named in `categories`."""


class Provenance(Section):
    """Where it comes from."""

    stage: Name | None = None
    """Stage of `dvc.yaml` that makes it; none where it is added by hand."""
    description: Text
    """In words: from what, by whom, under which licence."""


class DatasetFile(Section):
    """One data set."""

    name: Name
    """The data set; the file's name without `.yaml`."""
    role: Role
    """What it is for."""
    path: InsidePath
    """File of JSON lines, tracked by DVC."""
    hash: DvcHash | None = None
    """DVC's hash of that file; absent as long as there is none yet."""
    schema_: Annotated[dict[Name, ColumnType], Field(alias="schema", min_length=1)]
    """Column -> its type; every row has all of them."""
    expectations: tuple[Expectation, ...] = ()
    """What must hold for the rows."""
    minimum: Minimum = Field(default_factory=Minimum)
    """How much there must be."""
    categories: tuple[Name, ...] = ()
    """Categories that must occur, in the column `category`."""
    provenance: Provenance
    """Where it comes from."""
