"""The extraction as one would write it with pandas: all events in memory, no near-duplicates, no masking, no draw.

The baseline beside which `run` shows what extraction costs. It reads the same log and applies the same detectors to
the same answers, each pair of texts once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from runner.events.lake import Lake
from runner.events.schema import Kind
from runner.signals.detection import SHIPPED
from runner.signals.reask import likenesses
from runner.signals.text import spoken

Frame = Any


def extract(home: Path) -> dict[str, int]:
    """Return how many answers each reason speaks for, and how many different ones there are in all."""
    with Lake(home / "lake", home / "events") as lake:
        requests, contents, feedback, shadows = (
            lake.table(kind).to_pandas() for kind in (Kind.REQUEST, Kind.CONTENT, Kind.FEEDBACK, Kind.SHADOW)
        )
    contents["request"] = contents["event.id"].str.removesuffix("-content")
    said = requests[requests["loop.outcome"] == "ok"].merge(
        contents[["request", "gen_ai.input.messages", "gen_ai.output.messages"]],
        left_on="event.id",
        right_on="request",
    )
    said["question"] = said["gen_ai.input.messages"].map(lambda text: spoken(text, "user"))
    said["answer"] = said["gen_ai.output.messages"].map(spoken)
    flags = pd.DataFrame(index=said["event.id"])
    flags["refusal"] = _refuses(said).to_numpy()
    flags["reask"] = flags.index.isin(_asked_again(said))
    for name, ids in {
        **_opinions(said, feedback),
        **_tails(said),
        "shadow": _shadowed(said, shadows),
    }.items():
        flags[name] = flags.index.isin(ids)
    taken = said[flags.any(axis=1).to_numpy()]
    found = {name: int(flags[name].sum()) for name in flags}
    return {**found, "distinct": len(taken.drop_duplicates(["question", "answer"]))}


def _refuses(said: Frame) -> Frame:
    distinct = said[["question", "answer"]].drop_duplicates()
    distinct["refused"] = SHIPPED.refuses()(distinct["question"].tolist(), distinct["answer"].tolist())
    return said.merge(distinct, on=["question", "answer"], how="left")["refused"]


def _asked_again(said: Frame) -> set[str]:
    ordered = said.sort_values(["loop.user", "event.time", "event.id"])
    by_user = ordered.groupby("loop.user")
    found: set[str] = set()
    for step in (1, 2, 3):
        after = by_user[["event.time", "question"]].shift(-step)
        close = (after["event.time"] - ordered["event.time"]) <= SHIPPED.within * 1e6
        before, later = ordered[close], after[close]
        alike = likenesses(before["question"].tolist(), later["question"].tolist())
        found |= set(before["event.id"][alike >= SHIPPED.reask_threshold])
    return found


def _opinions(said: Frame, feedback: Frame) -> dict[str, Frame]:
    keys = ["gen_ai.response.id", "loop.user"]
    own = feedback.sort_values(["event.time", "event.id"]).merge(said[[*keys, "event.id"]], on=keys)
    last = own.groupby("event.id_y")[["loop.thumbs", "loop.rating", "loop.correction"]].last()
    return {
        "thumbs_up": last.index[last["loop.thumbs"] > 0],
        "thumbs_down": last.index[last["loop.thumbs"] < 0],
        "low_rating": last.index[last["loop.rating"] <= 2],
        "high_rating": last.index[last["loop.rating"] >= 5],
        "correction": last.index[last["loop.correction"].notna()],
    }


def _tails(said: Frame) -> dict[str, Frame]:
    by_version = said.groupby("loop.version")["gen_ai.usage.output_tokens"]
    rank = by_version.rank(method="first", pct=True)
    return {"short": said["event.id"][rank <= 0.05], "long": said["event.id"][rank > 0.95]}


def _shadowed(said: Frame, shadows: Frame) -> Frame:
    other = shadows[shadows["loop.same"] == False]  # noqa: E712 - a column
    other = other.assign(request=other["event.id"].str.removesuffix("-shadow"))
    both = said.merge(other[["request", "gen_ai.output.messages"]], on="request", suffixes=("", "_copy"))
    copies = both["gen_ai.output.messages_copy"].map(lambda text: json.loads(text)[-1]["content"])
    return both["event.id"][both["answer"].str.casefold() != copies.str.casefold()]
