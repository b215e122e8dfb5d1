"""Parity: whether the engine computes what the stack computes that trained the adapter.

Called by `evaluate`. Both score the same tokens: those recorded beside the weights, and questions of the data set with
the candidate's own greedy answers, which is what users will get. Nothing is sampled from anything, so the figures have
no interval: they are what they are for these texts.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.errors import terminal
from runner.evaluation.bench import Bench, Job, LogProbs
from runner.evaluation.exact_match import Found
from runner.evaluation.results import Measured, Row


async def parity(job: Job, bench: Bench) -> Found:
    """Score and compare. Raises LoopError where one of the two stacks does not answer."""
    questions = [row.question for row in job.rows]
    replies = await bench.answers(bench.candidate, questions, max_tokens=job.suite.max_tokens)
    talks = [(question, reply.text) for question, reply in zip(questions, replies, strict=True)]
    trained = await bench.scores.trained(bench.probe, talks)
    served = await bench.scores.served([each.tokens for each in trained])
    gaps = [differences(one.logprobs, other) for one, other in zip(trained, served, strict=True)]
    texts = [("probe prompt", ""), *talks]
    named = [texts[0]] * len(bench.probe) + talks
    rows = tuple(
        Row(
            id=f"{number}",
            question=question,
            answer=answer,
            parent_answer=None,
            right=None,
            note=f"mean difference {sum(gap) / len(gap):.4f}, largest {max(gap):.4f}",
        )
        for number, ((question, answer), gap) in enumerate(zip(named, gaps, strict=True))
    )
    return Found(measures(gaps), (), rows)


def measures(gaps: Sequence[Sequence[float]]) -> tuple[Measured, ...]:
    """Return the metrics of differences, text by text; `parity` is the largest mean of a text."""
    n = len(gaps)
    every = [gap for text in gaps for gap in text]
    values = {
        "parity": (max(sum(text) / len(text) for text in gaps), "texts; the largest mean of one text"),
        "parity_mean": (sum(every) / len(every), "texts; the mean over all tokens"),
        "parity_max_abs_diff": (max(every), "texts; the largest difference of a single token"),
    }
    return tuple(
        Measured(metric, value, value, value, n, f"{n} {about}") for metric, (value, about) in values.items()
    )


def differences(trained: LogProbs, served: LogProbs) -> list[float]:
    """Return |difference| for every token that both scored. Raises TerminalError where they are not of one text."""
    if len(trained) != len(served):
        raise terminal(
            "the two stacks do not score the same tokens",
            f"tokens: {len(trained)} in the training stack, {len(served)} in the engine",
            fix="serve the tokenizer that the adapter was trained with",
        )
    found = [abs(a - b) for a, b in zip(trained, served, strict=True) if a is not None and b is not None]
    if not found or not all(gap < float("inf") for gap in found):
        raise terminal("a text has no finite log-probabilities to compare")
    return found
