"""Re-asks on labelled pairs: Korean questions that mean the same, and English ones that correct themselves.

No label is used: the learned weights count in how many questions a piece occurs, and the threshold is the shipped one.
Baselines are scored in the same run: shared character bigrams and words, and the runs of three characters that the
rollout used to compare. `python -m benchmarks.signals.run --only reask`.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from runner.signals.reask import SHIPPED, THRESHOLD, Rarity, likeness, likenesses, runs, sketch

Scores = NDArray[np.float64]
Compare = Callable[[str, str], float]
FALSE_ALARMS = 0.01
_WORD = re.compile(r"\w+")
_LEAST_WORDS = 3
"""Shorter rewrites are no questions: the file has "#VALUE!" and "n/a" where somebody wrote nothing."""
_TIMED = 2_000


@dataclass(frozen=True, slots=True)
class Pairs:
    """Questions, each with another one that means the same (1) or not (0)."""

    before: list[str]
    after: list[str]
    same: NDArray[np.int64]

    def scored(self, compare: Compare) -> Scores:
        """Return what a comparison of two texts says of each pair."""
        return np.array([compare(*pair) for pair in zip(self.before, self.after, strict=True)])


def measure(data: Path) -> dict[str, float]:
    """Print the tables and return the figures; `data` holds korean_question_pair and disfl_qa."""
    figures = _korean(data / "korean_question_pair")
    figures |= _disfluent(data / "disfl_qa")
    return {name: round(value, 4) for name, value in figures.items()}


def _korean(folder: Path) -> dict[str, float]:
    train, test = (korean(folder / name) for name in ("kor_pair_train.csv", "kor_Pair_test.csv"))
    both = Pairs(train.before + test.before, train.after + test.after, np.r_[train.same, test.same])
    learned = Rarity.learn([*both.before, *both.after])
    scores = {
        "character bigrams (Jaccard)": both.scored(bigrams),
        "character trigrams (Dice)": both.scored(_trigrams),
        "ours, shipped weights": likenesses(both.before, both.after),
        "ours, weights learned without labels": likenesses(both.before, both.after, learned),
    }
    cut = len(train.same)
    print(f"re-asks, Korean question pairs: {len(both.same)} pairs, {both.same.sum()} the same")
    _head("all", "train", "test", "at 1%", "f.a.", "found")
    found = {}
    for name, values in scores.items():
        overall, first, second = (
            auc(both.same, values),
            auc(train.same, values[:cut]),
            auc(test.same, values[cut:]),
        )
        found[name] = overall, second, recall(both.same, values)
        rest = _at_threshold(both.same, values) if name.startswith("ours") else ()
        _row(name, overall, first, second, found[name][2], *rest)
    print(
        "  (the train file pairs questions that begin alike: what a single question is gives its label away)\n"
    )
    base, _, shipped, ours = found.values()
    wrong, right = _at_threshold(both.same, scores["ours, weights learned without labels"])
    return {
        "reask_auc_ko": ours[0],
        "reask_auc_ko_test": ours[1],
        "reask_recall_1pct_ko": ours[2],
        "reask_auc_ko_shipped": shipped[0],
        "reask_auc_ko_test_shipped": shipped[1],
        "reask_recall_1pct_ko_shipped": shipped[2],
        "reask_false_alarms_ko": wrong,
        "reask_recall_ko": right,
        "reask_false_alarms_ko_shipped": _at_threshold(both.same, scores["ours, shipped weights"])[0],
        "bigrams_auc_ko": base[0],
        "bigrams_auc_ko_test": base[1],
        "bigrams_recall_1pct_ko": base[2],
    }


def _disfluent(folder: Path) -> dict[str, float]:
    files = [disfluent(folder / f"{name}.json") for name in ("dev", "test", "train")]
    kinds = {
        "dev": nearest(files[0]),
        "all": _joined([nearest(rows) for rows in files]),
        "article": _joined([following(rows) for rows in files[:2]]),
    }
    print("re-asks, Disfl-QA: the disfluent question with its own original, and with another one:")
    print(
        "  dev, all: with the one of its file that has most words in common with it (dev.json, all three files);"
    )
    print("  article: with the next one of dev.json and test.json, whose order is by article")
    _head("AUC", "at 1%", "f.a.", "found", "", "")
    figures = {}
    for kind, pairs in kinds.items():
        ours, base = likenesses(pairs.before, pairs.after), pairs.scored(overlap)
        wrong, right = _at_threshold(pairs.same, ours)
        _row(f"{kind}: word overlap (Jaccard)", auc(pairs.same, base), recall(pairs.same, base))
        _row(f"{kind}: ours, shipped weights", auc(pairs.same, ours), recall(pairs.same, ours), wrong, right)
        ending = "" if kind == "dev" else f"_{kind}"
        figures[f"reask_auc_disfl{ending}"] = auc(pairs.same, ours)
        figures[f"reask_recall_1pct_disfl{ending}"] = recall(pairs.same, ours)
        figures[f"reask_false_alarms_disfl{ending}"] = wrong
        figures[f"words_auc_disfl{ending}"] = auc(pairs.same, base)
    figures |= _speed(kinds["dev"])
    print(
        f"  {figures['reask_us']:.1f} us a comparison, {figures['reask_sketch_us']:.0f} us a sketch;"
        f" f.a. and found: shares of unlike and like pairs at the threshold {THRESHOLD}\n"
    )
    return figures


def _speed(pairs: Pairs) -> dict[str, float]:
    texts = list(zip(pairs.before, pairs.after, strict=True))[:_TIMED]
    begin = perf_counter()
    sketches = [(sketch(one, SHIPPED), sketch(other, SHIPPED)) for one, other in texts]
    between = perf_counter()
    for one, other in sketches:
        likeness(one, other)
    end = perf_counter()
    return {
        "reask_us": 1e6 * (end - between) / len(texts),
        "reask_sketch_us": 5e5 * (between - begin) / len(texts),
    }


def korean(path: Path) -> Pairs:
    """Read pairs of Korean questions; the column `is_duplicate` is 0 where two mean the same."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    same = np.array([1 - int(row["is_duplicate"]) for row in rows])
    return Pairs([row["question1"] for row in rows], [row["question2"] for row in rows], same)


def disfluent(path: Path) -> list[tuple[str, str]]:
    """Read (original, disfluent) in the file's order, without rewrites that are no questions."""
    rows = json.loads(path.read_text(encoding="utf-8")).values()
    pairs = [(row["original"].strip(), row["disfluent"]) for row in rows]
    return [pair for pair in pairs if len(pair[1].split()) >= _LEAST_WORDS]


def following(rows: Sequence[tuple[str, str]]) -> Pairs:
    """Pair each disfluent question with its own original, and with the next one of the file."""
    others = [original for original, _ in (*rows[1:], rows[0])]
    return _with_others(rows, others)


def nearest(rows: Sequence[tuple[str, str]]) -> Pairs:
    """Pair each disfluent question with its own original, and with the other one that shares most words with it."""
    originals = sorted({original for original, _ in rows})
    sets = [_words(original) for original in originals]
    places: dict[str, list[int]] = {}
    for at, words in enumerate(sets):
        for word in words:
            places.setdefault(word, []).append(at)
    sizes = np.array([len(words) for words in sets])
    others = []
    for original, rewritten in rows:
        shared = np.zeros(len(sets))
        words = _words(rewritten)
        for word in words:
            shared[places.get(word, [])] += 1
        alike = shared / (sizes + len(words) - shared)
        own = _words(original)
        alike[[at for at, other in enumerate(sets) if other == own]] = -1.0
        others.append(originals[int(alike.argmax())])
    return _with_others(rows, others)


def _with_others(rows: Sequence[tuple[str, str]], others: Sequence[str]) -> Pairs:
    kept = [(own, other, text) for (own, text), other in zip(rows, others, strict=True) if own != other]
    own, other, text = (list(column) for column in zip(*kept, strict=True))
    return Pairs(own + other, text + text, np.repeat([1, 0], len(kept)))


def _joined(parts: Sequence[Pairs]) -> Pairs:
    before = [text for part in parts for text in part.before]
    after = [text for part in parts for text in part.after]
    return Pairs(before, after, np.concatenate([part.same for part in parts]))


def auc(same: NDArray[np.int64], values: Scores) -> float:
    """Return the area under the receiver operating characteristic."""
    return float(roc_auc_score(same, values))


def recall(same: NDArray[np.int64], values: Scores, false_alarms: float = FALSE_ALARMS) -> float:
    """Return the share of like pairs found where so many unlike ones are taken for them."""
    unlike = np.sort(values[same == 0])
    limit = unlike[int(len(unlike) * (1.0 - false_alarms))]
    return float(np.mean(values[same == 1] > limit))


def _at_threshold(same: NDArray[np.int64], values: Scores) -> tuple[float, float]:
    """Return the shares of unlike and of like pairs that the shipped threshold takes for re-asks."""
    again = values >= THRESHOLD
    return float(np.mean(again[same == 0])), float(np.mean(again[same == 1]))


def bigrams(one: str, other: str) -> float:
    """Return the share of pairs of characters in common, spaces left out: the baseline for Korean."""
    return _jaccard(_bigrams(one), _bigrams(other))


def overlap(one: str, other: str) -> float:
    """Return the share of words in common: the baseline for English."""
    return _jaccard(_words(one), _words(other))


def _trigrams(one: str, other: str) -> float:
    return runs.likeness(runs.grams(one), runs.grams(other))


def _bigrams(text: str) -> frozenset[str]:
    letters = "".join(text.split())
    return frozenset(letters[at : at + 2] for at in range(len(letters) - 1)) or frozenset([letters])


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))


def _head(*names: str) -> None:
    print(f"  {'':40}" + "".join(f"{name:>8}" for name in names))


def _row(name: str, *values: float) -> None:
    print(f"  {name:40}" + "".join(f"{value:8.4f}" for value in values))
