"""What a thousand requests cost, by `policies/cost.yaml`, over a window and for each arm.

Running costs fall due by the hour, whether anybody asks or not; an arm bears as much of them as it kept the engine
busy. Called by `measure`. Computation only.
"""

from __future__ import annotations

from typing import assert_never

from runner.signals.readings.estimates import NO_DATA, Estimate, exact
from runner.signals.readings.tally import Tallies
from runner.spec.cost import Account, CostPolicy, Item, Per

JUDGED_HOURS = 24
"""Hours of traffic without which a cost says more about the time of day than about the service."""
_HOURS = {Per.HOUR: 1.0, Per.MONTH: 730.0, Per.QUARTER: 2190.0, Per.YEAR: 8760.0}


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
    running = sum(_hourly(item) for item in policy.items.values()) * (until - begun) * bears
    variable = sum(
        item.amount for item in policy.items.values() if item.per is Per.THOUSAND_REQUESTS and _counts(item)
    )
    value, hours = running / requests * 1000.0 + variable, until - begun
    if hours < JUDGED_HOURS:
        return Estimate(value, None, None, requests, f"{hours} h of running costs: too few to judge")
    return exact(value, requests, f"{hours} h of running costs")


def _hourly(item: Item) -> float:
    match item.per:
        case Per.HOUR | Per.MONTH | Per.QUARTER | Per.YEAR:
            return item.amount / _HOURS[item.per] if _counts(item) else 0.0
        case Per.THOUSAND_REQUESTS | Per.ONCE:
            return 0.0
        case _:
            assert_never(item.per)


def _counts(item: Item) -> bool:
    return item.account is Account.RUNNING
