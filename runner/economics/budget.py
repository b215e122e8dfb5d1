"""What training has cost this quarter and would cost with one round more, by `policies/cost.yaml`.

Items of the account `retraining` count. An amount by the hour is paid for the hours of training, by the manifests of
the rounds; what is paid by the month, the quarter or the year is paid whether one trains or not, and counts once for
the quarter; what is paid once counts for every round. Pure; `decide` calls it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from runner.economics.situation import PastRound
from runner.spec.cost import Account, CostPolicy, Per, falls_due

_HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Bill:
    """Dollars of one quarter: spent by so many rounds, and what one round more adds. None where nobody knows."""

    rounds: int
    spent: float | None
    planned: float | None
    unknown: tuple[str, ...]
    """Rounds of the quarter whose time is not known, though it is paid by the hour."""

    @property
    def total(self) -> float | None:
        """Both together."""
        return None if self.spent is None or self.planned is None else self.spent + self.planned


def bill(policy: CostPolicy, quarter: Sequence[PastRound], before: Sequence[PastRound]) -> Bill:
    """Return the bill of a quarter with these rounds; those `before` it help to foretell how long a round takes."""
    flat, hourly, each_round = _prices(policy)
    unknown = tuple(each.name for each in quarter if each.seconds is None) if hourly else ()
    hours = sum(each.seconds or 0.0 for each in quarter) / _HOUR_S
    known = [each.seconds / _HOUR_S for each in (*before, *quarter) if each.seconds is not None]
    ahead = median(known) if known else (0.0 if not hourly else None)
    spent = (flat if quarter else 0.0) + hourly * hours + each_round * len(quarter)
    first = 0.0 if quarter else flat
    return Bill(
        len(quarter),
        None if unknown else spent,
        None if ahead is None else first + hourly * ahead + each_round,
        unknown,
    )


def _prices(policy: CostPolicy) -> tuple[float, float, float]:
    """Return dollars a quarter, an hour and a round."""
    flat = hourly = each_round = 0.0
    for each in policy.expenses():
        if each.account is not Account.RETRAINING:
            continue
        if each.per is Per.HOUR:
            hourly += each.amount
        elif each.per is Per.ONCE:
            each_round += each.amount
        else:
            flat += each.amount * (falls_due(each.per, Per.QUARTER) or 0.0)
    return flat, hourly, each_round
