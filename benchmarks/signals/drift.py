"""Input drift on real questions: how often an alarm is false, and how many questions a shift takes to be found.

BANKING77 gives questions with known topics, from which streams with a planted change are drawn. The Bing coronavirus
queries of January 2020 give a change that happened: the first news on 8 and 9 January, the second rise from the 16th.
The baseline beside it, on the same topics, is a divergence of counts compared with 0.1.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf, log
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from runner.signals.drift.divergence import Band, band, divergence
from runner.signals.drift.exchange import Exchange
from runner.signals.drift.follow import WEIGHTS, Follower, Question
from runner.signals.drift.topics import UNLIKE, Topics, fit
from runner.signals.embedder import Embedder, Vectors
from runner.signals.lexical import Lexical
from runner.stats.logic import either

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]

ALPHA: Final = 0.01
LOOKS: Final = 1000
REFERENCE: Final = 4500
FITS: Final = 10
"""Times the questions are split anew into reference and traffic, and topics fitted anew."""
NULL: Final = 20
"""Streams without drift for each fit."""
PLANTED: Final = 6
"""Streams of each planted shift for each fit."""
BEFORE: Final = 500
"""Normal questions before a late change."""
LONGEST: Final = 3000
"""Questions after which a shift counts as not found."""
SHIFTS: Final = (0.05, 0.1, 0.3)
GOALS: Final = {0.05: 300, 0.1: 150, 0.3: 60}
BARE: Final = 0.1
BARE_N: Final = 500

_DAY: Final = 86_400
_CHUNK: Final = 50


@dataclass(frozen=True, slots=True)
class Known:
    """An embedder that only looks up: topics are fitted many times to texts embedded once."""

    digest: str
    size: int
    vectors: dict[str, Vectors]

    @classmethod
    def of(cls, embedder: Embedder, texts: Sequence[str]) -> Known:
        """Embed every text once."""
        return cls(embedder.digest, embedder.size, dict(zip(texts, embedder.embed(texts), strict=True)))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return the rows of texts embedded before; KeyError for others."""
        return np.array([self.vectors[text] for text in texts], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Traffic:
    """A fitted reference and the questions that were kept out of it, with their topics and their intents."""

    topics: Topics
    coarse: Numbers
    fine: Numbers
    intent: Numbers
    usual_intents: Floats
    """Shares of the intents in the reference."""


def measure(data: Path) -> dict[str, Any]:
    """Measure everything on the data sets in `data`; what `make bench-signals` prints. FileNotFoundError without."""
    return {**banking(data / "banking77"), **bing(data / "bing_covid_queries")}


def banking(folder: Path, fits: int = FITS) -> dict[str, Any]:
    """Return false alarms without drift and questions to an alarm at planted shifts."""
    from runner.embedding.minilm import MiniLM

    rows = [row for name in ("train.csv", "test.csv") for row in _rows(folder / name, ",")]
    texts, intents = [row["text"] for row in rows], [row["category"] for row in rows]
    known = Known.of(MiniLM(), texts)
    rng = np.random.default_rng(77)
    splits = [_split(texts, intents, known, rng) for _ in range(fits)]
    return {**_without_drift(splits, rng), **_with_drift(splits, rng)}


def _split(texts: Sequence[str], intents: Sequence[str], known: Known, rng: np.random.Generator) -> Traffic:
    names = sorted(set(intents))
    of = np.array([names.index(each) for each in intents])
    order = rng.permutation(len(texts))
    inside, outside = order[:REFERENCE], order[REFERENCE:]
    topics = fit([texts[each] for each in inside], known)
    found = topics.assign(known.embed([texts[each] for each in outside]))
    usual = np.bincount(of[inside], minlength=len(names)) / len(inside)
    return Traffic(topics, found.coarse, found.fine, of[outside], usual)


def _without_drift(splits: Sequence[Traffic], rng: np.random.Generator) -> dict[str, Any]:
    """Return how many streams of 1,000 questions of the reference's own kind raise an alarm, and the baseline's."""
    alarms = bands = streams = 0
    bare = {"topics": 0, "fine": 0, "cumulative": 0}
    for traffic in splits:
        for _ in range(NULL):
            chosen = rng.permutation(len(traffic.coarse))[:LOOKS]
            found = _first_alarm(traffic, chosen)
            alarms += found < inf
            bands += _band(traffic, chosen, found < inf) is not Band.NONE
            for name, fired in _bare(traffic, chosen).items():
                bare[name] += fired
            streams += 1
    return {
        "drift_false_alarms": alarms / streams,
        "drift_false_bands": bands / streams,
        "drift_streams": streams,
        "drift_looks": LOOKS,
        "bare_kl_false_alarms": bare["fine"] / streams,
        "bare_kl_false_alarms_topics": bare["topics"] / streams,
        "bare_kl_false_alarms_cumulative": bare["cumulative"] / streams,
    }


def _with_drift(splits: Sequence[Traffic], rng: np.random.Generator) -> dict[str, Any]:
    """Return the median of questions to an alarm for each kind and size of shift, at once and after normal ones."""
    result: dict[str, Any] = {}
    for kind, plant in PLANTS.items():
        for size in SHIFTS:
            for before in (0, BEFORE):
                found = [
                    _first_alarm(traffic, _stream(traffic, plant, size, before, rng), before)
                    for traffic in splits
                    for _ in range(PLANTED)
                ]
                name = f"drift_questions{kind}_{size:g}{'_late' if before else ''}"
                # an alarm before the change is a false one, and no measure of how late an alarm comes
                result[name] = float(np.median([each for each in found if each > 0]))
    result["drift_questions_to_detect"] = [result[f"drift_questions_{size:g}"] for size in SHIFTS]
    result["drift_questions_to_detect_late"] = [result[f"drift_questions_{size:g}_late"] for size in SHIFTS]
    return result


def _first_alarm(traffic: Traffic, chosen: Numbers, before: int = 0) -> float:
    """Return after how many questions beyond the first `before` the sequence is proven to have changed, inf if never.

    Negative for an alarm among the first.
    """
    fed = [Exchange(each, UNLIKE) for each in (traffic.topics.coarse_counts, traffic.topics.fine_counts)]
    for start in range(0, len(chosen), _CHUNK):
        part = chosen[start : start + _CHUNK]
        logs = either([fed[0].feed(traffic.coarse[part]), fed[1].feed(traffic.fine[part])], WEIGHTS)
        proven = np.flatnonzero(logs >= log(1.0 / ALPHA))
        if len(proven):
            return float(start + proven[0] + 1 - before)
    return inf


def _band(traffic: Traffic, chosen: Numbers, changed: bool) -> Band:
    counts = np.bincount(traffic.coarse[chosen], minlength=len(traffic.topics.coarse_counts))
    return band(divergence(counts, traffic.topics.coarse_counts), changed)


def _bare(traffic: Traffic, chosen: Numbers) -> dict[str, bool]:
    """Return whether a bare divergence is above 0.1 at any look at the last 500 questions, or at all so far."""
    topics = traffic.topics
    ends = range(BARE_N, len(chosen) + 1, 20)
    coarse, fine = traffic.coarse[chosen], traffic.fine[chosen]
    return {
        "topics": any(bare_kl(coarse[end - BARE_N : end], topics.coarse_counts) > BARE for end in ends),
        "fine": any(bare_kl(fine[end - BARE_N : end], topics.fine_counts) > BARE for end in ends),
        "cumulative": any(
            bare_kl(coarse[:end], topics.coarse_counts) > BARE for end in range(50, len(chosen), 20)
        ),
    }


def bare_kl(found: Numbers, reference: Numbers) -> float:
    """Return the divergence of counts as they are: the rule that this one replaces."""
    p = np.bincount(found, minlength=len(reference)) / len(found)
    q = np.maximum(reference, 0.5) / reference.sum()
    return float(np.sum(p * np.log(np.where(p > 0, p / q, 1.0))))


Plant = Callable[[Traffic, float, np.random.Generator], tuple[Numbers, Floats]]
"""Returns the group of every question and the shares that groups are to have."""


def _all_topics(traffic: Traffic, size: float, rng: np.random.Generator) -> tuple[Numbers, Floats]:
    """Every topic's share changes at random."""
    usual = traffic.topics.coarse_counts / traffic.topics.coarse_counts.sum()
    return traffic.coarse, tilted(usual, rng.normal(size=len(usual)), size)


def _few_topics(traffic: Traffic, size: float, rng: np.random.Generator) -> tuple[Numbers, Floats]:
    """Three topics chosen at random are asked about more."""
    usual = traffic.topics.coarse_counts / traffic.topics.coarse_counts.sum()
    return traffic.coarse, tilted(usual, _chosen(len(usual), 3, rng), size)


def _few_intents(traffic: Traffic, size: float, rng: np.random.Generator) -> tuple[Numbers, Floats]:
    """Every single intent's share changes at random, whatever its topic."""
    return traffic.intent, tilted(traffic.usual_intents, rng.normal(size=len(traffic.usual_intents)), size)


PLANTS: Final[dict[str, Plant]] = {"": _all_topics, "_few": _few_topics, "_intents": _few_intents}


def _chosen(groups: int, many: int, rng: np.random.Generator) -> Floats:
    marks = np.zeros(groups)
    marks[rng.permutation(groups)[:many]] = 1.0
    return marks


def tilted(usual: Floats, direction: Floats, size: float) -> Floats:
    """Return shares that lie `size` nats from the usual ones, in proportion to exp(strength * direction)."""
    low, high = 0.0, 50.0
    shares = usual
    for _ in range(60):
        strength = (low + high) / 2.0
        logs = np.where(usual > 0, strength * direction, -np.inf)
        shares = usual * np.exp(logs - logs.max())
        shares = shares / shares.sum()
        found = float(np.sum(shares * np.log(np.where(shares > 0, shares / np.maximum(usual, 1e-12), 1.0))))
        low, high = (strength, high) if found < size else (low, strength)
    return shares


def _stream(traffic: Traffic, plant: Plant, size: float, before: int, rng: np.random.Generator) -> Numbers:
    """Return the numbers of questions: normal ones, none twice, then ones whose groups have the planted shares."""
    groups, shares = plant(traffic, size, rng)
    normal = rng.permutation(len(groups))[:before]
    present = np.bincount(groups, minlength=len(shares))
    weight = np.where(present > 0, shares / np.maximum(present, 1), 0.0)[groups]
    shifted = rng.choice(len(groups), size=LONGEST, p=weight / weight.sum())
    return np.concatenate([normal, shifted])


def bing(folder: Path) -> dict[str, Any]:
    """Return the days of January on which alarms come, and alarms within the quiet first week."""
    days = _days(folder)
    quiet = [_bing_alarm(days, range(1, 4), range(4, 8)), _bing_alarm(days, range(1, 5), range(5, 8))]
    quiet += [
        _bing_alarm(days, [other for other in range(1, 8) if other != day], [day]) for day in range(1, 8)
    ]
    return {
        "bing_first_alarm": _bing_alarm(days, range(1, 8), range(8, 32)),
        "bing_first_alarm_second": _bing_alarm(days, range(10, 17), range(17, 32)),
        "bing_reference": sum(len(days[day]) for day in range(1, 8)),
        "bing_quiet_alarms": sum(each is not None for each in quiet),
        "bing_quiet_streams": len(quiet),
        "bare_kl_bing_first_alarm": _bing_bare(days),
    }


def _days(folder: Path) -> dict[int, list[str]]:
    """Return the questions of each day: a query counts once for each place, the finest that it is known for.

    Popularity is relative to a place and a day, no number of people; and a country's row repeats its states' rows.
    Within a day there is no time, so the order is one that knows nothing of places and words: by checksum.
    """
    countries = _rows(folder / "QueriesByCountry_2020-01-01_2020-01-31.tsv", "\t")
    states = list(_rows(folder / "QueriesByState_2020-01-01_2020-01-31.tsv", "\t"))
    finer = {(row["Date"], row["Query"].lower(), row["Country"]) for row in states}
    rows = [row for row in countries if (row["Date"], row["Query"].lower(), row["Country"]) not in finer]
    seen = {
        (row["Date"], row["Country"], row.get("State", ""), row["Query"].lower()) for row in [*rows, *states]
    }
    days: dict[int, list[str]] = {day: [] for day in range(1, 32)}
    for date, *_, query in sorted(seen, key=lambda each: (each[0], crc32("/".join(each).encode()))):
        days[int(date[-2:])].append(query)
    return days


def _bing_alarm(days: dict[int, list[str]], reference: Sequence[int], stream: Sequence[int]) -> int | None:
    """Return the day of the first alarm of a follower that knows some days and is fed others."""
    embedder = Lexical()  # many languages: an English model does not read them
    topics = fit([query for day in reference for query in days[day]], embedder)
    follower = Follower(topics, ALPHA, 0.0)
    for day in stream:
        found = topics.assign(embedder.embed(days[day]))
        follower.feed(
            Question(day * _DAY + at, f"{at:06d}", query, int(topic), int(fine))
            for at, (query, topic, fine) in enumerate(
                zip(days[day], found.coarse, found.fine, strict=True), 1
            )
        )
        if follower.alarmed_at is not None:
            return int(follower.alarmed_at // _DAY)
    return None


def _bing_bare(days: dict[int, list[str]]) -> int | None:
    """Return the first day on which the bare rule fires, from the first day of the reference week on."""
    embedder = Lexical()
    topics = fit([query for day in range(1, 8) for query in days[day]], embedder)
    for day in range(1, 32):
        if bare_kl(topics.assign(embedder.embed(days[day])).coarse, topics.coarse_counts) > BARE:
            return day
    return None


def _rows(path: Path, delimiter: str) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter=delimiter)


def table(found: dict[str, Any]) -> str:
    """Return the figures as a table: what was measured, the goal, the baseline."""
    lines = [f"{'input drift':<58} {'measured':>9} {'goal':>6} {'bare KL':>8}"]

    def row(name: str, value: Any, goal: Any = "", bare: Any = "") -> None:
        lines.append(f"{name:<58} {value!s:>9} {goal!s:>6} {bare!s:>8}")

    streams = f"{found['drift_streams']} streams of {found['drift_looks']} looks"
    row(f"false alarms, share of {streams}", found["drift_false_alarms"], 0.01, found["bare_kl_false_alarms"])
    row("  bands (hold, retrain) without drift", found["drift_false_bands"], 0)
    for kind, title in (
        ("", "all topics change"),
        ("_few", "three topics grow"),
        ("_intents", "intents change"),
    ):
        for size in SHIFTS:
            late = found[f"drift_questions{kind}_{size:g}_late"]
            goal = GOALS[size] if kind != "_intents" else ""
            row(
                f"questions to an alarm, {title}, KL {size:g}", found[f"drift_questions{kind}_{size:g}"], goal
            )
            row(f"  after {BEFORE} normal ones", late, round(1.2 * goal) if goal else "")
    row(
        "Bing, days 1 to 7: alarm on January", found["bing_first_alarm"], 9, found["bare_kl_bing_first_alarm"]
    )
    row("Bing, days 10 to 16: alarm on January", found["bing_first_alarm_second"], 19)
    row(f"Bing, alarms in {found['bing_quiet_streams']} quiet streams", found["bing_quiet_alarms"], 0)
    return "\n".join(lines)


if __name__ == "__main__":
    root = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("LOOP_REAL_DATA", "../shared/data"))
    figures = measure(root)
    print(table(figures), file=sys.stderr)
    print(json.dumps(figures))
