"""`loop report`: Markdown on standard output, and one HTML file that loads nothing."""

from __future__ import annotations

import json
import re
import time

import pytest

from runner.reconcile.journal import Journal
from runner.reconcile.memory import Kind
from tests.cli import measured
from tests.cli.workbench import PRODUCTION, Bench, refused


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made = measured.bench(tmp_path_factory.mktemp("report"))
    measured.log(made)
    return made


def test_it_prints_markdown(bench):
    said = bench.loop("report", "--window", "7d")
    assert said.code == 0, said
    assert said.out.startswith("# ")
    assert "refusal_rate" in said.out or "refus" in said.out.lower()
    assert said.err == ""


def test_html_is_one_file_that_loads_nothing_and_no_other_is_left(bench, tmp_path):
    target = tmp_path / "week.html"
    target.write_text("the report of last week")
    said = bench.loop("report", "--html", str(target))
    assert said.code == 0, said
    assert f"written: {target}" in said.err
    text = target.read_text(encoding="utf-8")
    assert text.lower().startswith("<!doctype html>") and "<svg" in text
    assert not re.findall(r"""(?:src|href)=["']?https?:""", text), "loads something"
    assert [path.name for path in tmp_path.iterdir()] == ["week.html"]


def test_a_folder_that_is_not_there_is_told_and_nothing_is_written(bench, tmp_path):
    said = bench.loop("report", "--html", str(tmp_path / "no" / "week.html"))
    assert said.code == 1
    assert said.err.startswith("error: ") and "there is no folder" in said.err
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_the_file_is_told(bench, tmp_path):
    refused(bench.loop("report", "--html", str(tmp_path)), "is a directory")


def test_without_events_there_is_a_report_all_the_same(tmp_path):
    made = measured.bench(tmp_path / "repo")
    said = made.loop("report", "--html", str(tmp_path / "week.html"))
    assert said.code == 0, said
    assert (tmp_path / "week.html").exists()


def test_both_ends_of_the_tokens_come_with_question_and_answer(bench, tmp_path):
    path = tmp_path / "tails.jsonl"
    assert bench.loop("report", "--tails", str(path)).code == 0
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert {(row["measure"], row["tail"]) for row in rows} == {
        (measure, tail) for measure in ("prompt_tokens", "answer_tokens") for tail in ("low", "high")
    }
    assert all(row["question"] and row["answer"] for row in rows)


def test_programs_get_the_figures_of_the_window(bench):
    value = json.loads(bench.loop("report", "--window", "2d", "--json").out)
    assert {reading["window"] for reading in value["readings"]} == {2 * 86_400.0}


@pytest.fixture
def fresh(tmp_path):
    """A repository on a known host, in which a rollout began and nothing was logged."""
    made = measured.bench(tmp_path / "repo")
    forge = {"kind": "github", "repository": "acme/bookshop", "api": "https://git.example.com/api/v3"}
    made.files.set("loop.yaml", "git", to={"remote": "origin", "branch": "main", "forge": forge})
    made.commit("Follow the remote")
    made.roll_out()
    made.commit("Put chat-v1.1 on trial")
    return made


def rollouts(said):
    assert said.code == 0, said
    return said.out.partition("## Rollouts")[2].partition("\n## ")[0]


def test_a_rollout_is_told_from_git_with_a_link_to_its_commit(fresh):
    sha = fresh.git("rev-parse", "HEAD").strip()
    told = rollouts(fresh.loop("report"))
    assert "production: baseline chat-v1.0, chat-v1.1 on trial in 'canary'" in told
    assert f"[{sha[:12]}](https://git.example.com/acme/bookshop/commit/{sha})" in told
    assert "| put on trial | Put chat-v1.1 on trial |" in told


def test_what_the_gates_said_and_what_the_runner_proved_stand_as_the_reason(fresh):
    fresh.roll_out("small")
    proof = (
        "Advance chat-v1.1\n\nevidence\n\nLoop-Advance: chat-v1.1 canary -> small\nLoop-Evidence: all kept"
    )
    fresh.commit(proof)
    fresh.files.set(*PRODUCTION, "rollout", "candidate", to="chat-v1.0")
    fresh.files.set(*PRODUCTION, "baseline", to="chat-v1.1")
    fresh.commit("Put it on trial\n\nAgainst chat-v1.1: facts PASS\n\nLoop-Promotion: chat-v1.0--a")
    told = rollouts(fresh.loop("report"))
    assert "| moved to another stage ('canary' -> 'small') | all kept |" in told
    assert "| put on trial | Against chat-v1.1: facts PASS |" in told


def roll_back(fresh):
    """Have the guard roll chat-v1.1 back, as its journal tells."""
    facts = ("rollout_id", "baseline", "stage", "condition")
    rollback = {name: name for name in facts} | {
        "served": fresh.served("chat-v1.1"),
        "weight": 0.05,
        "evidence": ["errors 9%"],
        "at": time.time(),
        "by": "guard",
    }
    with Journal(fresh.state("journal.jsonl"), time.time) as journal:
        journal.append(Kind.ATTEMPTED, {"action": "roll_back", "rollback": rollback})


def test_a_rollback_that_git_does_not_show_yet_is_told_from_the_journal_and_once_it_does_once(fresh):
    roll_back(fresh)
    pending = fresh.loop("report")
    assert "| taken off users, not in Git yet | condition; errors 9% | guard |" in rollouts(pending)
    assert "1. chat-v1.1 was rolled back in production" in pending.out
    fresh.files.remove(*PRODUCTION, "rollout")
    fresh.commit("Take it back")
    told = rollouts(fresh.loop("report"))
    assert told.count("taken") == 1 and "| taken back | Take it back |" in told


def test_a_part_that_cannot_be_found_out_is_named_and_keeps_no_other_away(fresh):
    fresh.state("journal.jsonl").write_text("{}\n{}\n")
    said = fresh.loop("report")
    assert rollouts(said).strip() == "Not known: the journal was changed: this line is not what was written."
    assert "## Cost\n\nThe running account comes to $300.00 a month" in said.out


def test_every_part_stands_in_a_report_of_a_repository_without_events(fresh):
    text = fresh.loop("report").out
    titles = re.findall(r"^## (.*)$", text, re.M)
    assert titles[:5] == ["In short", "Next actions", "Preferences", "Win rates", "Data quality"]
    assert "Not known" not in text
