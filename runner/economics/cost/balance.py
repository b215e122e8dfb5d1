"""What a month costs, item by item, and how that compares with the API: saving, break-even traffic, payback.

Everything at the value that is taken for it; how sure that is, `sensitivity` and `simulation` say. Called by
`statement` and by the plan of a change. Computation only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runner.economics.cost.prices import Model, Prices, Scope, monthly, prices
from runner.economics.cost.workload import Workload
from runner.spec.cost import Expense, Per

MONTHS = 12


@dataclass(frozen=True, slots=True)
class Never:
    """In the place of a figure that does not exist, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Due:
    """What one expense comes to in a month; what is paid once comes to all of it."""

    expense: Expense
    dollars: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The API beside serving it oneself, counting what `scope` says. Dollars a month."""

    scope: Scope
    month: float
    saving: float
    per_thousand: float | None
    """What a thousand requests cost; None where there are none."""
    break_even: float | Never
    """Requests a month at which both cost the same; with more, serving it oneself costs less."""
    payback: float | Never
    """Months after which the saving has paid for the set-up: 0 where there is none, never where nothing is saved."""

    @property
    def year(self) -> float:
        """What a year costs."""
        return MONTHS * self.month

    @property
    def saving_year(self) -> float:
        """What a year saves."""
        return MONTHS * self.saving


@dataclass(frozen=True, slots=True)
class Balance:
    """The whole account. `setup` is paid once; `api_*` is what the API costs a month and for a thousand requests."""

    workload: Workload
    due: tuple[Due, ...]
    setup: float
    api: str
    api_month: float
    api_per_thousand: float
    comparisons: tuple[Comparison, ...]

    def of(self, scope: Scope) -> Comparison:
        """Return the comparison by a scope, or by the widest that anything is paid for in."""
        return next((each for each in self.comparisons if each.scope is scope), self.comparisons[-1])


def balance(model: Model) -> Balance:
    """Return the account and its comparison with the API, for each scope that anything is paid for in."""
    found = prices(model)
    return Balance(
        workload=model.workload,
        due=_due(model),
        setup=float(found.setup),
        api=model.policy.alternative.name,
        api_month=float(found.api_month()),
        api_per_thousand=float(found.api),
        comparisons=tuple(_compare(found, scope) for scope in model.scopes()),
    )


def _due(model: Model) -> tuple[Due, ...]:
    """Return what each expense comes to: alone in a policy, it is what the formula makes of it."""
    load = model.workload
    hours, thousands = np.asarray(load.training_hours.value), load.requests.value / 1000
    return tuple(
        Due(
            each,
            each.amount
            * (thousands if each.per is Per.THOUSAND_REQUESTS else float(monthly(each, load.rounds, hours))),
        )
        for each in model.policy.expenses()
    )


def _compare(found: Prices, scope: Scope) -> Comparison:
    month, saving, requests = (
        float(each) for each in (found.month(scope), found.saving(scope), found.requests)
    )
    return Comparison(
        scope=scope,
        month=month,
        saving=saving,
        per_thousand=1000 * month / requests if requests else None,
        break_even=_break_even(
            float(found.fixed_in(scope)), float(found.variable_in(scope)), float(found.api)
        ),
        payback=_payback(float(found.setup), saving),
    )


def _break_even(fixed: float, variable: float, api: float) -> float | Never:
    """Return the requests r with `fixed + variable r = api r`, prices for a thousand requests."""
    if api > variable:
        return 1000 * fixed / (api - variable)
    if not fixed and api == variable:
        return 0.0
    return Never(f"1,000 requests more cost ${variable:,.2f} here and ${api:,.2f} at the API, at any traffic")


def _payback(setup: float, saving: float) -> float | Never:
    if saving > 0:
        return setup / saving
    return Never(f"at this traffic nothing is saved: it costs ${-saving:,.2f} a month more than the API")
