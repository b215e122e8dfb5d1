"""Every measure of the cube is what counting by hand gives, however the events came and wherever they are counted."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from runner.events.compact import Compactor
from runner.events.lake import DuckDB, Engine, Lake
from runner.events.schema import Kind
from runner.signals import outcomes
from runner.signals.cube import due, passes
from runner.signals.cube.due import Settings
from runner.signals.cube.facts import QUESTIONS, Part, Rules, Span
from runner.signals.cube.passes import LakePaths, Measurer
from runner.signals.cube.rows import CUBE, LOG_GROWTH, ZEROS
from runner.stats.quantiles import Sketch
from tests.signals.cube import oracle, worlds
from tests.signals.cube.worlds import END_S, HOUR, SPAN_HOURS, World

QUICK = settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
"""Each example is a whole pass or several; shrinking one would take minutes."""


def measurer(home: Path, engine: Callable[[], Engine] | None = None, **changes: Any) -> Measurer:
    detectors = changes.pop("annotator", worlds.annotator())
    rules = Settings(**{**worlds.SETTINGS, **changes})
    return Measurer(home / "signals", LakePaths(home / "lake", home / "events"), detectors, rules, engine)


def rows(table: pa.Table) -> dict[oracle.Key, oracle.Cell]:
    assert table.schema.equals(CUBE)
    keys = list(zip(*(table[name].to_pylist() for name in CUBE.names[:6]), strict=True))
    assert len(set(keys)) == len(keys), "a key has two rows"
    values = zip(*(table[name].to_pylist() for name in CUBE.names[6:]), strict=True)
    return dict(zip(keys, values, strict=True))


def counted(home: Path, **changes: Any) -> dict[oracle.Key, oracle.Cell]:
    found = measurer(home, **changes)
    found.run(END_S)
    return rows(found.cube(HOUR - 1, HOUR + SPAN_HOURS + 1))


def assert_same(found: dict[oracle.Key, oracle.Cell], wanted: dict[oracle.Key, oracle.Cell]) -> None:
    assert sorted(found, key=str) == sorted(wanted, key=str)
    for key, cell in wanted.items():
        for mine, theirs in zip(found[key], cell, strict=True):
            assert mine == theirs or math.isclose(mine, theirs, rel_tol=1e-9, abs_tol=1e-9), key


@given(world=worlds.worlds)
@settings(QUICK, max_examples=10)
def test_the_cube_is_what_counting_by_hand_gives(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("world")
    worlds.write(home / "events", world)
    assert_same(counted(home), oracle.cube(world))


def compact(home: Path, now_us: int, merge_at: int = 3) -> None:
    compactor = Compactor(
        home / "events", home / "lake", now_us=lambda: now_us, merge_at=merge_at, grace_us=0
    )
    compactor.run()


@given(world=worlds.worlds, data=st.data())
@QUICK
def test_passes_over_events_as_they_come_leave_what_one_pass_over_all_gives(
    world: World, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("steps")
    events = [(kind, event) for kind, rows in world.items() for event in rows]
    order = data.draw(st.permutations(events))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), min_size=1, max_size=3)))
    for step, (begin, end) in enumerate(zip([0, *cuts], [*cuts, len(order)], strict=True)):
        some: World = {kind: [event for each, event in order[begin:end] if each is kind] for kind in Kind}
        worlds.write(home / "events", some, opened=step)
        if data.draw(st.booleans()):
            compact(home, worlds.START_US + step)
        now = END_S if end == len(order) else data.draw(st.sampled_from([END_S, END_S - 5000.0]))
        measurer(home).run(now)
    found = measurer(home)
    found.run(END_S)
    assert_same(rows(found.cube(HOUR - 1, HOUR + SPAN_HOURS + 1)), oracle.cube(world))
    again = found.run(END_S)
    assert (again.hours, again.events_read, again.annotated) == ((), 0, 0)


EXAMPLE: World = {
    **{kind: [] for kind in Kind},
    Kind.REQUEST: [
        worlds.whole(
            f"e{n}",
            {
                "event.time": n * 600_000_000,
                "loop.request.id": f"q{n}",
                "gen_ai.response.id": f"r{n}",
                "loop.user": "ann",
                "loop.group": "public",
                "loop.arm": "baseline",
                "loop.version": "v1",
                "loop.adapter.digest": "d",
                "loop.outcome": "ok",
                "loop.latency_ms": 100.0 + n,
                "http.response.status_code": 200,
                "gen_ai.usage.input_tokens": n,
                "gen_ai.usage.output_tokens": 2 * n,
            },
        )
        for n in range(18)
    ],
    Kind.CONTENT: [
        worlds.whole(
            f"e{n}-content",
            {
                "event.time": n * 600_000_000,
                "loop.request.id": f"q{n}",
                "gen_ai.input.messages": '[{"role": "user", "content": "where is my order"}]',
                "gen_ai.output.messages": '[{"role": "assistant", "content": "I cannot help with that"}]',
            },
        )
        for n in range(18)
    ],
}


def late(n: int, kind: Kind = Kind.REQUEST, **changes: Any) -> World:
    event = {**EXAMPLE[Kind.REQUEST][n], "event.id": "late", **changes}
    return {kind: [event]}


def test_a_pass_without_new_events_reads_none_nor_does_one_after_compaction_and_merges(
    tmp_path: Path,
) -> None:
    for part in range(3):
        some = {kind: rows[part::3] for kind, rows in EXAMPLE.items()}
        worlds.write(tmp_path / "events", some, opened=part)
        compact(tmp_path, worlds.START_US + part, merge_at=99)
    first = measurer(tmp_path).run(END_S)
    assert (first.hours, first.annotated) == ((HOUR, HOUR + 1, HOUR + 2), 18)
    assert first.events_read == 36
    compact(tmp_path, worlds.START_US + 9, merge_at=2)
    for _ in range(2):
        after = measurer(tmp_path).run(END_S)
        assert (after.hours, after.events_read, after.annotated) == ((), 0, 0)


def test_a_late_event_has_its_own_hour_and_the_one_after_it_counted_again(tmp_path: Path) -> None:
    worlds.write(tmp_path / "events", EXAMPLE)
    measurer(tmp_path).run(END_S)
    worlds.write(tmp_path / "events", late(0), opened=1)
    assert measurer(tmp_path).run(END_S).hours == (HOUR, HOUR + 1)


def test_feedback_on_an_answer_of_an_earlier_hour_changes_the_hour_of_the_feedback_alone(
    tmp_path: Path,
) -> None:
    worlds.write(tmp_path / "events", EXAMPLE)
    measurer(tmp_path).run(END_S)
    said = {
        "event.time": 2 * worlds.HOUR_US + 5,
        "gen_ai.response.id": "r0",
        "loop.user": "ann",
        "loop.thumbs": 1,
    }
    worlds.write(
        tmp_path / "events", {Kind.FEEDBACK: [worlds.whole("f", said | {"loop.group": "public"})]}, opened=1
    )
    done = measurer(tmp_path).run(END_S)
    assert (done.hours, done.events_read) == ((HOUR + 2,), 1)


def thumb(response: str, at_s: int, **changes: Any) -> dict[str, Any]:
    """Return a thumb down on an answer of the example."""
    event = {
        "event.time": at_s * 1_000_000,
        "gen_ai.response.id": response,
        "loop.user": "ann",
        "loop.group": "public",
        "loop.thumbs": -1,
    }
    return worlds.whole(f"{response}-{at_s}", event | changes)


FEEDBACK = ("response", "thumbs_down", "stars")


def opinions(found: Measurer, hours: int) -> dict[tuple[int, str], tuple[int, float]]:
    """Return n and total by hour and measure of what was said of answers, hours counted from the first."""
    cells = rows(found.cube(HOUR, HOUR + hours))
    return {
        (key[0] - HOUR, key[4]): (cell[0], cell[1])
        for key, cell in cells.items()
        if key[4] in FEEDBACK and (key[4] != "response" or cell[1])
    }


def test_who_says_the_same_of_an_answer_every_hour_counts_once_in_the_first(tmp_path: Path) -> None:
    worlds.write(tmp_path / "events", EXAMPLE)
    hourly = [thumb("r0", 3600 * hour + 900) for hour in range(1, 25)]
    worlds.write(tmp_path / "events", {Kind.FEEDBACK: hourly})
    found = measurer(tmp_path)
    found.run(END_S + 86_400.0)
    once = {"response": (6, 1.0), "thumbs_down": (1, 1.0), "stars": (1, 1.0)}
    assert opinions(found, 30) == {(1, measure): cell for measure, cell in once.items()}


def test_an_opinion_said_every_hour_counts_once_when_each_pass_sees_only_the_next_hour(
    tmp_path: Path,
) -> None:
    worlds.write(tmp_path / "events", EXAMPLE)
    found = measurer(tmp_path)
    for hour in range(1, 5):
        worlds.write(tmp_path / "events", {Kind.FEEDBACK: [thumb("r0", 3600 * hour + 900)]}, opened=hour)
        found.run(HOUR * 3600.0 + 3600.0 * hour + 1000.0)
    assert sorted(opinions(found, 9)) == [(1, measure) for measure in sorted(FEEDBACK)]


def test_an_earlier_opinion_that_comes_late_takes_the_place_of_the_later_one(tmp_path: Path) -> None:
    worlds.write(tmp_path / "events", EXAMPLE)
    worlds.write(tmp_path / "events", {Kind.FEEDBACK: [thumb("r0", 8000)]})
    found = measurer(tmp_path)
    found.run(END_S)
    assert {hour for hour, _ in opinions(found, 9)} == {2}
    worlds.write(tmp_path / "events", {Kind.FEEDBACK: [thumb("r0", 900, **{"loop.thumbs": 1})]}, opened=1)
    found.run(END_S)
    assert {key: cell[1] for key, cell in opinions(found, 9).items()} == {
        (0, "response"): 1.0,
        (0, "thumbs_down"): 0.0,
        (0, "stars"): 5.0,
    }


def test_a_rating_and_a_thumb_of_one_person_count_once_in_each_measure(tmp_path: Path) -> None:
    worlds.write(tmp_path / "events", EXAMPLE)
    rated = thumb("r0", 900, **{"loop.thumbs": None, "loop.rating": 4})
    worlds.write(tmp_path / "events", {Kind.FEEDBACK: [rated, thumb("r0", 4000)]})
    found = measurer(tmp_path)
    found.run(END_S)
    assert {key: cell[1] for key, cell in opinions(found, 9).items()} == {
        (0, "response"): 1.0,
        (0, "stars"): 4.0,
        (1, "thumbs_down"): 1.0,
    }


def test_what_is_dated_in_the_future_is_left_alone_until_its_time_has_come(tmp_path: Path) -> None:
    worlds.write(tmp_path / "events", EXAMPLE)
    now = (HOUR + 3) * 3600.0 + 60.0
    ahead = {"loop.request.id": "q-late", "gen_ai.response.id": "r-late", "loop.user": "bob"}
    soon = late(0, **ahead, **{"event.time": (HOUR + 9) * worlds.HOUR_US})
    worlds.write(tmp_path / "events", soon, opened=1)
    found = measurer(tmp_path)
    assert found.run(now).hours == (HOUR, HOUR + 1, HOUR + 2)
    assert set(found._store.load().hours) == {HOUR, HOUR + 1, HOUR + 2}
    again = found.run(now + 600.0)
    assert again.hours == ()
    assert found.run((HOUR + 8) * 3600.0).hours == (HOUR + 9,)
    assert (
        rows(found.cube(HOUR + 9, HOUR + 10))[(HOUR + 9, "baseline", "v1", "public", "error", None)][0] == 1
    )


YEAR_2099 = 1_131_000
"""An hour in it."""


@pytest.mark.parametrize("hour", [YEAR_2099, 3], ids=["2099", "1970"])
def test_no_pass_walks_the_hours_between_a_wrong_clock_and_now(tmp_path: Path, hour: int) -> None:
    worlds.write(tmp_path / "events", EXAMPLE)
    wrong = late(0, **{"event.time": hour * worlds.HOUR_US, "loop.user": "bob"})
    worlds.write(tmp_path / "events", wrong | {Kind.FEEDBACK: [thumb("r0", 900)]}, opened=1)
    found = measurer(tmp_path, keep_hours=10**9)
    found.run(END_S)
    wanted = {HOUR, HOUR + 1, HOUR + 2} | ({hour} if hour < HOUR else set())
    assert set(found._store.load().hours) == wanted
    assert set(found.cube(0, 10**9)["hour"].to_pylist()) == wanted
    found.run(hour * 3600.0 + 60.0 if hour > HOUR else END_S)
    assert set(found._store.load().hours) == wanted | {hour}


def test_an_answer_of_many_statements_weighs_no_more_than_another(tmp_path: Path) -> None:
    common = {"event.time": 5, "loop.request.id": "q0", "loop.version": "v1", "loop.detector": "factual"}
    samples = [
        worlds.whole("long", common | {"loop.sample.value": 0.0, "loop.sample.count": 60}),
        worlds.whole("short", common | {"loop.sample.value": 1.0, "loop.sample.count": 1}),
        worlds.whole("none", common | {"loop.sample.count": 0}),
    ]
    worlds.write(tmp_path / "events", {Kind.SAMPLE: samples})
    ((key, cell),) = counted(tmp_path).items()
    assert (key[4], cell[:3]) == ("factuality", (2, 1.0, 1.0))


def test_only_a_comparison_with_the_baseline_counts_and_it_counts_once(tmp_path: Path) -> None:
    def vote(left: str, right: str) -> dict[str, Any]:
        return {
            "event.time": 5,
            "loop.left.version": left,
            "loop.right.version": right,
            "loop.vote.choice": "left",
        }

    sides = [("v2", "v1"), ("v1", "v2"), ("v2", "v2"), ("v1", "v1"), ("v2", "v3")]
    kinds: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("asked", "said", "compared", "examined", "probed", "evaluated")
    }
    world = worlds._world(**{**kinds, "compared": [vote(*each) for each in sides]})
    worlds.write(tmp_path / "events", world)
    ((key, cell),) = counted(tmp_path).items()
    assert (key[2], key[4], cell[:2]) == ("v2", "win", (2, 1.0))


def test_a_new_way_of_counting_counts_again_though_nothing_was_logged_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds.write(tmp_path / "events", EXAMPLE)
    measurer(tmp_path).run(END_S)
    assert not measurer(tmp_path).run(END_S).hours
    for module in (due, passes):
        monkeypatch.setattr(module, "VERSION", due.VERSION + 1)
    assert measurer(tmp_path).run(END_S).hours


def of_a_directory(path: Path) -> None:
    (path / "something").mkdir(parents=True)


def of_nested_lists(path: Path) -> None:
    path.write_bytes(b"[" * 100_000)


def of_numbers_without_end(path: Path) -> None:
    path.write_bytes(
        b'{"format": 1, "signature": "", "hours": {}, "parts": {"x": {"1": [Infinity, 1, 1, 1]}}}'
    )


def of_hours_that_are_none(path: Path) -> None:
    path.write_bytes(
        b'{"format": 1, "signature": "", "parts": {}, "hours": {"1": {"cube": 5, "annotations": []}}}'
    )


@pytest.mark.parametrize(
    "made", [of_a_directory, of_nested_lists, of_numbers_without_end, of_hours_that_are_none]
)
def test_a_manifest_of_another_kind_is_moved_aside_and_measured_again(
    tmp_path: Path, made: Callable[[Path], None]
) -> None:
    worlds.write(tmp_path / "events", EXAMPLE)
    wanted = counted(tmp_path)
    manifest = tmp_path / "signals" / "manifest.json"
    for _ in range(2):
        manifest.unlink()
        made(manifest)
        assert rows(measurer(tmp_path).cube(HOUR, HOUR + 9)) == {}, "who reads moves nothing"
        assert os.path.lexists(manifest)
        assert_same(counted(tmp_path), wanted)
    aside = sorted(path.name for path in manifest.parent.glob("*.damaged*"))
    assert aside == ["manifest.json.damaged", "manifest.json.damaged1"]


def test_directories_where_files_belong_are_moved_aside(tmp_path: Path) -> None:
    worlds.write(tmp_path / "events", EXAMPLE)
    wanted = counted(tmp_path)
    kept = tmp_path / "signals" / "files"
    first = sorted(kept.iterdir())[0]
    first.unlink()
    of_a_directory(first)
    of_a_directory(kept.parent / "manifest.json.tmp")
    assert_same(counted(tmp_path), wanted)
    shutil.rmtree(kept)
    kept.write_text("no directory")
    assert_same(counted(tmp_path), wanted)
    assert (kept.parent / "files.damaged").read_text() == "no directory"


def test_a_lock_is_opened_as_it_is_and_only_a_file_is_one(tmp_path: Path) -> None:
    from runner.errors import TerminalError

    worlds.write(tmp_path / "events", EXAMPLE)
    lock, other = tmp_path / "signals" / ".lock", tmp_path / "other"
    lock.parent.mkdir()
    lock.write_text("kept")
    counted(tmp_path)
    assert lock.read_text() == "kept"
    for made in (lambda: lock.symlink_to(other), lambda: lock.mkdir()):
        lock.unlink()
        made()
        with pytest.raises(TerminalError, match="is no file"):
            measurer(tmp_path).run(END_S)
    assert not other.exists()


def test_a_window_for_asking_again_that_closes_later_is_counted_then(tmp_path: Path) -> None:
    worlds.write(tmp_path / "events", EXAMPLE)
    last = (worlds.START_US + 17 * 600_000_000) / 1e6
    found = measurer(tmp_path)
    found.run(last + 10.0)
    key = (HOUR + 2, "baseline", "v1", "public", "reask", None)
    assert rows(found.cube(HOUR, HOUR + 3))[key][0] == 5
    assert found.run(last + 20.0).hours == ()
    assert found.run(last + 40.0).hours == (HOUR + 2,)
    assert rows(found.cube(HOUR, HOUR + 3))[key][0] == 6


@pytest.mark.parametrize(
    ("changes", "hours", "annotated"),
    [
        ({"annotator": worlds.annotator("two")}, 3, 18),
        ({"threshold": 0.9}, 3, 0),
        ({"session_gap": 60.0}, 3, 0),
        ({"baseline": "v9"}, 0, 0),
    ],
    ids=["detectors", "threshold", "gap", "baseline without votes"],
)
def test_another_detector_or_policy_counts_again_what_depends_on_it(
    tmp_path: Path, changes: dict[str, Any], hours: int, annotated: int
) -> None:
    worlds.write(tmp_path / "events", EXAMPLE)
    measurer(tmp_path).run(END_S)
    done = measurer(tmp_path, **changes).run(END_S)
    assert (len(done.hours), done.annotated) == (hours, annotated)


def test_hours_beyond_the_limit_are_forgotten(tmp_path: Path) -> None:
    worlds.write(tmp_path / "events", EXAMPLE)
    found = measurer(tmp_path, keep_hours=3)
    found.run(END_S)
    found.run(END_S + 3600.0)
    worlds.write(tmp_path / "events", late(17), opened=1)
    found.run(END_S + 3600.0)
    assert set(found.cube(0, HOUR + 9)["hour"].to_pylist()) == {HOUR + 2}


STEPS = ("write_durably", "sync_directory", "replace")


class Killed(BaseException):
    """What a test raises in place of SIGKILL: nothing catches it."""


def test_a_kill_at_any_write_leaves_a_state_from_which_the_next_pass_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.signals.cube import store

    worlds.write(tmp_path / "events", EXAMPLE)
    measurer(tmp_path).run(END_S)
    before = rows(measurer(tmp_path).cube(HOUR, HOUR + 9))
    worlds.write(tmp_path / "events", late(3), opened=1)
    wanted = oracle.cube({**EXAMPLE, Kind.REQUEST: EXAMPLE[Kind.REQUEST] + late(3)[Kind.REQUEST]})
    real, left = store.write_durably, [0]

    def dying(path: Path, data: bytes) -> None:
        if left[0] == 0:
            path.write_bytes(data[: len(data) // 2])
            raise Killed
        left[0] -= 1
        real(path, data)

    for step in range(100):
        home = tmp_path / f"copy-{step}"
        for name in ("events", "signals"):
            shutil.copytree(tmp_path / name, home / name)
        left[0] = step
        with monkeypatch.context() as patched:
            patched.setattr(store, "write_durably", dying)
            try:
                measurer(home).run(END_S)
                finished = True
            except Killed:
                finished = False
        found = rows(measurer(home).cube(HOUR, HOUR + 9))
        hours = {key[0] for key in wanted}
        for hour in hours:
            mine, old, new = (
                {k: v for k, v in each.items() if k[0] == hour} for each in (found, before, wanted)
            )
            assert mine.keys() in (old.keys(), new.keys())
        measurer(home).run(END_S)
        assert_same(rows(measurer(home).cube(HOUR, HOUR + 9)), wanted)
        if finished:
            assert step >= 3
            return
    pytest.fail("the pass never ended")


def test_two_who_measure_at_once_are_told_apart(tmp_path: Path) -> None:
    from runner.errors import TransientError

    worlds.write(tmp_path / "events", EXAMPLE)
    found = measurer(tmp_path)
    with found._store.writing(), pytest.raises(TransientError, match="measured by somebody else"):
        found.run(END_S)


def test_buckets_are_those_of_the_sketches(tmp_path: Path) -> None:
    values = [0.0, 1e-12, 1e-9, 0.001, 0.5, 1.0, 2.0, 1000.0, 98765.4321]
    with Lake(tmp_path / "lake", tmp_path / "events"):
        import ibis

        from runner.signals.cube.facts import bucket_of

        table = ibis.memtable(pa.table({"x": values}))
        found = DuckDB().arrow(table.select(bucket=bucket_of(table["x"])))["bucket"].to_pylist()
    sketch = Sketch()
    sketch.add(values)
    kept = sketch.to_json()
    assert sum(bucket == ZEROS for bucket in found) == kept["zeros"]
    assert sorted(b for b in found if b != ZEROS) == sorted(b for b, n in kept["buckets"] for _ in range(n))
    assert math.exp(LOG_GROWTH) == pytest.approx(1.01 / 0.99)


@given(world=worlds.worlds)
@QUICK
def test_errors_and_crashes_are_counted_as_rollouts_count_them(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("same")
    worlds.write(home / "events", {Kind.REQUEST: world[Kind.REQUEST]})
    found = counted(home)
    for measure, name in (("error", "error_rate"), ("crash", "crash_rate")):
        values = [outcomes._measured(event).get(name) for event in world[Kind.REQUEST]]
        cells = [cell for key, cell in found.items() if key[4] == measure]
        assert sum(cell[0] for cell in cells) == sum(value is not None for value in values)
        assert sum(cell[1] for cell in cells) == sum(value or 0.0 for value in values)
    seconds = [outcomes._measured(event).get("latency") for event in world[Kind.REQUEST]]
    total = sum(cell[1] for key, cell in found.items() if key[4] == "latency")
    assert total == pytest.approx(sum(value or 0.0 for value in seconds))


def test_new_questions_tails_and_raters_can_be_asked_for(tmp_path: Path) -> None:
    worlds.write(tmp_path / "events", EXAMPLE)
    worlds.write(tmp_path / "events", late(9, **{"loop.user": "bob", "gen_ai.response.id": "rb"}), opened=1)
    votes = [thumb("r0", 1), thumb("r0", 2), thumb("r1", 3), thumb("r2", 4)]
    votes += [thumb("rb", 5, **{"loop.user": "bob"}), thumb("r0", 6, **{"loop.user": "a stranger"})]
    worlds.write(tmp_path / "events", {Kind.FEEDBACK: votes})
    found = measurer(tmp_path)
    found.run(END_S)
    begin = worlds.START_US / 1e6
    asked = found.questions(begin + 1200.0, begin + 2400.0)
    assert asked["event_id"].to_pylist() == ["e2", "e3"]
    assert asked["question"].to_pylist() == ["where is my order"] * 2
    ends = found.tails(begin, share=0.1).to_pylist()
    low = [row["request_id"] for row in ends if (row["measure"], row["tail"]) == ("answer_tokens", "low")]
    high = [row["request_id"] for row in ends if (row["measure"], row["tail"]) == ("answer_tokens", "high")]
    assert (low, high) == (["q0", "q1"], ["q17", "q16"])
    assert found.concentration(begin) == (2, 0.75)
    assert found.concentration(END_S) == (0, None)


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    pytest.importorskip(
        "pyspark", reason="pyspark is not installed: requirements/spark.txt", exc_type=ImportError
    )
    if shutil.which("java") is None:
        pytest.skip("Java is missing, which Spark needs")
    from runner.signals.cube.spark import Spark

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
        )  # a short life, little data
        engine = Spark()
        yield engine
        engine.close()


class Shared:
    """An engine that stays open for the next test."""

    def __init__(self, engine: Any) -> None:
        self.parquet, self.arrow, self.answer = engine.parquet, engine.arrow, engine.answer

    def close(self) -> None:
        return


@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
def test_spark_and_duckdb_count_the_same(tmp_path: Path, spark: Any) -> None:
    world = rich_world()
    worlds.write(tmp_path / "spark" / "events", world)
    compact(tmp_path / "spark", worlds.START_US)
    shutil.copytree(tmp_path / "spark", tmp_path / "duckdb")
    here = counted(tmp_path / "duckdb")
    there = counted(tmp_path / "spark", engine=lambda: Shared(spark))
    assert len(here) > 200
    assert_same(there, here)


def rich_world() -> World:
    """Return a world in which everything occurs, drawn with a fixed seed."""
    draw = np.random.default_rng(7)

    def pick(*values: Any) -> Any:
        return values[int(draw.integers(len(values)))]

    def common(end_s: int = 3600 * SPAN_HOURS) -> dict[str, Any]:
        return {"event.time": int(draw.integers(end_s)) * 1_000_000, "loop.user": pick("ann", "bob", "cem")}

    asked = [
        {
            **common(),
            "loop.session": pick(None, "s"),
            "loop.group": pick("public", "beta"),
            "loop.arm": pick("baseline", "candidate", None),
            "loop.arm.assigned": pick("baseline", "candidate"),
            "loop.version": pick("v1", "v2"),
            "loop.version.assigned": pick("v1", "v2"),
            "loop.adapter.digest": "d",
            "loop.outcome": pick("ok", "ok", "ok", "error", "refused"),
            "loop.fell_back": pick(False, False, True),
            "loop.arm.failure": pick("", "replica_unreachable"),
            "error.type": pick("", "stream_broken"),
            "loop.latency_ms": float(draw.lognormal(6, 1)),
            "loop.first_token_ms": float(draw.lognormal(4, 1)),
            "gen_ai.request.stream": pick(True, True, False),
            "http.response.status_code": pick(200, 200, 502),
            "gen_ai.usage.input_tokens": int(draw.integers(0, 50)),
            "gen_ai.usage.output_tokens": int(draw.integers(0, 50)),
            "question": pick(*worlds.QUESTIONS),
            "answer": pick(*worlds.ANSWERS, None),
        }
        for _ in range(150)
    ]
    return worlds._world(
        asked=asked,
        said=[
            {**common(), "of": n % 40, "loop.thumbs": pick(1, -1, None), "loop.rating": pick(None, 2, 5)}
            for n in range(120)
        ],
        compared=[
            {
                **common(),
                "loop.left.version": pick("v1", "v2"),
                "loop.right.version": pick("v1", "v3"),
                "loop.vote.choice": pick("left", "right", "tie"),
            }
            for _ in range(20)
        ],
        examined=[
            {
                "event.time": common()["event.time"],
                "loop.version": pick("v1", "v2"),
                "loop.detector": pick("self_consistency", "factual"),
                "loop.sample.value": float(draw.random()),
                "loop.sample.count": 3,
            }
            for _ in range(20)
        ],
        probed=[
            {"event.time": n, "loop.version": "v1", "loop.probe.training_difference": 0.01 * n}
            for n in range(5)
        ],
        evaluated=[
            {
                "event.time": n,
                "loop.suite": "forgetting",
                "loop.version": "v2",
                "loop.right": n % 3 > 0,
                "loop.reward": float(draw.normal()),
            }
            for n in range(9)
        ],
    )


def test_each_part_of_the_cube_can_be_asked_for_alone() -> None:
    assert {part.value for part in Part} == {"requests", "answers", "feedback", "examined"}
    assert set(QUESTIONS) == set(Part)
    assert (Rules().gap_us, Span(HOUR, HOUR + 1).since_us) == (1_800_000_000, worlds.START_US)
