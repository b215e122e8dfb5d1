"""`loop mask`: a text or JSON lines in, the same without personal data out; no value is ever shown."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import pytest

from tests.cli.workbench import CHECKOUT, Bench, refused

TEXT = "Dear shop,\ncall (555) 555-0154 or write to ann@example.com.\n"
SECRETS = ("555-0154", "ann@example.com")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("mask") / "repo")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "letter.txt"
    path.write_text(TEXT)
    return path


def test_a_text_comes_out_masked_and_nothing_else_is_printed_beside_it(bench: Bench, text: Path) -> None:
    said = bench.loop("mask", str(text))
    assert said.code == 0
    assert said.out == "Dear shop,\ncall <PHONE_1> or write to <EMAIL_1>.\n"
    assert said.err == "masked: 1 email, 1 phone\n"


def test_standard_input_is_read_where_no_file_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    assert bench.loop("mask").out == "Dear shop,\ncall <PHONE_1> or write to <EMAIL_1>.\n"


def test_a_line_of_json_is_one_conversation_and_keeps_its_shape(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    lines = [
        {
            "messages": [{"role": "user", "content": "a@x.com"}, {"role": "user", "content": "b@x.com"}],
            "n": 3,
        },
        {"answer": ["b@x.com", None, True], "correction": "B@X.com"},
    ]
    path.write_text("\n\n".join(map(json.dumps, lines)))
    said = bench.loop("mask", "--entities", "email", str(path))
    assert [json.loads(line) for line in said.out.splitlines()] == [
        {
            "messages": [
                {"role": "user", "content": "<EMAIL_1>"},
                {"role": "user", "content": "<EMAIL_2>"},
            ],
            "n": 3,
        },
        {"answer": ["<EMAIL_1>", None, True], "correction": "<EMAIL_1>"},
    ]
    assert said.err == "masked: 4 email\n"


def test_json_says_where_what_was_found_and_not_what_it_was(bench: Bench, text: Path) -> None:
    said = bench.loop("mask", "--json", str(text))
    told = json.loads(said.out)
    assert [(TEXT[each["start"] : each["end"]], each["entity"]) for each in told["found"]] == [
        ("(555) 555-0154", "phone"),
        ("ann@example.com", "email"),
    ]
    assert (told["counts"], told["excluded"]) == ({"email": 1, "phone": 1}, [])
    assert not any(secret in said.out for secret in SECRETS)


def test_other_kinds_than_the_policys_can_be_tried(bench: Bench, text: Path) -> None:
    said = bench.loop("mask", "--entities", "email, card", str(text))
    assert said.out == "Dear shop,\ncall (555) 555-0154 or write to <EMAIL_1>.\n"
    refused(
        bench.loop("mask", "--entities", "emial", str(text)),
        "there is no kind 'emial'",
        "known: email, phone",
    )


def test_a_policy_that_excludes_is_told(bench: Bench, text: Path) -> None:
    bench.files.set("policies/privacy.yaml", "exclude_with", to=["phone"])
    bench.write()
    try:
        said = bench.loop("mask", str(text))
        assert "left out of data sets whole: 1 of 1 conversations, for phone" in said.err
    finally:
        bench.files.remove("policies/privacy.yaml", "exclude_with")
        bench.write()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b'{"a": "ann@example.com"}\n{"a": "ann@example.com"',
            "line 2 is not JSON, as the lines before it are",
        ),
        (b"call (555) 555-0154 \xff", "is not UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_an_error_names_the_place_and_never_a_value(
    bench: Bench, tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "broken.jsonl"
    if content is not None:
        path.write_bytes(content)
    said = bench.loop("mask", str(path))
    refused(said, message)
    assert said.out == ""
    assert not any(secret in said.err for secret in SECRETS)


def test_nothing_is_printed_that_a_terminal_obeys(bench: Bench, tmp_path: Path) -> None:
    said = "a\x1b]0;t\x07b\x1b[2Jc \x9bmail ann@example.com\x00 \u202ed\r\n"
    text, lines = tmp_path / "a.txt", tmp_path / "a.jsonl"
    text.write_text(said, newline="")
    lines.write_text(json.dumps({"k\u202e\x9b": said}, ensure_ascii=False))
    assert bench.loop("mask", str(text)).out == "a]0;tbc mail <EMAIL_1> d\n"
    for path, more in ((lines, ()), (lines, ("--json",)), (text, ("--json",))):
        told = bench.loop("mask", *more, str(path)).out
        assert told.rstrip("\n").isprintable()
        assert "a]0;tbc mail <EMAIL_1> d" in told
    assert json.loads(bench.loop("mask", str(lines)).out) == {"k\u202e\x9b": "a]0;tbc mail <EMAIL_1> d\n"}


@pytest.mark.parametrize("content", ["{not json, but a text with 5 words}", "", "[1] a footnote\n", "{}"])
def test_what_only_looks_like_json_is_a_text(bench: Bench, tmp_path: Path, content: str) -> None:
    path = tmp_path / "text.txt"
    path.write_text(content)
    said = bench.loop("mask", "--entities", "email", str(path))
    assert (said.code, said.out.strip()) == (0, content.strip())


def test_the_example_of_the_document_comes_out_as_it_stands_there(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = (CHECKOUT / "docs" / "privacy.md").read_text(encoding="utf-8")
    found = re.search(r'\$ echo "(.*)" \| loop mask\n(.*)\n(masked: .*)\n', document)
    assert found is not None
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{found[1]}\n".encode())))
    said = bench.loop("mask")
    assert (said.out, said.err) == (f"{found[2]}\n", f"{found[3]}\n")
