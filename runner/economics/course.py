"""What the course of a preference training says of its settings, and whether it learnt its pairs by heart.

A reward is beta times how many nats the log-probability of an answer moved from the parent's, and a margin is the
chosen answer's reward less the rejected one's. The loss of a pair is -ln sigma(margin): where the margin is small the
run has hardly learnt; where it is large, the pair pulls no more, and a high beta makes it large before the answers
have changed (Rafailov et al., 2023). Where chosen answers become less likely while margins grow, probability goes to
answers that nobody was shown (Razin et al., 2024). Pure; `diagnose` calls it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from runner.economics.checks import Check, Limit, Rule, Unit, fact, held
from runner.economics.records import Run, mapping, number
from runner.signals.readings.estimates import Estimate
from runner.spec.training import Guards

RECENT: Final = 5
"""Logged steps that the end of a course is averaged over."""
WINDOW: Final = 20
"""Logged steps over which pairs told apart are counted, as the guard counts them."""
LEAST_MARGIN: Final = 0.1
"""Below it the loss of a pair has fallen by less than 7% of what it began with, ln 2."""
MOST_MARGIN: Final = 3.0
"""Above it a pair pulls with sigma(-3) = 0.047, less than a tenth of the half that it began with."""
LEAST_MOVE: Final = 1.0
"""Nats by which the odds of the chosen answer have to move for samples to differ to a reader: a factor of e."""
PART_OF_GUARD: Final = 0.5
"""Of what stops a run: beyond it, the fall of chosen answers is told."""
MOST_EPOCHS: Final = 10.0
"""Passes over a few hundred pairs after which they are known by heart."""
LEAST_BETA: Final = 0.05
"""Below it hardly anything keeps the version close to its parent."""
MOST_GAP: Final = 0.15
"""Pairs told apart in training less those held out."""

_TRAIN: Final = "train it: `loop train` leaves its manifest and its curves"


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What of a recipe the advice is about; None where it is not known."""

    beta: float | None
    learning_rate: Any
    epochs: float | None
    guards: Guards

    @classmethod
    def of(cls, run: Run) -> _Recipe:
        """Read the recipe as the manifest has it; guards that it lacks are those of every recipe."""
        optimiser, guards = mapping(run.recipe.get("optimiser")), mapping(run.recipe.get("guards"))
        known = {name: value for name, value in guards.items() if name in Guards.model_fields}
        return cls(
            number(run.recipe.get("beta")),
            optimiser.get("learning_rate", "not known"),
            number(optimiser.get("epochs")),
            Guards.model_validate(known),
        )

    def nats(self, reward: float | None) -> float | None:
        """Return how many nats a reward stands for."""
        return reward / self.beta if reward is not None and self.beta else None


def settings(run: Run) -> Iterator[Check]:
    """Yield whether the run's settings let it learn, and no more than that."""
    recipe = _Recipe.of(run)
    margin = run.last("rewards/margins", RECENT)
    yield _margin(recipe, margin)
    yield _satisfied(recipe, margin)
    yield _movement(recipe, margin)
    yield _chosen_fall(recipe, run.last("rewards/chosen", RECENT))
    yield _saturation(recipe, run.last("rewards/accuracies", WINDOW))


def overfitting(run: Run) -> Iterator[Check]:
    """Yield whether the run learnt its pairs by heart."""
    recipe = _Recipe.of(run)
    yield _held_out_gap(recipe, run)
    yield _epochs(recipe)
    yield _beta(recipe)


def _margin(recipe: _Recipe, margin: float | None) -> Check:
    cure = (
        f"it hardly learnt: raise learning_rate (now {recipe.learning_rate}) or epochs (now {recipe.epochs})"
    )
    rule = Rule("margin", "reward margin at the end", Unit.PLAIN, Limit.AT_LEAST, LEAST_MARGIN, cure, _TRAIN)
    return held(rule, fact(margin, RECENT))


def _satisfied(recipe: _Recipe, margin: float | None) -> Check:
    moved = recipe.nats(margin)
    cure = (
        f"the loss is satisfied after {'an unknown number of' if moved is None else f'{moved:.1f}'} nats: lower beta "
        f"(now {recipe.beta}) where that is little, train for fewer epochs (now {recipe.epochs}) where it is much"
    )
    meaning = "reward margin at the end, from which on nothing more is learnt"
    rule = Rule("satisfied", meaning, Unit.PLAIN, Limit.AT_MOST, MOST_MARGIN, cure, _TRAIN)
    return held(rule, fact(margin, RECENT))


def _movement(recipe: _Recipe, margin: float | None) -> Check:
    cure = (
        f"answers hardly moved: lower beta (now {recipe.beta}) where the margin is large enough, "
        f"raise learning_rate (now {recipe.learning_rate}) where it is not"
    )
    meaning = "how far the odds of chosen over rejected answers moved from the parent's"
    rule = Rule("movement", meaning, Unit.NATS, Limit.AT_LEAST, LEAST_MOVE, cure, _TRAIN)
    return held(rule, fact(recipe.nats(margin), RECENT))


def _chosen_fall(recipe: _Recipe, chosen: float | None) -> Check:
    cure = (
        f"lower learning_rate (now {recipe.learning_rate}), raise beta (now {recipe.beta}), "
        "or add {kind: sft} to the loss"
    )
    meaning = "fall of the chosen answers' log-probability from the parent's"
    limit = recipe.guards.max_chosen_drop * PART_OF_GUARD
    rule = Rule("chosen_fall", meaning, Unit.NATS, Limit.AT_MOST, limit, cure, _TRAIN)
    moved = recipe.nats(chosen)
    return held(rule, fact(None if moved is None else max(0.0, -moved), RECENT))


def _saturation(recipe: _Recipe, told: float | None) -> Check:
    cure = (
        f"nothing is left to learn from these pairs: fewer epochs (now {recipe.epochs}) or a lower learning_rate "
        f"(now {recipe.learning_rate}); more pairs help most"
    )
    meaning = "pairs told apart in training, at the end"
    rule = Rule("saturation", meaning, Unit.SHARE, Limit.AT_MOST, recipe.guards.max_accuracy, cure, _TRAIN)
    return held(rule, fact(told, WINDOW))


def _held_out_gap(recipe: _Recipe, run: Run) -> Check:
    cure = f"fewer epochs (now {recipe.epochs}), label_smoothing, or a higher beta (now {recipe.beta})"
    meaning = "pairs told apart in training, less those of pairs that were held out"
    rule = Rule("held_out_gap", meaning, Unit.SHARE, Limit.AT_MOST, MOST_GAP, cure, _TRAIN)
    return held(rule, _gap(run))


def _epochs(recipe: _Recipe) -> Check:
    cure = "train for fewer epochs"
    rule = Rule("epochs", "passes over the pairs", Unit.PLAIN, Limit.AT_MOST, MOST_EPOCHS, cure, _TRAIN)
    return held(rule, fact(recipe.epochs))


def _beta(recipe: _Recipe) -> Check:
    meaning = "how closely the version is kept to its parent"
    rule = Rule("beta", meaning, Unit.PLAIN, Limit.AT_LEAST, LEAST_BETA, "raise beta", _TRAIN)
    return held(rule, fact(recipe.beta))


def _gap(run: Run) -> Estimate | None:
    """Return the gap; its interval is that of the held-out pairs, of which there are few."""
    told, apart = run.last("rewards/accuracies", WINDOW), run.told_apart
    if told is None or apart is None or apart.value is None or apart.low is None or apart.high is None:
        return None
    return Estimate(told - apart.value, told - apart.high, told - apart.low, apart.n)
