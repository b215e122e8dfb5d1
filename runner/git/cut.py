"""Takes one entry out of a YAML text and leaves every other byte: what `spec.edit` is for values, for entries.

Called by `changes`, which proves afterwards that the text means what it should; so a layout that is not
foreseen here ends in a refusal there and never in a wrong file. Pure.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import yaml

from runner.errors import Diagnostic, TerminalError
from runner.spec.source import KeyPath

MARK = "\ufeff"
"""The byte order mark that some editors put first."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Span:
    """From where to where (exclusive) in a text, in characters."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a collection: the collection, what names the entry (its key, or the item) and its value."""

    parent: Any
    index: int
    key: Any
    value: Any

    @property
    def end(self) -> int:
        """Where its last character is over."""
        return max(last_character(self.value), int(self.key.end_mark.index) if self.named else 0)

    @property
    def named(self) -> bool:
        """Whether it stands under a key."""
        return isinstance(self.parent, yaml.MappingNode)

    @property
    def alone(self) -> bool:
        """Whether its collection holds nothing else."""
        return len(self.parent.value) == 1


def find(body: str, path: KeyPath) -> Entry | None:
    """Return the entry at `path` (not empty) of a text without byte order mark, or None where there is none."""
    node = yaml.compose(body, Loader=_LOADER)
    entry: Entry | None = None
    for part in path:
        entry = _inside(node, part)
        if entry is None:
            return None
        node = entry.value
    return entry


def last_character(node: Any) -> int:
    """Return where a value's last character is over; blank lines and comments after it do not count."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    if isinstance(last, tuple):
        return max(last_character(last[0]), last_character(last[1]))
    return last_character(last)


def without(text: str, path: KeyPath, keep: Collection[str] = ()) -> tuple[str, Span]:
    """Return `text` without the entry at `path`, and where that stood in it.

    Comments directly above it, and those indented deeper that follow it, go with it, except lines that
    (without the blanks around them) are in `keep`. Raises TerminalError where it cannot be cut out cleanly.
    """
    offset = len(text) - len(text.removeprefix(MARK))
    body = text[offset:]
    entry = find(body, path)
    if entry is None:
        raise _refusal(path, "there is nothing here to take out")
    spans = _flow_spans(body, entry) if entry.parent.flow_style else (_block_span(body, entry, path, keep),)
    for span in reversed(spans):
        body = body[: span.start] + body[span.end :]
    return text[:offset] + body, Span(offset + spans[0].start, offset + spans[-1].end)


def line_start(text: str, at: int) -> int:
    """Return where the line of a character begins."""
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    """Return where the line of a character is over, its line end included."""
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


def past_comments(text: str, at: int, indent: int) -> int:
    """Return where comments deeper than `indent`, with blank lines between, are over; `at` where none follow."""
    end = here = at
    while here < len(text):
        here, line = line_end(text, here), text[here : line_end(text, here)]
        if line.strip() and not (line.lstrip().startswith("#") and _depth(line) > indent):
            break
        end = here if line.strip() else end
    return end


def _inside(node: Any, part: str | int) -> Entry | None:
    if isinstance(node, yaml.MappingNode):
        for index, (key, value) in enumerate(node.value):
            if key.value == part:
                return Entry(node, index, key, value)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return Entry(node, part, node.value[part], node.value[part])
    return None


def _block_span(text: str, entry: Entry, path: KeyPath, keep: Collection[str]) -> Span:
    """Return the whole lines of an entry in block style, with its own comments."""
    start = line_start(text, entry.key.start_mark.index)
    before = text[start : entry.key.start_mark.index]
    if before.strip() != ("" if entry.named else "-"):
        raise _refusal(path, "it shares its line with something else")
    indent = _depth(before) if not entry.named else len(before)
    end = line_end(text, max(entry.end - 1, entry.key.start_mark.index))
    end = past_comments(text, end, indent)
    return Span(_above(text, start, indent, keep), end)


def _above(text: str, start: int, indent: int, keep: Collection[str]) -> int:
    """Return where the comments that stand directly above a line, as deep as it, begin."""
    while start:
        above = line_start(text, start - 1)
        line = text[above:start]
        if not line.lstrip().startswith("#") or _depth(line) != indent or line.strip() in keep:
            break
        start = above
    return start


def _flow_spans(text: str, entry: Entry) -> tuple[Span, ...]:
    """Return what an entry between braces takes up, with one of its commas."""
    start, end = int(entry.key.start_mark.index), entry.end
    commas = [token.start_mark.index for token in yaml.scan(text, Loader=_LOADER) if _is_comma(token)]
    siblings = entry.parent.value
    upper = entry.parent.end_mark.index
    if entry.index + 1 < len(siblings):
        following = siblings[entry.index + 1]
        upper = (following[0] if entry.named else following).start_mark.index
    after = next((at for at in commas if end <= at < upper), None)
    if after is not None:
        return (_with_line(text, start, after + 1),)
    before = next((at for at in reversed(commas) if at < start), -1)
    if entry.index == 0 or before < 0:
        return (Span(start, end),)
    if "\n" not in text[before:start]:
        return (Span(before, end),)
    return (_with_line(text, start, end),)  # a comma before the brace is allowed, and its comment stays


def _with_line(text: str, start: int, end: int) -> Span:
    """Widen a span to its whole line where nothing but its own comment shares that, else by the blanks after."""
    first, last = line_start(text, start), line_end(text, end)
    rest = text[end:last].strip()
    if not text[first:start].strip() and (not rest or rest.startswith("#")):
        return Span(first, last)
    while end < len(text) and text[end] in " \t":
        end += 1
    return Span(start, end)


def _is_comma(token: Any) -> bool:
    return isinstance(token, yaml.FlowEntryToken)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _refusal(path: KeyPath, summary: str) -> TerminalError:
    where = ".".join(map(str, path))
    fix = "take it out by hand, and commit that"
    return TerminalError(Diagnostic(summary, evidence=(f"at: {where}",), fix=fix))
