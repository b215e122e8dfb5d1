"""The one formula of money: assumptions at some values in, what a month of them costs here and at the API out.

The account, the tornado and the simulation all count with it, so that none can disagree with another. Values are
arrays, of shape () for one case and (draws,) for many. Computation only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from runner.economics.cost.workload import Source, Workload, workload
from runner.spec.cadence import CadencePolicy
from runner.spec.cost import Account, CostPolicy, Expense, Per, falls_due

Numbers = NDArray[np.float64]

REQUESTS, INPUT, OUTPUT = "requests a month", "prompt tokens", "answer tokens"
API, TRAINING = "prices of the API", "hours of a round"
"""Names of what is assumed beside expenses; no expense has a name with a space."""


class Scope(StrEnum):
    """What is counted as the cost of serving it oneself: each takes in the one before."""

    RUNNING = "running account"
    RETRAINING = "with retraining"
    ENGINEERING = "with people's time"

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The accounts that it adds up."""
        return _ACCOUNTS[: list(Scope).index(self) + 1]


_ACCOUNTS = (Account.RUNNING, Account.RETRAINING, Account.ENGINEERING)


@dataclass(frozen=True, slots=True)
class Assumption:
    """One figure that everything hangs on: by its name, what it is taken for, and the least and the most it may be."""

    name: str
    value: float
    low: float
    high: float
    source: Source
    expense: Expense | None = None
    """What it is the amount of; None for traffic, for hours, and for the prices of the API: a factor of both."""


@dataclass(frozen=True, slots=True)
class Model:
    """What is counted with: the policy and the workload."""

    policy: CostPolicy
    workload: Workload

    def assumptions(self) -> tuple[Assumption, ...]:
        """Return every figure, expenses first, in the order of the policy."""
        load, off = self.workload, self.policy.alternative.uncertainty
        figures = {
            REQUESTS: load.requests,
            INPUT: load.input_tokens,
            OUTPUT: load.output_tokens,
            TRAINING: load.training_hours,
        }
        return (
            *(
                Assumption(each.name, each.amount, each.low, each.high, Source.ASSUMED, each)
                for each in self.policy.expenses()
            ),
            *(Assumption(name, f.value, f.low, f.high, f.source) for name, f in figures.items()),
            Assumption(API, 1.0, 1.0 - off, 1.0 + off, Source.ASSUMED),
        )

    def scopes(self) -> tuple[Scope, ...]:
        """Return the running account, and each wider scope that anything is paid for in."""
        paid = {each.account for each in self.policy.expenses()}
        return tuple(
            scope for scope in Scope if scope is Scope.RUNNING or paid.intersection(scope.accounts[-1:])
        )


def assumed(policy: CostPolicy, cadence: CadencePolicy) -> Model:
    """Return the model in which nothing is measured."""
    return Model(policy, workload(policy, cadence))


@dataclass(frozen=True, slots=True)
class Prices:
    """What it comes to, in dollars: a month's `fixed` and a thousand requests' `variable` cost of each account."""

    requests: Numbers
    """A month."""
    api: Numbers
    """A thousand requests at the API."""
    fixed: Mapping[Account, Numbers]
    variable: Mapping[Account, Numbers]
    setup: Numbers
    """Once."""

    def fixed_in(self, scope: Scope) -> Numbers:
        """Return what a month costs whatever is asked."""
        return _sum([self.fixed[account] for account in scope.accounts])

    def variable_in(self, scope: Scope) -> Numbers:
        """Return what a thousand requests cost beside it."""
        return _sum([self.variable[account] for account in scope.accounts])

    def month(self, scope: Scope) -> Numbers:
        """Return what a month costs."""
        return self.fixed_in(scope) + self.variable_in(scope) * self.requests / 1000

    def api_month(self) -> Numbers:
        """Return what a month would cost at the API."""
        return self.api * self.requests / 1000

    def saving(self, scope: Scope) -> Numbers:
        """Return what is saved a month against the API; below zero where it costs more."""
        return self.api_month() - self.month(scope)


def prices(model: Model, values: Mapping[str, Numbers] | None = None) -> Prices:
    """Return the prices with these values in the place of some assumptions'; of the others their own."""
    here = {each.name: np.asarray(each.value) for each in model.assumptions()} | dict(values or {})
    api, hours = model.policy.alternative, here[TRAINING]
    fixed = dict.fromkeys(Account, np.zeros(()))
    variable = dict.fromkeys(Account, np.zeros(()))
    for each in model.policy.expenses():
        amount = here[each.name]
        if each.per is Per.THOUSAND_REQUESTS:
            variable[each.account] = variable[each.account] + amount
        else:
            due = amount * monthly(each, model.workload.rounds, hours)
            fixed[each.account] = fixed[each.account] + due
    tokens = here[INPUT] * api.input_per_million + here[OUTPUT] * api.output_per_million
    return Prices(
        requests=here[REQUESTS],
        api=tokens / 1000 * here[API],
        fixed=fixed,
        variable=variable,
        setup=fixed[Account.SETUP],
    )


def monthly(expense: Expense, rounds: float, hours: Numbers) -> Numbers:
    """Return how often an expense falls due in a month; once for set-up.

    Retraining that is paid by the hour or once is paid for each of `rounds` a month, which take so many hours.
    """
    if expense.account is Account.RETRAINING and expense.per is Per.HOUR:
        return rounds * hours
    if expense.per is Per.ONCE:
        return np.asarray(rounds if expense.account is Account.RETRAINING else 1.0)
    return np.asarray(falls_due(expense.per, Per.MONTH) or 0.0)


def _sum(parts: list[Numbers]) -> Numbers:
    total = np.zeros(())
    for part in parts:
        total = total + part
    return total
