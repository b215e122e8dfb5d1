"""From the log to the snapshot: of a person who is forgotten nothing is left, whatever else the log holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.cli import forget
from runner.cli.data_collect import collect, to_text
from runner.cli.data_snapshot import snapshot
from runner.cli.repository import read_spec
from runner.feedback import collected as collection
from runner.feedback import snapshot as snapshots
from runner.feedback.augmentation.made import Made, to_json
from runner.feedback.records import record_id
from runner.feedback.snapshot.files import ROWS
from tests.cli.workbench import call
from tests.events.forgetting_world import bytes_of
from tests.feedback.collected_worlds import HOW, repository, synthetic
from tests.feedback.shop_log import HOUR_US, START_US, Log

KIM, ANN, RITA = "1a" * 16, "2b" * 16, "3c" * 16
MARKER = "tangerinequux"
"""Stands in everything that Kim has written or was told, in what others said of it, and in nothing else."""
NOW_US = START_US + 200 * HOUR_US
DAY_US = 24 * HOUR_US


def said_by(log: Log, user: str, word: str) -> str:
    """Add what one user asked, said and voted, and what Rita said of it; return the vote's id."""
    asked = log.ask(f"Is the {word} edition in the shop?", f"Sorry, no {word} here.", user=user)
    log.feedback(asked, user=user, correction=f"Yes, the {word} edition stands in shelf C.")
    log.label(record_id(asked), "bad", user=RITA, **{"loop.label.comment": f"{word} is there"})
    of_answer = {"loop.left.response": f"chatcmpl-{asked}", "loop.user": RITA}
    log.vote(f"Where is the {word} map?", f"Shelf B has the {word} map.", "Sorry, no.", **of_answer)
    own = {"loop.user": user, "loop.vote.correction": f"Ask at the desk for the {word} globe."}
    vote = log.vote(f"Which {word} globe is best?", f"The {word} globe, by far.", "I cannot say.", **own)
    told = {"loop.label.task": "correction", "loop.label.correction": f"There is no {word} globe."}
    log.label(vote, "bad", user=RITA, **told)
    return vote


def deployment(root: Path, *users: tuple[str, str]) -> Path:
    """Make a repository with a log of users, each with a word of their own, and all that is made of it."""
    log = Log()
    votes = [said_by(log, user, word) for user, word in users]
    repository(root)
    log.write(root / ".loop" / "production")
    curate(root)
    made = [
        synthetic(f"syn-{word}", f"Where is the {word} globe?", f"The {word} globe is here.", "No.", (vote,))
        for vote, (_, word) in zip(votes, users, strict=True)
    ]
    lines = [json.dumps(to_json(Made(each, HOW))) + "\n" for each in made]
    (root / collection.FOLDER / collection.SYNTHETIC).write_text("".join(lines))
    snapshot(root, read_spec(root))
    return root


def curate(root: Path, now_us: int = NOW_US) -> str:
    told = collect(root, read_spec(root), "production", now_us=now_us)
    snapshot(root, read_spec(root))
    return to_text(told)


def holding(root: Path, *words: str) -> set[str]:
    """Return the files of the log and of what was made of it that hold one of some words, also inside Parquet."""
    everywhere = [*bytes_of(root / ".loop"), *bytes_of(root / "datasets")]
    found = {path for path, data in everywhere if any(word.encode() in data for word in words)}
    return {path.relative_to(root).as_posix() for path in found}


@pytest.mark.parametrize("others", [(), ((ANN, "lemonade"),)], ids=["alone", "among-others"])
def test_after_forgetting_and_curating_nothing_of_the_person_is_in_any_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: tuple[tuple[str, str], ...]
) -> None:
    monkeypatch.setattr(forget, "GRACE_S", 0.0)
    root = deployment(tmp_path, (KIM, MARKER), *others)
    files = {"records.jsonl", "votes.jsonl", "labels.jsonl", "synthetic.jsonl"}
    assert {f"{collection.FOLDER}/{name}" for name in files} < holding(root, MARKER)
    assert holding(root, MARKER) & {f"{snapshots.FOLDER}/{name}" for name in ROWS}

    told = json.loads(call("--root", str(root), "forget", "--hash", KIM, "--json").out)

    assert told["collected"].keys() == files
    assert {Path(name).parent.as_posix() for name in told["files"]} == {snapshots.FOLDER}
    assert {Path(name).parent.as_posix() for name in holding(root, MARKER, KIM)} == {snapshots.FOLDER}
    curate(root)
    assert holding(root, MARKER, KIM) == set()
    left = collection.read(root / collection.FOLDER)
    assert {each.user for each in (*left.records, *left.ballots, *left.labels)} == (
        {ANN, RITA} if others else set()
    )
    assert bool(holding(root, "lemonade") & {f"{collection.FOLDER}/{name}" for name in files}) is bool(others)


def test_where_an_older_version_is_pulled_again_and_the_log_is_empty_who_was_forgotten_is_taken_out(
    tmp_path: Path,
) -> None:
    root = deployment(tmp_path, (KIM, MARKER))
    folder = root / collection.FOLDER
    pulled = {path: path.read_bytes() for path in folder.iterdir()}
    assert call("--root", str(root), "forget", "--hash", KIM, "--no-wait").code == 0
    for path, data in pulled.items():
        path.write_bytes(data)
    told = curate(root)
    assert "0 events: nothing to collect, lines taken out of datasets/collected: " in told
    assert not [name for name in holding(root, KIM, "globe", "edition") if name.startswith("datasets/")]
    assert "nothing was changed" in curate(root)


def test_where_all_in_the_window_expired_what_is_too_old_is_taken_out_of_the_data_sets_too(
    tmp_path: Path,
) -> None:
    root = deployment(tmp_path, (ANN, MARKER))
    assert "nothing was changed" in curate(root, NOW_US + 40 * DAY_US), "pulled data of last month stay"
    curate(root, NOW_US + 100 * DAY_US)
    left = collection.read(root / collection.FOLDER)
    assert not left.records and left.ballots, "votes are kept for longer than questions"
    curate(root, NOW_US + 400 * DAY_US)
    assert not [name for name in holding(root, MARKER, ANN) if name.startswith("datasets/")]


def test_pairs_made_from_a_vote_that_is_not_collected_any_more_go_and_are_counted(tmp_path: Path) -> None:
    root = deployment(tmp_path, (ANN, MARKER))
    made = root / collection.FOLDER / collection.SYNTHETIC
    line = json.loads(made.read_text())
    made.write_text(made.read_text() + json.dumps({**line, "id": "syn-gone", "sources": ["v9999"]}) + "\n")
    assert "taken out of datasets/collected: 1 of synthetic.jsonl" in curate(root)
    assert [json.loads(each)["id"] for each in made.read_text().splitlines()] == [line["id"]]
    assert collection.manifest(root / collection.FOLDER)["taken_out"] == {"synthetic.jsonl": 1}


def test_who_is_forgotten_while_it_is_collected_does_not_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = deployment(tmp_path, (KIM, MARKER), (ANN, "lemonade"))
    assert call("--root", str(root), "forget", "--hash", "4d" * 16, "--no-wait").code == 0  # fills the lake
    write, told = collection.write, []

    def forgotten_meanwhile(folder: Path, content: collection.Collected) -> None:
        if not told:
            told.append(call("--root", str(root), "forget", "--hash", KIM, "--no-wait"))
        write(folder, content)

    monkeypatch.setattr(collection, "write", forgotten_meanwhile)
    curate(root)
    assert told[0].code == 0
    assert not [name for name in holding(root, MARKER, KIM) if name.startswith("datasets/")]
    assert holding(root, "lemonade") & {f"{collection.FOLDER}/{collection.RECORDS}"}
