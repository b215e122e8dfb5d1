"""What the runner's commits say is read back from the repository as it was meant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.git.commit import Change, commit
from runner.git.messages import SUBJECT_MAX, advance_message, conclude_message, rollback_message, trailers
from runner.git.repository import Commit, Repository

if TYPE_CHECKING:
    from tests.git.conftest import Scratch

SERVED = "chat-v1.1--0123456789ab"
EVIDENCE = ("error_rate: candidate 12 of 80 (15%), limit 5%", "e-value 431, needed 100")


def rollback(**changes: object) -> str:
    facts: dict[str, object] = {
        "environment": "production",
        "served": SERVED,
        "rollout": "r-1",
        "condition": "error_rate > 5%",
        "evidence": EVIDENCE,
    }
    return rollback_message(**(facts | changes))  # type: ignore[arg-type]


def stored(scratch: Scratch, message: str) -> Commit:
    scratch.commit("first", a="1")
    repository = Repository(scratch.root, scratch.environ)
    at = datetime(2026, 11, 21, tzinfo=UTC)
    made = commit(repository, repository.head(), [Change("a", b"1", b"2")], message, at=at)
    return repository.log(made, limit=1)[0]


def test_a_rollback_tells_the_evidence_and_what_it_reverts(scratch: Scratch) -> None:
    entry = stored(scratch, "Try chat-v1.1\n")
    found = stored(scratch, rollback(reverts=(entry,), how="an edit, since a revert conflicts"))
    assert found.subject == "Roll back chat-v1.1 in production"
    assert "\n".join(EVIDENCE) in found.body
    assert f"Reverts {entry.revision.short} Try chat-v1.1" in found.body
    assert "an edit, since a revert conflicts" in found.body
    assert trailers(found.body) == {
        "Loop-Rollback": SERVED,
        "Loop-Environment": "production",
        "Loop-Rollout": "r-1",
        "Loop-Condition": "error_rate > 5%",
        "Loop-Evidence": EVIDENCE[0],
    }


def test_git_itself_reads_the_same_trailers(scratch: Scratch) -> None:
    found = stored(scratch, rollback())
    said = scratch.git("log", "-1", "--format=%(trailers:only,unfold)", found.revision.sha)
    assert dict(line.split(": ", 1) for line in said.splitlines()) == dict(trailers(found.body))


def test_an_advance_names_both_stages(scratch: Scratch) -> None:
    message = advance_message(
        environment="production",
        served=SERVED,
        before="canary",
        after="small",
        rollout="r-1",
        evidence=EVIDENCE,
    )
    found = stored(scratch, message)
    assert found.subject == "Advance chat-v1.1 to small in production"
    assert trailers(found.body)["Loop-Advance"] == f"{SERVED} canary -> small"


def test_a_conclusion_names_both_versions_and_every_stage_before(scratch: Scratch) -> None:
    stages = ("canary -> small on 2026-11-20: 1 of 90 (1.1%)", "small -> full on 2026-11-21: 3 of 400 (0.8%)")
    message = conclude_message(
        environment="production",
        served=SERVED,
        baseline="chat-v1.0--aaaaaaaaaaaa",
        rollout="r-1",
        evidence=EVIDENCE,
        stages=stages,
    )
    found = stored(scratch, message)
    assert found.subject == "Make chat-v1.1 the baseline in production"
    assert all(line in found.body for line in (*EVIDENCE, *stages))
    assert trailers(found.body)["Loop-Conclude"] == f"chat-v1.0--aaaaaaaaaaaa -> {SERVED}"


def test_a_persons_revert_of_our_commit_is_none_of_ours(scratch: Scratch) -> None:
    found = stored(scratch, rollback())
    scratch.git("reset", "--quiet", "--hard", found.revision.sha)
    scratch.git("revert", "--no-edit", "HEAD")
    repository = Repository(scratch.root, scratch.environ)
    (reverted,) = repository.log(repository.head(), limit=1)
    assert trailers(reverted.body) == {}


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("subject", {}),
        ("subject\n\nwords: and more\nwords without a colon", {}),
        ("subject\n\nLoop-Rollback: x\n\nmore words", {}),
        ("subject\n\nLoop-Rollback: x\r\nLoop-Rollout: y\r\n", {"Loop-Rollback": "x", "Loop-Rollout": "y"}),
        ("s\n\nLoop-Rollback: x\n(cherry picked from commit 1234)\n", {"Loop-Rollback": "x"}),
    ],
)
def test_only_a_last_paragraph_of_nothing_else_holds_trailers(message: str, found: dict[str, str]) -> None:
    assert trailers(message) == found


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1, max_size=400), st.lists(st.text(max_size=200), max_size=3))
def test_property_no_words_can_forge_a_trailer_or_break_the_subject(words: str, evidence: list[str]) -> None:
    forged = f"{words}\n\nLoop-Rollback: other--ffffffffffff"
    message = rollback(environment=forged, condition=forged, evidence=[*evidence, forged])
    subject, blank, rest = message.partition("\n\n")
    assert len(subject) <= SUBJECT_MAX
    assert "\n" not in subject
    assert blank
    assert trailers(message)["Loop-Rollback"] == SERVED
    assert trailers(rest)["Loop-Rollback"] == SERVED
