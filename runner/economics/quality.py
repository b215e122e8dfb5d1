"""Are preferences clear? Whether people agree with each other and with themselves, and what else than quality wins.

The checks of the set that the snapshot made are taken as they are; what it does not check (people who click through,
votes against each other) is counted here from the votes. Pure; `diagnose` calls it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Final

import numpy as np

from runner.economics.checks import Check, Limit, Rule, Unit, held, share
from runner.errors import TerminalError
from runner.feedback.preferences.findings import Check as SetCheck
from runner.feedback.preferences.findings import Finding
from runner.feedback.records import Ballot, Choice
from runner.signals.readings.estimates import Estimate
from runner.spec.collection import CollectionPolicy
from runner.spec.model import GateVerdict
from runner.stats.agreement import agreement

QUICK: Final = 0.2
"""Of the median time of a vote: whoever takes less did not read both answers as others do."""
MOST_QUICK: Final = 0.1
"""Share of quick votes from which on the pairs are no preference of readers."""
SEED: Final = 20261121
"""Of the bootstrap: the same votes give the same interval."""

_DRAWS: Final = frozenset({Choice.TIE.value, Choice.NEITHER.value})
_VOTES: Final = "compare answers in the arena, then `loop data curate`"
_OF_SET: Final[Mapping[SetCheck, tuple[str, Unit, Limit, str]]] = {
    SetCheck.CLEAR_WINNERS: (
        "votes on two different answers that name a winner",
        Unit.SHARE,
        Limit.AT_LEAST,
        "show answers that differ more: a higher sampling temperature in the arena, or another version beside",
    ),
    SetCheck.SIDE: (
        "the side that wins more often, of votes that name one",
        Unit.SHARE,
        Limit.AT_MOST,
        "people press one side: tell them, and leave out those who do (`loop arena` names them)",
    ),
    SetCheck.LONGER: (
        "pairs whose longer answer won",
        Unit.SHARE,
        Limit.AT_MOST,
        "length is what wins: set length_normalised in the recipe, and compare answers of like length",
    ),
    SetCheck.LENGTH_GAIN: (
        "length of the chosen answer over the rejected one's, geometric mean",
        Unit.TIMES,
        Limit.AT_MOST,
        "length is what wins: set length_normalised in the recipe, and compare answers of like length",
    ),
    SetCheck.RATER: (
        "part of the votes behind the pairs that one person gave",
        Unit.SHARE,
        Limit.AT_MOST,
        "one person's taste is trained: ask more people",
    ),
}


def checks(
    account: Sequence[Finding] | None, votes: Sequence[Ballot] | None, policy: CollectionPolicy
) -> Iterator[Check]:
    """Yield the checks of the snapshot's account, then those of the votes; either is None where it is not here."""
    by_check = {each.check: each for each in account or ()}
    for check, (meaning, unit, side, cure) in _OF_SET.items():
        limit = float(getattr(policy.sets, check.value))  # a check is called as its limit is in the policy
        yield _of_account(by_check.get(check), Rule(check.value, meaning, unit, side, limit, cure, _VOTES))
    counted = [each for each in votes or () if each.counted]
    shared = _shared(counted)
    yield held(_agreeing(policy), _agreement(shared))
    yield held(_contradicting(policy), _contradictions(shared))
    yield held(_CLICKED, _quick(counted))


def _of_account(found: Finding | None, rule: Rule) -> Check:
    """Return a check of the set with the verdict that the snapshot gave it."""
    if found is None or found.value is None:
        return held(rule, None)
    value = Estimate(found.value, found.low, found.high, found.n)
    made = held(replace(rule, limit=found.limit), value)
    verdict = GateVerdict(found.verdict.value)
    return replace(made, verdict=verdict, fix="" if verdict is GateVerdict.PASS else made.fix or rule.cure)


def _agreeing(policy: CollectionPolicy) -> Rule:
    return Rule(
        "agreement",
        "Krippendorff's alpha of people who judged the same two answers",
        Unit.PLAIN,
        Limit.AT_LEAST,
        policy.agreement.floor,
        "people mean different things by better: write down what counts, and see whom `loop arena` names",
        "have several people judge the same comparisons in the arena",
    )


def _contradicting(policy: CollectionPolicy) -> Rule:
    return Rule(
        "contradictions",
        "votes on the same two answers that name the other side than most",
        Unit.SHARE,
        Limit.AT_MOST,
        1.0 - policy.pairs.majority,
        "set label_smoothing in the recipe to about this share, and ask for reviews of what is disputed",
        "have several people judge the same comparisons in the arena",
    )


_CLICKED: Final = Rule(
    "quick_votes",
    f"votes given in less than {QUICK:.0%} of the median time",
    Unit.SHARE,
    Limit.AT_MOST,
    MOST_QUICK,
    "somebody clicks through: leave out their votes (`loop arena` names who votes unlike all others)",
    _VOTES,
)


def _shared(votes: Sequence[Ballot]) -> list[dict[str, str]]:
    """Return what each person said of each comparison that several people judged."""
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for vote in sorted(votes, key=lambda each: (each.at_us, each.id)):
        found[vote.comparison][vote.user] = _said(vote)
    return [said for said in found.values() if len(said) > 1]


def _agreement(shared: Sequence[Mapping[str, str]]) -> Estimate | None:
    people = sorted({user for said in shared for user in said})
    try:
        found = agreement(
            [[said.get(user) for user in people] for said in shared], np.random.default_rng(SEED)
        )
    except TerminalError:
        return None
    return Estimate(found.alpha, found.low, found.high, found.items)


def _said(vote: Ballot) -> str:
    """Return which answer a vote names, 0 or 1 whatever side it stood on, or which kind of draw it is."""
    if vote.chosen is None:
        return vote.choice.value
    return str(sorted((vote.left.response, vote.right.response)).index(vote.chosen.response))


def _contradictions(shared: Sequence[Mapping[str, str]]) -> Estimate | None:
    against = named = 0
    for said in shared:
        counts = Counter(each for each in said.values() if each not in _DRAWS)
        named += counts.total()
        against += counts.total() - max(counts.values(), default=0)
    return share(against, named)


def _quick(votes: Sequence[Ballot]) -> Estimate | None:
    times = [each.taken_ms for each in votes if each.taken_ms is not None]
    if not times:
        return None
    least = QUICK * median(times)
    return share(sum(each < least for each in times), len(times))
