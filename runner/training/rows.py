"""Data sets as the trainers want them: read, cut in what is trained on and what is held out, and counted for length.

Called by `run`. Nothing here is random: which rows are held out hangs on their prompts alone. No torch here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import terminal

Row = dict[str, Any]
Messages = list[dict[str, str]]

HELD_SHARE = 0.05
HELD_FEWEST, HELD_MOST = 8, 64
"""Prompts held out: a twentieth; fewer say nothing, and more cost time at every checkpoint."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What is trained on, and what is only measured; a prompt is on one side alone."""

    train: tuple[Row, ...]
    held: tuple[Row, ...] = ()

    @property
    def prompts(self) -> tuple[Messages, ...]:
        """The prompts that are held out, each once."""
        return tuple({_key(row): row["prompt"] for row in self.held}.values())


def read(path: Path, kind: str) -> tuple[Row, ...]:
    """Return the rows of a data set for `SFT`, `DPO` or `KTO`, with the columns that its trainer takes.

    Raises TerminalError for a line that is no such row, and OSError.
    """
    pick = {"SFT": _talk, "DPO": _pair, "KTO": _thumb}[kind]
    found: list[Row] = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                found.append(pick(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise terminal(
                    f"{path}:{number}: not a row to train {kind} on",
                    f"{type(error).__name__}: {error}",
                    fix="`loop data check` shows what its columns should be",
                ) from error
    return tuple(found)


def split(rows: Sequence[Row]) -> Rows:
    """Hold out a twentieth of the prompts, 8 at least and 64 at most, never more than a quarter of them."""
    keys = sorted({_key(row) for row in rows})
    count = min(max(round(HELD_SHARE * len(keys)), HELD_FEWEST), HELD_MOST, len(keys) // 4)
    held = set(keys[:count])
    return Rows(
        tuple(row for row in rows if _key(row) not in held),
        tuple(row for row in rows if _key(row) in held),
    )


def truncated(rows: Sequence[Row], length: Callable[[Messages], int], most: int) -> float:
    """Return the share of rows whose longest conversation has more than `most` tokens, by `length`."""
    answers = ("completion", "chosen", "rejected")
    longest = (max(length(row["prompt"] + row[key]) for key in answers if key in row) for row in rows)
    return sum(tokens > most for tokens in longest) / len(rows)


def talks(rows: Sequence[Row]) -> list[Messages]:
    """Return each row as one conversation, with the answer that is right, or the only one."""
    return [row["prompt"] + row.get("chosen", row.get("completion")) for row in rows]


def _key(row: Row) -> str:
    return hashlib.sha256(json.dumps(row["prompt"], sort_keys=True).encode()).hexdigest()


def _talk(row: Row) -> Row:
    asked, answered = str(row["question"]), str(row["answer"])
    return {
        "prompt": [{"role": "user", "content": asked}],
        "completion": [{"role": "assistant", "content": answered}],
    }


def _pair(row: Row) -> Row:
    return {key: _messages(row[key]) for key in ("prompt", "chosen", "rejected")}


def _thumb(row: Row) -> Row:
    if not isinstance(row["label"], bool):
        raise TypeError(f"label is {row['label']!r}")
    return {**{key: _messages(row[key]) for key in ("prompt", "completion")}, "label": row["label"]}


def _messages(value: Any) -> Messages:
    found = [{"role": str(each["role"]), "content": str(each["content"])} for each in value]
    if not found:
        raise ValueError("a conversation without messages")
    return found
