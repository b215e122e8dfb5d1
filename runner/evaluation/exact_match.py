"""Suites whose rows hold the right answer: regression, out of distribution, adversarial, and forgetting.

Called by `evaluate`. Answers are judged by `marking` and counted; an answer that cannot be judged widens the interval
on both sides, as if it were wrong for the low end and right for the high one, so that nothing is won by being unclear.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from runner.evaluation import marking
from runner.evaluation.bench import Bench, Job
from runner.evaluation.chat import Reply
from runner.evaluation.results import Measured, Row
from runner.stats import mean
from runner.stats.exact import share_ends
from runner.stats.intervals import unbounded_mean_interval
from runner.stats.mixture import Mixture


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer to a row: whether it is right (None: cannot be said), whether it refuses, and whether it should."""

    row: marking.Row
    reply: Reply
    right: bool | None
    refused: bool
    to_refuse: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What a suite comes to before it is put into a report."""

    measured: tuple[Measured, ...]
    baseline: tuple[Measured, ...]
    rows: tuple[Row, ...]


async def answered(job: Job, bench: Bench) -> Found:
    """Have candidate and parent answer every row. Raises LoopError where the engine does not answer."""
    candidate = await judged(job, bench, bench.candidate)
    parent = await judged(job, bench, bench.parent)
    return Found(shares(candidate, job.alpha), shares(parent, job.alpha), rows(candidate, parent))


async def forgotten(job: Job, bench: Bench) -> Found:
    """Compare what the candidate still knows with what the parent and the base know, question by question.

    Kept are the rows on which candidate and parent differ; the others stand in the suite that shares their data set.

    Each has a metric of its own, and `forgetting` is the worse of the two. Raises LoopError.
    """
    candidate = await judged(job, bench, bench.candidate)
    parent = await judged(job, bench, bench.parent)
    base = parent if bench.parent == bench.base else await judged(job, bench, bench.base)
    named = [("forgetting_parent", bench.parent, parent), ("forgetting_base", bench.base, base)]
    parts = [forgetting(name, who, older, candidate, job.alpha) for name, who, older in named]
    careful = [forgetting(name, who, older, candidate, job.alpha / len(named)) for name, who, older in named]
    changed = (row for row in rows(candidate, parent) if row.right is not row.parent_right)
    return Found((worse(parts, careful), *parts), (), tuple(changed))


async def judged(job: Job, bench: Bench, served: str) -> list[Judged]:
    """Return one version's answers to every row. Raises LoopError."""
    replies = await bench.answers(served, [row.question for row in job.rows], max_tokens=job.suite.max_tokens)
    return [_judge(row, reply, bench.declines) for row, reply in zip(job.rows, replies, strict=True)]


def _judge(row: marking.Row, reply: Reply, declines: marking.Declines) -> Judged:
    return Judged(
        row,
        reply,
        marking.mark(row, reply.text, declines),
        bool(reply.text.strip()) and declines(row.question, reply.text),
        declines(row.question, row.answer),
    )


def shares(answers: Sequence[Judged], alpha: float) -> tuple[Measured, ...]:
    """Return the metrics of one version's answers."""
    outside = [each for each in answers if each.to_refuse]
    inside = [each for each in answers if not each.to_refuse]
    return (
        share("accuracy", (each.right for each in answers), alpha, "questions answered right"),
        share(
            "refusal_accuracy", (each.refused for each in outside), alpha, "questions from outside, refused"
        ),
        share(
            "over_refusal_rate", (each.refused for each in inside), alpha, "questions from inside, refused"
        ),
        share("refusal_rate", (each.refused for each in answers), alpha, "answers that refuse"),
        _tokens([each.reply.output_tokens for each in answers], alpha),
    )


def share(metric: str, outcomes: Iterable[bool | None], alpha: float, about: str) -> Measured:
    """Return the share of True with its interval (Clopper and Pearson); None counts for nobody's good."""
    every = list(outcomes)
    yes, unclear = every.count(True), every.count(None)
    n, known = len(every), len(every) - unclear
    low, high = share_ends(yes, n, alpha)[0], share_ends(yes + unclear, n, alpha)[1]
    words = f"{yes} of {known} {about}" + (f"; {unclear} more cannot be judged" if unclear else "")
    return Measured(metric, yes / known if known else None, low, high, n, words)


def forgetting(
    metric: str, who: str, older: Sequence[Judged], newer: Sequence[Judged], alpha: float
) -> Measured:
    """Return the share of what an older version answered right that the newer one does not."""
    pairs = [(old.right, new.right) for old, new in zip(older, newer, strict=True)]
    lost = share(
        metric,
        (None if new is None else not new for old, new in pairs if old),
        alpha,
        f"questions that {who} answered right are now wrong",
    )
    worse, better = pairs.count((True, False)), pairs.count((False, True))
    traded = f"{worse} lost, {better} gained, evidence {_evidence(worse, better):.3g} against an even trade"
    return Measured(metric, lost.value, lost.low, lost.high, lost.n, f"{lost.about}; {traded}")


def rows(candidate: Sequence[Judged], parent: Sequence[Judged]) -> tuple[Row, ...]:
    """Return both versions' answers side by side."""
    return tuple(
        Row(
            id=new.row.id,
            question=new.row.question,
            answer=new.reply.text,
            parent_answer=old.reply.text,
            right=new.right,
            parent_right=old.right,
            note=_note(new),
        )
        for new, old in zip(candidate, parent, strict=True)
    )


def _note(each: Judged) -> str:
    """Return what a reader needs beside the answer: what was wanted, and how the answer ended where it was cut."""
    if each.right:
        return ""
    ended = {"length": "; cut off", "refused": "; the engine did not take the question"}
    return f"wanted: {each.row.answer}{ended.get(each.reply.finish_reason, '')}"


def worse(parts: Sequence[Measured], careful: Sequence[Measured]) -> Measured:
    """Return the greatest of several shares; `careful` are the same with alpha divided by their number.

    The greatest share's own high end covers it, so the highest of them does. The highest low end can be wrong by any of
    them, so that one is taken from `careful`.
    """
    worst = max(parts, key=lambda each: -1.0 if each.value is None else each.value)
    return Measured(
        "forgetting",
        worst.value,
        max(each.low or 0.0 for each in careful),
        max(1.0 if each.high is None else each.high for each in parts),
        worst.n,
        worst.about,
    )


def _evidence(lost: int, gained: int) -> float:
    """Return the e-value against "no more is lost than gained", from discordant pairs alone (P1 with mean 1/2)."""
    n = lost + gained
    if not n:
        return 1.0
    bets = mean.increments(0.5, lost, n)
    return float(np.exp(Mixture.start(bets.shape[-1], restart=False).bet(bets, n).log_e))


def _tokens(counts: Sequence[int | None], alpha: float) -> Measured:
    known = np.array([each for each in counts if each is not None], dtype=np.float64)
    if not known.size:
        return Measured("answer_tokens", None, None, None, 0, "the engine counted no tokens")
    ends = unbounded_mean_interval(known.sum(), (known**2).sum(), known.size, 2 * alpha)
    low, high = (float(end) if np.isfinite(end) else None for end in ends)
    return Measured("answer_tokens", float(known.mean()), low, high, known.size, "tokens of an answer, mean")
