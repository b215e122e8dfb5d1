"""Every signal of a generated day in one pass: ours, the same in pandas, and on Spark, each in a process of its own.

`python -m benchmarks.signals.speed`. All read the same Parquet files and have to give the same cube. Texts were scored
before, since that is the same Python in all; its speed is measured apart. Rows a second are events of the day divided
by wall time, reading included, imports not; the peak is that of the whole process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.signals import frames, generate
from benchmarks.signals.generate import START_US
from runner.signals.cube.rows import CUBE, HOUR_US, KEYS, merged

EVENTS = 10_000_000
CHECKOUT = Path(__file__).resolve().parents[2]
DAY = range(START_US // HOUR_US, START_US // HOUR_US + 24)
MEMORY, THREADS = "1GiB", os.cpu_count() or 2
SPARK_SECONDS = 1_800
TEXTS = 20_000


def measure(events: int = EVENTS) -> dict[str, Any]:
    """Generate a day and measure it; what was not measured is None."""
    with tempfile.TemporaryDirectory(prefix="loop-bench-") as name:
        home = Path(name)
        _say(f"generating {events} events")
        count = int(_apart("generate", home, events)["events"])
        ours, theirs = _apart("ours", home), _apart("pandas", home)
        _say("the same on Spark")
        spark = _apart("spark", home, timeout=SPARK_SECONDS)
        texts = _apart("texts", home)
        same = _same(home / "ours.parquet", home / "pandas.parquet")
        if not same:
            raise RuntimeError("pandas and the cube do not agree: nothing was compared")
        on_spark = _same(home / "ours.parquet", home / "spark.parquet") if "seconds" in spark else None
    return {
        "events": count,
        "events_per_s": round(count / ours["seconds"]),
        "pandas_events_per_s": round(count / theirs["seconds"]),
        "speed_ratio": round(theirs["seconds"] / ours["seconds"], 2),
        "cpu_ratio": round(theirs["cpu_s"] / ours["cpu_s"], 2),
        "peak_mib": round(ours["peak_mib"]),
        "pandas_peak_mib": round(theirs["peak_mib"]),
        "spark_equal": on_spark,
        "spark_s": round(spark["seconds"], 1) if "seconds" in spark else None,
        "seconds": round(ours["seconds"], 2),
        "pandas_s": round(theirs["seconds"], 2),
        "texts_per_s": round(texts["texts_per_s"]),
    }


def main() -> None:
    """Measure and tell; or, as a child, do one of the jobs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--job", choices=sorted(JOBS), help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        found = JOBS[options.job](options.home, options.events)
        found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(found))
        return
    figures = measure(options.events)
    for key, value in figures.items():
        print(f"{key:<22} {'not measured' if value is None else value}")
    print(json.dumps(figures))


def _apart(job: str, home: Path, events: int = 0, timeout: float | None = None) -> dict[str, Any]:
    """Do a job in a process of its own; {} where it failed or took too long, which only Spark may."""
    command = [sys.executable, "-m", "benchmarks.signals.speed", "--job", job, "--home", str(home)]
    if events:
        command += ["--events", str(events)]
    _say(job)
    try:
        done = subprocess.run(
            command, cwd=CHECKOUT, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return {}
    if done.returncode:
        _say(f"{job} failed: {done.stderr.strip()[-800:]}")
        if job != "spark":
            raise RuntimeError(f"{job} failed with {done.returncode}")
        return {}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _generate(home: Path, events: int) -> dict[str, Any]:
    return {"events": generate.write(home, events).events}


def _ours(home: Path, _: int) -> dict[str, Any]:
    from runner.events.lake import DuckDB

    return _timed(lambda: _cube(home, DuckDB(MEMORY, THREADS)), home / "ours.parquet")


def _spark(home: Path, _: int) -> dict[str, Any]:
    from runner.signals.cube.spark import Spark

    engine = Spark(cores=THREADS, memory="6g")
    return _timed(lambda: _cube(home, engine), home / "spark.parquet")


def _pandas(home: Path, _: int) -> dict[str, Any]:
    import pandas  # noqa: F401  imported before the clock starts, as what the others use is

    return _timed(lambda: frames.cube(home), home / "pandas.parquet")


def _texts(_home: Path, _: int) -> dict[str, Any]:
    """Read texts that are all different: languages, lengths, pairs of words; detectors are measured elsewhere."""
    from runner.signals.cube.annotate import Annotator, annotate

    said = [
        json.dumps([{"role": "assistant", "content": f"{n} " + "it is on our shelf " * 6}])
        for n in range(TEXTS)
    ]
    asked = ['[{"role": "user", "content": "Which book about the sea can you recommend?"}]'] * TEXTS
    same = {name: ["x"] * TEXTS for name in ("event_id", "arm", "version", "segment")}
    batch = pa.table(
        {**same, "time_us": [START_US] * TEXTS, "sound": [True] * TEXTS, "asked": asked, "said": said}
    )
    begin = time.perf_counter()
    annotate(batch, Annotator("none"))
    return {"texts_per_s": TEXTS / (time.perf_counter() - begin)}


def _cube(home: Path, engine: Any) -> pa.Table:
    """Compute the cube of the day from its files, as a pass does."""
    from runner.events.lake import Lake
    from runner.events.schema import Kind
    from runner.signals.cube.facts import QUESTIONS, Rules, Span, Tables, values

    with Lake(home / "lake", home / "events", engine) as lake:
        stored = {
            name: sorted(map(str, (home / name).glob("*.parquet"))) for name in ("annotations", "reasks")
        }
        tables = Tables(
            requests=lake.requests(),
            annotations=engine.parquet(stored["annotations"]),
            reasks=engine.parquet(stored["reasks"]),
            asked=lake.requests(),
            feedback=lake.feedback(),
            votes=lake.table(Kind.VOTE),
            samples=lake.table(Kind.SAMPLE),
            probes=lake.table(Kind.PROBE),
            evaluations=lake.table(Kind.EVALUATION),
        )
        named = tables.named()
        about = values(Span(DAY.start, DAY.stop), Rules(baseline="chat-v1.0"))
        return merged(pa.concat_tables(engine.answer(asked, named, about) for asked in QUESTIONS.values()))


def _timed(compute: Callable[[], pa.Table], path: Path) -> dict[str, Any]:
    begin, cpu = time.perf_counter(), time.process_time()
    table = compute()
    taken = {"seconds": time.perf_counter() - begin, "cpu_s": time.process_time() - cpu}
    pq.write_table(table, path)
    return taken


def _same(one: Path, other: Path) -> bool:
    """Return whether two cubes have the same keys and counts, and sums equal to 1e-9."""
    first, second = pq.read_table(one), pq.read_table(other)
    if first.num_rows != second.num_rows or not all(
        first[name].equals(second[name]) for name in (*KEYS, "n")
    ):
        return False
    values = ([table[name].to_numpy() for name in CUBE.names[7:]] for table in (first, second))
    return all(np.allclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True) for a, b in zip(*values, strict=True))


def _say(text: str) -> None:
    print(f"measuring: {text}", file=sys.stderr, flush=True)


JOBS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "generate": _generate,
    "ours": _ours,
    "pandas": _pandas,
    "spark": _spark,
    "texts": _texts,
}

if __name__ == "__main__":
    main()
