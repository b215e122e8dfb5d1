"""From a vote in the event log to the version trained on its pair, through real files, DVC's lock and Git."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess

import pytest
import yaml

from runner.cli.data_lineage import lineage
from runner.cli.data_snapshot import snapshot
from runner.cli.main import main
from runner.cli.repository import read_spec
from runner.data.hashes import HashCache
from runner.errors import LoopError
from runner.events.schema import Kind
from runner.feedback import collected as collection
from runner.feedback.collected import Collected
from runner.feedback.records import Choice
from runner.feedback.snapshot.lineage import Asked, Claim, Step, answered_link
from tests.doubles.event_files import START_US, line, request, segment
from tests.feedback.collected_worlds import ballot, record
from tests.feedback.collected_worlds import repository as shop

QUESTION = "May I bring back a damaged book that was a present?"
USER = "0123456789abcdef0123456789abcdef"
GOOD, BAD = "Yes, within thirty days, with the receipt.", "Sorry, I can only help with the bookshop."


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository in which one vote has come all the way to a version, and a refusal waits for reviewers."""
    root = shop(tmp_path_factory.mktemp("lineage"))
    vote = _vote()
    waits = record("event-3", "Where is the poetry?", BAD, category="factual_qa", at_us=START_US)
    facts = {"environment": "production"}
    collection.write(root / collection.FOLDER, Collected((waits,), (vote,), (), facts=facts))
    _log(root, vote)
    snapshot(root, read_spec(root))
    _train(root)
    _commit(root)
    return root


def test_the_way_of_a_pair_leads_from_the_vote_to_the_version(repository):
    (row,) = _rows(repository)
    links = lineage(repository, read_spec(repository), row["id"])
    assert [link.broken for link in links] == [""] * len(links)
    steps = list(dict.fromkeys(link.step for link in links))
    assert steps == [
        Step.EVENT,
        Step.REQUEST,
        Step.COLLECTED,
        Step.CHECKS,
        Step.ROW,
        Step.FILE,
        Step.COMMIT,
        Step.VERSION,
    ]
    by_step = {link.step: link for link in links}
    assert by_step[Step.EVENT].facts["loop.vote.choice"] == Choice.LEFT
    assert [link.facts["event.id"] for link in links if link.step is Step.REQUEST] == ["event-1", "event-2"]
    assert by_step[Step.VERSION].id == "chat-v1.1"
    assert by_step[Step.COMMIT].facts["subject"] == "a snapshot"


def test_the_question_and_both_answers_are_shown_each_in_a_line_of_its_own(repository, capsys):
    assert main(["--root", str(repository), "data", "lineage", "vote-0001"]) == 0
    shown = capsys.readouterr().out.splitlines()
    (row,) = _rows(repository)
    for text in (row["prompt"][-1]["content"], row["chosen"][-1]["content"], row["rejected"][-1]["content"]):
        assert any(line.startswith("    ") and line.endswith(f" {text}") for line in shown), text


def test_a_synthetic_pair_leads_to_what_it_was_made_from_before_it_is_in_a_snapshot(repository, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(repository, root)
    folder = root / collection.FOLDER
    made = {
        "id": "syn-1",
        "prompt": [{"role": "user", "content": QUESTION}],
        "chosen": "It is.",
        "rejected": "It is not.",
        "sources": ["vote-0001"],
        "how": {"rule": "frame.brief"},
    }
    collection.write(folder, dataclasses.replace(collection.read(folder), synthetic=(made,)))
    links = lineage(root, read_spec(root), "syn-1")
    assert [link.id for link in links if link.step is Step.COLLECTED] == ["vote-0001", "syn-1"]


@pytest.mark.parametrize("given", ["vote-0001", "vote-0", "pair-", f"comparison-{QUESTION}"])
def test_any_id_of_the_way_or_its_beginning_leads_to_the_same_row(repository, given):
    links = lineage(repository, read_spec(repository), given)
    assert [link.id for link in links if link.step is Step.ROW] == [row["id"] for row in _rows(repository)]


def test_a_person_s_keyed_hash_is_shortened_everywhere(repository, capsys):
    assert main(["--root", str(repository), "data", "lineage", "vote-0001"]) == 0
    shown = capsys.readouterr().out
    assert main(["--root", str(repository), "data", "lineage", "vote-0001", "--json"]) == 0
    shown += capsys.readouterr().out
    assert USER[:12] in shown
    assert USER not in shown


def test_what_is_in_no_row_says_why(repository):
    links = lineage(repository, read_spec(repository), "event-3")
    told = [link.facts["because"] for link in links if link.step is Step.CHECKS]
    assert told == ["nothing_said (refusal)"]
    assert [link.broken for link in links if link.step is Step.ROW] == [
        "no row of the snapshot was made from it"
    ]


@pytest.mark.parametrize(("given", "said"), [("nothing-1", "nothing is known"), ("", "several ids")])
def test_an_id_that_leads_nowhere_or_to_several_things_is_refused(repository, given, said):
    with pytest.raises(LoopError, match=said):
        lineage(repository, read_spec(repository), given)


def test_a_lost_event_a_changed_snapshot_and_a_version_of_other_bytes_are_told(repository, tmp_path, capsys):
    root = tmp_path / "copy"
    shutil.copytree(repository, root)
    shutil.rmtree(root / ".loop/production/events")
    (root / "datasets/snapshot/rejected.jsonl").write_text("")
    model = yaml.safe_load((root / "models/chat-v1.1.yaml").read_text())
    model["training"]["dataset_hash"] = "f" * 32
    (root / "models/chat-v1.1.yaml").write_text(yaml.safe_dump(model))
    broken = {link.step: link.broken for link in lineage(root, read_spec(root), "vote-0001") if link.broken}
    assert "not in the event log" in broken[Step.EVENT]
    assert "another snapshot" in broken[Step.COMMIT]
    assert "trained on these bytes" in broken[Step.VERSION]
    assert main(["--root", str(root), "data", "lineage", "vote-0001"]) == 2
    assert "BROKEN" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"loop.version": "chat-v0.9"}, ("version 'chat-v1.1'", "'chat-v0.9'")),
        ({"loop.adapter.digest": "e" * 64}, (f"'{'d' * 64}'", f"'{'e' * 64}'")),
        ({"text": f"{BAD} Or ask again."}, ("with the bookshop.'", "Or ask again.'")),
    ],
)
def test_a_vote_that_says_otherwise_of_an_answer_than_the_log_is_told_with_both(
    repository, tmp_path, capsys, changes, told
):
    root = tmp_path / "copy"
    shutil.copytree(repository, root)
    shutil.rmtree(root / ".loop/production")
    _log(root, _vote(), **changes)
    links = lineage(root, read_spec(root), "vote-0001")
    (broken,) = [link for link in links if link.broken]
    assert broken.step is Step.REQUEST and broken.facts["event.id"] == "event-2"
    assert all(each in broken.broken for each in ("vote-0001", *told))
    assert main(["--root", str(root), "data", "lineage", "vote-0001"]) == 2
    assert "BROKEN: vote vote-0001 says" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("said", "logged", "same"),
    [
        ("Write to <EMAIL_2>.", "Write  to <EMAIL_1>.", True),
        ("Write to <EMAIL_2>.", "Write to <PHONE_2>.", False),
        ("", "Kept by the request alone.", True),
        ("Kept by the vote alone.", "", True),
    ],
)
def test_what_was_masked_apart_and_what_was_not_kept_contradict_nothing(said, logged, same):
    content = {"gen_ai.output.messages": json.dumps([{"role": "assistant", "content": logged}])}
    asked = Asked("r", {"loop.version": "v"}, content)
    link = answered_link(asked, (), [Claim("vote", "v", "", said)])
    assert (not link.broken) is same


def _vote():
    return ballot("vote-0001", QUESTION, GOOD, BAD, category="factual_qa", user=USER, at_us=START_US)


def _log(root, vote, **changes):
    """Write the vote and the requests whose answers it compared; `changes` are of the right one's request."""
    events = root / ".loop/production/events"
    sides = ((1, vote.left), (2, vote.right))
    answered = [
        request(
            n,
            gen_ai__response__id=side.response,
            loop__environment="production",
            loop__version=side.version,
            loop__adapter__digest=side.digest,
        )
        for n, side in sides
    ]
    said = {
        "event.id": vote.id,
        "event.time": vote.at_us,
        "loop.environment": "production",
        "loop.user": vote.user,
        "loop.group": vote.group,
        "loop.left.version": vote.left.version,
        "loop.right.version": vote.right.version,
        "loop.left.answer": vote.left.text,
        "loop.right.answer": vote.right.text,
        "loop.vote.choice": vote.choice.value,
    }
    text = changes.pop("text", vote.right.text)
    kept = [_content(n, side, text if side is vote.right else f" {side.text}\n") for n, side in sides]
    segment(events, [line(answered[0]), line({**answered[1], **changes})])
    segment(events, map(line, kept), kind=Kind.CONTENT)
    segment(events, [line(said)], kind=Kind.VOTE)


def _content(n, side, text):
    """Return the event that keeps an answer's words."""
    return {
        "event.id": f"event-{n}-content",
        "event.time": START_US + n,
        "loop.environment": "production",
        "loop.request.id": f"request-{n}",
        "gen_ai.response.id": side.response,
        "gen_ai.input.messages": json.dumps([{"role": "user", "content": QUESTION}]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": text}]),
    }


def _train(root):
    """Have a version say that it was trained on the snapshot's pairs."""
    path = root / "models/chat-v1.1.yaml"
    model = yaml.safe_load(path.read_text())
    cache = HashCache(root / ".loop/hashes.json")
    model["training"]["dataset_hash"] = cache.dvc_hash(root / "datasets/snapshot/preferences.jsonl")
    path.write_text(yaml.safe_dump(model))


def _commit(root):
    """Lock the snapshot as DVC does, and commit the lock."""
    found = HashCache(root / ".loop/hashes.json").dvc_hash(root / "datasets/snapshot")
    out = {"path": "datasets/snapshot", "hash": "md5", "md5": found}
    (root / "dvc.yaml").write_text(
        yaml.safe_dump({"stages": {"snapshot": {"cmd": "x", "outs": [out["path"]]}}})
    )
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"snapshot": {"outs": [out]}}}))
    (root / ".gitignore").write_text(".loop/\n/datasets/snapshot\n/datasets/collected\n")
    for arguments in (
        ("init", "-q"),
        ("add", "."),
        ("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "a snapshot"),
    ):
        subprocess.run(["git", *arguments], cwd=root, check=True)


def _rows(root):
    return [
        json.loads(text) for text in (root / "datasets/snapshot/preferences.jsonl").read_text().splitlines()
    ]
