"""Score texts by an adapter in the training stack: `python -m runner.training.score --help`.

`loop evaluate` starts it as a process of its own, so that torch is loaded only there, and compares what it says with
the engine. Reads one JSON object for each line, `{"token_ids": [...]}` or `{"messages": [...]}`; writes for each, in
order, `{"token_ids": [...], "logprobs": [null, -1.2, ...]}` as `probe_record` has them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from runner.training import checkpoints
from runner.training.probe_record import score


def scored(base: Path, adapter: Path, texts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return tokens and log-probabilities of every text, in 32 bits. Raises TerminalError."""
    import torch

    model, tokenizer = checkpoints.base(base, torch.float32)
    placed = checkpoints.with_adapter(model, adapter).eval()
    found = []
    for text in texts:
        ids = text.get("token_ids")
        if ids is None:
            ids = tokenizer.encode(tokenizer.apply_chat_template(text["messages"], tokenize=False))
        found.append({"token_ids": ids, "logprobs": score(placed, ids)})
    return found


def main() -> None:
    """Read the options and the texts, score them, write the result."""
    import torch

    options = argparse.ArgumentParser(
        prog="python -m runner.training.score", description="score texts by an adapter"
    )
    options.add_argument("--base", type=Path, required=True)
    options.add_argument("--adapter", type=Path, required=True)
    options.add_argument("--texts", type=Path, required=True, help="JSON lines with token_ids or messages")
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--threads", type=int, default=2)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    with chosen.texts.open(encoding="utf-8") as lines:
        found = scored(chosen.base, chosen.adapter, [json.loads(line) for line in lines])
    chosen.out.write_text("".join(json.dumps(each) + "\n" for each in found), encoding="utf-8")


if __name__ == "__main__":
    main()
