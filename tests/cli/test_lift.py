"""`loop lift`: takes an entry out of quarantine.yaml in a commit; after that the version may go on trial again."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from runner.git.changes import quarantine_entry
from runner.spec.quarantine import QuarantineFile
from tests.cli.remote import candidate, on_trial, running, trailers
from tests.cli.workbench import Bench, git, refused
from tests.waiting import until

FILE = "quarantine.yaml"
OLDER, NEWER, OTHER = (
    "chat-v1.1--aaaaaaaaaaaa",
    "chat-v1.1--bbbbbbbbbbbb",
    "chat-v1.2--cccccccccccc",
)


def quarantined(*served: str) -> str:
    """Return the file as rollbacks write it, one after the other."""
    text: str | None = None
    for day, name in enumerate(served, start=1):
        entry = {"served": name, "environment": "production", "condition": "error_rate > 5%"}
        at = f"2026-11-0{day}T09:30:00Z"
        (made,) = QuarantineFile.model_validate({"quarantined": [{**entry, "at": at}]}).quarantined
        text = quarantine_entry(text, made)
    return text or ""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "repo")
    bench.files.texts[FILE] = quarantined(OLDER, OTHER, NEWER)
    bench.commit("Three rollbacks")
    bench.git("config", "user.name", "Ada")
    bench.git("config", "user.email", "ada@example.com")
    return bench


def names(bench: Bench, revision: str = "HEAD") -> list[str]:
    value = yaml.safe_load(bench.git("show", f"{revision}:{FILE}"))
    return [entry["served"] for entry in value["quarantined"]]


def test_a_version_means_its_newest_entry(bench: Bench) -> None:
    said = bench.loop("lift", "chat-v1.1", "--reason", "the database was at fault")
    assert (said.code, said.err) == (0, "")
    assert names(bench) == [OLDER, OTHER]
    head = bench.git("rev-parse", "HEAD").strip()
    assert said.out.startswith(f"{head[:12]} on main: {NEWER} may go on trial again")
    assert bench.git("log", "-1", "--format=%an <%ae>|%s|%b").startswith(
        f"Ada <ada@example.com>|Lift {NEWER}|the database was at fault"
    )
    assert trailers(bench.root, "HEAD") == {"Loop-Lift": NEWER}
    assert bench.git("show", "--name-only", "--format=", "HEAD").split() == [FILE]
    assert bench.git("status", "--porcelain") == "", "the file in the working tree went along"


def test_a_served_name_means_exactly_these_bytes(bench: Bench) -> None:
    assert bench.loop("lift", OLDER).code == 0
    assert names(bench) == [OTHER, NEWER]


def test_the_last_entry_leaves_a_file_that_is_valid(bench: Bench) -> None:
    for name in (OLDER, OTHER, NEWER):
        assert bench.loop("lift", name).code == 0
    assert names(bench) == []
    assert bench.loop("validate").code == 0
    refused(bench.loop("lift", NEWER), f"'{NEWER}' is not quarantined", "quarantined: nothing")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("chat-v1.3", "did you mean 'chat-v1."),
        ("chat-v12", "did you mean 'chat-v1."),
        (OLDER[:-1], f"did you mean '{OLDER}'?"),
        ("zzz", "quarantined: "),
    ],
)
def test_what_is_not_quarantined_is_told_with_what_is(bench: Bench, written: str, meant: str) -> None:
    before = bench.git("rev-parse", "HEAD")
    refused(bench.loop("lift", written), f"'{written}' is not quarantined", OLDER, NEWER, OTHER, meant)
    assert bench.git("rev-parse", "HEAD") == before


def test_where_nothing_is_quarantined_it_says_so(tmp_path: Path) -> None:
    refused(Bench(tmp_path / "repo").loop("lift", "chat-v1.1"), "nothing is quarantined", FILE)


@pytest.mark.parametrize("content", ["quarantined: [", "- x", "quarantined: 3", "quarantined: [7]", "\xff"])
def test_a_file_that_is_none_is_an_error_and_no_traceback(bench: Bench, content: str) -> None:
    (bench.root / FILE).write_bytes(content.encode("latin-1"))
    bench.git("commit", "--quiet", "--all", "--message=Damaged")
    refused(bench.loop("lift", "chat-v1.1"), FILE)


def test_edits_that_are_not_committed_stay(bench: Bench) -> None:
    loop, file = bench.root / "loop.yaml", bench.root / FILE
    loop.write_text(loop.read_text() + "# mine\n")
    assert bench.loop("lift", OLDER).code == 0
    assert loop.read_text().endswith("# mine\n")
    file.write_text(file.read_text() + "# mine too\n")
    said = bench.loop("lift", NEWER)
    assert said.code == 0 and "note: " in said.err and "your uncommitted edits stay" in said.err
    assert names(bench) == [OTHER]
    assert file.read_text().endswith("# mine too\n") and NEWER in file.read_text()


def test_without_a_branch_there_is_none_to_commit_to(bench: Bench) -> None:
    bench.git("checkout", "--quiet", "--detach")
    refused(bench.loop("lift", OLDER), "no branch is checked out", "`git switch main`")
    assert names(bench) == [OLDER, OTHER, NEWER]


def test_during_a_merge_nothing_is_committed(bench: Bench) -> None:
    (bench.root / ".git" / "MERGE_HEAD").write_text(bench.git("rev-parse", "HEAD"))
    refused(bench.loop("lift", OLDER), "a merge is under way")
    assert names(bench) == [OLDER, OTHER, NEWER]


def test_after_lift_and_push_the_candidate_goes_on_trial_again(tmp_path: Path) -> None:
    with on_trial(tmp_path / "repo") as (live, bare):
        bench = live.bench
        with running(bench) as runner:
            runner.agrees_with(bench.git("rev-parse", "HEAD").strip())
            assert bench.loop("rollback").code == 0
            until(lambda: "Roll back" in git(bare, "log", "-1", "--format=%s", "main"), "the commit")
            runner.agrees_with(git(bare, "rev-parse", "main").strip())
            begun = bench.git("log", "--format=%H", "--grep=^Roll back").strip()
            undo = ("show", f"{begun}^:loop.yaml")
            (bench.root / "loop.yaml").write_text(bench.git(*undo))
            bench.git("commit", "--quiet", "--all", "--message=Once more")
            bench.git("push", "--quiet", "origin", "main")
            until(lambda: "rolled back before" in bench.loop("status").out, "held: it is quarantined")
            assert candidate(live) is None
            assert "warning" in bench.loop("validate").err
            assert bench.loop("lift", "chat-v1.1", "--reason", "the network was at fault").code == 0
            bench.git("push", "--quiet", "origin", "main")
            runner.agrees_with(git(bare, "rev-parse", "main").strip())
            assert candidate(live) == bench.served("chat-v1.1")
