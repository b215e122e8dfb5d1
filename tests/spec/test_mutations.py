"""Ten thousand broken files: whatever stands in a file, loading ends in a spec or in diagnostics with a place."""

from __future__ import annotations

from collections import Counter
from random import Random

from runner.errors import Severity
from runner.spec.files import MemoryFiles
from runner.spec.load import load
from tests.spec.repository import quarantine_text

CASES = 10_000

SNIPPETS = (
    *(
        "\t",
        "\0",
        "\x85",
        "\ufeff",
        "\u2028",
        "😀",
        "'",
        '"',
        "\\",
        "&a ",
        "*a",
        "!!python/name:os.system ",
        "%YAML 9",
    ),
    *(
        "---\n",
        "...\n",
        "? ",
        "<<: ",
        "- ",
        ": ",
        "#",
        "|\n",
        ">\n",
        "{",
        "}",
        "[",
        "]",
        ",",
        "@",
        "`",
        "[" * 3000,
    ),
    *(
        "{a: " * 200,
        "9" * 400,
        "-1",
        "1e999",
        ".nan",
        ".inf",
        "0x10",
        "007",
        "1_000",
        "12:30:45",
        "2026-02-30",
    ),
    *("null", "~", "true", "no", "[]", "{}", "''", "5%", "-5%", "500%", "24h", "$50", "stable", "baseline"),
    *(
        "error_rate > 5%",
        "NOT " * 300,
        "((((",
        "chat-v9.9",
        "../../etc/passwd",
        "http://[",
        "Europe",
        "friday 99:99",
    ),
)
"""What YAML, numbers, names and conditions are most likely to stumble over."""


def _delete(data: bytes, start: int, size: int, _: bytes) -> bytes:
    return data[:start] + data[start + size :]


def _double(data: bytes, start: int, size: int, _: bytes) -> bytes:
    return data[: start + size] + data[start:]


def _flip(data: bytes, start: int, size: int, _: bytes) -> bytes:
    return data[:start] + bytes([data[start] ^ (1 << size % 8)]) + data[start + 1 :]


def _insert(data: bytes, start: int, _: int, snippet: bytes) -> bytes:
    return data[:start] + snippet + data[start:]


def _replace_value(data: bytes, start: int, _: int, snippet: bytes) -> bytes:
    """Put a snippet in the place of a value, so that its type changes and the file stays whole."""
    colon = data.find(b": ", start)
    end = data.find(b"\n", colon)
    return data[: colon + 2] + snippet + data[end:] if 0 <= colon < end else data + snippet


def _drop_line(data: bytes, start: int, _: int, __: bytes) -> bytes:
    lines = data.split(b"\n")
    del lines[start % len(lines)]
    return b"\n".join(lines)


def _double_line(data: bytes, start: int, size: int, _: bytes) -> bytes:
    lines = data.split(b"\n")
    line = lines[start % len(lines)]
    lines.insert(size % len(lines), line)
    return b"\n".join(lines)


def _indent_line(data: bytes, start: int, size: int, _: bytes) -> bytes:
    lines = data.split(b"\n")
    lines[start % len(lines)] = b" " * (size % 9) + lines[start % len(lines)].lstrip()
    return b"\n".join(lines)


def _swap_lines(data: bytes, start: int, size: int, _: bytes) -> bytes:
    lines = data.split(b"\n")
    one, other = start % len(lines), size % len(lines)
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


MUTATIONS = (
    *(_delete, _double, _flip, _insert, _replace_value, _replace_value),
    *(_drop_line, _double_line, _indent_line, _swap_lines),
)


def broken(contents: dict[str, bytes], draw: Random) -> tuple[str, bytes]:
    """Return a file and what one to three changes made of it, some of them with a piece of another file."""
    path, other = draw.choice(sorted(contents)), draw.choice(sorted(contents))
    data = contents[path]
    for _ in range(draw.randint(1, 3)):
        start, size = draw.randrange(2**16), draw.randrange(400)
        spliced = draw.choice(SNIPPETS).encode()
        if draw.randrange(7) == 0:
            spliced = contents[other][start % 400 : start % 400 + size]
        data = draw.choice(MUTATIONS)(data, start % len(data), size, spliced) or b" "
    return path, data


def test_no_broken_file_ends_in_anything_but_a_spec_or_diagnostics(repository):
    """Drawn by number and not by Hypothesis, whose own work took longer than loading."""
    repository.texts["quarantine.yaml"] = quarantine_text(
        "chat-v1.1--bbbbbbbbbbbb", "chat-v1.0--0123456789ab"
    )
    contents = {path: text.encode() for path, text in repository.texts.items()}
    seen = Counter()
    for number in range(CASES):
        path, data = broken(contents, Random(number))
        try:
            loaded = load(MemoryFiles({**contents, path: data}, repository.digests))
        except Exception as error:
            raise AssertionError(f"case {number}: {path} as {data!r}") from error
        errors = [item for item in loaded.diagnostics if item.severity is Severity.ERROR]
        seen["sound" if loaded.spec else "refused"] += 1
        assert (loaded.spec is None) == bool(errors), number
        assert all(item.location is not None and item.summary and str(item) for item in loaded.diagnostics), (
            number
        )
        assert loaded.spec is None or len(loaded.spec.digest) == 64, number
    assert min(seen["sound"], seen["refused"]) > CASES / 100
