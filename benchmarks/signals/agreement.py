"""Agreement of three people, and the order of five models, on PandaLM's comparisons.

The whole set's figures are known (kappa .85, .88, .86; alpha .864), so that ours have a reference besides the
published examples in the tests. The baseline of the order is the share of comparisons won by the people's majority.
`python -m benchmarks.signals.run --only agreement`.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from runner.stats.agreement import agreement, cohen, fleiss
from runner.stats.bradley_terry import Comparison, Result, rank

PEOPLE = ("annotator1", "annotator2", "annotator3")
_RESULTS = {0: Result.TIE, 1: Result.FIRST, 2: Result.SECOND}
WHOLE = {"cohen": (0.852, 0.879, 0.862), "alpha": 0.864}
"""Of the whole set, published and computed from it."""
SEED = 20261121


def measure(data: Path) -> dict[str, Any]:
    """Print the tables and return the figures; `data` holds pandalm_testset."""
    rows = json.loads((data / "pandalm_testset" / "testset-v1.json").read_text(encoding="utf-8"))
    figures = _people(rows)
    return figures | _models(rows)


def _people(rows: list[dict[str, Any]]) -> dict[str, Any]:
    ratings = [[row[name] for name in PEOPLE] for row in rows]
    columns = list(zip(*ratings, strict=True))
    kappas = [round(cohen(columns[one], columns[other]), 4) for one, other in combinations(range(3), 2)]
    found = agreement(ratings, np.random.default_rng(SEED))
    print(f"agreement of three people, PandaLM: {found.items} comparisons (the whole set in brackets)")
    whole = ", ".join(f"{value:.3f}" for value in WHOLE["cohen"])  # type: ignore[attr-defined]
    print(f"  Cohen's kappa by pair    {', '.join(f'{value:.3f}' for value in kappas)}  ({whole})")
    print(f"  Fleiss' kappa            {fleiss(ratings):.3f}")
    interval = f"[{found.low:.3f}, {found.high:.3f}]"
    print(
        f"  Krippendorff's alpha     {found.alpha:.3f} {interval} ({WHOLE['alpha']:.3f}): {found.verdict}\n"
    )
    return {
        "cohen": kappas,
        "fleiss": round(fleiss(ratings), 4),
        "krippendorff": round(found.alpha, 4),
        "krippendorff_interval": [round(found.low, 4), round(found.high, 4)],
    }


def _models(rows: list[dict[str, Any]]) -> dict[str, Any]:
    each = [_comparison(row, row[name]) for row in rows for name in PEOPLE]
    majority = [_comparison(row, _majority(row)) for row in rows]
    by_all, by_majority = rank(each, np.random.default_rng(SEED)), rank(majority, np.random.default_rng(SEED))
    print("order of five models, Bradley-Terry (ties half), 95% intervals over comparisons")
    print(f"  {'model':22}{'majority of three':>26}{'won':>7}{'all three':>26}")
    others = {strength.name: strength for strength in by_all}
    for strength in by_majority:
        other = others[strength.name]
        shown = [f"{one.value:+.2f} [{one.low:+.2f}, {one.high:+.2f}]" for one in (strength, other)]
        print(f"  {strength.name:22}{shown[0]:>26}{strength.wins / strength.comparisons:7.2f}{shown[1]:>26}")
    order = [strength.name for strength in by_majority]
    won = sorted(by_majority, key=lambda strength: -strength.wins / strength.comparisons)
    print(f"  same order by share won: {'yes' if [one.name for one in won] == order else 'no'}\n")
    return {
        "bradley_terry_order": order,
        "bradley_terry_order_of_all": [strength.name for strength in by_all],
        "bradley_terry": [round(strength.value, 4) for strength in by_majority],
        "share_won_order": [strength.name for strength in won],
    }


def _comparison(row: dict[str, Any], label: int) -> Comparison:
    first, second = row["cmp_key"].split("_")
    return Comparison(first, second, _RESULTS[label])


def _majority(row: dict[str, Any]) -> int:
    """Return what at least two of three people said, a tie where all three differ."""
    label, count = Counter(row[name] for name in PEOPLE).most_common(1)[0]
    return int(label) if count > 1 else 0
