"""One table per kind, whole at every moment, and the first question to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.events import columns, lake, manifest
from runner.events.arms import ArmSummary, per_arm, summaries
from runner.events.compact import Compactor
from runner.events.lake import Lake
from runner.events.manifest import Manifest, Part
from runner.events.schema import FIELDS, Kind
from tests.doubles.event_files import DAY_US, START_US, line, request, segment


def compact(home: Path, **changes: Any) -> None:
    Compactor(home / "events", home / "lake", now_us=lambda: START_US, **changes).run()


def opened(home: Path) -> Lake:
    return Lake(home / "lake", home / "events")


@pytest.mark.parametrize("kind", Kind)
def test_no_events_yet_is_an_empty_table_with_every_column(tmp_path: Path, kind: Kind) -> None:
    with opened(tmp_path) as log:
        table = log.table(kind).to_pyarrow()
    assert table.num_rows == 0
    assert table.schema.names == [field.name for field in FIELDS[kind]]


def test_no_requests_yet_are_no_arms(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        assert summaries(log.requests()) == ()


def test_parquet_and_live_segments_are_one_table(tmp_path: Path) -> None:
    segment(tmp_path / "events", [line(request(0))])
    compact(tmp_path)
    segment(tmp_path / "events", [line(request(1))], opened_us=START_US + 1, live=True)
    with opened(tmp_path) as log:
        assert sorted(log.requests().to_pyarrow()["event.id"].to_pylist()) == ["event-0", "event-1"]


def test_a_column_that_older_files_lack_is_null_and_one_that_only_newer_files_have_is_left_out(
    tmp_path: Path,
) -> None:
    old = columns.schema(Kind.REQUEST).empty_table().select(["event.id", "event.time"]).schema
    rows = pa.table({"event.id": ["old"], "event.time": [START_US]}, schema=old)
    new = rows.set_column(0, "event.id", pa.array(["new"])).append_column("loop.later", pa.array([1]))
    (tmp_path / "lake").mkdir()
    parts = []
    for name, table in (("a", rows), ("b", new)):
        pq.write_table(table, tmp_path / "lake" / f"{name}.parquet")
        parts.append(Part(Kind.REQUEST, f"{name}.parquet", 1, START_US, START_US))
    manifest.save(tmp_path / "lake", Manifest(1, tuple(parts)))
    with opened(tmp_path) as log:
        table = log.requests().to_pyarrow()
    assert table.schema.names == columns.schema(Kind.REQUEST).names
    assert sorted(table["event.id"].to_pylist()) == ["new", "old"]
    assert table["loop.latency_ms"].null_count == 2


def test_a_window_holds_what_came_since_and_repeats_of_older_events_stay_out(tmp_path: Path) -> None:
    days = [request(number, event__time=START_US + number * DAY_US) for number in range(3)]
    segment(tmp_path / "events", map(line, days))
    compact(tmp_path, grace_us=0)
    again = request(0, event__time=START_US + 5 * DAY_US)
    segment(tmp_path / "events", [line(again)], opened_us=START_US + 1, live=True)
    with opened(tmp_path) as log:
        for since in range(4):
            table = log.requests(START_US + since * DAY_US).to_pyarrow()
            assert sorted(table["event.id"].to_pylist()) == [f"event-{number}" for number in range(since, 3)]


def test_a_compaction_that_comes_between_two_looks_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment(tmp_path / "events", [line(request(0))])
    real, calls = lake.list_segments, []

    def list_after_compaction(directory: Path) -> Any:
        if not calls:
            compact(tmp_path, grace_us=0)
        calls.append(directory)
        return real(directory)

    monkeypatch.setattr(lake, "list_segments", list_after_compaction)
    with opened(tmp_path) as log:
        assert log.requests().to_pyarrow()["event.id"].to_pylist() == ["event-0"]
    assert len(calls) == 2


def test_damaged_lines_are_named_by_the_lake(tmp_path: Path) -> None:
    segment(tmp_path / "events", [b"?\n", line(request(0))])
    with opened(tmp_path) as log:
        assert [damage.offset for damage in log.damaged] == [0]
        assert log.requests().count().to_pyarrow().as_py() == 1


OUTCOMES = ("ok", "error", "refused", "cancelled")
ARMS = ("baseline", "candidate")
rows = st.lists(
    st.tuples(
        st.none() | st.sampled_from(ARMS),
        st.sampled_from(ARMS),
        st.sampled_from(OUTCOMES),
        st.none() | st.floats(0, 1000),
        st.none() | st.integers(0, 99),
    ),
    max_size=12,
)


@given(rows=rows, stored=st.integers(0, 12))
@settings(max_examples=12, deadline=None)
def test_the_summary_of_each_arm_is_what_counting_by_hand_gives(
    rows: list[tuple[Any, ...]], stored: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("lake")
    made = [
        request(
            n,
            loop__arm=arm,
            loop__version=arm and f"of-{arm}",
            loop__arm__assigned=assigned,
            loop__version__assigned=f"of-{assigned}",
            loop__outcome=outcome,
            loop__fell_back=arm not in (assigned, None),
            loop__latency_ms=ms,
            gen_ai__usage__output_tokens=tokens,
        )
        for n, (arm, assigned, outcome, ms, tokens) in enumerate(rows)
    ]
    segment(home / "events", map(line, made[:stored]))
    compact(home)
    segment(home / "events", map(line, made[stored:]), opened_us=START_US + 1)
    with opened(home) as log:
        found = {summary.arm: summary for summary in summaries(log.requests())}
    answering = {e["event.id"]: e["loop.arm"] or "" for e in made}
    owing = {e["event.id"]: (e["loop.arm"] and e["loop.arm.assigned"]) or "" for e in made}
    assert set(found) == {*answering.values(), *owing.values()}
    assert sum(summary.requests for summary in found.values()) == len(made)
    for arm, summary in found.items():
        owed = [e for e in made if owing[e["event.id"]] == arm]
        own = [e for e in owed if not e["loop.fell_back"]]
        assert (summary.alias, summary.version) == ("chat", arm and f"of-{arm}")
        assert (summary.requests, summary.fell_back) == (len(owed), len(owed) - len(own))
        counts = {name: sum(e["loop.outcome"] == name for e in own) for name in OUTCOMES}
        assert summary.errors == counts["error"] + summary.fell_back
        assert (summary.refused, summary.cancelled) == (counts["refused"], counts["cancelled"])
        due = counts["ok"] + summary.errors
        assert summary.error_rate == (summary.errors / due if due else None)
        check_answers(summary, [e for e in made if answering[e["event.id"]] == arm])


def check_answers(summary: ArmSummary, answered: list[dict[str, Any]]) -> None:
    assert summary.output_tokens == sum(e["gen_ai.usage.output_tokens"] or 0 for e in answered)
    times = sorted(
        e["loop.latency_ms"]
        for e in answered
        if e["loop.outcome"] == "ok" and e["loop.latency_ms"] is not None
    )
    middle = None if not times else (times[(len(times) - 1) // 2] + times[len(times) // 2]) / 2
    assert summary.latency_p50_ms == (None if middle is None else pytest.approx(middle))
    if times:
        ordered = [times[0], summary.latency_p50_ms, summary.latency_p95_ms, summary.latency_p99_ms]
        assert ordered == sorted(ordered)
        assert summary.latency_p99_ms <= times[-1] + 1e-9


def test_the_question_compiles_for_spark_too() -> None:
    requests = ibis.table(ibis.Schema.from_pyarrow(columns.schema(Kind.REQUEST)), name="requests")
    query = ibis.to_sql(per_arm(requests), dialect="databricks")
    assert "PERCENTILE" in query
    assert "`loop.latency_ms`" in query
