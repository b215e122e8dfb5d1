"""The proof, before the first step, that policy and reference are the parent.

Three things are shown: loss, rewards and divergence are what they are where policy and reference agree; both give the
parent's probe prompts the log-probabilities of its record (`probe.json`), which the engine verifies at every load; and
the policy gives them those that the served parent gave, where an engine was asked. Called by `run` at every start, also
of a run that goes on, since the parent is what is loaded first. It changes no weights.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from statistics import fmean
from typing import Any

from runner.errors import terminal
from runner.spec.training import DpoRecipe, KtoRecipe, Recipe
from runner.training import probe_record, settings
from runner.training.guards import EXACT, LN2, ROUNDED, Guard, Reading
from runner.training.job import Job, LogProbs

ROWS = 64
"""Examples that the first loss is measured on."""
_ZERO = ("rewards/chosen", "rewards/rejected", "kl")
"""What is 0 where policy and reference agree."""
REFERENCE = "ref"
"""TRL's name for the frozen copy of the adapter that it was given."""


def prove(trainer: Any, job: Job) -> tuple[Reading, ...]:
    """Return what the guards of step 0 see. Raises TerminalError where the parent has no record."""
    found: list[Reading] = []
    if isinstance(job.recipe, DpoRecipe | KtoRecipe):
        found.append(_agreement(trainer, job.recipe))
    if job.parent is not None:
        found += _as_recorded(trainer, job, job.parent)
    return tuple(found)


def _agreement(trainer: Any, recipe: DpoRecipe | KtoRecipe) -> Reading:
    """Measure how far the first loss, rewards and divergence are from those of a policy that is its reference.

    The trainer's own `evaluate` is for later: called before training, it marks the model as prepared, and processes
    that work together would never exchange their gradients.
    """
    import torch
    from accelerate.utils import send_to_device  # type: ignore[import-untyped]

    model, metrics, losses = trainer.model, trainer._metrics["eval"], []
    examples = list(trainer.train_dataset.select(range(min(ROWS, len(trainer.train_dataset)))))
    size = trainer.args.per_device_eval_batch_size
    training = model.training
    model.eval()
    with torch.no_grad(), _sigmoid_alone(trainer, recipe):
        for begin in range(0, len(examples), size):
            batch = send_to_device(
                trainer.data_collator(examples[begin : begin + size]), trainer.accelerator.device
            )
            losses.append(float(trainer.compute_loss(model, batch)))
    model.train(training)
    away = [abs(value) for key in _ZERO for value in metrics[key]]
    if isinstance(recipe, DpoRecipe):
        away += [abs(loss - LN2) for loss in losses]
    metrics.clear()
    return Reading(Guard.STEP0, _largest(away), recipe.guards.max_step0_deviation, 0)


@contextmanager
def _sigmoid_alone(trainer: Any, recipe: Recipe) -> Iterator[None]:
    """Have the loss of pairs be the plain one, whatever the recipe mixes: that is the one which begins at ln 2."""
    if not isinstance(recipe, DpoRecipe):
        yield
        return
    kept = trainer.loss_types, trainer.loss_weights
    trainer.loss_types, trainer.loss_weights = ["sigmoid"], [1.0]
    try:
        yield
    finally:
        trainer.loss_types, trainer.loss_weights = kept


def _as_recorded(trainer: Any, job: Job, parent: Path) -> Iterator[Reading]:
    """Yield how far policy and reference are from the parent's record and from the served parent."""
    prompts, recorded = _record(parent)
    model = trainer.accelerator.unwrap_model(trainer.model)
    policy = _scores(model, prompts)
    away = [difference(policy, recorded)]
    if REFERENCE in model.peft_config:
        away.append(difference(_scores(model, prompts, REFERENCE), recorded))
    yield Reading(Guard.REFERENCE, _largest(away), ROUNDED if settings.in_bfloat16() else EXACT, 0)
    if job.served is not None:
        yield Reading(Guard.SERVED, difference(policy, job.served), ROUNDED, 0)


def _scores(model: Any, prompts: Sequence[list[int]], adapter: str | None = None) -> list[LogProbs]:
    """Return the log-probabilities that the model gives the prompts, with another adapter where one is named."""
    from trl.trainer.utils import use_adapter

    training = model.training
    chosen: AbstractContextManager[Any] = nullcontext() if adapter is None else use_adapter(model, adapter)
    with chosen:
        model.eval()
        found = [tuple(probe_record.score(model, ids)) for ids in prompts]
    model.train(training)
    return found


def difference(one: Sequence[LogProbs], other: Sequence[LogProbs]) -> float:
    """Return the mean of |a - b| over all tokens that both score; infinite where they are not of the same tokens."""
    if [len(scores) for scores in one] != [len(scores) for scores in other]:
        return math.inf
    pairs = (pair for left, right in zip(one, other, strict=True) for pair in zip(left, right, strict=True))
    gaps = [abs(a - b) for a, b in pairs if a is not None and b is not None]
    return fmean(gaps) if gaps else math.inf


def _record(parent: Path) -> tuple[list[list[int]], list[LogProbs]]:
    path = parent / probe_record.FILE
    try:
        prompts = json.loads(path.read_text(encoding="utf-8"))["prompts"]
        return [each["token_ids"] for each in prompts], [tuple(each["logprobs"]) for each in prompts]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise terminal(
            f"the parent has no record of its log-probabilities, so it cannot be proven to be the reference: {path}",
            f"{type(error).__name__}: {error}",
            fix="fetch it whole: `dvc pull`",
        ) from error


def _largest(values: Sequence[float]) -> float:
    """Return the largest value; one that is no number is larger than any."""
    return max(values, key=lambda value: math.inf if math.isnan(value) else value)
