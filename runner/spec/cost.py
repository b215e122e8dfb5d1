"""`policies/cost.yaml`: what serving and training cost, and what the same would cost elsewhere."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from runner.spec.base import Name, Section, Text
from runner.spec.quantity import Money, Ratio


class Per(StrEnum):
    """What an amount is paid for."""

    HOUR = "hour"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    THOUSAND_REQUESTS = "thousand_requests"
    ONCE = "once"


class Account(StrEnum):
    """Which total an item belongs to."""

    RUNNING = "running"
    """What keeping the service up costs: the headline figure for a month and a year."""
    RETRAINING = "retraining"
    """What new versions cost, told beside the headline."""
    SETUP = "setup"
    """What it cost to get here; paid back by the saving."""


class Item(Section):
    """One thing that is paid for."""

    amount: Money
    """What it costs."""
    per: Per
    """For what time or amount."""
    account: Account = Account.RUNNING
    """Which total it belongs to."""
    low: Money | None = None
    """The least it may come to; the amount where absent."""
    high: Money | None = None
    """The most it may come to; the amount where absent."""
    note: str = ""
    """What it is, in words."""


class Alternative(Section):
    """The same work bought from an API by the token."""

    name: Text
    """Whose."""
    input_per_million: Money
    """Price of a million prompt tokens."""
    output_per_million: Money
    """Price of a million answer tokens."""


class Traffic(Section):
    """Assumed traffic; measured figures take its place where there are any."""

    requests_per_month: Annotated[int, Field(ge=0)]
    """Requests in a month."""
    input_tokens: Annotated[float, Field(ge=0)]
    """Mean prompt tokens of a request."""
    output_tokens: Annotated[float, Field(ge=0)]
    """Mean answer tokens of a request."""
    uncertainty: Annotated[Ratio, Field(lt=1)] = 0.2
    """How far off these may be, either way."""


class CostPolicy(Section):
    """The figures behind every statement about money."""

    items: Annotated[dict[Name, Item], Field(min_length=1)]
    """What is paid for."""
    traffic: Traffic
    """How much is served."""
    alternative: Alternative
    """What it is compared with."""
