"""Reads recorded arrivals: the Azure traces of LLM inference (CSV) and the Mooncake traces (JSON lines).

Called by replay. A trace with a malformed line is refused as a whole, with every such line named: a load
that silently differs from the recorded one measures something else. Reads files, nothing more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from runner.errors import Diagnostic, Location, TerminalError, terminal

NAMED = {
    "azure-conv": "azure_llm_trace_2023/AzureLLMInferenceTrace_conv.csv",
    "azure-code": "azure_llm_trace_2023/AzureLLMInferenceTrace_code.csv",
    "mooncake-conversation": "mooncake_trace/conversation_trace.jsonl",
    "mooncake-synthetic": "mooncake_trace/synthetic_trace.jsonl",
}
AZURE_HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"
TOLD = 20
"""How many malformed lines are named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One recorded request: seconds since the first one, its tokens, and the hashed blocks of its prompt."""

    at_s: float
    input_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()


def read_trace(name: str, data: Path) -> tuple[Arrival, ...]:
    """Return the arrivals of a trace in order of time, the first at 0.

    `name` is one of `NAMED`, looked for below `data`, or a path that ends in .csv or .jsonl. Raises
    TerminalError.
    """
    path = _locate(name, data)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise terminal(f"the trace '{path}' cannot be read", str(error)) from error
    if path.suffix == ".csv":
        found = _parse(path, _azure_lines(path, lines), _azure)
    else:
        found = _parse(path, ((n, line) for n, line in enumerate(lines, 1) if line.strip()), _mooncake)
    if not found:
        raise terminal(f"the trace '{path}' holds no arrival")
    found.sort(key=lambda arrival: arrival.at_s)
    first = found[0].at_s
    return tuple(Arrival(a.at_s - first, a.input_tokens, a.output_tokens, a.blocks) for a in found)


def _locate(name: str, data: Path) -> Path:
    path = data / NAMED[name] if name in NAMED else Path(name)
    if name not in NAMED and path.suffix not in (".csv", ".jsonl"):
        raise terminal(
            f"there is no trace named '{name}'",
            f"known: {', '.join(NAMED)}",
            fix="use one of these names, or a path that ends in .csv (Azure) or .jsonl (Mooncake)",
        )
    if not path.is_file():
        fix = (
            f"put it there, or set LOOP_REAL_DATA to the folder that holds '{NAMED[name]}'"
            if name in NAMED
            else None
        )
        raise terminal(f"the trace '{name}' is not there", f"looked for {path}", fix=fix)
    return path


def _parse(path: Path, lines: Iterator[tuple[int, str]], parse: Callable[[str], Arrival]) -> list[Arrival]:
    arrivals: list[Arrival] = []
    faults: list[Diagnostic] = []
    for number, line in lines:
        try:
            arrivals.append(parse(line))
        except (ValueError, KeyError, TypeError) as error:
            reason = f"'{error.args[0]}' is missing" if isinstance(error, KeyError) else str(error)
            faults.append(Diagnostic("this is no arrival", Location(str(path), number), (reason, line[:100])))
    if len(faults) > TOLD:
        more = Diagnostic(f"{len(faults) - TOLD} more lines of '{path}' are no arrivals")
        raise TerminalError(*faults[:TOLD], more)
    if faults:
        raise TerminalError(*faults)
    return arrivals


def _azure_lines(path: Path, lines: list[str]) -> Iterator[tuple[int, str]]:
    if not lines or lines[0].strip() != AZURE_HEADER:
        raise TerminalError(
            Diagnostic(
                "this is no Azure trace of LLM inference",
                Location(str(path), 1),
                (f"its first line is '{lines[0][:80] if lines else ''}'",),
                f"the first line must be '{AZURE_HEADER}'",
            )
        )
    return ((number, line) for number, line in enumerate(lines[1:], 2) if line.strip())


def _azure(line: str) -> Arrival:
    time, context, generated = line.split(",")
    return Arrival(datetime.fromisoformat(time).timestamp(), _tokens(int(context)), _tokens(int(generated)))


def _mooncake(line: str) -> Arrival:
    row = json.loads(line)
    if not isinstance(row, dict):
        raise ValueError("it is no JSON object")
    blocks = row.get("hash_ids", [])
    if not isinstance(blocks, list) or not all(type(block) is int for block in blocks):
        raise ValueError("'hash_ids' is no list of whole numbers")
    return Arrival(
        float(_tokens(row["timestamp"])) / 1000,
        _tokens(row["input_length"]),
        _tokens(row["output_length"]),
        tuple(blocks),
    )


def _tokens(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no whole number of at least 0")
    return value
