"""Policies of cost and what was served, to be changed one figure at a time; and any of them, for properties."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from runner.economics.cost.prices import Model
from runner.economics.cost.workload import workload
from runner.events.traffic import Served, Times, Tokens
from runner.spec.cost import CostPolicy
from tests.economics.situations import SPEC

DAY_S = 86_400.0
SHIPPED = SPEC.policies.cost
CADENCE = SPEC.policies.cadence


def policy(**changed: Any) -> CostPolicy:
    """Return the shipped policy with other sections, as YAML gives them."""
    return CostPolicy.model_validate({**SHIPPED.model_dump(mode="json"), **changed})


def model(costs: CostPolicy = SHIPPED) -> Model:
    """Return what is counted with where nothing was measured."""
    return Model(costs, workload(costs, CADENCE))


def items(*amounts: tuple[Any, ...]) -> dict[str, dict[str, Any]]:
    """Return items of (amount, per, account)."""
    return {
        f"item-{at}": {"amount": amount, "per": per, "account": account}
        for at, (amount, per, account) in enumerate(amounts)
    }


def served(requests: int = 5000, days: float = 10.0, **changed: Any) -> Served:
    """Return requests over some days, each of 100 prompt tokens and 20 or 40 answer tokens, none timed."""
    read = Tokens(requests, 100.0 * requests, 100.0**2 * requests)
    written = Tokens(requests, 30.0 * requests, 1000.0 * requests)
    return replace(
        Served(requests, days * DAY_S, read, written, Times((), ()), Times((), ())),
        **changed,
    )


DOLLARS = st.floats(min_value=0.0, max_value=1e5).map(lambda value: round(value, 2))
PERS = st.sampled_from(["hour", "month", "quarter", "year", "thousand_requests"])
ACCOUNTS = st.sampled_from(["running", "retraining", "engineering"])


@st.composite
def ranged(draw: st.DrawFn) -> dict[str, Any]:
    """Return an item with a range."""
    low, amount, high = sorted(draw(st.tuples(DOLLARS, DOLLARS, DOLLARS)))
    found: dict[str, Any] = {"low": low, "amount": amount, "high": high}
    return found | {"per": draw(PERS), "account": draw(ACCOUNTS)}


@st.composite
def policies(draw: st.DrawFn) -> CostPolicy:
    """Return any policy."""
    paid = {f"item-{at}": each for at, each in enumerate(draw(st.lists(ranged(), min_size=1, max_size=4)))}
    if draw(st.booleans()):
        paid["set-up"] = {"amount": draw(DOLLARS), "per": "once", "account": "setup"}
    tokens = st.integers(0, 5000)
    traffic = {
        "requests_per_month": draw(st.integers(0, 10**7)),
        "input_tokens": draw(tokens),
        "output_tokens": draw(tokens),
        "uncertainty": draw(st.sampled_from([0.0, 0.2, 0.5])),
    }
    prices = {"name": "an API", "input_per_million": draw(DOLLARS), "output_per_million": draw(DOLLARS)}
    return policy(items=paid, engineering={}, traffic=traffic, alternative=prices, reasons=[])
