"""Out-of-scope questions of CLINC150, told from the frozen embeddings of the in-scope training questions alone.

Baselines: likeness to the nearest training question, and the largest softmax of a linear probe. No out-of-scope
question is seen before the test; labels of intents are, in the first of the two fits reported.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.embedding import chosen
from runner.signals.embedder import Vectors
from runner.signals.lexical import Lexical
from runner.signals.novelty import Novelty
from runner.spec.signals import Embedder as Named

Floats = NDArray[np.float64]


def measure(data: Path) -> dict[str, float]:
    """Print a table and return its figures by name; `data` holds the folder `clinc150`.

    `ood_*` are of the shipped detector with MiniLM and intents, `*_topics` without intents, `*_lexical` with the
    light embedder; `ood_false_alarms` and `ood_missed` at the threshold it chose for itself.
    """
    questions = json.loads((data / "clinc150" / "data_full.json").read_text())
    intents = [intent for _, intent in questions["train"]]
    minilm = {part: chosen(Named.MINILM).embed(_texts(questions[part])) for part in ("train", *_TESTED)}
    lexical = {part: Lexical().embed(_texts(questions[part])) for part in minilm}
    scores = {
        "nearest": [-nearest(minilm["train"], minilm[part]) for part in _TESTED],
        "softmax": [-softmax(minilm, intents, part) for part in _TESTED],
    }
    figures = {f"ood_baseline_{name}_auroc": auroc(*of_parts) for name, of_parts in scores.items()}
    for suffix, vectors, labels in (
        ("", minilm, intents),
        ("_topics", minilm, None),
        ("_lexical", lexical, intents),
    ):
        figures |= {f"ood_{key}{suffix}": value for key, value in _figures(vectors, labels).items()}
    print("Out of scope (CLINC150, no out-of-scope question seen before the test)")
    for name, value in figures.items():
        print(f"  {name:<32}{value:.4f}")
    return figures


_TESTED = ("test", "oos_test")


def _texts(rows: Sequence[Sequence[str]]) -> list[str]:
    return [text for text, _ in rows]


def _figures(vectors: dict[str, Vectors], labels: Sequence[str] | None) -> dict[str, float]:
    novelty = Novelty.fit(vectors["train"], labels)
    inside, outside = (novelty.scores(vectors[part]) for part in _TESTED)
    return {
        "auroc": auroc(inside, outside),
        "fpr95": float(np.mean(outside <= np.quantile(inside, 0.95))),
        "false_alarms": float(np.mean(inside > novelty.threshold)),
        "missed": float(np.mean(outside <= novelty.threshold)),
    }


def auroc(inside: Floats, outside: Floats) -> float:
    """Return the chance that a question from outside scores higher than one from inside, ties half."""
    from sklearn.metrics import roc_auc_score

    truth = np.repeat([0, 1], [len(inside), len(outside)])
    return float(roc_auc_score(truth, np.concatenate([inside, outside])))


def nearest(reference: Vectors, vectors: Vectors) -> Floats:
    """Return the likeness of each question to the nearest reference question."""
    return np.asarray((vectors @ reference.T).max(axis=1), dtype=np.float64)


def softmax(vectors: dict[str, Vectors], intents: Sequence[str], part: str) -> Floats:
    """Return the greatest probability that a logistic regression of the intents gives each question."""
    from sklearn.linear_model import LogisticRegression

    probe: Any = LogisticRegression(C=10.0, max_iter=500).fit(vectors["train"], intents)
    return np.asarray(probe.predict_proba(vectors[part]).max(axis=1))


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1])), indent=2))
