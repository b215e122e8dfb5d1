"""The quarantine: read where it is there, never in the way of another change, and told where it keeps users off."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runner.errors import Severity
from runner.git import changes
from runner.spec.quarantine import Quarantined
from tests.spec.repository import quarantine_text

PRODUCTION = ("environments", "production")
FILE = "quarantine.yaml"
AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
BAD, OTHER_BYTES, UNKNOWN = (
    "chat-v1.1--bbbbbbbbbbbb",
    "chat-v1.1--0123456789ab",
    "chat-v0.9--0123456789ab",
)


def test_without_the_file_nothing_is_quarantined(repository):
    loaded = repository.load()
    assert (loaded.spec.quarantine, loaded.diagnostics) == ((), ())


def test_a_file_in_which_everything_was_lifted_says_nothing(repository):
    _quarantine(repository)
    assert "quarantined: []" in repository.texts[FILE]
    loaded = repository.load()
    assert (loaded.spec.quarantine, loaded.diagnostics) == ((), ())


def test_a_list_whose_last_entry_was_deleted_with_its_brackets_is_told(repository):
    _quarantine(repository)
    repository.texts[FILE] = repository.texts[FILE].replace(" []", "")
    repository.refuses("'quarantined' should be a list", line="quarantined:", evidence="null")


def test_what_was_rolled_back_is_part_of_the_spec_in_the_order_of_the_file(repository):
    _quarantine(repository, OTHER_BYTES, BAD)
    spec = repository.load().spec
    assert [entry.served for entry in spec.quarantine] == [OTHER_BYTES, BAD]
    assert all(isinstance(entry, Quarantined) for entry in spec.quarantine)
    assert [entry["served"] for entry in spec.to_json()["quarantine"]] == [OTHER_BYTES, BAD]


def test_to_quarantine_and_to_lift_it_change_the_digest_of_the_spec(repository):
    before = repository.load().spec.digest
    _quarantine(repository, BAD)
    quarantined = repository.load().spec.digest
    del repository.texts[FILE]
    assert (before != quarantined, before == repository.load().spec.digest) == (True, True)


@pytest.mark.parametrize(
    ("key", "value", "summary"),
    [
        ("served", "chat-v1.1", "'served' should be a version and its digest"),
        ("served", "chat-v1.1--BBBBBBBBBBBB", "'served' should be a version and its digest"),
        ("environment", "Production", "'environment' should be a name"),
        ("at", "yesterday", "'at' should be a date and time such as 2026-11-21T09:30:00Z"),
        ("at", "2026-11-21T09:30:00", "'at' should have timezone info"),
    ],
)
def test_an_entry_that_cannot_be_read_is_refused_with_its_form(repository, key, value, summary):
    _quarantine(repository, BAD)
    repository.set(FILE, "quarantined", 0, key, to=value)
    repository.refuses(summary, line=f"- {key}:" if key == "served" else f"{key}:", evidence=value)


def test_an_unknown_key_is_told_with_the_closest(repository):
    _quarantine(repository, BAD)
    repository.set(FILE, "quarantined", 0, "conditon", to="x")
    repository.refuses("unknown key 'conditon'", line="conditon:", fix="did you mean 'condition'?")


@pytest.mark.parametrize("key", ["served", "environment", "at", "condition"])
def test_an_entry_says_what_where_when_and_why(repository, key):
    _quarantine(repository, BAD)
    repository.remove(FILE, "quarantined", 0, key)
    repository.refuses(f"key '{key}' is missing", line="-", fix=f"add '{key}: ...'")


def test_a_reason_of_any_reasonable_length_is_taken(repository):
    _quarantine(repository, BAD)
    for key in ("condition", "evidence"):
        repository.set(FILE, "quarantined", 0, key, to="because " * 2000)
    repository.set(FILE, "quarantined", 0, "condition", to="")
    assert repository.load().diagnostics == ()


def test_a_file_of_another_suffix_is_not_passed_over_in_silence(repository):
    repository.texts["quarantine.yml"] = quarantine_text(BAD)
    found = repository.only()
    assert (found.location.path, found.severity) == ("quarantine.yml", Severity.ERROR)
    assert found.fix == "rename it to 'quarantine.yaml'"


def test_other_bytes_under_a_version_are_quarantined_without_a_word(repository):
    _put_on_trial(repository)
    _quarantine(repository, OTHER_BYTES)
    assert repository.load().diagnostics == ()


def test_a_version_that_is_gone_is_a_warning(repository):
    _quarantine(repository, UNKNOWN)
    repository.refuses(
        "there is no version 'chat-v0.9' to quarantine",
        line=f"- served: {UNKNOWN}",
        evidence="known: chat-v1.0, chat-v1.1",
        fix="delete the entry",
        severity=Severity.WARNING,
    )


def test_an_entry_that_stands_twice_is_a_warning(repository):
    _quarantine(repository, BAD, OTHER_BYTES, BAD)
    repository.refuses(
        f"'{BAD}' is quarantined twice",
        line=f"- served: {BAD}",
        fix="delete one",
        severity=Severity.WARNING,
    )
    assert repository.only().location.line > repository.texts[FILE].splitlines().index(
        f"- served: {OTHER_BYTES}"
    )


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_candidate_that_was_rolled_back_anywhere_is_a_warning_and_no_error(repository, environment):
    _put_on_trial(repository, environment)
    _quarantine(repository, BAD)
    repository.refuses(
        f"'chat-v1.1' is quarantined, so the candidate of '{environment}' gets no users",
        line="candidate: chat-v1.1",
        evidence="rolled back in 'production', 2026-11-21 09:30 UTC: error_rate > 5%",
        fix="delete its entry in quarantine.yaml by a commit to put it on trial again",
        severity=Severity.WARNING,
    )


def test_an_experiment_with_a_version_that_was_rolled_back_is_a_warning(repository):
    repository.set(
        "loop.yaml", *PRODUCTION, "experiments", to=[{"name": "x", "versions": ["chat-v1.0", "chat-v1.1"]}]
    )
    _quarantine(repository, BAD)
    repository.refuses(
        "'chat-v1.1' is quarantined, so nobody takes part in 'x'",
        line="- chat-v1.1",
        fix="by a commit",
        severity=Severity.WARNING,
    )


def test_a_quarantine_that_cannot_be_read_hides_nothing_of_the_other_files(repository):
    repository.texts[FILE] = "quarantined: [\n"
    repository.set("loop.yaml", *PRODUCTION, "baseline", to="chat-v9")
    assert [item.location.path for item in repository.load().diagnostics] == ["loop.yaml", FILE]


def test_what_automation_writes_and_lifts_again_is_read_without_a_word(repository):
    first, second = (
        Quarantined(served=served, environment="production", at=AT, condition=why, evidence=why or None)
        for served, why in ((BAD, "error_rate > 5%: 'x' #1\n- " * 40), (OTHER_BYTES, ""))
    )
    repository.texts[FILE] = changes.quarantine_entry(None, first)
    repository.texts[FILE] = changes.quarantine_entry(repository.texts[FILE], second)
    loaded = repository.load()
    assert [entry.served for entry in loaded.spec.quarantine] == [BAD, OTHER_BYTES]
    assert (loaded.spec.quarantine[0].at, loaded.diagnostics) == (AT, ())
    for served in (BAD, OTHER_BYTES):
        repository.texts[FILE] = changes.lift(repository.texts[FILE], served)
    lifted = repository.load()
    assert (lifted.spec.quarantine, lifted.diagnostics) == ((), ())


def _put_on_trial(repository, environment="production"):
    trial = {"candidate": "chat-v1.1", "stage": "canary"}
    repository.set("loop.yaml", "environments", environment, "rollout", to=trial)


def _quarantine(repository, *served):
    repository.texts[FILE] = quarantine_text(*served)
