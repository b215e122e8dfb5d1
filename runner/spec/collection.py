"""`policies/collection.yaml`: how much feedback is wanted, of what kind, and what makes it good enough."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from runner.spec.base import Name, Section, Text
from runner.spec.cadence import Frequency
from runner.spec.quantity import Duration, Ratio


class Improvement(StrEnum):
    """What one may expect of a round of training on that much feedback."""

    SMALL = "small"
    MODERATE = "moderate"
    SIGNIFICANT = "significant"


class Level(StrEnum):
    """The three levels of the plan."""

    MINIMUM = "minimum"
    TARGET = "target"
    OPTIMAL = "optimal"


class Amount(Section):
    """One level of the plan."""

    samples_per_week: Annotated[int, Field(ge=1)]
    """Preference pairs in a week."""
    training_frequency: Frequency
    """How often that much is enough to train."""
    expected_improvement: Improvement
    """What a round then brings."""


class Plan(Section):
    """How much is wanted."""

    minimum: Amount
    """Less than this is not worth a round."""
    target: Amount
    """What the team aims at."""
    optimal: Amount
    """More than this brings little."""
    aim: Level = Level.TARGET
    """The level that progress is shown against."""


class Category(Section):
    """One kind of question."""

    share: Ratio
    """Share of the collection that should be of this kind."""
    examples: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Questions to suggest where the kind is thin."""


class Detail(StrEnum):
    """What is asked of the chosen answer's detail."""

    REQUIRED = "required"
    """It has more sentences than the rejected one."""
    REPORTED = "reported"
    """It may have fewer; the report says how often."""


class PairQuality(Section):
    """What every single pair has to meet."""

    length_ratio: Annotated[float, Field(ge=0, le=10)] = 0.5
    """The chosen answer is longer than the rejected one times this."""
    max_similarity: Ratio = 0.8
    """The two answers are less alike than this."""
    min_characters: Annotated[int, Field(ge=0)] = 10
    """Both answers are longer than this."""
    more_detailed: Detail = Detail.REQUIRED
    """Whether the chosen answer has to have more sentences."""
    majority: Annotated[Ratio, Field(gt=0.5)] = 0.66
    """Least share of those who judged two answers that has to take the same one, or they contradict each other."""


class SetQuality(Section):
    """What a whole set of pairs has to meet."""

    clear_winners: Ratio
    """Least share of votes that name one side."""
    category_coverage: Ratio
    """Least share of categories that have their part."""
    rater_share: Annotated[Ratio, Field(gt=0)]
    """Largest share of votes from one person."""
    side_share: Annotated[Ratio, Field(ge=0.5)]
    """Largest share of votes for one side of the screen."""
    longer_share: Annotated[Ratio, Field(ge=0.5)]
    """Largest share of pairs whose longer answer was chosen."""
    near_duplicate: Ratio
    """Similarity from which a question counts as asked before."""
    max_length_gain: Annotated[float, Field(ge=1)] = 2.0
    """Chosen answers are at most so many times as long as rejected ones, by the geometric mean over the set."""
    question_share: Annotated[Ratio, Field(gt=0)] = 0.2
    """Largest share of pairs that one question has, counting those nearly the same as it."""


class Corrections(Section):
    """Which better answers that people wrote are used."""

    trusted_groups: tuple[Name, ...] = ()
    """Groups of callers whose corrections need no review; those of all others wait until reviewers call them good."""
    as_pairs: bool = True
    """Whether a correction also makes a pair with the answer that it corrects."""


class Cases(Section):
    """New regression cases."""

    share: Annotated[Ratio, Field(le=0.5)] = 0.1
    """Share of all questions, drawn by their hash, that never go into training: with a correction they become cases."""


class Agreement(Section):
    """How several people's labels of one item have to agree (Krippendorff's alpha)."""

    raters: Annotated[int, Field(ge=2, le=20)] = 3
    """People who see each item of the review queue."""
    floor: Ratio = 0.667
    """Below this the labels are not used."""
    reliable: Ratio = 0.8
    """From this on they are used without reserve."""


class Augmentation(Section):
    """Synthetic pairs beside real ones."""

    max_share: Annotated[Ratio, Field(lt=1)] = 0.2
    """Largest share of synthetic pairs, in the whole and in each category."""


class Extraction(Section):
    """What is taken from the logs."""

    tails: Annotated[Ratio, Field(le=0.5)] = 0.05
    """Share at both ends of the token distribution from which samples are taken."""
    near_duplicate: Ratio = 0.9
    """Similarity from which two records count as one."""
    window: Duration = 30 * 86400.0
    """How far back the log is read."""
    per_reason: Annotated[int, Field(ge=1)] = 500
    """Most records of one reason; of more, those are kept whose questions differ most, or a fixed draw."""


class CollectionPolicy(Section):
    """What is asked of users and reviewers."""

    plan: Plan
    """How much."""
    categories: Annotated[dict[Name, Category], Field(min_length=1)]
    """Of what kind; shares add up to at most 100%."""
    pairs: PairQuality = Field(default_factory=PairQuality)
    """What every pair has to meet."""
    sets: SetQuality
    """What a set of pairs has to meet."""
    agreement: Agreement = Field(default_factory=Agreement)
    """How labels have to agree."""
    augmentation: Augmentation = Field(default_factory=Augmentation)
    """How much may be synthetic."""
    corrections: Corrections = Field(default_factory=Corrections)
    """Which better answers that people wrote are used."""
    cases: Cases = Field(default_factory=Cases)
    """What is kept from training for new regression cases."""
    extraction: Extraction = Field(default_factory=Extraction)
    """What is taken from the logs."""
