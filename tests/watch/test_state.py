"""What measuring keeps can be lost or damaged at any time: it is made again, and the figures are the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.errors import TerminalError
from tests.watch import house as of
from tests.watch.house import NOW, REFUSAL, House, figures, reading

QUESTIONS = tuple(f"When does the {day} reading begin?" for day in ("Monday", "Tuesday", "Sunday"))
GARBAGE = (b"", b"[]", b'{"format": 1, "hours": []}', b"\x00\xff garbage")


def conversation(house: House) -> None:
    house.asked(QUESTIONS, 3000)
    house.asked(QUESTIONS, 2000, says=REFUSAL)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house whose log was measured."""
    made = House(tmp_path_factory.mktemp("measured"))
    conversation(made)
    made.take()
    return made


@pytest.fixture(scope="module")
def expected(measured: House) -> object:
    """What it says while nothing is damaged."""
    return figures(measured.take())


@pytest.fixture
def own(measured: House, tmp_path: Path) -> Iterator[House]:
    """A copy of it to be damaged."""
    shutil.copytree(measured.root, tmp_path / "own")
    yield House(tmp_path / "own", written=100)


@pytest.mark.parametrize("content", GARBAGE)
def test_a_damaged_manifest_is_made_again(own, expected, content):
    (own.state / "cube" / "manifest.json").write_bytes(content)
    assert figures(own.take()) == expected


def files(house: House) -> list[Path]:
    found = sorted((house.state / "cube" / "files").glob("*.parquet"))
    assert found
    return found


def test_files_that_have_gone_are_made_again(own, expected):
    for path in files(own):
        path.unlink()
    assert figures(own.take()) == expected


@pytest.mark.parametrize("content", [b"", b"PAR1 but no more"])
def test_files_that_are_damaged_are_made_again_and_it_is_told(own, expected, content):
    for path in files(own):
        path.write_bytes(content)
    assert figures(own.take()) == expected
    assert any("damaged; it is measured again" in text for text in own.said)


def test_a_damaged_file_met_while_counting_is_made_again(own):
    for path in files(own):
        path.write_bytes(b"PAR1 but no more")
    own.asked(["And is there one on Friday?"], 1000)
    assert reading(own.take(), "refusal_rate").n == 7


def test_a_log_that_cannot_be_read_is_an_error_in_words_and_costs_no_state(own):
    own.compact()
    own.take()
    for part in (own.home / "lake").rglob("*.parquet"):
        part.write_bytes(b"no parquet at all")
    own.asked(QUESTIONS, 2500)
    with pytest.raises(TerminalError, match="cannot be measured"):
        own.take()
    assert files(own)


def test_a_reference_set_that_is_not_here_leaves_drift_alone_without_a_value(measured):
    found = measured.take()
    for metric in ("input_drift", "input_shift"):
        one = reading(found, metric)
        assert one.value is None
        assert "dvc pull datasets/bookshop/reference.jsonl" in one.note
    assert reading(found, "refusal_rate").value == 0.5
    assert found.drift is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no rows"),
        (b"not json\n", "not JSON lines"),
        (b'{"answer": "without a question"}\n', "too small"),
        (b'{"question": "only one?", "answer": "yes"}\n', "too small"),
    ],
)
def test_a_reference_set_that_is_no_such_thing_says_so_and_nothing_else_fails(own, content, said):
    own.refer_to([])
    (own.root / of.REFERENCE).write_bytes(content)
    found = own.take()
    assert said in reading(found, "input_drift").note
    assert reading(found, "refusal_rate").value == 0.5


def test_a_reference_set_that_comes_later_is_taken_up_by_the_process_that_missed_it(own):
    watch = own.watch()
    assert "dvc pull" in reading(watch.take(NOW), "input_drift").note
    own.refer_to(f"Which {n} of shelf {n % 7} is for {n % 11} readers?" for n in range(60))
    found = watch.take(NOW)
    assert reading(found, "input_drift").note.startswith("insufficient")
    assert found.drift is not None and found.drift.n == 6


def kept(house: House, pattern: str) -> Path:
    (found,) = house.state.glob(pattern)
    return found


@pytest.mark.parametrize("pattern", ["topics-*.json", "scope-*.npz", "drift.json"])
@pytest.mark.parametrize("content", [b"[]", None])
def test_what_was_fitted_and_cannot_be_read_is_fitted_again(small, before, pattern, content):
    path = kept(small, pattern)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert figures(small.take()) == before
    assert len(kept(small, pattern).read_bytes()) > 50, "it is kept again"


@pytest.mark.parametrize("key", ["until", "days", "last", "exchanges"])
def test_a_memory_of_drift_with_a_field_that_is_something_else_begins_anew(small, key):
    path = small.state / "drift.json"
    value = json.loads(path.read_bytes())
    for wrong in ("text", {"5": [[1], [2]]}):
        path.write_text(json.dumps({**value, key: wrong}))
        assert small.take().drift is not None


@pytest.fixture(scope="module")
def fitted_small(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house with a reference set so small that fitting takes a moment."""
    made = House(tmp_path_factory.mktemp("small"))
    made.refer_to(f"Which {n} of shelf {n % 7} is for {n % 11} readers?" for n in range(60))
    conversation(made)
    made.take()
    return made


@pytest.fixture(scope="module")
def before(fitted_small: House) -> object:
    """What it says while nothing is damaged."""
    return figures(fitted_small.take())


@pytest.fixture
def small(fitted_small: House, tmp_path: Path) -> House:
    shutil.copytree(fitted_small.root, tmp_path / "small")
    return House(tmp_path / "small", written=100)
