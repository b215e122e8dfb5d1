"""`policies/cost.yaml`: what serving and training cost, and what the same would cost elsewhere.

Also the one place that says how often what is paid by the hour, month, quarter or year falls due, and what an hour of
work comes to: signals, the budget of training and `runner.economics.cost` count with these.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from runner.spec.base import Name, Section, Text
from runner.spec.condition import Condition
from runner.spec.quantity import Duration, Money, Ratio


class Per(StrEnum):
    """What an amount is paid for."""

    HOUR = "hour"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    THOUSAND_REQUESTS = "thousand_requests"
    ONCE = "once"


MONTH_HOURS: Final = 730.0
"""A year has 365 days, a month is a twelfth of it."""
_HOURS = {Per.HOUR: 1.0, Per.MONTH: MONTH_HOURS, Per.QUARTER: 3 * MONTH_HOURS, Per.YEAR: 12 * MONTH_HOURS}


def falls_due(per: Per, period: Per) -> float | None:
    """Return how often what is paid `per` some time falls due within a period: a quarter's in a month, a third.

    None for what time does not bring. Raises KeyError where the period is none of time.
    """
    return _HOURS[period] / _HOURS[per] if per in _HOURS else None


class Account(StrEnum):
    """Which total an item belongs to."""

    RUNNING = "running"
    """What keeping the service up costs: the headline figure for a month and a year."""
    RETRAINING = "retraining"
    """What new versions cost, told beside the headline."""
    ENGINEERING = "engineering"
    """What people's time costs, told beside the headline."""
    SETUP = "setup"
    """What it cost to get here; paid back by the saving."""


Hours = Annotated[float, Field(ge=0, le=1e6)]


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


class Work(Section):
    """Time that somebody spends: paid once it is set-up, else engineering."""

    hours: Hours
    """How many hours."""
    rate: Money
    """What an hour of it costs."""
    per: Per
    """In what time, or for what."""
    low: Hours | None = None
    """The least hours it may take; the hours where absent."""
    high: Hours | None = None
    """The most hours it may take; the hours where absent."""
    note: str = ""
    """What it is, in words."""


class Motive(StrEnum):
    """What speaks for serving the model oneself whatever it costs."""

    PRIVACY = "privacy"
    """What is asked may not leave one's own machines."""
    LATENCY = "latency"
    """An answer has to come sooner than over a network."""
    CONTROL = "control"
    """What serves may not change or end by somebody else's decision."""
    QUALITY = "quality"
    """It does this work better than a model for everything."""


class Reason(Section):
    """A reason beyond money."""

    kind: Motive
    """What it is about."""
    says: Text
    """The reason, in words."""
    bound: Condition | None = None
    """What has to hold of the latency measured here for the reason to stand, such as `first_token_p95 < 100ms`."""


class Alternative(Section):
    """The same work bought from an API by the token."""

    name: Text
    """Whose."""
    input_per_million: Money
    """Price of a million prompt tokens."""
    output_per_million: Money
    """Price of a million answer tokens."""
    uncertainty: Annotated[Ratio, Field(lt=1)] = 0.0
    """How far off both prices may be, either way: discounts, new price lists, another count of tokens."""


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


@dataclass(frozen=True, slots=True)
class Expense:
    """One thing that is paid for, money and time alike: dollars for each `per`, and the least and most it may be."""

    name: str
    account: Account
    per: Per
    amount: float
    low: float
    high: float
    note: str


class CostPolicy(Section):
    """The figures behind every statement about money."""

    items: Annotated[dict[Name, Item], Field(min_length=1)]
    """What is paid for with money."""
    engineering: dict[Name, Work] = Field(default_factory=dict)
    """What is paid for with people's time."""
    training_time: Annotated[Duration, Field(gt=0)] = 3600.0
    """How long a round of training takes, for what it costs by the hour; what versions took comes in its place."""
    traffic: Traffic
    """How much is served."""
    alternative: Alternative
    """What it is compared with."""
    reasons: tuple[Reason, ...] = ()
    """What speaks for serving it oneself beyond money."""

    def expenses(self) -> tuple[Expense, ...]:
        """Return everything that is paid for, in the order of the file."""
        return (
            *(_paid(name, item) for name, item in self.items.items()),
            *(_worked(name, work) for name, work in self.engineering.items()),
        )


def _paid(name: str, item: Item) -> Expense:
    low = item.amount if item.low is None else item.low
    high = item.amount if item.high is None else item.high
    return Expense(name, item.account, item.per, item.amount, low, high, item.note)


def _worked(name: str, work: Work) -> Expense:
    low = work.hours if work.low is None else work.low
    high = work.hours if work.high is None else work.high
    account = Account.SETUP if work.per is Per.ONCE else Account.ENGINEERING
    amount, least, most = (hours * work.rate for hours in (work.hours, low, high))
    return Expense(name, account, work.per, amount, least, most, work.note)
