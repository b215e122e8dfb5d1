"""What was collected without people who are forgotten and what is too old: all of it goes, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import TerminalError
from runner.events.forgotten import Forgotten, Traces
from runner.feedback import collected as collection
from runner.feedback.collected import Collected
from runner.feedback.erasing import Unwanted, erase, without
from runner.feedback.labels.items import judgeable
from tests.feedback.collected_worlds import QUESTIONS, ballot, collected, label, record, synthetic, worlds

USERS = st.dictionaries(st.sampled_from(["ann", "bob", "cyd"]), st.integers(-1, 6), max_size=2)
TIMES = st.integers(0, 4)


def parts(content: Collected) -> tuple[set[str], set[str], set[str]]:
    kinds = content.records, content.ballots, content.labels
    return tuple({each.id for each in kind} for kind in kinds)


@given(worlds(), USERS, TIMES, TIMES)
@settings(max_examples=60, deadline=None)
def test_nobody_who_is_to_go_is_left_and_who_has_no_part_in_it_stays(world, users, content, feedback) -> None:
    unwanted = Unwanted(Forgotten(users), content, feedback)
    after = without(world, unwanted)
    everything = (*after.records, *after.ballots, *after.labels)
    assert not [each for each in everything if each.at_us <= users.get(each.user, -1)]
    assert all(each.at_us >= content for each in after.records)
    assert all(each.at_us >= feedback for each in (*after.ballots, *after.labels))
    items = judgeable(after.records, after.ballots)
    kept = [each for each in world.labels if not unwanted.label(each) and each.item in items]
    assert list(after.labels) == kept
    assert without(after, unwanted) == after
    if not users and not content and not feedback:
        assert parts(after)[:2] == parts(world)[:2]


def test_votes_and_labels_of_others_on_their_answers_go_too(tmp_path) -> None:
    mine, other = record("q1", user="kim"), record("q2", QUESTIONS[3], user="ann")
    on_mine, on_other = ballot("v1", user="bob", left="a"), ballot("v2", QUESTIONS[3], user="bob", left="b")
    labels = [label(item, item, "answer", "good") for item in (mine.id, other.id, "cmp-1")]
    traces = Traces(responses=frozenset({on_mine.left.response}), items=frozenset({"cmp-1"}))
    on_comparison = replace(on_other, comparison="cmp-1")
    content = collected(mine, other, on_mine, on_comparison, *labels)
    after = without(content, Unwanted(Forgotten({"kim": 5}, traces)))
    assert parts(after) == ({other.id}, {"v2"}, {other.id})


@pytest.mark.parametrize(
    ("told", "stays"), [({}, True), ({"thumbs": 1}, False), ({"correction": "x"}, False)]
)
def test_what_its_user_said_of_an_answer_takes_the_record_along_when_it_is_too_old(told, stays) -> None:
    content = collected(record("q1", at_us=5, **told))
    assert bool(without(content, Unwanted(Forgotten(), content_us=5, feedback_us=6)).records) is stays


def test_the_folder_changes_as_a_whole_and_its_manifest_counts_what_was_taken_out(tmp_path) -> None:
    folder = tmp_path / "collected"
    mine, other = ballot("v1", user="kim"), ballot("v2", QUESTIONS[3])
    made = [synthetic(name, sources=(source,)) for name, source in (("syn-1", "v1"), ("syn-2", "v2"))]
    content = collected(
        record("q1", user="kim"), mine, other, label("l1", "v1", "correction", "good"), made=made
    )
    collection.write(folder, replace(content, facts={"environment": "production"}))
    lost = {"labels.jsonl": 1, "records.jsonl": 1, "synthetic.jsonl": 1, "votes.jsonl": 1}
    assert erase(folder, Unwanted(Forgotten({"kim": 0}))) == lost
    found = collection.read(folder)
    assert parts(found) == (set(), {"v2"}, set())
    assert [line["id"] for line in found.synthetic] == ["syn-2"]
    assert found.facts == {"environment": "production", "taken_out": lost}
    assert b"kim" not in b"".join(path.read_bytes() for path in folder.iterdir())
    assert erase(folder, Unwanted(Forgotten({"user-v2": 0}))) == {"synthetic.jsonl": 1, "votes.jsonl": 1}
    taken_out = collection.manifest(folder)["taken_out"]
    assert taken_out == {**lost, "synthetic.jsonl": 2, "votes.jsonl": 2}


def test_a_folder_that_holds_nothing_of_it_is_not_touched_and_none_is_made(tmp_path) -> None:
    folder = tmp_path / "collected"
    assert erase(folder, Unwanted(Forgotten({"kim": 5}))) == {}
    assert not folder.exists()
    collection.write(folder, collected(record("q1", user="ann")))
    before = folder.stat()
    assert erase(folder, Unwanted(Forgotten({"kim": 5}))) == {}
    assert folder.stat().st_ino == before.st_ino


def test_a_damaged_folder_is_an_error_and_not_taken_for_clean(tmp_path) -> None:
    folder = tmp_path / "collected"
    collection.write(folder, collected(record("q1", user="kim")))
    (folder / collection.RECORDS).write_bytes(b"{}\n")
    with pytest.raises(TerminalError, match="what was collected is damaged"):
        erase(folder, Unwanted(Forgotten({"kim": 5})))
