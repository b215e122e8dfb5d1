"""Tags in GTO's style: what is written reads back, and the highest counter says what a stage has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import TerminalError
from runner.registry.tags import StageTag, Tag, VersionTag, has_now, newest, parse, stage_tag, version_tag

WORD = st.from_regex(r"[a-z0-9]([a-z0-9/-]{0,6}[a-z0-9])?", fullmatch=True)
NUMBER = st.integers(0, 99)
VERSION = st.tuples(NUMBER, NUMBER, NUMBER).map(lambda each: "v" + ".".join(map(str, each)))
TAGS: st.SearchStrategy[Tag] = st.one_of(
    st.builds(VersionTag, WORD, VERSION, st.booleans(), st.none() | NUMBER),
    st.builds(StageTag, WORD, WORD, NUMBER, st.booleans()),
)


@given(TAGS)
def test_every_tag_reads_back_as_it_was_written(tag: Tag) -> None:
    assert parse(str(tag)) == tag


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("chat@v1.1.0", VersionTag("chat", "v1.1.0")),
        ("chat@v1.1.0!", VersionTag("chat", "v1.1.0", taken_back=True)),
        ("chat#production#3", StageTag("chat", "production", 3)),
        ("chat#production!#4", StageTag("chat", "production", 4, taken_back=True)),
        ("v1.1.0", None),
        ("chat@1.1.0", None),
        ("chat@v1.1", None),
        ("chat@v01.1.0", None),
        ("chat#production", None),
        ("chat@deprecated#2", None),
        ("chat#production#3 ", None),
    ],
)
def test_a_tag_is_read_by_the_grammar_and_others_are_left_alone(text: str, tag: Tag | None) -> None:
    assert parse(text) == tag


def test_a_version_is_tagged_by_its_artifact_and_three_numbers() -> None:
    assert str(version_tag("chat-v1.1")) == "chat@v1.1.0"
    for name in ("chat", "chat.bot-v1.0"):
        with pytest.raises(TerminalError, match="cannot be written as a tag"):
            version_tag(name)


def test_each_time_that_a_stage_gets_a_version_counts_on() -> None:
    tags = [
        "chat@v1.0.0",
        "chat#production#2",
        "chat#production!#9",
        "chat#staging#40",
        "other#production#50",
    ]
    assert str(stage_tag("chat-v1.1", "production", tags)) == "chat#production#10"
    assert str(stage_tag("chat-v1.1", "canary", tags)) == "chat#canary#1"
    with pytest.raises(TerminalError, match="stage"):
        stage_tag("chat-v1.1", "not.one", tags)


COMMITS = {"chat@v1.0.0": "aaa", "chat@v1.1.0": "bbb", "support@v7.0.0": "bbb", "chat#production#1": "aaa"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "chat@v1.0.0"),
        ({"chat#production#2": "bbb"}, "chat@v1.1.0"),
        ({"chat#production#2": "bbb", "chat#production#3": "aaa"}, "chat@v1.0.0"),
        ({"chat#production#10": "bbb", "chat#production#9": "aaa"}, "chat@v1.1.0"),
        ({"chat#production!#2": "aaa"}, None),
        ({"chat#production#2": "ccc"}, None),
        ({"chat#production#2": "bbb", "chat@v1.1.0!": "bbb"}, None),
    ],
)
def test_a_stage_has_the_version_that_its_newest_tags_commit_registers(
    more: dict[str, str], expected: str | None
) -> None:
    found = has_now("production", "chat", {**COMMITS, **more})
    assert (None if found is None else str(found)) == expected


def test_a_stage_that_never_had_a_version_has_none() -> None:
    assert newest("staging", "chat", COMMITS) is None
    assert has_now("staging", "chat", COMMITS) is None
