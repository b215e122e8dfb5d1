"""What serving costs and saves: the figures of the sources, and what must hold of any policy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runner.economics.cost.balance import Never, balance
from runner.economics.cost.prices import API, REQUESTS, Scope, prices
from runner.economics.cost.reasons import standing
from runner.economics.cost.sensitivity import bars
from runner.economics.cost.simulation import outlooks
from runner.economics.cost.statement import state
from runner.economics.cost.workload import LEAST_S, Source, workload
from runner.events.traffic import Times, Tokens
from runner.report import dollars
from runner.signals.reading import Holds
from runner.signals.readings.estimates import FEWEST
from runner.spec.cost import CostPolicy, Per, falls_due
from tests.economics.costs import CADENCE, SHIPPED, items, model, policies, policy, served

NEAR = 1e-6


def test_the_table_of_the_sources_comes_out_exactly():
    found = balance(model())
    running = found.of(Scope.RUNNING)
    assert {each.expense.name: each.dollars for each in found.due if each.expense.account == "running"} == {
        "gpu-serving": 200.0,
        "labelling": 50.0,
        "licence": 0.0,
        "monitoring": 50.0,
    }
    assert (running.month, running.year, running.saving_year) == (300.0, 3600.0, 1800.0)
    assert (found.api_month, running.per_thousand, found.api_per_thousand) == (450.0, 3.0, 4.5)
    (quarterly,) = [each.expense for each in found.due if each.expense.name == "retraining"]
    assert (quarterly.amount, quarterly.per) == (50.0, Per.QUARTER)


def test_what_the_sources_leave_out_stands_beside_the_running_account_and_not_in_it():
    found = balance(model())
    assert found.of(Scope.RETRAINING).month == pytest.approx(300 + 50 / 3)
    assert found.of(Scope.ENGINEERING).month == pytest.approx(300 + 50 / 3 + 2 * 60)
    assert found.setup == 40 * 60
    assert found.of(Scope.RUNNING).payback == pytest.approx(2400 / 150)


@pytest.mark.parametrize(
    ("per", "month"), [("month", 12.0), ("hour", 8760.0), ("quarter", 4.0), ("year", 1.0)]
)
def test_an_amount_counts_by_how_often_it_falls_due(per, month):
    assert balance(model(policy(items=items((12, per, "running"))))).of(Scope.RUNNING).month == pytest.approx(
        month
    )


@pytest.mark.parametrize("per", [Per.HOUR, Per.MONTH, Per.QUARTER, Per.YEAR])
@pytest.mark.parametrize("period", [Per.HOUR, Per.MONTH, Per.QUARTER, Per.YEAR])
def test_a_period_holds_another_as_often_as_the_other_is_a_part_of_it(per, period):
    assert falls_due(per, period) * falls_due(period, per) == pytest.approx(1.0)
    assert falls_due(Per.ONCE, period) is None and falls_due(Per.THOUSAND_REQUESTS, period) is None


def test_retraining_by_the_hour_costs_the_hours_of_the_rounds_that_the_cadence_asks_for():
    costs = policy(items=items((10, "hour", "retraining"), (3, "once", "retraining")), training_time="30m")
    weekly = 365 / 7 / 12
    assert balance(model(costs)).of(Scope.RETRAINING).month == pytest.approx(weekly * (10 / 2 + 3))
    took = state(costs, CADENCE, None, [3600.0, 7200.0, 10_800.0])
    assert took.balance.of(Scope.RETRAINING).month == pytest.approx(weekly * (10 * 2 + 3))


@given(policies())
def test_at_break_even_traffic_both_cost_the_same_and_beyond_it_serving_costs_less(costs: CostPolicy):
    for each in balance(model(costs)).comparisons:
        if isinstance(each.break_even, Never):
            for requests in (1.0, 1e3, 1e9):
                found = prices(model(costs), {REQUESTS: np.asarray(requests)})
                assert float(found.saving(each.scope)) <= NEAR * float(found.month(each.scope))
            continue
        at = prices(model(costs), {REQUESTS: np.asarray(each.break_even)})
        assert float(at.month(each.scope)) == pytest.approx(float(at.api_month()), rel=1e-6, abs=1e-6)
        more = prices(model(costs), {REQUESTS: np.asarray(2 * each.break_even + 1000)})
        assert float(more.saving(each.scope)) >= -NEAR * float(more.api_month())


@given(policies())
def test_payback_is_when_the_saving_has_added_up_to_the_set_up(costs: CostPolicy):
    found = balance(model(costs))
    for each in found.comparisons:
        if isinstance(each.payback, Never):
            assert each.saving <= 0 and "nothing is saved" in each.payback.reason
        else:
            assert each.saving > 0
            assert each.payback * each.saving == pytest.approx(found.setup, abs=1e-6)


def test_without_a_set_up_there_is_nothing_to_pay_back_and_a_loss_never_pays():
    paid, lost = (
        balance(model(policy(items=items((amount, "month", "running")), engineering={}))).of(Scope.RUNNING)
        for amount in (200, 700)
    )
    assert (paid.saving_year, dollars.months(paid.payback)) == (3000.0, "nothing to pay back")
    assert (lost.saving_year, dollars.months(lost.payback)) == (-3000.0, "never")


def test_where_a_request_costs_more_here_than_at_the_api_no_traffic_breaks_even_and_that_is_said():
    dear = policy(items=items((9, "thousand_requests", "running")))
    running = balance(model(dear)).of(Scope.RUNNING)
    assert running.break_even == Never(
        "1,000 requests more cost $9.00 here and $4.50 at the API, at any traffic"
    )
    assert dollars.traffic(running.break_even) == dollars.months(running.payback) == "never"


@given(policies(), st.floats(min_value=0, max_value=1e4))
def test_a_dearer_item_never_saves_more_and_a_dearer_api_never_less(costs: CostPolicy, more: float):
    base = prices(model(costs))
    dearer = {each.name: np.asarray(each.amount + more) for each in costs.expenses()}
    api = {API: np.asarray(1.0 + more)}
    for scope in Scope:
        assert prices(model(costs), dearer).saving(scope) <= base.saving(scope) + NEAR
        assert prices(model(costs), api).saving(scope) >= base.saving(scope) - NEAR


@given(policies())
def test_a_wider_account_never_costs_less(costs: CostPolicy):
    months = [each.month for each in balance(model(costs)).comparisons]
    assert months == sorted(months)


@given(policies())
def test_the_items_add_up_to_the_accounts(costs: CostPolicy):
    found = balance(model(costs))
    widest = found.comparisons[-1]
    spent = sum(each.dollars for each in found.due if each.expense.account in widest.scope.accounts)
    assert widest.month == pytest.approx(spent)


@given(policies())
def test_both_ends_of_every_bar_are_what_a_policy_with_that_figure_saves(costs: CostPolicy):
    base = balance(model(costs)).comparisons[-1].saving_year
    for bar in bars(model(costs)):
        if bar.assumption.expense is None:
            continue
        name = bar.assumption.name
        for end, change in ((bar.assumption.low, bar.at_low), (bar.assumption.high, bar.at_high)):
            told = {**costs.model_dump(mode="json")["items"]}
            told[name] = {**told[name], "amount": end, "low": None, "high": None}
            other = balance(model(policy(**{**costs.model_dump(mode="json"), "items": told})))
            assert other.comparisons[-1].saving_year - base == pytest.approx(change, rel=1e-6, abs=1e-3)


def test_the_ends_of_traffic_and_of_the_apis_prices_are_those_of_a_policy_with_them():
    found = {bar.assumption.name: (bar.at_low, bar.at_high) for bar in bars(model())}
    base = balance(model()).comparisons[-1].saving_year
    fewer = SHIPPED.traffic.model_copy(update={"requests_per_month": 80_000})
    cheaper = SHIPPED.alternative.model_copy(update={"input_per_million": 2.4, "output_per_million": 12.0})
    for changed, name in (({"traffic": fewer}, REQUESTS), ({"alternative": cheaper}, API)):
        other = balance(model(SHIPPED.model_copy(update=changed))).comparisons[-1].saving_year
        assert found[name][0] == pytest.approx(other - base)
        assert found[name][1] == pytest.approx(-found[name][0]), "as far up as down"


@given(policies())
def test_the_bars_fall_and_none_is_of_what_changes_nothing(costs: CostPolicy):
    swings = [bar.swing for bar in bars(model(costs))]
    assert swings == sorted(swings, reverse=True) and all(swings)


@settings(max_examples=20)
@given(policies())
def test_without_ranges_the_simulation_is_the_account(costs: CostPolicy):
    paid = {
        name: {**item, "low": None, "high": None}
        for name, item in costs.model_dump(mode="json")["items"].items()
    }
    sure = costs.traffic.model_copy(update={"uncertainty": 0.0})
    fixed = model(
        policy(**{**costs.model_dump(mode="json"), "items": paid}).model_copy(update={"traffic": sure})
    )
    for outlook, each in zip(outlooks(fixed, draws=10), balance(fixed).comparisons, strict=True):
        assert outlook.month.low == outlook.month.high == pytest.approx(each.month)
        assert outlook.chance == float(each.saving > 0)


@settings(max_examples=20)
@given(policies())
def test_where_every_assumption_is_as_far_off_either_way_the_interval_holds_the_account(costs: CostPolicy):
    def even(item):
        return {**item, "low": item["amount"] * 0.7, "high": item["amount"] * 1.3}

    paid = {name: even(item) for name, item in costs.model_dump(mode="json")["items"].items()}
    level = model(policy(**{**costs.model_dump(mode="json"), "items": paid}))
    assume(level.workload.requests.value > 0)
    for outlook, each in zip(outlooks(level, draws=4000), balance(level).comparisons, strict=True):
        slack = NEAR * (1 + abs(each.saving_year))
        assert outlook.month.low - slack <= each.month <= outlook.month.high + slack
        assert outlook.saving_year.low - slack <= each.saving_year <= outlook.saving_year.high + slack


def test_another_seed_changes_no_digit_that_is_shown_by_more_than_one():
    runs = [outlooks(model(), seed=seed) for seed in (1, 2, 3)]
    for scope in zip(*runs, strict=True):
        for ranges in ([each.month for each in scope], [each.saving_year for each in scope]):
            shown = dollars.step(ranges[0])
            assert np.ptp([each.low for each in ranges]) < shown
            assert np.ptp([each.high for each in ranges]) < shown
        assert np.ptp([each.chance for each in scope]) < 0.005


def test_the_chance_of_a_triangle_is_what_its_area_says():
    """One item from $0 over $300 to $900, against an API of $450: 1 - 450^2 / (900 * 600) is what lies below."""
    paid = {"gpu": {"amount": 300, "low": 0, "high": 900, "per": "month"}}
    traffic = {**SHIPPED.traffic.model_dump(mode="json"), "uncertainty": 0.0}
    api = {**SHIPPED.alternative.model_dump(mode="json"), "uncertainty": 0.0}
    (found,) = outlooks(model(policy(items=paid, engineering={}, traffic=traffic, alternative=api)))
    assert found.chance == pytest.approx(1 - 450**2 / (900 * 600), abs=0.004)


def test_measured_traffic_and_tokens_take_the_place_of_assumed_ones():
    found = workload(SHIPPED, CADENCE, served(requests=5000, days=10.0))
    assert found.requests.source is found.input_tokens.source is Source.MEASURED
    assert found.requests.value == pytest.approx(500 * 365 / 12)
    assert found.requests.low == pytest.approx(0.8 * found.requests.value), "as unsure as the policy says"
    assert (found.input_tokens.value, found.output_tokens.value) == (100.0, 30.0)
    assert found.output_tokens.low < 30.0 < found.output_tokens.high
    assert "5,000 requests in 10.0 days" in found.requests.rests_on
    account = state(SHIPPED, CADENCE, served()).balance
    assert account.api_month == pytest.approx(500 * 365 / 12 * (100 * 3 + 30 * 15) / 1e6)


@pytest.mark.parametrize(
    ("log", "requests", "tokens"),
    [
        (served(days=6.9), Source.ASSUMED, Source.MEASURED),
        (served(requests=FEWEST - 1), Source.MEASURED, Source.ASSUMED),
        (served(requests=0), Source.ASSUMED, Source.ASSUMED),
        (None, Source.ASSUMED, Source.ASSUMED),
        (served(requests=FEWEST, days=LEAST_S / 86_400), Source.MEASURED, Source.MEASURED),
    ],
)
def test_too_little_is_not_taken_for_a_measurement(log, requests, tokens):
    found = workload(SHIPPED, CADENCE, log)
    assert (found.requests.source, found.input_tokens.source) == (requests, tokens)
    if requests is Source.ASSUMED:
        assert found.requests.value == SHIPPED.traffic.requests_per_month
        assert "wanted" in found.requests.rests_on or "nothing was logged" in found.requests.rests_on


def test_a_handful_of_requests_makes_the_month_as_unsure_as_their_number_is():
    few = workload(SHIPPED, CADENCE, served(requests=25)).requests
    assert few.high / few.value - 1 == pytest.approx(2.6 / 5)


def test_tokens_that_never_vary_keep_the_range_of_the_policy():
    same = workload(SHIPPED, CADENCE, served()).input_tokens
    assert (same.low, same.high) == (pytest.approx(80.0), pytest.approx(120.0))


def test_only_one_of_the_two_may_be_measured():
    found = workload(SHIPPED, CADENCE, replace(served(), output_tokens=Tokens(0, 0.0, 0.0)))
    assert (found.input_tokens.source, found.output_tokens.source) == (Source.MEASURED, Source.ASSUMED)


@pytest.mark.parametrize(
    ("seconds", "n", "holds"),
    [(0.05, 2000, Holds.YES), (0.3, 2000, Holds.NO), (0.05, 3, Holds.UNSURE), (0.05, 0, Holds.UNSURE)],
)
def test_a_reason_stands_where_the_whole_interval_of_what_was_measured_is_within_its_bound(seconds, n, holds):
    (reason,) = [each for each in SHIPPED.reasons if each.bound is not None]
    found = standing(reason, served(first_token=Times((seconds,), (n,)) if n else Times((), ())))
    assert found.holds is holds
    ((metric, estimate),) = found.measured
    assert (metric, estimate.n) == ("first_token_p95", n)
    assert estimate.value == (seconds if n else None)


def test_a_percentile_is_that_of_the_times():
    (reason,) = [each for each in SHIPPED.reasons if each.bound is not None]
    times = Times((0.01, 0.02, 0.5), (900, 55, 45))
    ((_, estimate),) = standing(reason, served(first_token=times)).measured
    assert estimate.value == 0.02, "the 950th of 1000"


def test_a_reason_without_a_bound_is_told_and_not_judged():
    found = [standing(each, served()).holds for each in SHIPPED.reasons if each.bound is None]
    assert found == [None, None]
