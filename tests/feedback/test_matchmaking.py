"""Who is shown next to whom: where one more vote tells most, on random sides."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.feedback.matchmaking import (
    MOST_SHOWN,
    PRIOR_VARIANCE,
    TEMPERATURE,
    Kind,
    Tally,
    seats,
    suggestions,
    tally,
    worth,
)
from runner.feedback.records import Answer, Ballot, Choice

NAMES = ("a", "b", "c", "d")
PAIRS = tuple(itertools.permutations(NAMES, 2))
tallies = st.dictionaries(st.sampled_from(PAIRS), st.integers(0, 60).map(lambda half: half / 2)).map(Tally)
live = st.lists(st.sampled_from(NAMES), min_size=1, unique=True)


def ballot(left: str, right: str, choice: Choice, counted: bool = True) -> Ballot:
    return Ballot(
        id=f"{left}{right}{choice}",
        comparison="c",
        prompt=(),
        left=Answer(left, "", "1", "x"),
        right=Answer(right, "", "2", "y"),
        choice=choice,
        user="u",
        group="g",
        category="",
        language="en",
        at_us=0,
        counted=counted,
    )


def posterior(names: list[str], votes: Tally, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the differences of two strengths and their density, straight from the model, on a grid."""
    first, second = np.meshgrid(grid, grid, indexing="ij")
    difference = first - second
    log = -(first**2 + second**2) / (2 * PRIOR_VARIANCE)
    log -= votes.wins.get((names[0], names[1]), 0.0) * np.log1p(np.exp(-difference))
    log -= votes.wins.get((names[1], names[0]), 0.0) * np.log1p(np.exp(difference))
    density = np.exp(log - log.max())
    return difference, density / density.sum()


@given(live, tallies, st.integers(2, MOST_SHOWN), st.integers(0, 5))
def test_seats_are_live_versions_as_many_as_wanted_and_can_be_had(
    names: list[str], votes: Tally, shown: int, seed: int
) -> None:
    found = seats(names, votes, shown, Random(seed))
    versions = [seat.version for seat in found]
    assert set(versions) <= set(names)
    assert len(found) == (2 if len(names) == 1 else min(shown, len(names)))
    assert len(set(versions)) == (1 if len(names) == 1 else len(found))
    assert len({seat.sampling.seed for seat in found}) == len(found)
    assert {seat.sampling.temperature for seat in found} == {TEMPERATURE}


@given(st.lists(st.sampled_from(NAMES), min_size=2, unique=True), tallies)
def test_the_pair_shown_is_worth_the_most(names: list[str], votes: Tally) -> None:
    values = worth(names, votes)
    shown = tuple(sorted(seat.version for seat in seats(names, votes, 2, Random(1))))
    assert values[shown[0], shown[1]] == pytest.approx(max(values.values()), abs=1e-9)


@given(tallies, st.sampled_from(PAIRS), st.integers(1, 20))
def test_more_even_votes_on_a_pair_make_it_worth_less(votes: Tally, pair: tuple[str, str], more: int) -> None:
    balanced = Tally({(a, b): (votes.votes(a, b)) / 2 for a, b in PAIRS})
    grown = dict(balanced.wins)
    grown[pair] += more
    grown[pair[1], pair[0]] += more
    key = (min(pair), max(pair))
    assert worth(NAMES, Tally(grown))[key] < worth(NAMES, balanced)[key]


@given(tallies)
def test_what_versions_are_called_does_not_matter(votes: Tally) -> None:
    renamed = dict(zip(NAMES, reversed(NAMES), strict=True))
    other = Tally({(renamed[a], renamed[b]): count for (a, b), count in votes.wins.items()})
    mirrored = worth(NAMES, other)
    for (a, b), value in worth(NAMES, votes).items():
        key = sorted((renamed[a], renamed[b]))
        assert mirrored[key[0], key[1]] == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (3, 3), (9, 4), (40, 25)])
def test_worth_is_within_a_third_of_the_information_that_the_exact_posterior_promises(
    won: int, lost: int
) -> None:
    votes = Tally({("a", "b"): float(won), ("b", "a"): float(lost)})
    difference, density = posterior(["a", "b"], votes, np.linspace(-5, 5, 501))
    chance = 1 / (1 + np.exp(-difference))
    mean = float((density * chance).sum())
    entropy = -(mean * math.log(mean) + (1 - mean) * math.log(1 - mean))
    given_strength = -(chance * np.log(chance) + (1 - chance) * np.log(1 - chance))
    exact = entropy - float((density * given_strength).sum())
    assert worth(["a", "b"], votes)["a", "b"] == pytest.approx(exact, rel=1 / 3)


def test_a_version_that_nobody_has_compared_comes_first() -> None:
    votes = Tally({("a", "b"): 10.0, ("b", "a"): 10.0})
    drawn = [
        {seat.version for seat in seats(["a", "b", "new"], votes, 2, Random(seed))} for seed in range(20)
    ]
    assert all("new" in pair for pair in drawn)


def test_a_hopeless_pair_waits_for_a_close_one_with_as_many_votes() -> None:
    votes = Tally({("a", "b"): 20.0, ("c", "d"): 10.0, ("d", "c"): 10.0, ("a", "c"): 10.0, ("c", "a"): 10.0})
    assert worth(NAMES, votes)["a", "b"] < worth(NAMES, votes)["b", "d"]
    ordinary = Tally({("a", "b"): 100.0, ("b", "a"): 1.0, ("c", "d"): 50.0, ("d", "c"): 51.0})
    values = worth(NAMES, ordinary)
    assert values["a", "b"] > 0 and values["c", "d"] > 0


def test_sides_are_even_over_many_rounds() -> None:
    random = Random(4)
    left = Counter(seats(["a", "b"], Tally(), 2, random)[0].version for _ in range(2000))
    assert 900 < left["a"] < 1100


def test_nobody_live_is_an_error() -> None:
    with pytest.raises(ValueError, match="no version is live"):
        seats([], Tally(), 2, Random(1))


def test_choosing_by_worth_finds_the_order_sooner_than_choosing_any_pair() -> None:
    def wrong(choose: bool) -> int:
        errors = 0
        for seed in range(6):
            random = Random(seed)
            strength = dict(zip(NAMES, (0.0, 0.4, 0.8, 3.0), strict=True))
            wins: Counter[tuple[str, str]] = Counter()
            for _ in range(120):
                a, b = (
                    [seat.version for seat in seats(NAMES, Tally(wins), 2, random)]
                    if choose
                    else random.sample(NAMES, 2)
                )
                won = random.random() < 1 / (1 + math.exp(strength[b] - strength[a]))
                wins[(a, b) if won else (b, a)] += 1
            spread = worth(NAMES, Tally(wins))
            errors += sum(value > 0.02 for value in spread.values())
        return errors

    assert wrong(True) <= wrong(False)


def test_a_tally_counts_wins_and_halves_and_leaves_out_what_does_not_count() -> None:
    ballots = [
        ballot("a", "b", Choice.LEFT),
        ballot("b", "a", Choice.RIGHT),
        ballot("a", "b", Choice.TIE),
        ballot("a", "b", Choice.NEITHER),
        ballot("a", "b", Choice.RIGHT, counted=False),
        ballot("a", "a", Choice.LEFT),
    ]
    found = tally(ballots)
    assert dict(found.wins) == {("a", "b"): 3.0, ("b", "a"): 1.0}
    assert found.votes("a", "b") == found.votes("b", "a") == 4.0


KINDS = (
    Kind("facts", 0.5, 40, ("who?", "책은 얼마예요?")),
    Kind("creative", 0.25, 30, ("write a line", "write a poem")),
    Kind("why", 0.25, 5, ("explain it",)),
    Kind("unwanted", 0.0, 0, ("never",)),
)


def test_the_thinnest_kind_is_suggested_first_and_kinds_take_turns() -> None:
    found = suggestions(KINDS, 3, Random(2))
    assert [each.kind for each in found] == ["why", "facts", "creative"]


def test_questions_in_the_persons_language_come_first() -> None:
    for seed in range(5):
        assert suggestions(KINDS, 3, Random(seed), "ko")[1].question == "책은 얼마예요?"
        assert suggestions(KINDS, 3, Random(seed), "en")[1].question == "who?"


@given(st.integers(0, 10), st.integers(0, 100))
def test_suggestions_are_examples_of_wanted_kinds_each_once(number: int, seed: int) -> None:
    found = suggestions(KINDS, number, Random(seed))
    assert len(found) == min(number, 5)
    assert len(set(found)) == len(found)
    assert "unwanted" not in {each.kind for each in found}
