"""Forgetting: what an older version answered right and a newer one answers wrong, question by question.

Both versions answered the same questions of a suite (events of kind evaluation), so that only discordant pairs say
anything: the test is P1 on them with a mean of one half. Called where readings are made. It reads a table through
Ibis and computes; no files of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np

from runner.signals.readings.estimates import ALPHA, Estimate
from runner.stats import mean
from runner.stats.intervals import mean_interval
from runner.stats.mixture import Mixture


@dataclass(frozen=True, slots=True)
class Pairs:
    """Questions that both versions answered: how many, and on how many they differ, by who was right."""

    both: int
    lost: int
    """The older was right and the newer is wrong."""
    gained: int

    @property
    def evidence(self) -> float:
        """The e-value against "the newer loses no more than it gains"; 100 is as rare as one in a hundred."""
        if not self.lost + self.gained:
            return 1.0
        bets = mean.increments(0.5, self.lost, self.lost + self.gained)
        return float(
            np.exp(Mixture.start(bets.shape[-1], restart=False).bet(bets, self.lost + self.gained).log_e)
        )


def latest(evaluations: ir.Table, suite: str) -> ir.Table:
    """Return the latest verdict on each question of a suite for each version: (version, question, right)."""
    known = evaluations.filter(evaluations["loop.suite"] == suite, evaluations["loop.right"].notnull())
    order = ibis.window(
        group_by=[known["loop.version"], known["loop.question"]],
        order_by=[known["event.time"].desc(), known["event.id"].desc()],
    )
    ranked = known.mutate(rank=ibis.row_number().over(order))
    last = ranked.filter(ranked["rank"] == 0)
    return last.select(version=last["loop.version"], question=last["loop.question"], right=last["loop.right"])


def pairs(evaluations: ir.Table, suite: str, older: str, newer: str) -> Pairs:
    """Return the pairs of two versions on a suite."""
    answers = latest(evaluations, suite)
    old = answers.filter(answers["version"] == older).select("question", was="right")
    new = answers.filter(answers["version"] == newer).select("question", now="right")
    joined = old.join(new, "question")
    rows = joined.agg(
        both=joined.count(),
        lost=(joined["was"] & ~joined["now"]).cast("int64").sum().coalesce(0),
        gained=(~joined["was"] & joined["now"]).cast("int64").sum().coalesce(0),
    ).to_pyarrow()
    return Pairs(*(int(rows[name][0].as_py()) for name in ("both", "lost", "gained")))


def forgetting(found: Pairs) -> Estimate:
    """Return the share of questions that were forgotten, with its interval."""
    if not found.both:
        return Estimate(None, None, None, 0, "the two versions have not answered the same questions yet")
    low, high = mean_interval(found.lost, found.both, ALPHA)
    note = f"{found.lost} lost, {found.gained} gained, evidence {found.evidence:.3g} against an even trade"
    return Estimate(found.lost / found.both, float(low), float(high), found.both, note)
