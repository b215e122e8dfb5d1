"""Capital: where it goes, when it goes there, and that it can be written down and read again."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.stats import label, logic, mean
from runner.stats.mixture import Mixture, placed_by

batches = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 500)), max_size=12)


def follow(history: list[tuple[int, int]], restart: bool = True) -> Mixture:
    mixture = Mixture.start(5, restart)
    for bad, good in history:
        mixture = mixture.bet(mean.increments(0.05, bad, bad + good), bad + good)
    return mixture


@given(st.lists(st.integers(0, 10**6), max_size=30), st.booleans())
def test_without_gains_or_losses_the_capital_stays_one(sizes: list[int], restart: bool) -> None:
    mixture = Mixture.start(5, restart)
    for n in sizes:
        mixture = mixture.bet(np.zeros(5), n)
    assert float(mixture.log_e) == pytest.approx(0, abs=1e-12)
    held_back = 0.2 * (1 - placed_by(sum(sizes))) if restart else 0
    assert float(mixture.free) == pytest.approx(float(held_back), abs=1e-12)


def test_capital_is_placed_before_the_data_and_so_shares_their_gain() -> None:
    gain = np.full(5, 2.0)
    mixture = Mixture.start(5).bet(gain, 1000)
    assert np.exp(mixture.log_e) == pytest.approx((1 - mixture.free) * np.exp(2) + mixture.free)


def test_without_restart_nothing_is_held_back_and_the_order_of_batches_is_nothing() -> None:
    mixture = follow([(3, 40), (0, 7)], restart=False)
    assert mixture.free == 0
    assert mixture.log_e == pytest.approx(follow([(1, 20), (2, 27)], restart=False).log_e)


def test_held_back_capital_finds_a_late_change_sooner() -> None:
    healthy, broken = (500, 49_500), (90, 210)
    assert follow([healthy, broken]).log_e > follow([healthy, broken], restart=False).log_e + 100
    assert follow([healthy, broken]).log_e > np.log(100)


def test_evidence_cannot_fall_below_what_is_not_placed() -> None:
    mixture = follow([(0, 10**6)])
    assert mixture.log_e == pytest.approx(np.log(mixture.free), abs=0.01)


@given(batches, st.booleans())
def test_what_is_written_is_read_back_to_the_last_bit(history: list[tuple[int, int]], restart: bool) -> None:
    mixture = follow(history, restart)
    again = Mixture.from_json(json.loads(json.dumps(mixture.to_json())))
    assert again.logs.tobytes() == mixture.logs.tobytes()
    assert (again.free, again.seen, again.log_e) == (mixture.free, mixture.seen, mixture.log_e)
    after, expected = (m.bet(mean.increments(0.05, 1, 9), 9) for m in (again, mixture))
    assert after.to_json() == expected.to_json()


def test_many_worlds_at_once_are_the_same_as_one_at_a_time() -> None:
    rng = np.random.default_rng(7)
    pi, rate = rng.uniform(0.01, 0.9, 50), rng.uniform(0.001, 0.6, 50)
    n_c, n_b = rng.integers(1, 100, (2, 50))
    k_c, k_b = rng.binomial(n_c, 0.1), rng.binomial(n_b, 0.1)
    scores_c, scores_b = rng.integers(0, 9, (2, 50, 3))
    values = [0.0, 0.4, 1.0]

    def look(w: int | slice) -> dict[str, np.ndarray]:
        increments = {
            "mean": mean.increments(0.05, k_c[w], n_c[w]),
            "mean of scores": mean.increments_of(0.3, values, scores_c[w]),
            "label": label.increments(pi[w], (k_c[w], n_c[w]), (k_b[w], n_b[w]), rate[w]),
            "events": label.increments_events(pi[w], k_c[w], k_b[w], 1.5),
            "thinned": label.increments_thinned(pi[w], 0.9, (k_c[w], n_c[w]), (k_b[w], n_b[w]), rate[w]),
            "scores": label.increments_scores(pi[w], values, scores_c[w], scores_b[w], rate[w]),
            "thinned scores": label.increments_thinned_scores(
                pi[w], 0.9, values, scores_c[w], scores_b[w], rate[w]
            ),
        }
        shape = np.shape(n_c[w])
        logs = {
            name: Mixture.start(one.shape[-1], shape=shape).bet(one, n_c[w] + n_b[w]).log_e
            for name, one in increments.items()
        }
        logs["or"] = logic.either(list(logs.values()))
        logs["and"] = logic.both(list(logs.values()))
        return logs

    together = look(slice(None))
    for world in (0, 17, 49):
        for name, one in look(world).items():
            assert one.shape == ()
            assert together[name][world] == pytest.approx(float(one), rel=1e-12, abs=1e-12), name


def test_scores_one_by_one_are_worth_what_their_counts_are() -> None:
    one_by_one = mean.increments_of(0.2, [0.1, 0.5, 0.5, 1.0])
    assert one_by_one == pytest.approx(mean.increments_of(0.2, [0.1, 0.5, 1.0], [1, 2, 1]))


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_scores_outside_zero_to_one_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        mean.increments_of(0.2, [0.1, wrong])
    with pytest.raises(ValueError, match="from 0 to 1"):
        label.increments_scores(0.5, [0.1, wrong], [1, 1], [1, 1], 0.1)


def test_limits_and_factors_outside_their_range_are_refused() -> None:
    with pytest.raises(ValueError, match="limit"):
        mean.increments(1.5, 1, 2)
    with pytest.raises(ValueError, match="factor"):
        label.increments_thinned(0.5, 1.2, (1, 2), (1, 2), 0.1)


def test_or_of_nothing_and_weights_that_do_not_fit_are_refused() -> None:
    for logs, weights in (([], None), ([1.0], [0.0]), ([1.0, 2.0], [1.0]), ([1.0, 2.0], [2.0, -1.0])):
        with pytest.raises(ValueError, match=r"nothing|weights"):
            logic.either(logs, weights)
    with pytest.raises(ValueError, match="nothing"):
        logic.both([])


def test_or_is_the_average_and_and_is_the_least() -> None:
    logs = [np.log(4.0), np.log(8.0)]
    assert np.exp(logic.either(logs)) == pytest.approx(6)
    assert np.exp(logic.either(logs, [3, 1])) == pytest.approx(5)
    assert np.exp(logic.either(logs, [0, 1])) == pytest.approx(8)
    assert np.exp(logic.both(logs)) == pytest.approx(4)
