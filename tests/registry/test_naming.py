"""Names of versions: the next one follows the newest, and names of one artifact sort by age."""

from __future__ import annotations

import random

import pytest

from runner.errors import TerminalError
from runner.registry.naming import by_age, next_name, parse


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
    "name", ["chat-v01.0", "chat-v1.00", "chat-v1", "v1.0", "-v1.0", "Chat-v1.0", "chat-v1.0 "]
)
def test_a_name_of_another_form_is_no_version_name(name: str) -> None:
    assert parse(name) is None


def test_versions_sort_by_age_and_other_names_come_last() -> None:
    ordered = ["a-v2.0", "chat-v1.2", "chat-v1.10", "chat-v2.0", "chat-v1", "zebra"]
    for seed in range(20):
        mixed = random.Random(seed).sample(ordered, len(ordered))
        assert by_age(mixed) == ordered
