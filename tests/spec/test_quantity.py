"""Quantities: one spelling for files and conditions, and no rounding on the way."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.spec.quantity import Dimension, Quantity, parse, show


@pytest.mark.parametrize(
    ("text", "value", "dimension"),
    [
        ("5%", 0.05, Dimension.RATIO),
        ("7 %", 0.07, Dimension.RATIO),
        ("2000ms", 2.0, Dimension.DURATION),
        ("30s", 30.0, Dimension.DURATION),
        ("10m", 600.0, Dimension.DURATION),
        ("24h", 86400.0, Dimension.DURATION),
        ("7d", 604800.0, Dimension.DURATION),
        ("2w", 1209600.0, Dimension.DURATION),
        ("$4.50", 4.5, Dimension.MONEY),
        ("4.0", 4.0, None),
    ],
)
def test_a_quantity_is_read_in_base_units(text, value, dimension):
    assert parse(text) == Quantity(value, dimension)


@pytest.mark.parametrize(
    "text", ["", "%", "5 percent", "-5%", "5%%", "$5%", "1e3s", "٣%", "5m s", "9" * 400 + "%"]
)
def test_anything_else_is_no_quantity(text):
    with pytest.raises(ValueError, match="is not a quantity"):
        parse(text)


@settings(deadline=None)
@given(st.decimals(0, 10**6, places=3), st.sampled_from(list(Dimension)))
def test_what_is_shown_reads_back_as_the_same_value(number, dimension):
    value = float(Decimal(number))
    read = parse(show(value, dimension))
    assert read.value == value
    assert read.dimension in (dimension, None)
