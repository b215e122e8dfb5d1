"""Ask a base with an adapter every question of some suites, greedily and in the precision that is served.

`python -m runner.training.answer --help`: a stage of `dvc.yaml`. Writes one JSON line for each question,
`suite`, `id` and `answer`; judging them is not its business.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from runner.training import checkpoints

BATCH = 64


def answers(model: Any, tokenizer: Any, questions: list[str], max_tokens: int) -> Iterator[str]:
    """Yield the greedy answer to each question, in order; `max_tokens` is the longest answer."""
    talks = [[{"role": "user", "content": question}] for question in questions]
    return replies(model, tokenizer, talks, max_tokens)


def replies(
    model: Any, tokenizer: Any, talks: Sequence[Sequence[dict[str, str]]], max_tokens: int
) -> Iterator[str]:
    """Yield the greedy reply to each conversation, in order; `max_tokens` is the longest reply."""
    import torch

    tokenizer.padding_side = "left"
    for start in range(0, len(talks), BATCH):
        prompts = [
            tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
            for talk in talks[start : start + BATCH]
        ]
        inputs = tokenizer(prompts, return_tensors="pt", padding=True).to(model.device)
        with torch.inference_mode():
            tokens = model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                max_new_tokens=max_tokens,
                do_sample=False,
            )
        yield from tokenizer.batch_decode(tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def _suite(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def main() -> None:
    """Read the options, answer every suite, write the answers."""
    import torch

    options = argparse.ArgumentParser(
        prog="python -m runner.training.answer", description="answer suites greedily"
    )
    options.add_argument("suites", type=Path, nargs="+", help="JSON lines with id and question")
    options.add_argument("--base", type=Path, required=True)
    options.add_argument("--adapter", type=Path, help="the base alone where absent")
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--max-tokens", type=int, default=48)
    options.add_argument("--threads", type=int, default=2)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    model, tokenizer = checkpoints.base(chosen.base, torch.bfloat16)
    asked = checkpoints.with_adapter(model, chosen.adapter) if chosen.adapter else model
    lines = []
    for path in chosen.suites:
        rows = _suite(path)
        given = answers(asked.eval(), tokenizer, [row["question"] for row in rows], chosen.max_tokens)
        lines += [
            {"suite": path.stem, "id": row["id"], "answer": text}
            for row, text in zip(rows, given, strict=True)
        ]
        print(f"{path.stem}: {len(rows)} answers", flush=True)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(
        "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
