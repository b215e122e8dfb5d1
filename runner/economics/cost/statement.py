"""Everything that is said of money at once: account, tornado, outlook, and the reasons beyond money.

Called by `loop cost`, the weekly report and the plan of a change; `report.cost` renders it. Computation only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.economics.cost.balance import Balance, balance
from runner.economics.cost.prices import Model
from runner.economics.cost.reasons import Standing, standing
from runner.economics.cost.sensitivity import Bar, bars
from runner.economics.cost.simulation import Outlook, outlooks
from runner.economics.cost.workload import workload
from runner.events.traffic import Served
from runner.spec.cadence import CadencePolicy
from runner.spec.cost import CostPolicy


@dataclass(frozen=True, slots=True)
class Statement:
    """What serving the model oneself costs and saves, how sure that is, and what else speaks for it.

    `balance` and `outlooks` have one entry for each scope, the running account first; `bars` begin with what matters
    most.
    """

    balance: Balance
    bars: tuple[Bar, ...]
    outlooks: tuple[Outlook, ...]
    reasons: tuple[Standing, ...]


def state(
    policy: CostPolicy, cadence: CadencePolicy, served: Served | None = None, trained: Sequence[float] = ()
) -> Statement:
    """Return the statement of a policy, with what was measured in the place of what it assumes.

    `served` is None where nothing may be measured, as in the plan of a change; `trained` are the seconds that rounds
    of training took.
    """
    model = Model(policy, workload(policy, cadence, served, trained))
    return Statement(
        balance(model),
        bars(model),
        outlooks(model),
        tuple(standing(each, served) for each in policy.reasons),
    )
