"""Puts one entry into a YAML text, beside another, and leaves every other byte: the inverse of `cut.without`.

Called by what edits the desired state, which proves afterwards that the text means what it should. Pure.
"""

from __future__ import annotations

from runner.errors import Diagnostic, TerminalError
from runner.git import cut
from runner.spec.source import KeyPath


def beside(text: str, path: KeyPath, key: str, value: str) -> str:
    """Return `text` with `key: value` in the mapping that holds `path`, right after the entry there.

    `value` is written as it is: a plain scalar or a flow collection on one line. Comments stay with the entry they
    belong to. Raises TerminalError where nothing is at `path`, or something else follows on the line of a block.
    """
    offset = len(text) - len(text.removeprefix(cut.MARK))
    body = text[offset:]
    entry = cut.find(body, path)
    if entry is None or not entry.named:
        raise _refusal(path, "there is no entry here to put another beside")
    if entry.parent.flow_style:
        return text[:offset] + body[: entry.end] + f", {key}: {value}" + body[entry.end :]
    start = cut.line_start(body, entry.key.start_mark.index)
    indent = body[start : entry.key.start_mark.index]
    if indent.strip():
        raise _refusal(path, "it shares its line with something else")
    end = cut.line_end(body, max(entry.end - 1, entry.key.start_mark.index))
    end = cut.past_comments(body, end, len(indent))
    newline = "\r\n" if "\r\n" in body else "\n"
    head = body[:end] if body[:end].endswith("\n") else body[:end] + newline
    return text[:offset] + head + f"{indent}{key}: {value}{newline}" + body[end:]


def _refusal(path: KeyPath, summary: str) -> TerminalError:
    where = ".".join(map(str, path))
    fix = "write it by hand, and commit that"
    return TerminalError(Diagnostic(summary, evidence=(f"at: {where}",), fix=fix))
