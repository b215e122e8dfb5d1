"""What a thousand requests cost, by `policies/cost.yaml`, over a window and for each arm.

Running costs fall due by the hour, whether anybody asks or not; an arm bears as much of them as it kept the engine
busy. Called by `measure`. Computation only.
"""

from __future__ import annotations

from runner.signals.readings.estimates import NO_DATA, Estimate, exact
from runner.signals.readings.tally import Tallies
from runner.spec.cost import Account, CostPolicy, Per, falls_due

JUDGED_HOURS = 24
"""Hours of traffic without which a cost says more about the time of day than about the service."""


def per_thousand(policy: CostPolicy, part: Tallies, whole: Tallies, since: int, until: int) -> Estimate:
    """Return dollars for a thousand requests of `part` over the hours `since` to `until`.

    `whole` is everything that was served; hours before its first request cost nothing here, because nothing ran.
    """
    requests, busy = part.over("error", since, until).n, part.over("latency", since, until).total
    everything = whole.over("latency", since, until).total
    begun = whole.first_hour("error", since, until)
    if not requests or begun is None:
        return NO_DATA
    bears = busy / everything if everything else requests / whole.over("error", since, until).n
    hourly, variable = _prices(policy)
    running = hourly * (until - begun) * bears
    value, hours = running / requests * 1000.0 + variable, until - begun
    if hours < JUDGED_HOURS:
        return Estimate(value, None, None, requests, f"{hours} h of running costs: too few to judge")
    return exact(value, requests, f"{hours} h of running costs")


def _prices(policy: CostPolicy) -> tuple[float, float]:
    """Return what an hour costs, and what a thousand requests cost beside it."""
    hourly = variable = 0.0
    for each in policy.expenses():
        if each.account is not Account.RUNNING:
            continue
        hourly += each.amount * (falls_due(each.per, Per.HOUR) or 0.0)
        variable += each.amount if each.per is Per.THOUSAND_REQUESTS else 0.0
    return hourly, variable
