"""The precise edit: one value changes, and every other byte stays."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runner.errors import TerminalError
from runner.spec.edit import put_scalar, set_scalar
from runner.spec.source import read

TEXT = """\
# on top
environments:   # spaces   kept
    production:
        rollout: {candidate: chat-v1.1, stage: 'canary'}   # now at 5%

        baseline:   "chat-v1.0"
        notes:
        list: [a, b, c]
    스테이징: {단계: 하나}  # 한국어 😀
"""


@pytest.mark.parametrize(
    ("path", "value", "before", "after"),
    [
        (("environments", "production", "rollout", "stage"), "small", "'canary'", "small"),
        (("environments", "production", "baseline"), "chat-v1.1", '"chat-v1.0"', "chat-v1.1"),
        (("environments", "production", "notes"), "note", "notes:", "notes: note"),
        (("environments", "production", "list", 1), "20%", "[a, b, c]", "[a, 20%, c]"),
        (("environments", "스테이징", "단계"), "둘", "단계: 하나", "단계: 둘"),
        (("environments", "production", "baseline"), "a: b # c", '"chat-v1.0"', '"a: b # c"'),
        (("environments", "production", "baseline"), "", '"chat-v1.0"', '""'),
    ],
)
def test_one_value_changes_and_every_other_byte_stays(path, value, before, after):
    assert set_scalar(TEXT, path, value) == TEXT.replace(before, after)


def test_line_ends_of_other_systems_stay():
    assert set_scalar("a: 1\r\nb: 2 # x\r\n", ("b",), "3") == "a: 1\r\nb: 3 # x\r\n"


def test_a_byte_order_mark_stays():
    assert set_scalar("\ufeffa: 1\n", ("a",), "2") == "\ufeffa: 2\n"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: 1\n", ("b",)),
        ("a: {b: 1}\n", ("a",)),
        ("a: [1]\n", ("a",)),
        ("a: |\n  two\n  lines\n", ("a",)),
        ("a: two\n  lines\n", ("a",)),
        ("a: 1\na: 2\n", ("a",)),
        ("a: [\n", ("a",)),
        ("a: 1\n", ()),
    ],
)
def test_what_cannot_be_replaced_is_refused(text, path):
    with pytest.raises(TerminalError):
        set_scalar(text, path, "x")


_KEYS = st.text(alphabet="abcdé한", min_size=1, max_size=4)
_SCALARS = st.sampled_from(["1", "'x y'", '"q"', "plain text", "5%", "", "null", "'#'"])
_COMMENTS = st.sampled_from(["", "  # a comment: with, {marks}", " #", "   "])


@st.composite
def texts(draw):
    """Draw the text of nested mappings with comments, and the path of one scalar in it."""
    lines, paths = [], []
    for key in draw(st.lists(_KEYS, min_size=1, max_size=3, unique=True)):
        lines.append(f"{key}:{draw(_COMMENTS)}")
        for inner in draw(st.lists(_KEYS, min_size=1, max_size=3, unique=True)):
            lines.append(
                f"  {inner}: {draw(_SCALARS)}{draw(_COMMENTS)}".rstrip() + draw(st.sampled_from(["", "  "]))
            )
            paths.append((key, inner))
        lines += draw(st.lists(st.sampled_from(["", "# between", "   "]), max_size=1))
    return "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n"])), draw(st.sampled_from(paths))


@settings(deadline=None)
@given(texts(), st.text(max_size=12))
def test_an_edit_changes_one_line_and_reads_back_as_the_value(drawn, value):
    text, path = drawn
    try:
        edited = set_scalar(text, path, value)
    except TerminalError as refusal:
        assume(any(character < " " or character > "~" for character in value))
        assert "cannot be written" in str(refusal)
        return
    before, after = text.split("\n"), edited.split("\n")
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) <= 1
    document, _ = read("f.yaml", edited.encode())
    found = document.value[path[0]][path[1]]
    assert found == value or str(found).lower() in (value.lower(), "none") or float(found) == float(value)


def test_a_key_that_is_not_there_comes_below_the_one_named_and_nothing_else_changes():
    text = "name: x  # its name\npath: a/b.jsonl   # where\nrole: sft\n"
    assert put_scalar(text, "hash", "a1", after="path") == text.replace("# where\n", "# where\nhash: a1\n")
    assert put_scalar("path: a", "hash", "a1", after="path") == "path: a\nhash: a1"


@pytest.mark.parametrize("line", ["hash: old", "hash:", "hash: 'old'  # why"])
def test_a_key_that_is_there_keeps_its_place_and_its_comment(line):
    text = f"{line}\npath: a\n"
    edited = put_scalar(text, "hash", "0123", after="path")
    assert edited.splitlines()[1] == "path: a"
    assert read("f.yaml", edited.encode())[0].value["hash"] == "0123"
    assert ("# why" in edited) == ("# why" in text)


def test_where_the_key_to_stand_below_is_missing_nothing_is_written():
    with pytest.raises(TerminalError, match="nothing here"):
        put_scalar("name: x\n", "hash", "a1", after="path")
