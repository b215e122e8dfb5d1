"""Recorded arrivals are read as they were recorded, or refused with every bad line named."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest

from runner.errors import TerminalError
from runner.simulation.replay import questions
from runner.simulation.replay.traces import AZURE_HEADER, NAMED, TOLD, Arrival, read_trace

REAL = Path(os.environ.get("LOOP_REAL_DATA") or Path(__file__).parents[4] / "shared" / "data")
needs_data = pytest.mark.skipif(
    not REAL.is_dir(), reason=f"the shared data is not at {REAL} (set LOOP_REAL_DATA)"
)


def written(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_an_azure_trace_is_read_in_order_of_time_from_zero(tmp_path: Path) -> None:
    name = written(
        tmp_path / "t.csv",
        AZURE_HEADER,
        "2023-11-16 18:15:51.2224670,879,55",
        "2023-11-16 18:15:50.9724670,396,109",
    )
    first, second = read_trace(name, tmp_path)
    assert first == Arrival(0.0, 396, 109)
    assert (second.at_s, second.input_tokens) == (pytest.approx(0.25), 879)


def test_a_mooncake_trace_is_read_with_its_blocks(tmp_path: Path) -> None:
    name = written(
        tmp_path / "t.jsonl",
        '{"timestamp": 500, "input_length": 700, "output_length": 9, "hash_ids": [0, 1]}',
        '{"timestamp": 2000, "input_length": 10, "output_length": 3, "hash_ids": []}',
    )
    assert read_trace(name, tmp_path) == (Arrival(0.0, 700, 9, (0, 1)), Arrival(1.5, 10, 3))


def test_every_malformed_line_is_named_with_its_number(tmp_path: Path) -> None:
    good = "2023-11-16 18:15:51,1,1"
    bad = ["noon,1,1", "2023-11-16 18:15:51,1", "2023-11-16 18:15:51,-4,1", "2023-11-16 18:15:51,x,1", "\x00"]
    name = written(tmp_path / "t.csv", AZURE_HEADER, good, *bad, good)
    with pytest.raises(TerminalError) as refused:
        read_trace(name, tmp_path)
    assert [d.location.line for d in refused.value.diagnostics if d.location] == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "3",
        '{"timestamp": 1, "input_length": 2}',
        '{"timestamp": "1", "input_length": 2, "output_length": 3}',
        '{"timestamp": 1, "input_length": true, "output_length": 3}',
        '{"timestamp": 1, "input_length": 2, "output_length": 3, "hash_ids": ["a"]}',
        '{"timestamp": 1, "input_length": 2, "output_length": 3, "hash_ids": 7}',
    ],
)
def test_a_malformed_mooncake_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(TerminalError, match=r"t\.jsonl:1: this is no arrival"):
        read_trace(written(tmp_path / "t.jsonl", line), tmp_path)


def test_many_malformed_lines_are_counted_beyond_the_first(tmp_path: Path) -> None:
    name = written(tmp_path / "t.csv", AZURE_HEADER, *["?"] * (TOLD + 7))
    with pytest.raises(TerminalError, match="7 more lines"):
        read_trace(name, tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [("", "no Azure trace"), ("a,b\n1,2\n", "no Azure trace"), (AZURE_HEADER + "\n", "holds no arrival")],
)
def test_a_file_that_is_no_trace_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(TerminalError, match=reason):
        read_trace(str(tmp_path / "t.csv"), tmp_path)


def test_an_absent_trace_says_where_it_was_looked_for_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="LOOP_REAL_DATA") as refused:
        read_trace("azure-conv", tmp_path)
    assert str(tmp_path) in str(refused.value)
    with pytest.raises(TerminalError, match="known: azure-conv"):
        read_trace("azure", tmp_path)


def test_questions_come_from_a_file_of_ones_own_and_repeat_with_the_seed(tmp_path: Path) -> None:
    name = written(tmp_path / "q.csv", "text,category", '"one, two",a', "three,b", "four,c", " ,d")
    drawn = [
        [next(source) for _ in range(30)]
        for source in (questions.draw(name, tmp_path, seed) for seed in (1, 1, 2))
    ]
    assert set(drawn[0]) == {"one, two", "three", "four"}
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("banking77", None, "LOOP_REAL_DATA"),
        ("clinc150", None, "LOOP_REAL_DATA"),
        ("trivia", None, "known: banking77, clinc150, bookshop"),
        ("q.csv", "a,b\n1,2\n", "no column 'text'"),
        ("q.csv", "text\n", "are empty"),
        ("q.csv", "\xff", "no column 'text'"),
    ],
)
def test_questions_that_cannot_be_used_are_refused(
    tmp_path: Path, name: str, content: str | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
        name = str(tmp_path / name)
    with pytest.raises(TerminalError, match=reason):
        questions.draw(name, tmp_path, 0)


def test_the_bookshops_customers_ask_without_any_data(tmp_path: Path) -> None:
    source = questions.draw("bookshop", tmp_path, 5)
    again = questions.draw("bookshop", tmp_path, 5)
    asked = [next(source) for _ in range(20)]
    assert asked == [next(again) for _ in range(20)]
    assert all(text.strip() for text in asked)


@needs_data
@pytest.mark.parametrize("name", NAMED)
def test_the_recorded_traces_are_read_whole(name: str) -> None:
    trace = read_trace(name, REAL)
    lines = (REAL / NAMED[name]).read_text().splitlines()
    assert len(trace) == len(lines) - (lines[0] == AZURE_HEADER)
    assert trace[0].at_s == 0
    assert all(earlier.at_s <= later.at_s for earlier, later in pairwise(trace))
    assert any(arrival.blocks for arrival in trace) == name.startswith("mooncake")


@needs_data
@pytest.mark.parametrize("name", ["banking77", "clinc150"])
def test_the_recorded_questions_are_read(name: str) -> None:
    source = questions.draw(name, REAL, 0)
    assert len({next(source) for _ in range(500)}) > 400
