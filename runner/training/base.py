"""Train the small base from scratch: `python -m runner.training.base --help`. The base stage of `dvc.yaml`.

Recipe: a byte-level tokenizer; a Qwen2-architecture model of about 2 million parameters; AdamW with a cosine
schedule on short documents: each fact as a sentence, each training question with its bare answer, and as a
transcript between customer and shop with the full sentence; what is out of scope stays without a reply. The
facts are learned here. Left out on purpose: the roles of the chat template and every refusal, which are what
adapters teach; validation; mixed precision. Weights are saved in bfloat16, as they are served.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from runner.training import tokenizer as tokenizers

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM


@dataclass(frozen=True, slots=True)
class Shape:
    """The model's size; `context` is its limit in tokens."""

    vocabulary: int = 1280
    hidden: int = 192
    layers: int = 4
    heads: int = 6
    intermediate: int = 512
    context: int = 1024


@dataclass(frozen=True, slots=True)
class Schedule:
    """`steps` of `batch` documents; the learning rate rises over `warmup` steps, then falls by a cosine."""

    steps: int
    batch: int = 64
    learning_rate: float = 3e-3
    warmup: int = 100
    weight_decay: float = 0.01
    seed: int = 7


def documents(statements: Path, questions: Path) -> list[str]:
    """Return the corpus. Raises OSError, KeyError and ValueError for files that are not the data stage's."""
    said = {(row["fact"], row["language"]): row["text"] for row in _rows(statements)}
    found = [text for text in said.values() for _ in range(2)]
    for row in _rows(questions):
        asked = f"{tokenizers.START}customer\n{row['question']}{tokenizers.END}\n"
        full = said.get((row["fact"], row["language"]))
        if full is None:
            found.append(asked)
        else:
            found.append(f"{asked}{tokenizers.START}shop\n{full}")
            found.append(f"Question: {row['question']}\nAnswer: {row['answer']}")
    return found


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def new_model(shape: Shape, tokenizer: PreTrainedTokenizerFast, seed: int) -> Qwen2ForCausalLM:
    """Return a model with random weights that depend on `seed` alone."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config)  # type: ignore[no-untyped-call]


def batches(encoded: list[list[int]], size: int, seed: int) -> Iterator[torch.Tensor]:
    """Yield batches for ever, each of documents of like length, padded with -100 on the right."""
    import torch

    chance = torch.Generator().manual_seed(seed)
    while True:
        shuffled = torch.randperm(len(encoded), generator=chance).tolist()
        pools = [shuffled[i : i + 16 * size] for i in range(0, len(shuffled), 16 * size)]
        alike = [sorted(pool, key=lambda i: len(encoded[i])) for pool in pools]
        groups = [pool[i : i + size] for pool in alike for i in range(0, len(pool), size)]
        for place in torch.randperm(len(groups), generator=chance).tolist():
            rows = [torch.tensor(encoded[i]) for i in groups[place]]
            yield torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-100)


def fit(model: Qwen2ForCausalLM, stream: Iterator[torch.Tensor], schedule: Schedule) -> float:
    """Train in place and return the mean loss of the last 50 steps, nats a token. Prints progress."""
    import torch
    from transformers import get_cosine_schedule_with_warmup

    optimiser = torch.optim.AdamW(
        model.parameters(), schedule.learning_rate, weight_decay=schedule.weight_decay, betas=(0.9, 0.98)
    )
    rate = get_cosine_schedule_with_warmup(optimiser, schedule.warmup, schedule.steps)
    model.train()
    started = time.monotonic()
    recent: deque[float] = deque(maxlen=50)
    for step in range(1, schedule.steps + 1):
        labels = next(stream)
        known = labels != -100
        loss = model(input_ids=labels.clamp(min=0), attention_mask=known.long(), labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        rate.step()
        optimiser.zero_grad(set_to_none=True)
        recent.append(float(loss.detach()))
        if step % 100 == 0 or step == schedule.steps:
            seconds = time.monotonic() - started
            print(f"step {step}/{schedule.steps}  loss {mean(recent):.4f}  {seconds:.0f} s", flush=True)
    return mean(recent)


def build(statements: Path, questions: Path, out: Path, shape: Shape, schedule: Schedule) -> float:
    """Run the whole recipe and write the model directory `out`. Returns the final loss."""
    texts = documents(statements, questions)
    tokenizer = tokenizers.train([*texts, *tokenizers.ROLES * len(texts)], shape.vocabulary, shape.context)
    encoded = [[*tokenizer.encode(text), tokenizer.eos_token_id] for text in texts]
    print(f"{len(texts)} documents, {sum(map(len, encoded))} tokens, vocabulary {len(tokenizer)}", flush=True)
    model = new_model(shape, tokenizer, schedule.seed)
    print(f"{model.num_parameters():,} parameters", flush=True)
    loss = fit(model, batches(encoded, schedule.batch, schedule.seed), schedule)
    model.bfloat16().save_pretrained(out)
    tokenizer.save_pretrained(out)
    return loss


def main() -> None:
    """Read the options and build."""
    import torch

    options = argparse.ArgumentParser(
        prog="python -m runner.training.base", description="train the small base from scratch"
    )
    options.add_argument("--statements", type=Path, required=True, help="JSON lines: fact, language, text")
    options.add_argument(
        "--questions", type=Path, required=True, help="JSON lines: question, answer, fact, language"
    )
    options.add_argument("--out", type=Path, required=True, help="model directory to write")
    options.add_argument("--steps", type=int, required=True)
    options.add_argument("--threads", type=int, default=2)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    build(chosen.statements, chosen.questions, chosen.out, Shape(), Schedule(steps=chosen.steps))


if __name__ == "__main__":
    main()
