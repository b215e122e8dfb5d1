"""The standings find what was planted in simulated arenas, and say what they cannot know."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit

from runner.feedback.records import Ballot, Choice
from runner.feedback.standings.bouts import bouts
from runner.feedback.standings.figures import Rules, Verdict
from runner.feedback.standings.fit import design, fit, fit_once
from runner.feedback.standings.judging import Judged, judged
from runner.feedback.standings.rankings import Held, Ranking, Unit, apart, ranking
from runner.feedback.standings.raters import LEFT
from runner.feedback.standings.standings import Standings, compute
from runner.stats.bradley_terry import Comparison, Result, strengths
from runner.stats.intervals import mean_evidence
from tests.feedback.arenas import World, answer, arena, ballot, decided

RULES = Rules("b", resamples=100)
EQUAL = {"a": 0.0, "b": 0.0, "c": 0.0}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def standings(ballots: list[Ballot], rules: Rules = RULES) -> Standings:
    return compute(ballots, rules, rng())


def ranked(ballots: list[Ballot], held: Held, rules: Rules = RULES) -> Ranking:
    return ranking(bouts(ballots)[0], held, rules, rng())


def values(found: Ranking) -> dict[str, float]:
    return {each.version: each.strength.value for each in found.strengths}


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(3, 40), st.integers(3, 40), st.integers(0, 10)), min_size=3, max_size=3)
)
def test_without_covariates_strengths_are_those_of_bradley_and_terry(
    counts: list[tuple[int, int, int]],
) -> None:
    pairs = [("a", "b"), ("b", "c"), ("a", "c")]
    cast = [
        one
        for at, (names, (won, lost, ties)) in enumerate(zip(pairs, counts, strict=True))
        for one in decided(*names, won, lost, ties, start=1_000 * at)
    ]
    results = {Choice.LEFT: Result.FIRST, Choice.RIGHT: Result.SECOND, Choice.TIE: Result.TIE}
    expected = strengths(
        Comparison(each.left.version, each.right.version, results[each.choice]) for each in cast
    )
    found, _ = bouts(cast)
    fitted = dict(zip(found.versions, fit_once(design(found)), strict=True))
    assert fitted == pytest.approx(expected, abs=0.01)


def test_weights_are_the_same_as_votes_given_so_often() -> None:
    cast = arena(World({"a": 0.5, "b": 0.0, "c": -0.5}), 60, rng())
    found, _ = bouts(cast)
    often = rng(1).integers(0, 4, len(cast))
    repeated, _ = bouts([each for each, times in zip(cast, often, strict=True) for _ in range(times)])
    weighted = fit(design(found), often[None, :].astype(float), np.arange(len(cast)))[0]
    assert weighted == pytest.approx(fit_once(design(repeated)), abs=1e-6)


@pytest.mark.parametrize(("users", "tastes"), [(30, 0.0), (30, 0.5), (8, 0.0)])
def test_intervals_of_strengths_cover_the_truth_about_as_often_as_they_say(users: int, tastes: float) -> None:
    world = World({"a": 0.4, "b": 0.0, "c": -0.4}, users=users, tastes=tastes)
    covered = []
    for seed in range(120):
        found, _ = bouts(arena(world, 150, rng(seed)))
        for each in ranking(found, Held.NOTHING, RULES, rng(seed)).strengths:
            covered.append(each.strength.low <= world.strengths[each.version] <= each.strength.high)
    assert 0.90 <= np.mean(covered) <= 0.99


def test_at_equal_length_a_version_that_only_writes_more_is_no_better() -> None:
    cast = arena(World(EQUAL, length=1.0, lengths={"a": 3.0}), 1200, rng(3))
    plain, length = ranked(cast, Held.NOTHING), ranked(cast, Held.LENGTH)
    assert plain.order[0] == "a" and plain.strengths[0].strength.low > 0.3
    (first,) = [each for each in length.strengths if each.version == "a"]
    assert first.strength.low <= 0.0 <= first.strength.high
    assert length.effect is not None and length.effect.low <= 2.0 <= length.effect.high


def test_holding_length_equal_leaves_strengths_alone_where_length_wins_nothing() -> None:
    world = World({"a": 0.6, "b": 0.0, "c": -0.6}, lengths={"a": 3.0})
    found = ranked(arena(world, 1500, rng(4)), Held.LENGTH)
    for each in found.strengths:
        assert each.strength.low <= world.strengths[each.version] <= each.strength.high


def test_at_equal_side_the_version_that_stood_on_the_better_side_is_no_better() -> None:
    cast = [
        dataclasses.replace(each, left=each.right, right=each.left)
        if each.right.version == "a" and number % 4
        else each
        for number, each in enumerate(arena(World(EQUAL, side=0.8), 1500, rng(5)))
    ]
    plain, side = ranked(cast, Held.NOTHING), ranked(cast, Held.SIDE)
    assert values(plain)["a"] > 0.1
    assert abs(values(side)["a"]) < abs(values(plain)["a"]) / 2
    assert side.effect is not None and side.effect.low <= math.exp(0.8) <= side.effect.high


def test_a_bias_to_one_side_is_certain_in_the_share_of_the_left() -> None:
    left = standings(arena(World(EQUAL, side=1.0), 400, rng(6))).shares.left
    none = standings(arena(World(EQUAL), 400, rng(6))).shares.left
    assert left.verdict is Verdict.BETTER and left.evidence > 20
    assert none.verdict is Verdict.NOT_TOLD_APART and none.evidence < 20


def test_a_rater_who_always_votes_for_one_version_is_found_and_named() -> None:
    cast = arena(World({"a": 0.6, "b": 0.0, "c": -0.6}), 300, rng(7))
    stubborn = [
        dataclasses.replace(each, id=f"s{at}", comparison=f"s{at}", user="stubborn")
        for at, each in enumerate(decided("c", "b", 60, 0))
    ]
    found = standings(cast + stubborn).raters
    assert [(each.user, each.towards) for each in found.leanings][:1] == [("stubborn", "c")]
    assert found.largest == "stubborn" and found.largest_share == pytest.approx(60 / 360)
    first = found.influences[0]
    assert first.user == "stubborn" and first.matters and first.shift > 0.3


def test_a_rater_who_always_takes_the_left_side_is_found() -> None:
    cast = arena(World({"a": 0.6, "b": 0.0, "c": -0.6}), 300, rng(8))
    lazy = [
        dataclasses.replace(each, id=f"l{each.id}", comparison=f"l{each.id}", user="lazy", choice=Choice.LEFT)
        for each in cast[:40]
    ]
    assert [(each.user, each.towards) for each in standings(cast + lazy).raters.leanings] == [("lazy", LEFT)]


def test_nobody_is_named_where_all_vote_alike() -> None:
    named = [
        standings(
            arena(World({"a": 0.3, "b": 0.0, "c": 0.0}, users=12), 240, rng(seed)),
            dataclasses.replace(RULES, resamples=2),
        ).raters.leanings
        for seed in range(20)
    ]
    assert sum(map(bool, named)) <= 2


def test_a_verdict_against_the_baseline_needs_certainty() -> None:
    few, many = standings(decided("a", "b", 6, 4)).duels, standings(decided("a", "b", 80, 20)).duels
    assert [each.verdict for each in few] == [Verdict.NOT_TOLD_APART]
    assert [each.verdict for each in many] == [Verdict.BETTER]
    assert [each.verdict for each in standings(decided("a", "b", 20, 80)).duels] == [Verdict.WORSE]


def test_ties_and_both_bad_count_half_and_are_told_apart() -> None:
    cast = decided("a", "b", 3, 1, ties=4)
    cast[-1] = dataclasses.replace(cast[-1], choice=Choice.NEITHER)
    found = standings(cast)
    assert found.duels[0].wins.k == 5.0
    assert (found.shares.ties.k, found.shares.neither.k) == (3, 1)
    assert [each.both_bad.k for each in found.versions] == [1, 1]


def test_votes_that_do_not_count_and_votes_on_one_version_are_left_out_and_counted() -> None:
    cast = [
        *decided("a", "b", 3, 2),
        ballot(90, "a", "b", counted=False),
        ballot(91, "a", "a"),
        ballot(92, "a", "a"),
    ]
    found = standings(cast)
    assert (found.votes, found.left_out.uncounted, found.left_out.same_version) == (5, 1, 2)
    assert found.plain == standings(decided("a", "b", 3, 2)).plain


def test_versions_that_no_votes_connect_are_told_and_not_ranked() -> None:
    cast = [
        *decided("a", "b", 6, 4),
        *decided("x", "y", 9, 1, start=100),
        *decided("champion", "a", 3, 0, start=200),
        *decided("b", "loser", 4, 0, start=300),
    ]
    found = standings(cast)
    assert set(found.plain.order) == {"a", "b"}
    assert {each.version: each.why.partition(",")[0] for each in found.apart} == {
        "x": "never met the ranked versions",
        "y": "never met the ranked versions",
        "champion": "never lost",
        "loser": "never won",
    }


def test_where_one_version_always_wins_nothing_is_ranked_and_the_win_rate_still_stands() -> None:
    found = standings(decided("a", "b", 12, 0))
    assert found.plain.strengths == () and len(found.apart) == 2
    assert found.duels[0].verdict is Verdict.BETTER


def test_where_the_longer_answer_always_wins_length_is_not_taken_out() -> None:
    cast = [
        ballot(at, answer(one, f"{at}l", 200), answer(other, f"{at}r", 100), Choice.LEFT)
        for at, (one, other) in enumerate([("a", "b"), ("b", "a")] * 10)
    ]
    assert ranked(cast, Held.NOTHING).order == ("a", "b")
    assert ranked(cast, Held.LENGTH).strengths == ()


def test_without_votes_there_is_nothing_and_no_error() -> None:
    found = standings([])
    assert (found.votes, found.plain.strengths, found.duels, found.raters.number) == (0, (), (), 0)
    assert standings([ballot(1, "a", "a")]).plain.strengths == ()


def test_whole_raters_are_drawn_where_there_are_enough_and_whole_comparisons_else() -> None:
    assert ranked(arena(World(EQUAL, users=30), 200, rng()), Held.NOTHING).unit is Unit.USERS
    few = arena(World(EQUAL, users=4), 200, rng())
    assert ranked(few, Held.NOTHING).unit is Unit.COMPARISONS
    # Ten events of one vote say no more than one: the interval must not shrink as if they were independent.
    tenfold = [dataclasses.replace(each, id=f"{each.id}-{at}") for each in few for at in range(10)]
    once, often = (ranked(cast, Held.NOTHING).strengths[0].strength for cast in (few, tenfold))
    assert often.high - often.low > 0.8 * (once.high - once.low)


def test_of_many_segments_without_a_difference_hardly_any_is_called_one() -> None:
    chance, called = rng(9), 0
    for seed in range(10):
        cast = [
            dataclasses.replace(each, category=f"k{chance.integers(8)}", language=f"l{chance.integers(3)}")
            for each in arena(World({"a": 0.0, "b": 0.0}), 300, rng(seed))
        ]
        found = standings(cast, dataclasses.replace(RULES, resamples=2)).segments
        assert len(found) == 12
        called += sum(each.duel.verdict is not Verdict.NOT_TOLD_APART for each in found)
    assert called <= 3


def test_a_segment_in_which_the_baseline_is_better_is_found() -> None:
    cast = [
        *(dataclasses.replace(each, language="en") for each in decided("a", "b", 60, 10)),
        *(dataclasses.replace(each, language="ko") for each in decided("a", "b", 5, 50, start=500)),
    ]
    told = {each.segment: each.duel.verdict for each in standings(cast).segments if each.by == "language"}
    assert told == {"en": Verdict.BETTER, "ko": Verdict.WORSE}


def test_agreement_does_not_depend_on_the_side_on_which_an_answer_stood() -> None:
    one = [ballot(at, "a", "b", Choice.LEFT if at % 3 else Choice.RIGHT, user="u1") for at in range(12)]
    other = [
        dataclasses.replace(
            each,
            id=f"{each.id}-2",
            user="u2",
            left=each.right,
            right=each.left,
            choice=Choice.RIGHT if each.choice is Choice.LEFT else Choice.LEFT,
        )
        for each in one
    ]
    found = standings(one + other).repeats
    assert (found.pairs, found.same) == (12, 1.0)
    assert found.alpha is not None and found.alpha.alpha == 1.0
    assert standings(one).repeats.same is None


def test_apart_names_everybody_whom_the_ranking_does_not() -> None:
    found, _ = bouts(arena(World(EQUAL), 12, rng(11)) + decided("x", "y", 2, 0, start=900))
    told = ranking(found, Held.NOTHING, RULES, rng())
    assert {*told.order, *(each.version for each in apart(found, told))} == set(found.versions)


def by_raters(*people: tuple[int, float], first: str = "a") -> list[Ballot]:
    """Return votes on `first` and the baseline: how many each person gave, and the share that `first` won."""
    cast: list[Ballot] = []
    for number, (votes, share) in enumerate(people):
        won = round(votes * share)
        own = decided(first, "b", won, votes - won, start=len(cast))
        cast += [dataclasses.replace(each, user=f"rater-{number}") for each in own]
    return cast


def test_a_thousand_votes_of_one_rater_are_no_verdict_and_the_rater_is_named() -> None:
    found = standings(by_raters((1000, 0.95), *[(36, 0.3)] * 9))
    (duel,) = found.duels
    assert duel.verdict is Verdict.HANGS
    assert duel.wins.hangs_on is not None and duel.wins.hangs_on.user == "rater-0"
    assert duel.wins.hangs_on.value == pytest.approx(11 / 36)
    assert duel.wins.low < 0.5 < duel.wins.high
    assert {each.duel.verdict for each in found.segments} == {Verdict.HANGS}
    assert found.raters.influences[0].verdicts == (("a", Verdict.WORSE),)


@pytest.mark.parametrize(
    ("people", "verdict"),
    [
        ([(400, 0.9)], Verdict.ONE_RATER),
        ([(100, 0.8)] * 3, Verdict.FEW_RATERS),
        ([(1000, 0.7), *[(30, 0.7)] * 11], Verdict.BETTER),
        ([(30, 0.7)] * 10, Verdict.BETTER),
        ([(30, 0.3)] * 10, Verdict.WORSE),
        ([(60, 1.0)] * 5 + [(60, 0.2)] * 3, Verdict.NOT_TOLD_APART),
    ],
)
def test_a_verdict_needs_several_raters_who_agree(people: list[tuple[int, float]], verdict: Verdict) -> None:
    found = standings(by_raters(*people), dataclasses.replace(RULES, resamples=2))
    assert [each.verdict for each in found.duels] == [verdict]


people = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 60)), min_size=1, max_size=12)


@settings(max_examples=150)
@given(people, st.booleans())
def test_a_verdict_stays_without_any_one_rater(votes: list[tuple[int, int]], shifted: bool) -> None:
    wins = [min(won + shifted * n // 2, n) for n, won in votes]
    n, k = np.array([n for n, _ in votes]), np.array(wins)
    found = judged_of(k, n)
    if found.verdict.is_certain:
        assert found.evidence >= 1 / RULES.alpha and found.raters >= 5
        assert (found.low > 0.5) if found.verdict is Verdict.BETTER else (found.high < 0.5)
        for at in range(len(n)):
            rest = judged_of(np.delete(k, at), np.delete(n, at))
            assert (rest.k / rest.n > 0.5) == (found.verdict is Verdict.BETTER)
        assert found.turns == ()
    assert (found.hangs_on is not None) == (found.verdict is Verdict.HANGS)
    mirrored = judged_of(n - k, n)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low), abs=1e-9)
    assert mirrored.evidence == pytest.approx(found.evidence, rel=1e-6)


def judged_of(k: NDArray[np.int64], n: NDArray[np.int64]) -> Judged:
    """Return what raters come to who gave `k` of `n` votes for it."""
    scores = np.concatenate(
        [np.r_[np.ones(won), np.zeros(all_ - won)] for won, all_ in zip(k, n, strict=True)]
    )
    return judged(scores, np.repeat(np.arange(len(n)), n), [f"u{at}" for at in range(len(n))], RULES)


@pytest.mark.parametrize(
    ("raters", "votes", "tastes"), [(10, 30, 1.0), (10, 30, 2.0), (6, 50, 2.0), (8, 50, 50.0)]
)
def test_where_tastes_differ_and_nobody_is_better_on_average_hardly_ever_a_verdict_is_given(
    raters: int, votes: int, tastes: float
) -> None:
    chance, given, by_votes = rng(12), 0, 0
    for _ in range(150):
        likes = expit(chance.normal(0.0, tastes, raters))
        eager = np.maximum(1, np.round(votes * chance.dirichlet(np.full(raters, 3.0)) * raters)).astype(int)
        looks = [
            judged_of(chance.binomial(part, likes), part)
            for part in (np.maximum(1, eager // share) for share in (4, 2, 1))
        ]
        given += any(each.verdict.is_certain for each in looks)
        by_votes += any(mean_evidence(each.k, each.n, 0.5) >= 20 for each in looks)
    assert given / 150 <= 0.05 < by_votes / 150


def test_ten_raters_with_thirty_votes_each_mostly_tell_two_thirds_from_one_half() -> None:
    chance, n = rng(13), np.full(10, 30)
    told = [judged_of(chance.binomial(n, 0.65), n).verdict is Verdict.BETTER for _ in range(200)]
    assert np.mean(told) >= 0.6


def test_a_side_that_one_rater_always_takes_is_no_bias_of_all() -> None:
    lazy = [
        dataclasses.replace(each, choice=Choice.LEFT) if each.user == "rater-0" else each
        for each in by_raters((400, 0.5), *[(20, 0.5)] * 9)
    ]
    assert standings(lazy).shares.left.verdict is Verdict.HANGS


def test_where_answers_are_equally_long_or_a_version_kept_to_its_side_the_effect_is_not_known() -> None:
    alike = decided("a", "b", 30, 20)
    assert ranked(alike, Held.LENGTH).effect is None
    assert "equally long" in ranked(alike, Held.LENGTH).why
    assert ranked(alike, Held.SIDE).effect is not None
    kept = [ballot(at, "a", "b", Choice.LEFT if at % 3 else Choice.RIGHT) for at in range(60)]
    assert ranked(kept, Held.SIDE).effect is None and ranked(kept, Held.SIDE).strengths == ()
    assert "went with the version" in ranked(kept, Held.SIDE).why


def test_without_the_only_rater_of_a_version_it_has_no_votes_and_no_place_in_the_order() -> None:
    cast = [
        *by_raters(*[(20, 0.6)] * 5),
        *(dataclasses.replace(each, user="rater-9") for each in decided("c", "b", 4, 4, start=900)),
    ]
    (alone,) = [each for each in standings(cast).raters.influences if each.user == "rater-9"]
    assert alone.silent == ("c",) and alone.order == ()
