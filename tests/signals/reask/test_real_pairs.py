"""On labelled pairs of people the detector beats its baselines, and seldom takes another question for a re-ask."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.signals import reask
from runner.signals.reask import THRESHOLD, Rarity, likenesses

DATA = Path(os.environ.get("LOOP_REAL_DATA") or Path(__file__).parents[3].parent / "shared" / "data")
pytestmark = pytest.mark.skipif(
    not (DATA / "disfl_qa").is_dir(), reason="the labelled data are not here (LOOP_REAL_DATA)"
)


def test_korean_paraphrases_are_told_better_than_by_bigrams() -> None:
    pairs = reask.korean(DATA / "korean_question_pair" / "kor_Pair_test.csv")
    base = reask.auc(pairs.same, pairs.scored(reask.bigrams))
    learned = Rarity.learn([*pairs.before, *pairs.after])
    for scores in (likenesses(pairs.before, pairs.after), likenesses(pairs.before, pairs.after, learned)):
        assert reask.auc(pairs.same, scores) > base + 0.01
        assert np.mean(scores[pairs.same == 0] >= THRESHOLD) < 0.02


def test_disfluent_questions_are_told_from_the_nearest_others_better_than_by_words() -> None:
    pairs = reask.nearest(reask.disfluent(DATA / "disfl_qa" / "dev.json"))
    scores = likenesses(pairs.before, pairs.after)
    found, base = reask.auc(pairs.same, scores), reask.auc(pairs.same, pairs.scored(reask.overlap))
    assert found > base
    assert 1.0 - found < 0.4 * (1.0 - base)
    assert np.mean(scores[pairs.same == 1] >= THRESHOLD) > 0.97
