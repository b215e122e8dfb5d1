"""Held to labelled sentences: what is wrong is less consistent, also with five samples only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.signals.wikibio import FILE, figures_of

REAL = Path(os.environ.get("LOOP_REAL_DATA") or Path(__file__).parents[4] / "shared" / "data")


@pytest.mark.skipif(
    not (REAL / FILE).is_file(), reason=f"the labelled data is not at {REAL} (set LOOP_REAL_DATA)"
)
def test_wrong_sentences_are_found_without_a_judge() -> None:
    found = figures_of(REAL)
    assert found["wikibio_aucpr"] >= 0.93
    assert found["wikibio_aucpr_k5"] >= 0.925
    assert found["wikibio_passage_spearman"] >= 0.7
    for name, row in found["wikibio_baselines"].items():
        assert row["ours_on_the_same"] > row["aucpr"], name
