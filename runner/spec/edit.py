"""The precise edit: one scalar of a YAML text is replaced, and every other byte stays as it is.

Advances and rollbacks are commits of one line; comments and layout belong to the people who wrote them.
Called by the git part. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml

from runner.errors import Diagnostic, TerminalError
from runner.spec.source import KeyPath, read

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PATH = "text"
_MARK = "\ufeff"
"""The byte order mark that some editors put first."""


def set_scalar(text: str, path: KeyPath, value: str) -> str:
    """Return `text` with the scalar at `path` replaced by `value`, and nothing else changed.

    `value` is written plain where it then reads back as itself (`canary`, `20%`, `0.2`), else in quotes.
    Raises TerminalError where the text cannot be read, where nothing is at `path`, or where it is no scalar
    on one line.
    """
    body = text.removeprefix(_MARK)
    start, end = _span(body, path)
    space = " " if start == end else ""  # `key:` alone has no space to write after
    quoted = json.dumps(value, ensure_ascii=False)
    for written in (value, quoted) if value else (quoted,):
        edited = body[:start] + space + written + body[end:]
        if _fits(body, edited, path, value):
            return text[: len(text) - len(body)] + edited
    raise _refusal(path, f"the value {value!r} cannot be written there on one line")


def put_scalar(text: str, key: str, value: str, after: str) -> str:
    """Return `text` with the scalar at the top-level `key` set to `value`; a key that is not there comes below `after`.

    Raises TerminalError as `set_scalar` does.
    """
    document, problems = read(_PATH, text.removeprefix(_MARK).encode())
    if document is None or problems:
        raise TerminalError(*problems)
    if (key,) in document.places:
        return set_scalar(text, (key,), value)
    start = len(text) - len(text.removeprefix(_MARK)) + _span(text, (after,))[1]
    end = text.find("\n", start)
    line_end = len(text) if end < 0 else end
    return set_scalar(f"{text[:line_end]}\n{key}:{text[line_end:]}", (key,), value)


def _fits(before: str, after: str, path: KeyPath, value: str) -> bool:
    """Whether the scalar at `path` now is `value`, and everything else means what it meant."""
    old, _ = read(_PATH, before.encode())
    new, problems = read(_PATH, after.encode())
    if old is None or new is None or problems or path not in new.places:
        return False
    written = next((event.value for found, event in _scalars(after) if found == path), None)
    return written == value and _without(old.value, path) == _without(new.value, path)


def _without(value: Any, path: KeyPath) -> Any:
    """Return a copy of `value` in which what is at `path` does not count."""
    if not path:
        return None
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [(key, _without(item, path[1:]) if key == path[0] else item) for key, item in items]


def _span(text: str, path: KeyPath) -> tuple[int, int]:
    """Return from where to where the scalar at `path` stands in the text."""
    document, problems = read(_PATH, text.encode())
    if document is None or problems:
        raise TerminalError(*problems)
    if path not in document.places or document.known(path) != path:
        raise _refusal(path, "there is nothing here to replace")
    for found, event in _scalars(text):
        if found == path:
            start, end = event.start_mark, event.end_mark
            if start.line != end.line:
                break
            return start.index, end.index
    raise _refusal(path, "only a value on one line can be replaced")


def _scalars(text: str) -> Iterator[tuple[KeyPath, Any]]:
    """Yield every value that is a scalar with its path, in the order of the text."""
    stack: list[list[Any]] = []  # for each open collection: its path, and the key or index that comes next

    def place(is_value: bool = True) -> KeyPath:
        if not stack:
            return ()
        top = stack[-1]
        path: KeyPath = (*top[0], top[1])
        if is_value:
            top[1] = top[1] + 1 if isinstance(top[1], int) else None
        return path

    for event in yaml.parse(text, Loader=_LOADER):
        match event:
            case yaml.MappingStartEvent():
                stack.append([place(), None])
            case yaml.SequenceStartEvent():
                stack.append([place(), 0])
            case yaml.CollectionEndEvent():
                stack.pop()
            case yaml.ScalarEvent() if stack and stack[-1][1] is None:
                stack[-1][1] = event.value
            case yaml.ScalarEvent():
                yield place(), event


def _refusal(path: KeyPath, summary: str) -> TerminalError:
    where = ".".join(map(str, path))
    return TerminalError(Diagnostic(summary, evidence=(f"at: {where}",)))
