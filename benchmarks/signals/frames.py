"""The cube of a day in pandas, as somebody who knows pandas writes it: what `speed` compares with.

Only the columns that are needed are read, nothing loops over rows, keys are categories, and lists are flattened by
Arrow rather than exploded into objects.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from runner.signals.cube.facts import EARLIEST_US
from runner.signals.cube.rows import CUBE, HOUR_US, LANGUAGE, LOG_GROWTH, RIGHT, SMALLEST, ZEROS, merged
from runner.signals.language import CODES
from runner.signals.outcomes import CRASHES

BASELINE = "chat-v1.0"
GAP_US = 1_800_000_000
CELL = ["hour", "arm", "version", "segment"]

Frame = Any


def cube(home: Path) -> pa.Table:
    """Return the rows of the cube."""
    lake = home / "lake"
    said = pd.read_parquet(
        home / "annotations",
        columns=[
            "time_us", "refused", "answerable", "answer_language", "answer_chars", "topic", "fine_topic", "arm",
            "version", "segment", "sound",
        ],
    )  # fmt: skip
    said = _categorised(said.assign(hour=said.pop("time_us") // HOUR_US), ["arm", "version", "segment"])
    rows = [*_answers(said), *_requests(lake / "request", said), *_pairs(home, said)]
    del said
    rows += [*_again(home), *_feedback(lake), *_examined(lake)]
    table = pd.concat(rows, ignore_index=True)
    for name in ("bucket", "peak"):
        table[name] = table[name].astype("Int64" if name == "bucket" else "Float64")
    for name in ("arm", "version", "segment"):
        table[name] = table[name].astype(object)
    return merged(pa.Table.from_pandas(table[CUBE.names], schema=CUBE, preserve_index=False))


def _requests(path: Path, said: Frame) -> list[Frame]:
    frame = pd.read_parquet(
        path,
        columns=[
            "event.time", "loop.user", "loop.session", "loop.group", "loop.arm", "loop.arm.assigned", "loop.version",
            "loop.version.assigned", "loop.adapter.digest", "loop.outcome", "loop.fell_back", "loop.arm.failure",
            "error.type", "loop.latency_ms", "loop.first_token_ms", "http.response.status_code",
            "gen_ai.request.stream",
            "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens",
        ],
    )  # fmt: skip
    names = [
        name for name in frame.columns if name.startswith(("loop.", "error")) and frame[name].dtype == "str"
    ]
    frame = _categorised(frame, [name for name in names if name not in ("loop.user", "loop.session")])
    tried = frame["loop.arm"].notna()
    assigned = {
        "hour": frame["event.time"] // HOUR_US,
        "arm": _first(frame["loop.arm.assigned"].where(tried), frame["loop.arm"]),
        "version": _first(frame["loop.version.assigned"].where(tried), frame["loop.version"]),
        "segment": frame["loop.group"],
    }
    outcome, fell_back = frame["loop.outcome"], frame["loop.fell_back"].fillna(False).astype(bool)
    ok, error = outcome == "ok", fell_back | (outcome == "error")
    broke_off = ~fell_back & (outcome == "error") & frame["error.type"].isin(CRASHES)
    owed = error | ok
    counts = pd.DataFrame(
        {
            **assigned,
            "owed": owed,
            "errors": error,
            "crashes": owed & (frame["loop.arm.failure"].isin(CRASHES) | broke_off),
            "begins": _begins(frame),
        }
    )
    wide = counts.groupby(CELL, observed=True).agg(
        records=("owed", "size"), owed=("owed", "sum"), errors=("errors", "sum"), crashes=("crashes", "sum"),
        begins=("begins", "sum"),
    )  # fmt: skip
    found = [
        _scalar(wide, "error", "owed", "errors"),
        _scalar(wide, "crash", "owed", "crashes"),
        _scalar(wide, "session", "records", "begins"),
    ]
    own = {
        "hour": assigned["hour"],
        "arm": _first(frame["loop.arm"]),
        "version": _first(frame["loop.version"]),
        "segment": frame["loop.group"],
    }
    passes = _passes(frame, ok)
    kept = own["hour"].isin(said["hour"].unique())
    records = pd.DataFrame({**own, "ok": ok, "good": passes & (~ok | ~kept)})
    wide = records.groupby(CELL, observed=True).agg(
        records=("ok", "size"), ok=("ok", "sum"), good=("good", "sum")
    )
    wide["none"] = 0
    found += [_scalar(wide, "data_quality", "records", "good"), _scalar(wide, "response", "ok", "none")]
    sizes = {
        "latency": frame["loop.latency_ms"] / 1000.0,
        "first_token": (frame["loop.first_token_ms"] / 1000.0).where(
            frame["gen_ai.request.stream"].fillna(False)
        ),
        "prompt_tokens": frame["gen_ai.usage.input_tokens"].astype("float64"),
        "answer_tokens": frame["gen_ai.usage.output_tokens"].astype("float64"),
    }
    for measure, values in sizes.items():
        some = pd.DataFrame({**own, "value": values})[ok & values.notna()]
        found.append(_histogram(some.assign(value=some["value"].clip(lower=0.0)), measure))
    return found


def _begins(frame: Frame) -> Frame:
    order = frame[["event.time", "loop.user", "loop.session"]].copy()
    order["loop.session"] = order["loop.session"].fillna("")
    order["who"] = order.groupby(["loop.user", "loop.session"], sort=False).ngroup()
    order = order[["who", "event.time"]].sort_values(["who", "event.time"], kind="stable")
    pause = order.groupby("who", sort=False)["event.time"].diff()
    return (pause.isna() | (pause > GAP_US)).reindex(frame.index)


def _passes(frame: Frame, ok: Frame) -> Frame:
    status, outcome = frame["http.response.status_code"], frame["loop.outcome"]
    theirs = status.between(400, 499)
    fits = (ok & status.between(200, 299)) | ((outcome == "error") & (theirs | (status >= 500)))
    fits |= outcome.isin(["refused", "cancelled"]) & theirs
    latency, first = frame["loop.latency_ms"], frame["loop.first_token_ms"]
    tokens = [frame["gen_ai.usage.input_tokens"], frame["gen_ai.usage.output_tokens"]]
    named = frame["loop.version"].notna() & frame["loop.adapter.digest"].notna()
    measured = tokens[0].notna() & tokens[1].notna() & latency.notna()
    ordered = ~(latency < 0) & ~(first < 0) & ~(latency < first) & ~(tokens[0] < 0) & ~(tokens[1] < 0)
    return fits & (~ok | (named & measured)) & ordered & (frame["event.time"] >= EARLIEST_US)


def _answers(said: Frame) -> list[Frame]:
    judged = said["refused"].notna() & said["answerable"].notna()
    columns = {f"in_{code}": said["answer_language"] == code for code in CODES}
    frame = said[CELL].assign(
        scored=said["refused"].notna(),
        refused=said["refused"].fillna(False).astype(bool),
        judged=judged,
        over=judged & said["refused"].astype(bool) & said["answerable"].astype(bool),
        sound=said["sound"],
        spoken=said["answer_language"].notna(),
        **columns,
    )
    wide = frame.groupby(CELL, observed=True).sum()
    wide["closed"] = frame.groupby(CELL, observed=True).size()
    wide["none"] = 0
    found = [
        _scalar(wide, "refusal", "scored", "refused"),
        _scalar(wide, "over_refusal", "judged", "over"),
        _scalar(wide, "reask", "closed", "none"),
        _scalar(wide, "data_quality", "none", "sound"),
        *(_scalar(wide, f"{LANGUAGE}{code}", "spoken", f"in_{code}") for code in CODES),
    ]
    for measure in ("topic", "fine_topic"):
        counts = said[said[measure].notna()].groupby([*CELL, measure], observed=True).size()
        counts = counts.rename("n").reset_index().rename(columns={measure: "bucket"})
        found.append(_rows(counts.assign(total=0.0, squares=0.0), measure))
    found.append(_histogram(said.assign(value=said["answer_chars"].astype("float64")), "answer_length"))
    return found


def _pairs(home: Path, said: Frame) -> list[Frame]:
    """Count pairs of words file by file: all lists of a day at once would not fit into memory."""
    cells = said.groupby(CELL, observed=True).ngroup().to_numpy()
    keys = said.groupby(CELL, observed=True).size().reset_index()[CELL]
    counts, begin = [], 0
    for file in sorted((home / "annotations").glob("*.parquet")):
        lists = pq.read_table(file, columns=["pairs"])["pairs"].combine_chunks()
        rows = cells[begin : begin + len(lists)][pc.list_parent_indices(lists).to_numpy()]
        flat = pd.DataFrame({"cell": rows, "bucket": pc.list_flatten(lists).to_numpy()})
        counts.append(flat.groupby(["cell", "bucket"]).size())
        begin += len(lists)
    found = pd.concat(counts).groupby(level=[0, 1]).sum().rename("n").reset_index()
    cell = keys.iloc[found.pop("cell").to_numpy()].reset_index(drop=True)
    return [_rows(cell.join(found).assign(total=0.0, squares=0.0), "word_pairs")]


def _again(home: Path) -> list[Frame]:
    frame = pd.read_parquet(home / "reasks", columns=["time_us", "again", "arm", "version", "segment"])
    frame = frame[frame["again"]].assign(hour=frame["time_us"] // HOUR_US)
    wide = frame.groupby(CELL).agg(again=("again", "size"))
    return [_scalar(wide.assign(none=0), "reask", "none", "again")]


def _feedback(lake: Path) -> list[Frame]:
    names = ["event.time", "gen_ai.response.id", "loop.user", "loop.thumbs", "loop.rating"]
    said = pd.read_parquet(lake / "feedback", columns=names)
    said["hour"] = said["event.time"] // HOUR_US
    names = ["gen_ai.response.id", "loop.user", "loop.arm", "loop.version", "loop.group", "event.time"]
    asked = pd.read_parquet(lake / "request", columns=names).rename(columns={"event.time": "asked"})
    rows = said.merge(asked, on=["gen_ai.response.id", "loop.user"])
    rows = rows[rows["asked"] // HOUR_US <= rows["hour"]]
    rows = rows.rename(columns={"loop.arm": "arm", "loop.version": "version", "loop.group": "segment"})
    thumbs, rating = rows["loop.thumbs"], rows["loop.rating"]
    rows["stars"] = rating.clip(1, 5).fillna(thumbs.map({1: 5, -1: 1}))
    rows["down"] = thumbs == -1

    def first(column: str) -> Frame:
        """Return what each user said first of each answer, of what has a column."""
        some = rows[rows[column].notna()].sort_values(["event.time", column])
        return some.drop_duplicates(["gen_ai.response.id", "loop.user"])

    heard = first("event.time").groupby(CELL).agg(some=("down", "size")).assign(none=0)
    thumbed = first("loop.thumbs").groupby(CELL).agg(thumbs=("down", "size"), downs=("down", "sum"))
    stars = first("stars").groupby([*CELL, "stars"]).size().rename("n").reset_index()
    stars = stars.rename(columns={"stars": "bucket"})
    value = stars["bucket"].astype("float64")
    return [
        _scalar(heard, "response", "none", "some"),
        _scalar(thumbed, "thumbs_down", "thumbs", "downs"),
        _rows(stars.assign(total=value * stars["n"], squares=value**2 * stars["n"]), "stars"),
    ]


def _examined(lake: Path) -> list[Frame]:
    votes = pd.read_parquet(lake / "vote").assign(arm="")
    sides = []
    for side, other in (("left", "right"), ("right", "left")):
        choice = votes["loop.vote.choice"]
        value = np.select([choice == side, choice.isin(["tie", "neither"])], [1.0, 0.5], 0.0)
        sides.append(
            votes.assign(
                version=votes[f"loop.{side}.version"],
                against=votes[f"loop.{other}.version"],
                segment=votes["loop.group"],
                value=value,
            )
        )
    both = pd.concat(sides)
    found = [_moments(both[(both["version"] != BASELINE) & (both["against"] == BASELINE)], "win")]
    samples = pd.read_parquet(lake / "sample")
    samples = samples[samples["loop.sample.value"].notna()].rename(
        columns={
            "loop.arm": "arm",
            "loop.version": "version",
            "loop.group": "segment",
            "loop.sample.value": "value",
        }
    )
    found.append(_moments(samples[samples["loop.detector"] == "self_consistency"], "consistency"))
    checked = (samples["loop.detector"] == "factual") & (samples["loop.sample.count"].fillna(1) > 0)
    found.append(_moments(samples[checked], "factuality"))
    probes = (
        pd.read_parquet(lake / "probe").rename(columns={"loop.version": "version"}).assign(arm="", segment="")
    )
    probes["value"] = probes["loop.probe.training_difference"]
    found.append(_moments(probes[probes["value"].notna()], "parity", peak=True))
    done = (
        pd.read_parquet(lake / "evaluation")
        .rename(columns={"loop.version": "version"})
        .assign(arm="", segment="")
    )
    for suite, rows in done[done["loop.right"].notna()].groupby("loop.suite"):
        found.append(_moments(rows.assign(value=rows["loop.right"].astype("float64")), f"{RIGHT}{suite}"))
    found.append(_moments(done[done["loop.reward"].notna()].assign(value=done["loop.reward"]), "reward"))
    return found


def _categorised(frame: Frame, names: list[str]) -> Frame:
    return frame.astype(dict.fromkeys(names, "category"))


def _first(*columns: Frame) -> Frame:
    """Return the first value that is there, "" where none is, as a category."""
    found = columns[0].astype(object) if len(columns) > 1 else columns[0]
    for other in columns[1:]:
        if found.isna().any():
            found = found.where(found.notna(), other.astype(object))
    if found.isna().any():
        found = found.astype(object).fillna("")
    return found.astype("category")


def _histogram(frame: Frame, measure: str) -> Frame:
    value = frame["value"].to_numpy()
    bucket = np.ceil(np.log(np.where(value >= SMALLEST, value, 1.0)) / LOG_GROWTH)
    keyed = frame[CELL].assign(
        bucket=np.where(value >= SMALLEST, bucket, ZEROS).astype(np.int64), value=value, square=value * value
    )
    found = keyed.groupby([*CELL, "bucket"], observed=True).agg(
        n=("value", "size"), total=("value", "sum"), squares=("square", "sum")
    )
    return _rows(found.reset_index(), measure)


def _moments(frame: Frame, measure: str, peak: bool = False) -> Frame:
    keyed = frame.assign(hour=frame["event.time"] // HOUR_US, square=frame["value"] ** 2)
    found = keyed.groupby(CELL).agg(n=("value", "size"), total=("value", "sum"), squares=("square", "sum"))
    if peak:
        found["peak"] = keyed.groupby(CELL)["value"].max()
    return _rows(found.reset_index(), measure)


def _scalar(wide: Frame, measure: str, n: str, total: str) -> Frame:
    some = wide[(wide[n] > 0) | (wide[total] > 0)].reset_index()
    values = some[total].astype("float64")
    return _rows(some[CELL].assign(n=some[n].astype(np.int64), total=values, squares=values), measure)


def _rows(found: Frame, measure: str) -> Frame:
    for name in ("bucket", "peak"):
        if name not in found.columns:
            found = found.assign(**{name: None})
    return found.assign(measure=measure)[CUBE.names]
