"""`models/NAME.yaml`: one adapter version, where its bytes are and where they came from."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from runner.spec.base import Commit, Digest, InsidePath, ModelName, Name, Section

NOTHING = "d41d8cd98f00b204e9800998ecf8427e"
"""DVC's hash of a data set without a row: what was trained on it is the base model as it was."""
ELSEWHERE = "unknown"
"""The hash of a data set that nobody here knows: that of an adapter which was brought along."""


class TrainingType(StrEnum):
    """How a version was trained."""

    SFT = "SFT"
    DPO = "DPO"
    KTO = "KTO"


class Adapter(Section):
    """The weights: a directory tracked by DVC, named by the digest of its content."""

    path: InsidePath
    """Directory of the weights."""
    digest: Digest
    """Content digest of that directory."""
    rank: Annotated[int, Field(ge=1, le=512)]
    """LoRA rank: `r` of its `adapter_config.json`; no more than `max_lora_rank` of any engine that serves it."""


class Training(Section):
    """How the adapter came to be."""

    recipe: Name
    """Recipe of `policies/training.yaml`."""
    dataset: Name
    """Data set of `datasets/`."""
    dataset_hash: str
    """DVC's hash of the data set at that time."""
    revision: Commit
    """Git commit of the code that trained it: all 40 digits, no tag."""
    date: date
    """Day on which it was trained."""


class GateVerdict(StrEnum):
    """How a gate of `policies/evaluation.yaml` ended; only PASS promotes."""

    PASS = "PASS"  # noqa: S105 - a verdict, no password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    ERROR = "ERROR"


class Evaluation(Section):
    """What was measured before it was promoted."""

    report: InsidePath
    """The report in full, a file that Git holds."""
    metrics: dict[Name, float]
    """Metric -> value; shares lie between 0 and 1, durations are seconds."""
    gates: dict[Name, GateVerdict] = Field(default_factory=dict)
    """Gate -> how it ended; a promotion may ask for gates by name."""


class ModelFile(Section):
    """One version."""

    name: Name
    """The version; the file's name without `.yaml`."""
    type: TrainingType
    """How it was trained."""
    base_model: ModelName
    """Name of the base model in `loop.yaml`."""
    parent: Name | None = None
    """The version it was trained from; the base model itself where absent."""
    adapter: Adapter
    """The weights."""
    training: Training
    """How the weights came to be."""
    evaluation: Evaluation | None = None
    """What was measured before it was promoted."""
    notes: str = ""
    """Whatever a reader should know."""

    @property
    def is_base(self) -> bool:
        """Whether it is the base model as it is, in an adapter without weights: where a repository begins."""
        return self.training.dataset_hash == NOTHING

    @property
    def was_trained_here(self) -> bool:
        """Whether training in this repository made it: neither the base as it is, nor brought along."""
        return self.training.dataset_hash not in (NOTHING, ELSEWHERE)
