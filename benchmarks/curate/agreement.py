"""Our agreement and our ranking beside statsmodels, krippendorff and choix called directly, on PandaLM's comparisons.

Three people judged each comparison of two of five models. Their labels go through what the review queue's labels go
through (`runner.feedback.labels`) and through `runner.stats.bradley_terry`. The goal is a difference of at most 0.01.
"""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import choix
import krippendorff
import numpy as np
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, fleiss_kappa

from benchmarks.signals.run import data
from runner.feedback.labels.agreement import TaskAgreement
from runner.feedback.labels.resolution import resolve
from runner.feedback.records import Choice, Label, Task
from runner.spec.collection import Agreement
from runner.stats.bradley_terry import Comparison, Result, strengths

PEOPLE = ("annotator1", "annotator2", "annotator3")
GOAL = 0.01
_WORDS = {0: Choice.TIE, 1: Choice.LEFT, 2: Choice.RIGHT}
_RESULTS = {0: Result.TIE, 1: Result.FIRST, 2: Result.SECOND}
Rows = list[dict[str, Any]]
Figures = dict[str, tuple[float, float]]
"""Name -> ours, and theirs."""


def measure() -> dict[str, Any]:
    """Print the table and return the figures; none where the labelled data are not here."""
    place = data()
    if place is None:
        print("agreement: skipped, the labelled data are not here (LOOP_REAL_DATA)")
        return {}
    path = Path(place) / "pandalm_testset" / "testset-v1.json"
    rows: Rows = json.loads(path.read_text(encoding="utf-8"))
    found = _agreement(rows) | _ranking(rows)
    largest = max(abs(ours - theirs) for ours, theirs in found.values())
    _show(found, len(rows), largest)
    return {
        "agreement_comparisons": len(rows),
        "agreement_largest_difference": largest,
        "agreement": {name: ours for name, (ours, _) in found.items()},
        "agreement_direct": {name: theirs for name, (_, theirs) in found.items()},
    }


def _agreement(rows: Rows) -> Figures:
    ours = _ours(rows)
    table = np.array([[row[name] for name in PEOPLE] for row in rows])
    alpha = krippendorff.alpha(reliability_data=table.T, level_of_measurement="nominal")
    found = {
        "Krippendorff's alpha": (ours.krippendorff.alpha, float(alpha)),  # type: ignore[union-attr]
        "Fleiss' kappa": (float(ours.fleiss or 0.0), float(fleiss_kappa(aggregate_raters(table)[0]))),
    }
    for pair, (one, other) in zip(ours.pairs, combinations(range(3), 2), strict=True):
        counts = np.zeros((3, 3))
        np.add.at(counts, (table[:, one], table[:, other]), 1)
        kappa = float(cohens_kappa(counts, return_results=False))
        found[f"Cohen's kappa, {one + 1} and {other + 1}"] = (float(pair.kappa or 0.0), kappa)
    return found


def _ours(rows: Rows) -> TaskAgreement:
    labels = (
        Label(
            id=f"{row['idx']}-{name}",
            item=str(row["idx"]),
            task=Task.PREFERENCE,
            value=_WORDS[row[name]],
            user=name,
            at_us=0,
        )
        for row in rows
        for name in PEOPLE
    )
    return resolve(labels, Agreement(raters=len(PEOPLE))).agreement[Task.PREFERENCE]


def _ranking(rows: Rows) -> Figures:
    """Compare strengths from all labels, ties half: for choix every win counts twice, a tie once each way."""
    ours = strengths(
        Comparison(*row["cmp_key"].split("_"), _RESULTS[row[name]]) for row in rows for name in PEOPLE
    )
    models = sorted(ours)
    wins: list[tuple[int, int]] = []
    for row in rows:
        first, second = (models.index(name) for name in row["cmp_key"].split("_"))
        each = {0: [(first, second), (second, first)], 1: [(first, second)] * 2, 2: [(second, first)] * 2}
        wins += [win for name in PEOPLE for win in each[row[name]]]
    theirs = choix.opt_pairwise(len(models), wins)
    theirs = theirs - theirs.mean()
    return {f"strength, {name}": (ours[name], float(theirs[at])) for at, name in enumerate(models)}


def _show(found: Figures, rows: int, largest: float) -> None:
    print(f"agreement and ranking, PandaLM: {rows} comparisons by three people")
    print(f"  {'figure':32}{'ours':>10}{'direct':>10}{'difference':>13}")
    for name, (ours, theirs) in found.items():
        print(f"  {name:32}{ours:10.4f}{theirs:10.4f}{abs(ours - theirs):13.1e}")
    met = "met" if largest <= GOAL else "MISSED"
    print(f"  largest difference {largest:.1e}, goal {GOAL:g}: {met}\n")


if __name__ == "__main__":
    measure()
