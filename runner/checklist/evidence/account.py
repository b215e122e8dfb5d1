"""A year's account by `policies/cost.yaml`, counted with what the log shows of requests and tokens.

Called by `gather`. It takes the account of `runner.economics.cost` and computes nothing of its own.
"""

from __future__ import annotations

from runner.checklist.facts import Account
from runner.economics.cost.balance import MONTHS, Never, balance
from runner.economics.cost.prices import Model, Scope
from runner.economics.cost.workload import Figure, Source, workload
from runner.events.lake import Lake
from runner.events.traffic import served
from runner.spec.load import Spec


def account(spec: Spec, stored: Lake, now: float) -> Account:
    """Return the running account of a year beside that of the API."""
    policy = spec.policies.cost
    load = workload(policy, spec.policies.cadence, served(stored.requests(), now))
    found = balance(Model(policy, load))
    own = found.of(Scope.RUNNING)
    figures = {
        "requests a month": load.requests,
        "prompt tokens": load.input_tokens,
        "answer tokens": load.output_tokens,
    }
    return Account(
        year=own.year,
        api=found.api,
        api_year=MONTHS * found.api_month,
        payback=_payback(found.setup, own.payback),
        measured=_told(figures, Source.MEASURED),
        assumed=_told(figures, Source.ASSUMED),
    )


def _payback(setup: float, months: float | Never) -> str:
    if not setup:
        return "none is declared"
    return months.reason if isinstance(months, Never) else f"${setup:,.0f}, paid back in {months:.1f} months"


def _told(figures: dict[str, Figure], source: Source) -> tuple[str, ...]:
    return tuple(
        f"{figure.value:,.0f} {name} ({figure.rests_on})"
        for name, figure in figures.items()
        if figure.source is source
    )
