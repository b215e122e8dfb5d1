"""Evidence, question by question, that what is asked is no longer distributed as the reference was.

The follower feeds it topics in order of arrival. Comparing each question with a few reference items drawn anew is
exact as long as there are new ones to draw; a reference of 130 would last for 16 questions. Here each question is
compared with the whole reference and with all questions before it instead. Nothing is drawn, so nothing runs out,
and the uncertainty of a small reference is part of the comparison:

- No change: the next topic is b with probability (r_b + c_b + 1/2) / (m + t + k/2), where of k topics b came r_b times
  among m reference questions and c_b times among the t questions so far (Krichevsky and Trofimov, 1981). The last
  topic, "unlike the reference", has 1 in place of 1/2 where `newcomers` are expected.
- A change at question s: the topics since then follow a mix of their own, learnt as they come. Two families of guesses
  start from the mix pi before s: b has (d_b + a pi_b) / (d + a), where b came d_b times in the d questions since s
  (Dirichlet; a = (k - 1) / (2 size) expects a divergence of `SIZES`); or pi_b (d_b + f) / (d pi_b + f), scaled to sum
  1, which lets every topic grow by the same factor whatever its share (gamma; f of `FIRMNESS`). New subjects are the
  likeliest change, so the Dirichlet guesses hold at least `newcomers` for the last topic.

E is the average of the ratios over the times s and the guesses. Capital for changes that begin later waits unbet and is
placed at times fixed in advance. (`stats.Mixture` places capital on bets that have no memory; these have to learn
anew from their beginning, else 500 normal questions delay an alarm by half.)

What it promises: given the reference, E is exactly a martingale where the true mix is one that the reference leaves
probable (Dirichlet posterior, Jeffreys' prior), so that P(E ever reaches 1/alpha) <= alpha on average over mixes
(Ville). For one mix that is no theorem but measured, at alpha = 1% on streams of 1,000: at most 1% with 20 reference
questions a topic (which `topics` sees to), but most streams with 77 equally frequent topics from 60 questions. It
takes questions for independent: a burst of copies of one question is a change, and is told as one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from runner.stats.grid import Floats
from runner.stats.mixture import placed_by

SIZES: Final = (0.1, 0.5)
"""Divergences (nats) that the Dirichlet guesses expect."""
FIRMNESS: Final = (3.0, 12.0)
"""Expected questions of a topic that weigh as much as the guess that its share has not changed."""
AT_ONCE: Final = 0.45
"""Share of the capital that bets on a change at the first question."""
SOON: Final = 0.7
"""Share of the rest that is placed evenly over the first `HORIZON` questions; what is left, ever more slowly."""
HORIZON: Final = 1000.0
SPACING: Final = 25
"""Questions from one beginning that is bet on to the next."""
MOST: Final = 64
"""Beginnings remembered at most; then the least likely hands its capital to the one after it."""

_PRIOR: Final = 0.5
_PRIOR_UNLIKE: Final = 1.0  # where by luck no reference question is unlike the rest, the next one may well be
_LATEST: Final = 8  # beginnings too recent to be given up
_GUESSES: Final = len(SIZES) + len(FIRMNESS)


def placed(seen: float) -> float:
    """Return the share of the waiting capital placed after `seen` questions: 0 at first, 1 in the limit."""
    return SOON * min(seen / HORIZON, 1.0) + (1.0 - SOON) * float(placed_by(seen))


class Exchange:
    """The evidence of one grouping into topics; grows in place as questions come, like a sketch."""

    __slots__ = ("_begun", "_firm", "_logs", "_newcomers", "_prior", "_reference", "_seen", "_weights")

    def __init__(self, reference: ArrayLike, newcomers: float = 0.0) -> None:
        """Begin with the counts of the reference, shape (topics,), at least two topics and not all counts 0."""
        self._reference = np.asarray(reference, dtype=np.float64)
        if self._reference.ndim != 1 or len(self._reference) < 2 or self._reference.sum() <= 0:
            raise ValueError("a reference needs counts of two topics or more, not all 0")
        topics = len(self._reference)
        self._newcomers = newcomers
        self._prior = np.full(topics, _PRIOR)
        self._prior[-1] = _PRIOR_UNLIKE if newcomers else _PRIOR
        self._weights = (topics - 1) / (2.0 * np.array(SIZES))
        self._firm = np.array(FIRMNESS)[:, None]
        self._seen = np.zeros(topics)
        self._begun = np.zeros((1, topics))
        self._logs = np.full((1, _GUESSES), np.log(AT_ONCE / _GUESSES))

    @property
    def n(self) -> int:
        """Questions so far."""
        return int(self._seen.sum())

    @property
    def topics(self) -> int:
        """Number of topics."""
        return len(self._reference)

    @property
    def log_e(self) -> float:
        """The natural logarithm of the evidence."""
        # the next beginning is placed with the question after it
        return float(self._evidence(self._logs[None], max(self.n - 1, 0))[0])

    def feed(self, topics: Iterable[int]) -> Floats:
        """Take in the topics of further questions, in order; return `log_e` after each, shape (questions,).

        ValueError, with nothing taken in, where one is no topic.
        """
        asked = np.fromiter(topics, dtype=np.int64)
        if asked.size and not (asked.min() >= 0 and asked.max() < self.topics):
            raise ValueError(f"topics from 0 to {self.topics - 1} are expected")
        found, at = [np.zeros(0)], 0
        while at < len(asked):
            if self.n and self.n % SPACING == 0:
                self._begin()
            until = at + SPACING - self.n % SPACING
            found.append(self._take(asked[at:until]))
            at = until
        return np.concatenate(found)

    def _take(self, asked: NDArray[np.int64]) -> Floats:
        """Take in questions between two beginnings; every row of the arrays is one question."""
        rows, n = np.arange(len(asked)), self.n
        came = np.zeros((len(asked) + 1, self.topics))
        came[rows + 1, asked] = 1.0
        seen = self._seen + came.cumsum(axis=0)
        whole = self._reference.sum() + self._prior.sum()
        usual = ((self._reference + self._prior)[asked] + seen[rows, asked]) / (whole + n + rows)
        before = self._begun.sum(axis=1)
        mix = (self._reference + self._prior + self._begun) / (whole + before)[:, None]
        since, many = seen[:-1, None, :] - self._begun, (n + rows)[:, None] - before
        changed = np.concatenate(
            [self._dirichlet(asked, mix, since, many), self._gamma(asked, mix, since, many)], axis=2
        )
        steps = np.log(changed / usual[:, None, None])
        logs = np.concatenate([self._logs[None], steps]).cumsum(axis=0)[1:]
        self._logs, self._seen = logs[-1], seen[-1]
        return self._evidence(logs, n)

    def _dirichlet(self, asked: NDArray[np.int64], mix: Floats, since: Floats, many: Floats) -> Floats:
        """Return the probabilities of what was asked, shape (questions, beginnings, sizes)."""
        held = mix.copy()
        held[:, -1] = np.maximum(held[:, -1], self._newcomers)
        held /= held.sum(axis=1, keepdims=True)
        came = since[np.arange(len(asked)), :, asked]
        expected = held[:, asked].T[:, :, None] * self._weights
        return np.asarray((came[:, :, None] + expected) / (many[:, :, None] + self._weights))

    def _gamma(self, asked: NDArray[np.int64], mix: Floats, since: Floats, many: Floats) -> Floats:
        """Return the probabilities of what was asked, shape (questions, beginnings, firmnesses)."""
        expected = many[:, :, None] * mix
        grown = mix[:, None, :] * (since[:, :, None, :] + self._firm) / (expected[:, :, None, :] + self._firm)
        return np.asarray(grown[np.arange(len(asked)), :, :, asked] / grown.sum(axis=3))

    def _evidence(self, logs: Floats, n: int) -> Floats:
        """Return log E of each row of capital held after the last beginning at or before `n` questions."""
        waiting = (1.0 - AT_ONCE) * (1.0 - placed(n // SPACING * SPACING))
        placed_ones = np.logaddexp.reduce(logs.reshape(len(logs), -1), axis=1)
        return np.asarray(np.logaddexp(placed_ones, np.log(waiting)))

    def _begin(self) -> None:
        """Place capital on a change that begins now, before the next question is looked at."""
        share = (1.0 - AT_ONCE) * (placed(self.n) - placed(self.n - SPACING))
        self._begun = np.vstack([self._begun, self._seen])
        self._logs = np.concatenate([self._logs, np.full((1, _GUESSES), np.log(share / _GUESSES))])
        if len(self._logs) > MOST:
            least = int(np.logaddexp.reduce(self._logs[:-_LATEST], axis=1).argmin())
            self._logs[least + 1] = np.logaddexp(self._logs[least + 1], self._logs[least])
            self._logs = np.delete(self._logs, least, axis=0)
            self._begun = np.delete(self._begun, least, axis=0)

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers and lists that `from_json` reads back without losing a bit."""
        return {
            "reference": self._reference.tolist(),
            "newcomers": self._newcomers,
            "seen": self._seen.tolist(),
            "begun": self._begun.tolist(),
            "logs": self._logs.tolist(),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Rebuild what `to_json` wrote; KeyError or ValueError where it is something else."""
        exchange = cls(document["reference"], float(document["newcomers"]))
        for name in ("seen", "begun", "logs"):
            setattr(exchange, f"_{name}", np.array(document[name], dtype=np.float64))
        if exchange._begun.shape != (len(exchange._logs), exchange.topics):
            raise ValueError("beginnings and their capital do not fit together")
        return exchange
