"""`models/NAME.yaml`: one adapter version, where its bytes are and where they came from."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from runner.spec.base import Section
from runner.spec.environment import Name

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class TrainingType(StrEnum):
    """How a version was trained."""

    SFT = "SFT"
    DPO = "DPO"
    KTO = "KTO"


class Adapter(Section):
    """The weights: a directory tracked by DVC, named by the digest of its content."""

    path: str
    digest: Digest
    rank: Annotated[int, Field(ge=1)]


class Training(Section):
    """How the adapter came to be."""

    recipe: Name
    dataset: Name
    dataset_hash: str
    """DVC's hash of the data set at that time."""
    revision: str
    """Git commit of the code that trained it."""
    date: date


class Evaluation(Section):
    """What was measured before it was promoted."""

    report: str
    metrics: dict[str, float]


class ModelFile(Section):
    """One version."""

    name: Name
    type: TrainingType
    base_model: str
    parent: Name | None = None
    adapter: Adapter
    training: Training
    evaluation: Evaluation | None = None
    notes: str = ""
