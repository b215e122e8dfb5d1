"""Names of versions: the next one follows the newest, and names of one artifact sort by age."""

from __future__ import annotations

import random
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import TerminalError
from runner.registry.naming import LONGEST, by_age, next_name, parse


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["chat-v1.0"], "chat-v1.1"),
        (["chat-v1.9", "chat-v1.10"], "chat-v1.11"),
        (["chat-v1.7", "chat-v2.0"], "chat-v2.1"),
        (["my-v2.chat-v0.3"], "my-v2.chat-v0.4"),
        (["chat-v1.0", "an-experiment", "chat-v1.0-hot"], "chat-v1.1"),
    ],
)
def test_the_next_name_has_the_newest_versions_next_minor_number(names: list[str], expected: str) -> None:
    assert next_name(names) == expected


@pytest.mark.parametrize("names", [[], ["chat"], ["chat-v1"], ["chat-v1.0", "support-v1.0"]])
def test_without_one_artifact_a_person_names_the_version(names: list[str]) -> None:
    with pytest.raises(TerminalError, match="--name"):
        next_name(names)


@pytest.mark.parametrize(
    "name",
    [
        *[
            "chat-v01.0",
            "chat-v1.00",
            "chat-v1",
            "v1.0",
            "-v1.0",
            "Chat-v1.0",
            "chat-v1.0 ",
            "chat-v1.\u0661",
        ],
        *["a..b-v1.1", "a...b-v1.1", ".a-v1.1"],
    ],
)
def test_a_name_of_another_form_is_no_version_name(name: str) -> None:
    assert parse(name) is None


def test_a_name_is_as_long_as_a_file_and_a_branch_can_bear() -> None:
    longest = "a" * (LONGEST - len("-v1.1")) + "-v1.1"
    assert str(parse(longest)) == longest
    assert parse(f"a{longest}") is None
    assert parse(f"chat-v{'9' * 5000}.0") is None


@given(st.text("ab.-_@~^:{/\\", min_size=1, max_size=12).map(lambda artifact: f"{artifact}-v1.1"))
@settings(max_examples=60)
def test_every_name_of_a_version_is_a_legal_name_of_a_branch(name: str) -> None:
    if parse(name) is not None:
        checked = subprocess.run(["git", "check-ref-format", f"refs/heads/{name}"], check=False)
        assert checked.returncode == 0, name


def test_versions_sort_by_age_and_other_names_come_last() -> None:
    ordered = ["a-v2.0", "chat-v1.2", "chat-v1.10", "chat-v2.0", "chat-v1", "zebra"]
    for seed in range(20):
        mixed = random.Random(seed).sample(ordered, len(ordered))
        assert by_age(mixed) == ordered
