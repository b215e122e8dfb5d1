"""Reading YAML: a strict part of it, every mistake with its line, and nothing that expands."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.spec.source import MAX_BYTES, read


def only(data):
    document, found = read("f.yaml", data)
    assert document is None
    assert len(found) == 1, found
    return found[0]


def test_every_key_and_value_has_its_place():
    document, found = read("f.yaml", b"a: 1\nb:\n  - x\n  - {c: 5%}\n")
    assert found == ()
    places = {path: (str(p.key), p.value.line, p.value.column) for path, p in document.places.items()}
    assert places == {
        (): ("f.yaml:1", 1, 1),
        ("a",): ("f.yaml:1", 1, 4),
        ("b",): ("f.yaml:2", 3, 3),
        ("b", 0): ("f.yaml:3", 3, 5),
        ("b", 1): ("f.yaml:4", 4, 5),
        ("b", 1, "c"): ("f.yaml:4", 4, 9),
    }


def test_only_true_false_null_and_numbers_are_not_text():
    text = b"[true, false, null, ~, 1, -2, 0.5, 1e3, no, on, 2026-11-21, 1:30, 0x1f, '1', 5%, 24h]"
    document, _ = read("f.yaml", b"v: " + text)
    tail = ["no", "on", "2026-11-21", "1:30", "0x1f", "1", "5%", "24h"]
    assert document.value["v"] == [True, False, None, None, 1, -2, 0.5, 1000.0, *tail]


@pytest.mark.parametrize(
    ("data", "summary", "line"),
    [
        (b"a: &x 1\nb: 2\n", "anchor '&x' is not supported", 1),
        (b"a: 1\nb: *x\n", "alias '*x' is not supported", 2),
        (b"a: 1\n<<: {b: 1}\n", "merge key '<<' is not supported", 2),
        (b"a: 1\nb: !!python/object/apply:os.system [ls]\n", "tag 'tag:yaml.org,2002:python", 2),
        (b"a: 1\n---\nb: 2\n", "a second document begins here", 2),
        (b"a: 1\n? [b]\n: 2\n", "a key must be text", 2),
        (b"a:\n\t- b\n", "a tab where spaces belong", 2),
        (b"a: 1\nb: 'open\n", "not YAML", 3),
        (b"a: 1\nb: \xff\n", "the file is not UTF-8", 2),
        (b"a: 1\nb: \x00\n", "control character U+0000", 2),
        (b"a: 1\nb: \x07\n", "control character U+0007", 2),
        ("a: 1\nb: \ufffe\n".encode(), "a character that YAML does not allow", 2),
        (b'a: 1\nb: "\\ud800"\n', "not YAML", 2),
        (b"a: 1\nb: " + b"[" * 100_000, "nested more than 32 deep", 2),
        (b"- 1\n", "the file must hold keys and values", 1),
        (b"just text", "the file must hold keys and values", 1),
        (b"", "the file is empty", 0),
        (b"# only a comment\n", "the file is empty", 0),
        (b"a: " + b"x" * MAX_BYTES, "more than 1,048,576 are not read", 0),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(data, summary, line):
    found = only(data)
    assert summary in found.summary
    assert (found.location.path, found.location.line) == ("f.yaml", line)


@pytest.mark.parametrize(
    ("data", "summary"),
    [
        (b"a: 1\na: 2\n", "key 'a' stands twice"),
        (b"b: 1\na: " + b"9" * 5000, "a whole number of 5000 digits is too large"),
        (b"b: 1\na: .nan\n", "'.nan' is not a number that can be compared"),
        (b"b: 1\na: -.inf\n", "'-.inf' is not a number that can be compared"),
        (b"b: 1\na: 1e999\n", "'1e999' is too large for a number"),
        (b"b: 1\na: 007\n", "'007' begins with a zero"),
    ],
)
def test_lesser_mistakes_leave_a_document_so_that_the_rest_is_checked_too(data, summary):
    document, found = read("f.yaml", data)
    assert [(item.summary, item.location.line) for item in found] == [(summary, 2)]
    assert "a" in document.value


def test_of_a_key_that_stands_twice_the_first_is_named_and_kept():
    document, found = read("f.yaml", b"a: {b: 1}\nc: 2\na: {b: [3, {d: 4}]}\n")
    assert found[0].evidence == ("first at line 1",)
    assert document.value == {"a": {"b": 1}, "c": 2}


def test_a_billion_laughs_are_not_told():
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    assert "anchor" in only("\n".join(lines).encode()).summary


def test_a_byte_order_mark_is_no_part_of_the_first_key():
    document, found = read("f.yaml", b"\xef\xbb\xbfa: 1\n")
    assert (document.value, found) == ({"a": 1}, ())


_PLAIN = st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(max_size=20)
_VALUES = st.recursive(
    _PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=8), _VALUES, min_size=1, max_size=4))
def test_what_another_writer_wrote_in_quotes_reads_back(value):
    text = yaml.dump(value, default_style='"', Dumper=_Quoting, width=10_000)
    document, found = read("f.yaml", text.encode())
    assert (found, document.value) == ((), value)


class _Quoting(yaml.SafeDumper):
    """Quotes texts, and writes everything else plain."""

    def ignore_aliases(self, data):
        return True

    def represent_scalar(self, tag, value, style=None):
        return super().represent_scalar(tag, value, '"' if tag.endswith(":str") else "")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    document, found = read("f.yaml", data)
    assert document is not None or found


def test_the_reader_in_python_reads_as_the_one_in_c(monkeypatch, repository):
    expected = [read(path, text.encode()) for path, text in repository.texts.items()]
    monkeypatch.setattr("runner.spec.source._LOADER", yaml.SafeLoader)
    found = [read(path, text.encode()) for path, text in repository.texts.items()]
    assert [(d.value, f) for d, f in found] == [(d.value, f) for d, f in expected]
