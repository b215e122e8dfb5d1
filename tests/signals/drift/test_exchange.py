"""The evidence for a change is fair where nothing changes, finds what does, and forgets nothing when written down."""

from __future__ import annotations

import json
from itertools import pairwise, product
from math import exp, lgamma, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.signals.drift import exchange as module
from runner.signals.drift.exchange import MOST, SPACING, Exchange, placed

ALARM = log(100.0)


def prior(k: int, newcomers: float) -> np.ndarray:
    return np.array([*[0.5] * (k - 1), 1.0 if newcomers else 0.5])


def likely(counts: np.ndarray, newcomers: float) -> float:
    """Probability of one sequence with these counts, averaged over all mixes."""
    held = prior(len(counts), newcomers)
    parts = sum(lgamma(each + a) - lgamma(a) for each, a in zip(counts, held, strict=True))
    return exp(lgamma(held.sum()) - lgamma(counts.sum() + held.sum()) + parts)


@pytest.mark.parametrize(("k", "m", "n", "newcomers"), [(2, 3, 5, 0.0), (3, 2, 4, 0.0), (3, 2, 4, 0.05)])
def test_evidence_is_one_on_average_over_all_references_questions_and_mixes(
    k: int, m: int, n: int, newcomers: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SPACING", 2)  # so that changes begin within the few questions enumerated
    total = mean = 0.0
    for reference in product(range(k), repeat=m):
        held = np.bincount(reference, minlength=k)
        for questions in product(range(k), repeat=n):
            chance = likely(held + np.bincount(questions, minlength=k), newcomers)
            total += chance
            mean += chance * exp(Exchange(held, newcomers).feed(questions)[-1])
    assert total == pytest.approx(1.0) and mean == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("k", [2, 5])
def test_each_step_is_fair_given_everything_before(k: int) -> None:
    rng = np.random.default_rng(k)
    reference = rng.integers(0, 9, size=k) + 1
    past = rng.integers(0, k, size=3 * SPACING + 7)
    seen = reference + np.bincount(past, minlength=k) + prior(k, 0.05)
    steps = []
    for following in range(k):
        fed = Exchange(reference, 0.05)
        before = fed.feed(past)[-1]
        steps.append(exp(fed.feed([following])[0] - before))
    assert float(np.dot(seen / seen.sum(), steps)) == pytest.approx(1.0)


def test_false_alarms_are_rarer_than_alpha() -> None:
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(150):
        mix = rng.dirichlet(np.ones(8))
        reference = rng.multinomial(140, mix)
        alarms += Exchange(reference, 0.05).feed(rng.choice(8, 600, p=mix)).max() >= ALARM
    assert alarms <= 5  # 1.5 are expected at the most; more than 5 would come once in 200 such tests


@pytest.mark.parametrize(("before", "most"), [(0, 120), (500, 160)])
def test_a_topic_that_doubles_is_found_soon_also_after_a_long_normal_time(before: int, most: int) -> None:
    rng = np.random.default_rng(3)
    usual = np.full(10, 0.1)
    shifted = np.array([0.3, *np.full(9, 0.7 / 9)])
    delays = []
    for _ in range(40):
        stream = [*rng.choice(10, before, p=usual), *rng.choice(10, 600, p=shifted)]
        logs = Exchange(rng.multinomial(3000, usual)).feed(stream)
        delays.append(int(np.argmax(logs >= ALARM)) - before if logs.max() >= ALARM else 600)
    assert np.median(delays) <= most


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=90), st.lists(st.integers(0, 90), max_size=4))
def test_it_makes_no_difference_how_questions_are_dealt_out_nor_that_it_is_stopped_between(
    questions: list[int], cuts: list[int]
) -> None:
    whole, parted = Exchange([9, 5, 3, 2, 1], 0.05), Exchange([9, 5, 3, 2, 1], 0.05)
    at_once, in_parts, edges = whole.feed(questions), [], [0, *sorted(cuts), len(questions)]
    for begin, end in pairwise(edges):
        in_parts += parted.feed(questions[begin:end]).tolist()
        parted = Exchange.from_json(json.loads(json.dumps(parted.to_json())))
    assert at_once.tolist() == in_parts and whole.to_json() == parted.to_json()
    assert whole.log_e == (at_once[-1] if questions else pytest.approx(0.0, abs=1e-12))


def test_memory_is_bounded_and_capital_handed_on_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    monkeypatch.setattr(module, "MOST", 12)
    fed = Exchange([50, 30, 20])
    for _ in range(30):
        fed.feed(rng.choice(3, SPACING, p=[0.5, 0.3, 0.2]))
        copy = Exchange.from_json(fed.to_json())
        copy._begin()
        assert float(copy._evidence(copy._logs[None], copy.n)[0]) == pytest.approx(fed.log_e)
        assert len(copy.to_json()["logs"]) <= 12 <= MOST


@given(st.integers(0, 10**6), st.integers(1, 10**5))
def test_capital_is_placed_steadily_and_never_more_than_there_is(seen: int, more: int) -> None:
    assert 0.0 <= placed(seen) < placed(seen + more) < 1.0


@pytest.mark.parametrize("topic", [-1, 3])
def test_what_is_no_topic_is_refused_and_nothing_is_taken_in(topic: int) -> None:
    fed = Exchange([1, 1, 1])
    with pytest.raises(ValueError, match="topics from 0 to 2"):
        fed.feed([0, topic])
    assert fed.n == 0


@pytest.mark.parametrize("reference", [[], [3], [0, 0], [[1, 2]]])
def test_a_reference_that_is_none_is_refused(reference: list[int]) -> None:
    with pytest.raises(ValueError, match="two topics or more"):
        Exchange(reference)


def test_damaged_state_is_refused() -> None:
    document = Exchange([1, 2]).to_json()
    with pytest.raises(ValueError, match="do not fit"):
        Exchange.from_json(document | {"begun": [[0.0, 0.0]] * 2})
