"""Self-consistency on WikiBio GPT-3: which sentences of made-up biographies are wrong, told from 20 samples each.

Called by `benchmarks.signals.run`. The positive class is a sentence that people called inaccurate, slightly or grossly.
Nothing is fitted to the labels; what a fit would add is shown apart, cross-validated over passages. Five samples are
the first five, the second five, and so on: the mean over these draws. Data: Manakul et al., SelfCheckGPT, EMNLP 2023.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.errors import terminal
from runner.signals.consistency.support import Examination, examine
from runner.signals.consistency.words import sentences
from runner.signals.embedder import Embedder

FILE = "wikibio_gpt3_hallucination/wikibio_gpt3_hallucination.jsonl"
HARM = {"accurate": 0.0, "minor_inaccurate": 0.5, "major_inaccurate": 1.0}
FEW = 5
FOLDS = 10
THIRD_PARTY = ("prompt", "nli", "bert")
PUBLISHED = {
    "unigram, max": 0.856,
    "third party: bert": 0.820,
    "third party: nli": 0.925,
    "third party: prompt": 0.934,
}

Numbers = NDArray[np.float64]
Scorer = Callable[[Sequence[str], Sequence[str]], list[float]]
"""Sentences and samples of one passage -> how suspect each sentence is."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One biography: its sentences, their labels, its samples, and what other scorers made of the sentences."""

    sentences: tuple[str, ...]
    labels: tuple[str, ...]
    samples: tuple[str, ...]
    third_party: dict[str, list[float]]


def read(data: Path) -> list[Passage]:
    """Return the passages of a folder of data sets. Raises TerminalError where they are not there."""
    path = data / FILE
    if not path.is_file():
        raise terminal(f"the labelled data is not here: {path}")
    with path.open(encoding="utf-8") as lines:
        return [_passage(json.loads(line)) for line in lines]


def _passage(row: dict[str, Any]) -> Passage:
    return Passage(
        tuple(row["gpt3_sentences"]),
        tuple(row["annotation"]),
        tuple(row["gpt3_text_samples"]),
        row.get("thirdparty_scores", {}),
    )


def measure(data: Path) -> dict[str, Any]:
    """Print the table and return AUC-PR of inaccurate sentences, ours and the baselines', with what goes with it."""
    from runner.embedding import MiniLM

    figures = figures_of(data, MiniLM())
    print(to_text(figures))
    return figures


def figures_of(data: Path, embedder: Embedder | None = None) -> dict[str, Any]:
    """Return the figures; `embedder` makes the baseline of embeddings alone, None leaves it out."""
    passages = read(data)
    wrong = np.array([label != "accurate" for each in passages for label in each.labels])
    every = [_examined(each, 0, len(each.samples)) for each in passages]
    fives = [
        [_examined(each, start, start + FEW) for each in passages]
        for start in range(0, min(len(each.samples) for each in passages) - FEW + 1, FEW)
    ]
    few = [_area(wrong, _scores(found)) for found in fives]
    pearson, spearman = _by_passage(passages, every)
    return {
        "wikibio_aucpr": _area(wrong, _scores(every)),
        "wikibio_aucpr_k5": float(np.mean(few)),
        "wikibio_aucpr_k5_first": few[0],
        "wikibio_aucpr_k5_draws": few,
        "wikibio_aucpr_interval": _interval(passages, _scores(every)),
        "wikibio_aucpr_fitted_cross_validated": _fitted(passages, every, wrong),
        "wikibio_passage_pearson": pearson,
        "wikibio_passage_spearman": spearman,
        "wikibio_base_rate": float(wrong.mean()),
        "wikibio_sentences": len(wrong),
        "wikibio_passages": len(passages),
        "wikibio_baselines": _baselines(passages, every, embedder),
    }


def _examined(passage: Passage, start: int, end: int) -> Examination:
    return examine(passage.sentences, passage.samples[start:end])


def _scores(found: Sequence[Examination]) -> Numbers:
    return np.array([each.inconsistency for one in found for each in one.sentences])


def _area(wrong: NDArray[np.bool_], scores: Numbers) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(wrong, scores))


def _by_passage(passages: Sequence[Passage], found: Sequence[Examination]) -> tuple[float, float]:
    """Return Pearson's and Spearman's correlation with people: mean harm (0, .5, 1) of a passage's sentences."""
    from scipy.stats import pearsonr, spearmanr

    people = [float(np.mean([HARM[label] for label in each.labels])) for each in passages]
    ours = [each.inconsistency for each in found]
    return float(pearsonr(people, ours).statistic), float(spearmanr(people, ours).statistic)


def _interval(passages: Sequence[Passage], scores: Numbers, draws: int = 500) -> list[float]:
    """Return the 5th and 95th percentile over resampled passages."""
    rng = np.random.default_rng(0)
    wrong = np.array([label != "accurate" for each in passages for label in each.labels])
    ends = np.cumsum([len(each.labels) for each in passages])
    rows = [np.arange(end - len(each.labels), end) for each, end in zip(passages, ends, strict=True)]
    areas = []
    for _ in range(draws):
        drawn = np.concatenate([rows[place] for place in rng.integers(0, len(rows), len(rows))])
        areas.append(_area(wrong[drawn], scores[drawn]))
    return [float(value) for value in np.percentile(areas, [5, 95])]


def _fitted(passages: Sequence[Passage], found: Sequence[Examination], wrong: NDArray[np.bool_]) -> float:
    """Return what weights of the four parts fitted to labels reach on passages that the fit did not see."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    parts = np.array(
        [[e.claims, e.uncovered, e.passage, e.dispute] for each in found for e in each.sentences]
    )
    passage = [place for place, each in enumerate(passages) for _ in each.labels]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3))
    told = cross_val_predict(
        model, parts, wrong, groups=passage, cv=GroupKFold(FOLDS), method="predict_proba"
    )
    return _area(wrong, told[:, 1])


def _baselines(
    passages: Sequence[Passage], ours: Sequence[Examination], embedder: Embedder | None
) -> dict[str, dict[str, float | None]]:
    """Return name -> area, published area, and ours on the same sentences, which for some are a part only."""
    rows: dict[str, dict[str, float | None]] = {}

    def put(name: str, chosen: Sequence[int], scores: Sequence[float]) -> None:
        labels = np.array([label != "accurate" for place in chosen for label in passages[place].labels])
        rows[name] = {
            "aucpr": _area(labels, np.array(scores)),
            "published": PUBLISHED.get(name),
            "ours_on_the_same": _area(labels, _scores([ours[place] for place in chosen])),
            "sentences": len(labels),
        }

    every = range(len(passages))
    put("unigram, max", every, [s for p in passages for s in unigram_max(p.sentences, p.samples)])
    put("bigram, mean", every, [s for p in passages for s in bigram_mean(p.sentences, p.samples)])
    if embedder is not None:
        put("embeddings alone", every, _by_meaning(embedder, passages))
    for column in THIRD_PARTY:
        have = [place for place in every if column in passages[place].third_party]
        scores = [score for place in have for score in passages[place].third_party[column]]
        if have and not any(map(math.isnan, scores)):
            put(f"third party: {column}", have, scores)
    return rows


def unigram_max(told: Sequence[str], samples: Sequence[str]) -> list[float]:
    """Return each sentence's largest surprise at a word, by counts in the samples and the passage itself."""
    counts = Counter(word for text in (*told, *samples) for word in _tokens(text))
    whole = sum(counts.values())
    return [max((-math.log(counts[word] / whole) for word in _tokens(text)), default=0.0) for text in told]


def bigram_mean(told: Sequence[str], samples: Sequence[str]) -> list[float]:
    """Return each sentence's mean surprise at a word after the one before, smoothed towards how common it is."""
    texts = [_tokens(text) for text in samples]
    single = Counter(word for text in (*texts, *map(_tokens, told)) for word in text)
    pairs = Counter(pair for text in texts for pair in pairwise(text))
    before = Counter(first for first, _ in pairs.elements())
    whole, pull = sum(single.values()), 2.0

    def surprise(first: str, second: str) -> float:
        common = single[second] / whole
        return -math.log((pairs[first, second] + pull * common) / (before[first] + pull))

    scores = []
    for words in map(_tokens, told):
        each = [surprise(first, second) for first, second in pairwise(words)]
        scores.append(float(np.mean(each)) if each else 0.0)
    return scores


def _tokens(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.casefold()).split()


def _by_meaning(embedder: Embedder, passages: Sequence[Passage]) -> list[float]:
    """Return one less the cosine with the nearest sentence of each sample, mean over the samples."""
    said = [[sentences(sample) or ("",) for sample in each.samples] for each in passages]
    every = {text for each in said for parts in each for text in parts}
    texts = sorted(every.union(*(each.sentences for each in passages)), key=len)
    vectors = embedder.embed(texts)
    row = {text: place for place, text in enumerate(texts)}
    scores: list[float] = []
    for each, samples in zip(passages, said, strict=True):
        own = vectors[[row[text] for text in each.sentences]]
        nearest = [(own @ vectors[[row[text] for text in parts]].T).max(axis=1) for parts in samples]
        scores += [1.0 - float(value) for value in np.mean(nearest, axis=0)]
    return scores


def to_text(found: dict[str, Any]) -> str:
    """Return the table for people."""
    low, high = found["wikibio_aucpr_interval"]
    draws = ", ".join(f"{value:.4f}" for value in found["wikibio_aucpr_k5_draws"])
    lines = [
        f"WikiBio GPT-3: {found['wikibio_sentences']} sentences of {found['wikibio_passages']} passages,"
        f" {found['wikibio_base_rate']:.1%} inaccurate",
        f"  {'AUC-PR of inaccurate sentences':<44}{'here':>8}{'published':>11}{'ours there':>12}{'n':>7}",
        f"  {'this project, 20 samples, no judge':<44}{found['wikibio_aucpr']:>8.4f}"
        f"   (passages resampled: {low:.3f} to {high:.3f})",
        f"  {'this project, 5 samples, mean of the draws':<44}{found['wikibio_aucpr_k5']:>8.4f}   ({draws})",
        f"  {'weights fitted, cross-validated by passage':<44}"
        f"{found['wikibio_aucpr_fitted_cross_validated']:>8.4f}",
    ]
    for name, row in found["wikibio_baselines"].items():
        published = "" if row["published"] is None else f"{row['published']:.3f}"
        lines.append(
            f"  {name:<44}{row['aucpr']:>8.4f}{published:>11}{row['ours_on_the_same']:>12.4f}{row['sentences']:>7}"
        )
    lines.append(
        f"  by passage, with people: Pearson {found['wikibio_passage_pearson']:.3f},"
        f" Spearman {found['wikibio_passage_spearman']:.3f}"
    )
    return "\n".join(lines)
