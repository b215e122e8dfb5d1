"""Who is shown next to whom, and which questions are suggested: where one more vote tells most.

The arena asks before each round. A pair's worth is the information that one more vote on it is expected to add about
the strengths of a Bradley-Terry model, `ln(1 + p (1 - p) v) / 2`: `p` is the chance that the first wins, `v` the
variance of the difference of the two strengths (Glickman and Jensen, Adaptive paired comparison design, Journal of
Statistical Planning and Inference 127, 2005; Bayesian D-optimality, Chaloner and Verdinelli, Statistical Science 10,
1995). Strengths are the most probable ones under a normal prior, so the first vote has its place, too, and pairs with
few votes come first by themselves. Pure; the caller brings the random numbers.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from runner.feedback.records import Ballot, Choice

TEMPERATURE = 0.7
"""Of answers that are compared: two samples of one version differ, and none is out of its mind."""
PRIOR_VARIANCE = 1.0
"""Of a strength (natural logarithm of odds): a version rarely wins more than 9 of 10 against another."""
MOST_SHOWN = 4
SEEDS = 2**31
_ROUNDS = 50
_CLOSE = 1e-10

Matrix = NDArray[np.float64]
Name = TypeVar("Name")


@dataclass(frozen=True, slots=True)
class Tally:
    """How often each version won against each other; a tie, or both bad, is half a win for each."""

    wins: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def votes(self, first: str, second: str) -> float:
        """Return how often two versions were compared."""
        return self.wins.get((first, second), 0.0) + self.wins.get((second, first), 0.0)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is sampled."""

    temperature: float
    seed: int


@dataclass(frozen=True, slots=True)
class Seat:
    """One place on the screen, left to right: the version that answers there, and how."""

    version: str
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of question: the share that it should have, what has come of it, and questions to suggest."""

    name: str
    share: float
    votes: int
    examples: tuple[str, ...]
    languages: Mapping[str, int] = field(default_factory=dict)
    """Language of the question -> votes."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question to suggest, and the kind that it is of."""

    kind: str
    question: str


def tally(ballots: Iterable[Ballot]) -> Tally:
    """Count ballots; left out are those that do not count, and two samples of one version."""
    wins: Counter[tuple[str, str]] = Counter()
    halves: Counter[tuple[str, str]] = Counter()
    for ballot in ballots:
        left, right = ballot.left.version, ballot.right.version
        if not ballot.counted or left == right:
            continue
        match ballot.choice:
            case Choice.LEFT:
                wins[left, right] += 1
            case Choice.RIGHT:
                wins[right, left] += 1
            case Choice.TIE | Choice.NEITHER:
                halves[left, right] += 1
                halves[right, left] += 1
    return Tally({pair: wins[pair] + halves[pair] / 2 for pair in wins.keys() | halves.keys()})


def seats(live: Sequence[str], votes: Tally, shown: int, random: Random) -> tuple[Seat, ...]:
    """Return who answers next, left to right; two samples of the same version where only one is live.

    `shown` is how many answers the person wants, of which no more than the live versions can be had. Equally telling
    choices are drawn at random, and so are sides and seeds. Raises ValueError where no version is live.
    """
    names = sorted(set(live))
    if not names:
        raise ValueError("no version is live, so there is nobody to ask")
    chosen = _most_telling(names, votes, min(shown, MOST_SHOWN), random) if len(names) > 1 else names * 2
    random.shuffle(chosen)
    drawn = random.sample(range(SEEDS), len(chosen))
    return tuple(Seat(name, Sampling(TEMPERATURE, seed)) for name, seed in zip(chosen, drawn, strict=True))


def worth(live: Sequence[str], votes: Tally) -> dict[tuple[str, str], float]:
    """Return what one more vote on each pair is expected to tell, in nats; pairs are in order of their names."""
    names = sorted(set(live))
    strengths, information = _fitted(names, votes)
    spread = np.linalg.inv(information)
    found = {}
    for first, second in itertools.combinations(range(len(names)), 2):
        variance = spread[first, first] + spread[second, second] - 2 * spread[first, second]
        found[names[first], names[second]] = (
            math.log1p(_doubt(strengths[first] - strengths[second]) * variance) / 2
        )
    return found


def _most_telling(names: Sequence[str], votes: Tally, shown: int, random: Random) -> list[str]:
    """Return the most telling pair, and after it whoever adds most beside those chosen before.

    A vote on k answers is k - 1 comparisons with the winner, not known beforehand; all pairs stand for them.
    """
    values = worth(names, votes)
    first, second = _best(values, random)
    chosen = [first, second]
    while len(chosen) < min(shown, len(names)):
        added = {
            name: sum(values[min(name, other), max(name, other)] for other in chosen)
            for name in names
            if name not in chosen
        }
        chosen.append(_best(added, random))
    return chosen


def _best(values: Mapping[Name, float], random: Random) -> Name:
    """Return what has the highest value; of equal ones any."""
    most = max(values.values())
    return random.choice([name for name, value in values.items() if value >= most - _CLOSE])


def _fitted(names: Sequence[str], votes: Tally) -> tuple[Matrix, Matrix]:
    """Return the most probable strengths, (versions,), and the information about them, (versions, versions).

    Newton's method on a strictly concave function; the information is the negative Hessian at its top.
    """
    number = len(names)
    wins = np.array([[votes.wins.get((a, b), 0.0) if a != b else 0.0 for b in names] for a in names])
    counts = wins + wins.T
    strengths = np.zeros(number)
    information = np.eye(number) / PRIOR_VARIANCE
    for _ in range(_ROUNDS):
        chance = 1.0 / (1.0 + np.exp(strengths[None, :] - strengths[:, None]))
        doubt = counts * chance * (1 - chance)
        information = np.diag(doubt.sum(axis=1) + 1.0 / PRIOR_VARIANCE) - doubt
        slope = (wins - counts * chance).sum(axis=1) - strengths / PRIOR_VARIANCE
        step = np.linalg.solve(information, slope)
        strengths = strengths + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < _CLOSE:
            break
    return strengths, information


def _doubt(difference: float) -> float:
    """Return p (1 - p) for a difference of strengths."""
    chance = 1.0 / (1.0 + math.exp(-difference))
    return chance * (1.0 - chance)


def suggestions(
    kinds: Sequence[Kind], number: int, random: Random, language: str = ""
) -> tuple[Suggestion, ...]:
    """Return questions to suggest, the thinnest kind's first, and of one kind the person's language first.

    Thin is what has the smallest part of its share: votes per share, so that a kind twice as wanted needs twice as
    many. Kinds take turns, since a person who is offered one kind alone looks elsewhere.
    """
    thin = sorted(
        (kind for kind in kinds if kind.share > 0), key=lambda kind: (kind.votes / kind.share, kind.name)
    )
    queues = [_shuffled(kind, random, language) for kind in thin]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*queues))
    return tuple(each for each in turns if each is not None)[:number]


def _shuffled(kind: Kind, random: Random, language: str) -> list[Suggestion]:
    drawn = random.sample(kind.examples, len(kind.examples))
    own = sorted(drawn, key=lambda text: _is_korean(text) != (language == "ko"))
    return [Suggestion(kind.name, text) for text in own]


def _is_korean(text: str) -> bool:
    return any("가" <= each <= "힣" for each in text)
