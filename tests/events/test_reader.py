"""What counts as an event on disk, and what is said of bytes that do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.events import columns
from runner.events.reader import Chunk, EventReader, Segment, list_segments, parse, read_chunk
from runner.events.schema import Kind
from tests.doubles.event_files import START_US, line, request, segment


def ids(reader: EventReader) -> list[str]:
    return [event["event.id"] for event in reader.read().events]


def test_a_directory_that_does_not_exist_holds_no_events(tmp_path: Path) -> None:
    assert EventReader(tmp_path / "none", Kind.REQUEST).read().events == ()


def test_a_torn_last_line_is_left_out_and_nothing_else(tmp_path: Path) -> None:
    whole = line(request(0)) + line(request(1))
    last = line(request(2))
    for cut in range(1, len(last)):
        path = segment(tmp_path, [whole, last[:cut]], live=True)
        batch = EventReader(tmp_path, Kind.REQUEST).read()
        assert [event["event.id"] for event in batch.events] == ["event-0", "event-1"]
        assert batch.torn == (path.name.removesuffix(".open.jsonl"),)
        assert batch.damaged == ()


def test_a_line_counts_once_its_newline_has_come(tmp_path: Path) -> None:
    path = segment(tmp_path, [line(request(0))[:-1]], live=True)
    reader = EventReader(tmp_path, Kind.REQUEST)
    assert ids(reader) == []
    with path.open("ab") as file:
        file.write(b"\n")
    assert ids(reader) == ["event-0"]
    assert ids(reader) == []


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_reading_bit_by_bit_gives_what_reading_at_once_gives(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = b"".join(line(request(number)) for number in range(5))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=6)))
    directory = tmp_path_factory.mktemp("events")
    path = segment(directory, [], live=True)
    reader, found = EventReader(directory, Kind.REQUEST), []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        with path.open("ab") as file:
            file.write(whole[start:end])
        if data.draw(st.booleans()):  # a fresh reader goes on from the cursor of the last
            reader = EventReader(directory, Kind.REQUEST, offsets=dict(reader.offsets))
        found += ids(reader)
    assert found == [f"event-{number}" for number in range(5)]


def test_closing_a_segment_between_two_reads_neither_loses_nor_repeats_events(tmp_path: Path) -> None:
    path = segment(tmp_path, [line(request(0))], live=True)
    reader = EventReader(tmp_path, Kind.REQUEST)
    assert ids(reader) == ["event-0"]
    with path.open("ab") as file:
        file.write(line(request(1)))
    path.rename(path.with_name(path.name.replace(".open", "")))
    assert ids(reader) == ["event-1"]


def test_a_segment_closed_after_the_directory_was_listed_is_still_read(tmp_path: Path) -> None:
    path = segment(tmp_path, [line(request(0))], live=True)
    (listed,) = list_segments(tmp_path)
    path.rename(path.with_name(path.name.replace(".open", "")))
    chunk = read_chunk(listed)
    assert chunk is not None
    assert chunk.data == line(request(0))


def test_a_segment_removed_after_the_directory_was_listed_is_no_error(tmp_path: Path) -> None:
    path = segment(tmp_path, [line(request(0))])
    (listed,) = list_segments(tmp_path)
    path.unlink()
    assert read_chunk(listed) is None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"\x00" * 40, "not JSON"),
        (b'{"event.id": "x', "not JSON"),
        (b"\xff\xfe{}", "not valid UTF-8"),
        (b"[1, 2]", "not a JSON object"),
        (b'{"event.id": "x"}', "'event.time' is missing"),
        (json.dumps(request(9, event__time="noon")).encode(), "'event.time' is not of type int64"),
        (json.dumps(request(9, event__time=-1)).encode(), "outside the years"),
        (json.dumps(request(9, loop__latency_ms=float("nan"))).encode(), "not JSON"),
        (json.dumps(request(9, loop__fell_back=1)).encode(), "'loop.fell_back' is not of type bool"),
        (json.dumps(request(9, gen_ai__usage__input_tokens=2**63)).encode(), "is not of type int64"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_damaged_line_is_named_and_the_lines_around_it_are_read(
    tmp_path: Path, bad: bytes, reason: str
) -> None:
    first = line(request(0))
    segment(tmp_path, [first, bad + b"\n", line(request(1))])
    batch = EventReader(tmp_path, Kind.REQUEST).read()
    assert [event["event.id"] for event in batch.events] == ["event-0", "event-1"]
    (damage,) = batch.damaged
    assert (damage.offset, damage.length) == (len(first), len(bad) + 1)
    assert reason in damage.reason
    assert f"request-{START_US}" in str(damage)


def test_an_event_written_twice_counts_once_even_in_another_segment(tmp_path: Path) -> None:
    segment(tmp_path, [line(request(0)), line(request(0)), line(request(1))])
    segment(tmp_path, [line(request(1)), line(request(2))], opened_us=START_US + 1)
    batch = EventReader(tmp_path, Kind.REQUEST).read()
    assert [event["event.id"] for event in batch.events] == ["event-0", "event-1", "event-2"]
    assert batch.duplicates == 2


def test_only_segments_of_the_kind_are_read_and_other_files_are_left_alone(tmp_path: Path) -> None:
    segment(tmp_path, [line(request(0))])
    segment(tmp_path, [b"{}\n"], kind=Kind.FEEDBACK)
    (tmp_path / "notes.jsonl").write_text("mine\n")
    (tmp_path / "vote-1-1.jsonl").write_text("{}\n")
    batch = EventReader(tmp_path, Kind.REQUEST).read()
    assert (len(batch.events), batch.damaged) == (1, ())


def test_half_a_surrogate_pair_costs_one_character_and_not_the_event(tmp_path: Path) -> None:
    segment(tmp_path, [json.dumps(request(0, loop__user="a\ud800b")).encode() + b"\n"])
    (event,) = EventReader(tmp_path, Kind.REQUEST).read().events
    assert event["loop.user"] == "a\ufffdb"


values = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4)
events = st.builds(
    lambda number, changes: {**request(number), **changes},
    st.integers(0, 5),
    st.dictionaries(st.sampled_from([*request(0), "unknown.field", "loop.overhead_ms"]), values, max_size=3),
)
good_lines = events.map(lambda event: json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass"))
escaped_lines = events.map(lambda event: json.dumps(event).encode())
bad_lines = st.binary(max_size=12) | st.sampled_from(
    [b"{}", b"", b" ", b"{}{}", b"null", b"\x00", b'{"a":1}x']
)


@given(st.lists(st.one_of(good_lines, escaped_lines, bad_lines), max_size=6))
@settings(max_examples=400, deadline=None)
def test_whatever_bytes_a_segment_holds_every_line_is_an_event_or_named_and_events_fit_their_columns(
    lines: list[bytes],
) -> None:
    data = b"".join(each + b"\n" for each in lines)
    chunk = Chunk(Segment(1, 1, "request-1-1", Kind.REQUEST, Path("nowhere"), live=False), 0, data, 0)
    events, damaged = parse(chunk)
    assert len(events) + len(damaged) == sum(bool(each.strip()) for each in data.split(b"\n"))
    names = columns.schema(Kind.REQUEST).names
    assert columns.read(chunk).table.to_pylist() == [
        {name: event.get(name) for name in names} for event in events
    ]


def test_a_whole_number_that_no_float_holds_is_read_as_the_nearest_and_does_not_stop_the_lake(
    tmp_path: Path,
) -> None:
    segment(tmp_path, [line(request(0, loop__latency_ms=2**53 + 1))])
    (event,) = EventReader(tmp_path, Kind.REQUEST).read().events
    assert event["loop.latency_ms"] == 2.0**53 and isinstance(event["loop.latency_ms"], float)
    (found,) = list_segments(tmp_path)
    chunk = read_chunk(found)
    assert chunk is not None
    assert columns.read(chunk).table["loop.latency_ms"].to_pylist() == [2.0**53]
