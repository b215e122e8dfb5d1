"""A data set's declaration as a suite of Great Expectations; each expectation with the words people read.

Called by `validate`. Pure but for the import of Great Expectations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

from runner.feedback.expectations import table
from runner.feedback.expectations.library import great_expectations
from runner.spec.dataset import DatasetFile, Expect, Expectation

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation as GreatExpectation


@dataclass(frozen=True, slots=True)
class Expected:
    """One expectation: the column as people know it (empty: the table), its words, and what checks it."""

    column: str
    says: str
    check: GreatExpectation


def suite(dataset: DatasetFile) -> tuple[Expected, ...]:
    """Return everything that is expected of a data set, in the order in which people read it."""
    return (*_of_table(dataset), *_of_types(dataset), *(_declared(each) for each in dataset.expectations))


def _of_table(dataset: DatasetFile) -> Iterator[Expected]:
    gxe = great_expectations().expectations
    yield Expected(
        "",
        "every line is a JSON object",
        gxe.ExpectColumnValuesToBeInSet(column=table.READABLE, value_set=[True]),
    )
    least = dataset.minimum.rows
    yield Expected("", f"at least {least} rows", gxe.ExpectTableRowCountToBeBetween(min_value=least))
    if dataset.categories:
        names = ", ".join(dataset.categories)
        check = gxe.ExpectColumnDistinctValuesToContainSet(
            column="category", value_set=list(dataset.categories)
        )
        yield Expected("", f"categories {names} all occur", check)
    if fewest := dataset.minimum.per_category:
        check_ = gxe.ExpectColumnValuesToBeBetween(column=table.OF_CATEGORY, min_value=fewest)
        yield Expected("", f"every category has at least {fewest} rows", check_)


def _of_types(dataset: DatasetFile) -> Iterator[Expected]:
    gxe = great_expectations().expectations
    for column, declared in dataset.schema_.items():
        check = gxe.ExpectColumnValuesToBeInSet(
            column=table.type_column(column), value_set=[str(each) for each in table.fits(declared)]
        )
        yield Expected(column, f"is {declared.value}", check)


def _declared(expectation: Expectation) -> Expected:
    says, check = _check(expectation)
    share = "" if expectation.share == 1.0 else f" in {expectation.share:.6g} of the rows or more"
    return Expected(expectation.column, f"{says}{share}", check)


def _check(each: Expectation) -> tuple[str, GreatExpectation]:
    """Return the words and the check of one declared expectation."""
    gxe = great_expectations().expectations
    common: dict[str, Any] = {"column": each.column, "mostly": each.share}
    between: dict[str, Any] = {"min_value": each.low, "max_value": each.high, **common}
    match each.expect:
        case Expect.NOT_NULL:
            return "is there", gxe.ExpectColumnValuesToNotBeNull(**common)
        case Expect.UNIQUE:
            return "is unique", gxe.ExpectColumnValuesToBeUnique(**common)
        case Expect.LENGTH_BETWEEN:
            return f"has {_range(each)} characters", gxe.ExpectColumnValueLengthsToBeBetween(**between)
        case Expect.VALUE_BETWEEN:
            return f"is {_range(each)}", gxe.ExpectColumnValuesToBeBetween(**between)
        case Expect.IN_SET:
            words = ", ".join(each.values)
            return f"is one of {words}", gxe.ExpectColumnValuesToBeInSet(
                value_set=list(each.values), **common
            )
        case Expect.MATCHES:
            return f"matches {each.pattern}", gxe.ExpectColumnValuesToMatchRegex(
                regex=each.pattern or "", **common
            )
        case _:
            assert_never(each.expect)


def _range(each: Expectation) -> str:
    if each.low is None:
        return f"at most {each.high:g}"
    return f"at least {each.low:g}" if each.high is None else f"{each.low:g} to {each.high:g}"
