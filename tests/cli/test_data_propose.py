"""`loop data propose`: one pull request, kept at what stands here; nothing but data sets ever goes into it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cli.workbench import Bench, Said, call, git, refused
from tests.workflows.github import REPOSITORY, TOKEN, Github, served

THUMBS = "datasets/bookshop-thumbs.yaml"
STORED = "store/files/md5/0a/bc"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    subprocess.run(
        ["git", "init", "--quiet", "--bare", "--initial-branch=main", tmp_path / "remote.git"], check=True
    )
    return tmp_path / "remote.git"


@pytest.fixture
def bench(tmp_path: Path, bare: Path) -> Bench:
    """A checkout that follows a remote, with DVC's store inside."""
    bench = Bench(tmp_path / "repo")
    bench.files.set("loop.yaml", "git", to={"remote": "origin", "branch": "main"})
    bench.commit("Begin")
    (bench.root / ".dvc").mkdir()
    (bench.root / ".dvc/config").write_text("[core]\nremote = s\n['remote \"s\"']\nurl = ../store\n")
    (bench.root / "dvc.lock").write_text("schema: '2.0'\n")
    push(bench, bare, "Keep data with DVC")
    bench.git("remote", "add", "origin", str(bare))
    return bench


def push(bench: Bench, bare: Path, message: str) -> None:
    bench.git("add", "--all")
    bench.git("commit", "--quiet", "--message", message)
    bench.git("push", "--quiet", str(bare), "HEAD:main")


def curate(bench: Bench, hash_: str = "a" * 32) -> None:
    """Declare another hash, as `loop data curate` and `dvc push` do."""
    file = bench.root / THUMBS
    value = yaml.safe_load(file.read_text()) | {"hash": hash_}
    file.write_text(yaml.safe_dump(value, sort_keys=False))
    (bench.root / "dvc.lock").write_text(f"schema: '2.0'\nstages: {{}} # {hash_}\n")
    (bench.root / STORED).parent.mkdir(parents=True, exist_ok=True)
    (bench.root / STORED).write_bytes(hash_.encode() + b"\xff")


def propose(bench: Bench, *options: str) -> Said:
    return call("--root", str(bench.root), "data", "propose", *options)


@pytest.fixture(autouse=True)
def by_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are no run of a workflow, also where one runs them."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


def asked(bare: Path) -> list[str]:
    """Return the files that a merge of the branch would change."""
    return git(bare, "diff", "--name-only", "main...loop/data").split()


def test_a_run_of_a_workflow_is_named_in_its_commit(
    bench: Bench, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"ACTIONS": "true", "EVENT_NAME": "schedule", "RUN_ID": "8"}
    for name, value in {**own, "SERVER_URL": "https://git.example", "REPOSITORY": "books/shop"}.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    curate(bench)
    assert propose(bench).code == 0
    assert git(bare, "log", "-1", "--format=%(trailers:only)", "loop/data").split("\n")[:2] == [
        "Loop-Data: curated",
        "Loop-Run: schedule https://git.example/books/shop/actions/runs/8",
    ]


def test_hashes_the_lock_and_new_bytes_of_the_store_are_asked_for_and_nothing_else(
    bench: Bench, bare: Path
) -> None:
    curate(bench)
    (bench.root / "notes.txt").write_text("mine\n")
    (bench.root / "policies/cadence.yaml").write_text(
        git(bench.root, "show", "HEAD:policies/cadence.yaml") + "# mine\n"
    )
    said = propose(bench)
    assert (said.code, said.err) == (0, "")
    assert "loop/data" in said.out and "merge branch" in said.out
    assert asked(bare) == [THUMBS, "dvc.lock", STORED]
    assert git(bare, "log", "-1", "--format=%(trailers:only)", "loop/data").strip() == "Loop-Data: curated"
    assert bench.git("status", "--porcelain").count("\n") == 5, "the checkout is as it was"


def test_the_next_time_the_same_branch_is_brought_to_what_stands_here_then(bench: Bench, bare: Path) -> None:
    curate(bench)
    propose(bench)
    first = git(bare, "rev-parse", "loop/data")
    assert propose(bench).out.startswith("kept")
    assert git(bare, "rev-parse", "loop/data") == first, "nothing new, nothing written"
    curate(bench, "b" * 32)
    assert propose(bench).out.startswith("replaced")
    assert "b" * 32 in git(bare, "show", f"loop/data:{THUMBS}")
    assert git(bare, "rev-list", "--count", "main..loop/data").strip() == "1"
    assert git(bare, "branch", "--list").split() == ["loop/data", "*", "main"]


def test_what_git_has_already_is_not_asked_for(bench: Bench, bare: Path) -> None:
    said = propose(bench, "--json")
    assert (said.code, json.loads(said.out)) == (0, {"proposed": None})
    curate(bench)
    push(bench, bare, "Somebody was quicker")
    bench.git("reset", "--quiet", "--soft", "HEAD^")
    assert propose(bench).out == "nothing to ask for: Git has the data sets as they stand here\n"
    assert git(bare, "branch", "--list", "loop/*") == ""


def test_data_sets_that_were_changed_on_main_meanwhile_are_not_taken_back(
    bench: Bench, bare: Path, tmp_path: Path
) -> None:
    person = tmp_path / "person"
    subprocess.run(["git", "clone", "--quiet", bare, person], check=True)
    (person / "dvc.lock").write_text("schema: '2.0'\n# of a person\n")
    git(person, "commit", "--quiet", "--all", "--message", "Mend the lock")
    git(person, "push", "--quiet", "origin", "main")
    curate(bench)
    refused(
        propose(bench), "dvc.lock was changed on the branch", "loop data curate", "nothing was written to Git"
    )
    assert git(bare, "branch", "--list", "loop/*") == ""


def test_what_a_person_committed_to_the_branch_stays(bench: Bench, bare: Path, tmp_path: Path) -> None:
    curate(bench)
    propose(bench)
    person = tmp_path / "person"
    subprocess.run(["git", "clone", "--quiet", "--branch", "loop/data", bare, person], check=True)
    (person / "notes.txt").write_text("read all of it\n")
    git(person, "add", "notes.txt")
    git(person, "commit", "--quiet", "--message", "Say what was read")
    git(person, "push", "--quiet")
    curate(bench, "b" * 32)
    refused(propose(bench), "somebody else", "Say what was read")
    assert git(bare, "show", "loop/data:notes.txt") == "read all of it\n"


def test_on_github_there_is_one_open_pull_request_and_its_words_follow(
    bench: Bench, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    github = Github()
    with served(github) as address:
        forge = {"kind": "github", "repository": REPOSITORY, "api": address}
        bench.files.set("loop.yaml", "git", "forge", to=forge)
        bench.commit("Open pull requests")
        bench.git("push", "--quiet", str(bare), "HEAD:main")
        curate(bench)
        refused(propose(bench), "GITHUB_TOKEN is not set")
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        for hash_ in ("a" * 32, "b" * 32):
            curate(bench, hash_)
            said = propose(bench, "--json")
            assert json.loads(said.out)["proposed"]["branch"] == "loop/data"
    (pull,) = github.pulls
    assert "b" * 32 in pull["body"]
    assert github.tokens == {f"Bearer {TOKEN}"}


def test_without_a_remote_the_branch_is_made_here_and_a_commit_alone_has_nobody_to_ask(bench: Bench) -> None:
    bench.files.remove("loop.yaml", "git")
    bench.commit("Follow nobody")
    curate(bench)
    assert propose(bench).code == 0
    assert STORED in bench.git("diff", "--name-only", "main...loop/data").split()
    bench.git("checkout", "--quiet", "--detach")
    refused(propose(bench), "no branch", "`git:`")
