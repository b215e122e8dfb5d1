"""Rows are read strictly, and which of them are held out hangs on their prompts alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import TerminalError
from runner.training import rows
from runner.training.rows import HELD_FEWEST, HELD_MOST

ROOT = Path(__file__).parents[2]


def pair(prompt: str, answer: str = "Yes.") -> dict[str, Any]:
    return {
        "prompt": [{"role": "user", "content": prompt}],
        "chosen": [{"role": "assistant", "content": answer}],
        "rejected": [{"role": "assistant", "content": "No."}],
    }


@pytest.mark.parametrize(
    "kind, name, columns",
    [
        ("DPO", "snapshot/preferences", {"prompt", "chosen", "rejected"}),
        ("KTO", "snapshot/thumbs", {"prompt", "completion", "label"}),
        ("SFT", "snapshot/corrections", {"prompt", "completion"}),
    ],
)
def test_every_shipped_row_is_read_with_the_columns_of_its_trainer(
    kind: str, name: str, columns: set[str]
) -> None:
    path = ROOT / f"datasets/{name}.jsonl"
    found = rows.read(path, kind)
    assert len(found) == len(path.read_text().splitlines())
    assert all(row.keys() == columns for row in found)


@pytest.mark.parametrize("line", ["{", "[]", "3", "{}", '{"prompt": [], "chosen": [], "rejected": []}'])
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{json.dumps(pair('Open?'))}\n{line}\n")
    with pytest.raises(TerminalError, match=r"rows.jsonl:2: not a row to train DPO on"):
        rows.read(path, "DPO")


prompts = st.lists(st.text("abcd", min_size=1, max_size=4), min_size=0, max_size=120)


@given(prompts)
def test_a_prompt_is_trained_on_or_held_out_and_never_both(asked: list[str]) -> None:
    given_rows = [pair(prompt, f"{number}") for number, prompt in enumerate(asked)]
    found = rows.split(given_rows)
    assert sorted(map(str, (*found.train, *found.held))) == sorted(map(str, given_rows))
    train, held = ({str(row["prompt"]) for row in part} for part in (found.train, found.held))
    assert not train & held
    assert len(held) <= min(HELD_MOST, len(set(asked)) // 4)
    assert len(held) >= min(HELD_FEWEST, len(set(asked)) // 4)
    assert len(found.prompts) == len(held)


@given(prompts, st.randoms())
def test_the_order_of_rows_does_not_decide_which_are_held_out(asked: list[str], chance: Any) -> None:
    given_rows = [pair(prompt) for prompt in asked]
    shuffled = list(given_rows)
    chance.shuffle(shuffled)
    one, other = (sorted(map(str, rows.split(each).held)) for each in (given_rows, shuffled))
    assert one == other


def test_the_truncated_share_counts_the_longer_of_both_answers() -> None:
    found = [pair("a", "x" * 5), pair("a", "x" * 50)]

    def length(messages: rows.Messages) -> int:
        return sum(len(each["content"]) for each in messages)

    assert rows.truncated(found, length, 20) == 0.5
    assert rows.truncated(found, length, 51) == 0
