"""Reasons for and against a round of training, and the one rule that turns them into a decision.

`decide` finds the reasons out, `choose` weighs them. A reason speaks for a round or does not stand in its way, speaks
against it, or is not known. What is not known never speaks for a round: where a need is not known, there is none.
The rule is monotone: no verdict that gets worse (for, unknown, against) ever turns a round that is left out into one
that is trained. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

Value = float | int | str | None
"""A figure: counts, shares from 0 to 1, dollars, days in ISO 8601; None where it is not known."""


class Verdict(StrEnum):
    """What one reason says of a round of training now."""

    FOR = "for"
    """It speaks for the round, or does not stand in its way."""
    AGAINST = "against"
    UNKNOWN = "unknown"
    """There are no figures, or they do not tell."""


class Reason(StrEnum):
    """Everything a decision rests on."""

    DATA = "new data"
    """Whether enough was collected that no version was trained on."""
    CALENDAR = "calendar"
    """Whether a round of the phase is due."""
    SIGNALS = "signals"
    """Whether a signal has passed the threshold that calls for training."""
    CHANGE = "change"
    """Whether the policy's condition for "nothing has changed" holds."""
    GAIN = "expected gain"
    """Whether the data let one expect enough."""
    BUDGET = "budget"
    """Whether the quarter's money suffices."""
    FREEZE = "freeze"
    """Whether the environment is frozen or suspended."""
    ROUNDS = "diminishing returns"
    """Whether too many rounds of preference training followed each other."""
    CHECKS = "data checks"
    """Whether the data set is as declared and passed its checks."""
    PROMOTION = "promotion"
    """Whether another version is on its way to users."""
    LAST = "last candidate"
    """Whether the last version of the same data was stopped."""


class Choice(StrEnum):
    """What to do now."""

    RETRAIN = "retrain"
    SKIP = "skip"


NEEDS: Final = frozenset({Reason.DATA, Reason.BUDGET})
"""What has to be shown: where it is not known, the round is left out."""
CALLS: Final = frozenset({Reason.CALENDAR, Reason.SIGNALS})
"""What calls for a round: one is enough, and without any there is none."""
BARS: Final = frozenset(Reason) - NEEDS - CALLS
"""What stops a round where it is shown; where it is not known, the others decide."""
OVERRIDDEN: Final = frozenset({Reason.CHANGE})
"""What a signal that calls for a round shows to be otherwise."""


@dataclass(frozen=True, slots=True)
class Found:
    """One reason: its verdict, what was found in words, the figures behind it, and what would change it."""

    reason: Reason
    verdict: Verdict
    says: str
    figures: Mapping[str, Value] = field(default_factory=dict)
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A choice and the reasons that decided it; all others would have left it as it is."""

    choice: Choice
    by: tuple[Reason, ...]


def choose(verdicts: Mapping[Reason, Verdict]) -> Chosen:
    """Return what the verdicts come to. Raises KeyError where a reason is missing: no reason may be left out."""
    signalled = verdicts[Reason.SIGNALS] is Verdict.FOR
    against = [reason for reason in Reason if _stops(reason, verdicts[reason], signalled=signalled)]
    calling = [reason for reason in Reason if reason in CALLS and verdicts[reason] is Verdict.FOR]
    if against:
        return Chosen(Choice.SKIP, tuple(against))
    if not calling:
        return Chosen(Choice.SKIP, tuple(reason for reason in Reason if reason in CALLS))
    return Chosen(Choice.RETRAIN, tuple(calling))


def _stops(reason: Reason, verdict: Verdict, *, signalled: bool) -> bool:
    """Return whether a reason alone leaves the round out."""
    if reason in CALLS or (signalled and reason in OVERRIDDEN):
        return False
    return verdict is Verdict.AGAINST or (verdict is Verdict.UNKNOWN and reason in NEEDS)
