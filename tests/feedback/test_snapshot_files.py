"""The folder of a snapshot: the same bytes for the same input, the account last, never a part of it to be seen."""

from __future__ import annotations

import hashlib
import json

import pytest

from runner.errors import LoopError
from runner.feedback import snapshot as snapshots
from runner.feedback.snapshot import Origins, build, files, provenance
from runner.report import snapshot as report
from tests.feedback.collected_worlds import ballot, collected, policy, record
from tests.feedback.test_folders import dies_at

ORIGINS = Origins(
    "a" * 40, {"policies/collection.yaml": "b" * 64}, {"bookshop-ood": "c" * 32}, {"events": {}}
)
BALLOTS = tuple(ballot(f"v{i}", f"Do you sell the atlas number {i}?") for i in range(5))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "datasets" / "snapshot"


def test_the_same_input_gives_the_same_bytes_and_another_input_others(folder):
    snapshots.write(_made(BALLOTS), folder, ORIGINS)
    before = _bytes(folder)
    snapshots.write(_made(BALLOTS[::-1]), folder, ORIGINS)
    assert _bytes(folder) == before
    snapshots.write(_made(BALLOTS[1:]), folder, ORIGINS)
    assert _bytes(folder) != before


def test_the_account_has_the_digest_of_every_file_and_reads_back_as_it_was_written(folder):
    written = snapshots.write(_made(BALLOTS), folder, ORIGINS)
    assert snapshots.read(folder) == written
    assert written.origins == ORIGINS
    for name, facts in written.files.items():
        content = (folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == facts.sha256
        assert hashlib.md5(content).hexdigest() == facts.md5
        assert (content.count(b"\n"), len(content)) == (facts.rows, facts.bytes)
    assert {*written.files, files.PROVENANCE} == {path.name for path in folder.iterdir()}


def test_the_account_counts_rows_and_what_was_rejected(folder):
    made = _made((*BALLOTS, ballot("tied", "Is the tea good?", choice="tie"), record("waits")))
    found = snapshots.write(made, folder, ORIGINS)
    assert found.counts["preferences"]["origin"] == {"vote": 5}
    assert found.rejected == {"preference": {"tie": 1}, "record": {"nothing_said": 1}}


def test_a_crash_at_any_step_shows_the_old_snapshot_or_the_new_one_whole(tmp_path):
    old, new = _made(BALLOTS[:2]), _made(BALLOTS)
    for step in range(200):
        folder = tmp_path / str(step) / "snapshot"
        first = snapshots.write(old, folder, ORIGINS)
        survived = dies_at(step, lambda folder=folder: snapshots.write(new, folder, ORIGINS))
        found = snapshots.read(folder)
        for name, facts in found.files.items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == facts.sha256
        assert (found.id == first.id) or found.files[files.PREFERENCES].rows == len(BALLOTS)
        if survived:
            assert found.id != first.id
            return
    pytest.fail("there are more steps than were tried")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 9}', '{"schema": 1, "id": "x"}'])
def test_a_damaged_account_is_told_as_such(folder, text):
    snapshots.write(_made(BALLOTS), folder, ORIGINS)
    (folder / files.PROVENANCE).write_text(text)
    with pytest.raises(LoopError, match="damaged"):
        snapshots.read(folder)


def test_where_there_is_no_snapshot_the_command_that_makes_one_is_named(folder):
    with pytest.raises(LoopError, match="loop data snapshot"):
        snapshots.read(folder)


def test_the_report_says_verdict_figures_and_reasons(folder):
    made = _made((*BALLOTS, ballot("tied", "Is the tea good?", choice="tie")))
    found = snapshots.write(made, folder, ORIGINS)
    text = report.to_text(found)
    assert found.id[:12] in text
    assert "category_coverage" not in text
    for words in ("FAIL", "categories that have their part", "creative", "1 tie", "at least 80.0%"):
        assert words in text
    assert json.loads(json.dumps(provenance.to_json(found)))["verdict"] == "FAIL"


def _made(things):
    return build(collected(*things), policy(), ())


def _bytes(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}
