"""`policies/training.yaml`: how adapters are trained, and what stops a run that goes wrong."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from runner.spec.base import Name, Section
from runner.spec.quantity import Ratio

Positive = Annotated[float, Field(gt=0)]


class Parent(StrEnum):
    """What a run starts from; for DPO and KTO it is the reference as well."""

    BASE = "base"
    """The base model."""
    BASELINE = "baseline"
    """The version that is the baseline when the run starts."""


class Schedule(StrEnum):
    """How the learning rate changes."""

    CONSTANT = "constant"
    LINEAR = "linear"
    COSINE = "cosine"


class Lora(Section):
    """The adapter's shape."""

    rank: Annotated[int, Field(ge=1, le=512)] = 16
    """LoRA rank; no more than the engines' `max_lora_rank`."""
    alpha: Positive = 32.0
    """LoRA scaling: the update is multiplied by alpha / rank."""
    dropout: Annotated[Ratio, Field(lt=1)] = 0.0
    """Dropout on the adapter's input."""
    modules: Annotated[tuple[Name, ...], Field(min_length=1)] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )
    """Projections that get an adapter."""


class Optimiser(Section):
    """How the weights are moved."""

    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    """Peak learning rate."""
    schedule: Schedule = Schedule.COSINE
    """How it changes."""
    warmup: Annotated[Ratio, Field(lt=1)] = 0.05
    """Share of the steps over which it rises."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Decay of weights toward 0."""
    max_gradient_norm: Positive = 1.0
    """Longer gradients are shortened to this."""
    epochs: Annotated[float, Field(gt=0, le=1000)]
    """Passes over the data."""
    batch_size: Annotated[int, Field(ge=1)]
    """Examples in one step, over all devices."""
    micro_batch_size: Annotated[int, Field(ge=1)] | None = None
    """Examples on one device at once; the batch is accumulated from these."""


class TermKind(StrEnum):
    """A part of a DPO loss."""

    SIGMOID = "sigmoid"
    IPO = "ipo"
    HINGE = "hinge"
    SFT = "sft"


class Term(Section):
    """One part of a mixed loss."""

    kind: TermKind
    """Which loss."""
    weight: Positive = 1.0
    """What it is multiplied by."""


class Guards(Section):
    """What stops a run, which then says why."""

    max_step0_deviation: Positive = 1e-3
    """Largest distance of the first loss from ln 2: the reference is the parent or it is not."""
    max_chosen_drop: Positive = 10.0
    """Most that the log-probability of chosen answers may fall from the start, nats."""
    max_accuracy: Annotated[Ratio, Field(gt=0.5)] = 0.995
    """Share of pairs told apart at which training is saturated."""
    max_length_ratio: Positive = 1.5
    """Most that answers may grow in length over the parent's."""
    max_truncated: Ratio = 0.05
    """Largest share of examples that do not fit."""


class _Recipe(Section):
    """What all recipes have in common."""

    dataset: Name
    """Data set that it trains on."""
    parent: Parent
    """What it starts from."""
    lora: Lora = Field(default_factory=Lora)
    """The adapter's shape."""
    optimiser: Optimiser
    """How the weights are moved."""
    max_length: Annotated[int, Field(ge=8)]
    """Longest example, in tokens."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of shuffling and initialisation."""
    guards: Guards = Field(default_factory=Guards)
    """What stops a run."""


class SftRecipe(_Recipe):
    """Supervised training on right answers."""

    type: Literal["SFT"]
    """`SFT`."""
    packing: bool = False
    """Put several examples into one sequence."""


class DpoRecipe(_Recipe):
    """Direct preference optimisation on pairs."""

    type: Literal["DPO"]
    """`DPO`."""
    beta: Positive = 0.1
    """How closely it keeps to the reference; higher is closer."""
    loss: Annotated[tuple[Term, ...], Field(min_length=1)] = Field(
        default_factory=lambda: (Term(kind=TermKind.SIGMOID),)
    )
    """The loss, as a weighted sum; `sigmoid` alone where absent."""
    label_smoothing: Annotated[Ratio, Field(lt=0.5)] = 0.0
    """Share of pairs assumed to be the wrong way round; changes `sigmoid`; not with `length_normalised`."""
    length_normalised: bool = False
    """Divide log-probabilities by the answer's length in `sigmoid`; a normalised loss needs a far higher `beta`."""


class KtoRecipe(_Recipe):
    """Kahneman-Tversky optimisation on single answers with a thumb."""

    type: Literal["KTO"]
    """`KTO`."""
    beta: Positive = 0.1
    """How closely it keeps to the reference; higher is closer."""
    desirable_weight: Positive = 1.0
    """Weight of answers with thumbs up."""
    undesirable_weight: Positive = 1.0
    """Weight of answers with thumbs down."""


Recipe = Annotated[SftRecipe | DpoRecipe | KtoRecipe, Field(discriminator="type")]


class TrainingPolicy(Section):
    """The recipes."""

    recipes: Annotated[dict[Name, Recipe], Field(min_length=1)]
    """The recipes by name."""
