"""How far people agree who judged the same two answers to the same question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from runner.errors import TerminalError
from runner.feedback.ballots import identity, pair
from runner.feedback.records import Ballot, Choice
from runner.stats.agreement import Agreement, agreement


@dataclass(frozen=True, slots=True)
class Repeats:
    """Agreement of repeat votes: pairs of answers with several raters, and the share of two raters who say the same.

    `alpha` is Krippendorff's, None where no pair has two raters or all say the same one thing.
    """

    pairs: int
    same: float | None
    alpha: Agreement | None


def repeats(ballots: Sequence[Ballot], generator: np.random.Generator) -> Repeats:
    """Return the agreement over all pairs of answers that several people compared."""
    said: defaultdict[tuple[str, frozenset[str]], dict[str, str]] = defaultdict(dict)
    for ballot in ballots:
        said[ballot.comparison, pair(ballot)][ballot.user] = _choice(ballot)
    several = [list(by_user.values()) for by_user in said.values() if len(by_user) > 1]
    if not several:
        return Repeats(0, None, None)
    both = [one == other for votes in several for one, other in combinations(votes, 2)]
    return Repeats(len(several), sum(both) / len(both), _alpha(several, generator))


def _choice(ballot: Ballot) -> str:
    """Return what was chosen in words that do not depend on the side: the first or second answer by identity."""
    if ballot.choice not in (Choice.LEFT, Choice.RIGHT):
        return ballot.choice.value
    first_is_left = identity(ballot.left) <= identity(ballot.right)
    return "first" if (ballot.choice is Choice.LEFT) == first_is_left else "second"


def _alpha(votes: list[list[str]], generator: np.random.Generator) -> Agreement | None:
    try:
        return agreement(votes, generator)
    except TerminalError:
        return None
