"""What the training stack says about fixed prompts, written beside the weights as `probe.json`.

The engine's probe scores the same tokens after every load: an adapter that is served as a no-op, or
wrongly, gives other log-probabilities. Format:

    {"format": 1, "prompts": [{"text": "...", "token_ids": [1, ...], "logprobs": [null, -1.2, ...]}, ...]}

`logprobs[i]` is the natural logarithm of the probability of `token_ids[i]` after the tokens before it; the
first has none. `text` is the whole rendered prompt, for people; the tokens are what counts. The weights are
those on disk (bfloat16), so that what is scored is what is served; the forward pass is in 32 bits, which was
nearer to what the engine computes (mean difference 0.0079) than one in bfloat16 (0.0094): only one side rounds.
Called by the recipes once the weights are written.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.training import checkpoints

if TYPE_CHECKING:
    import torch

FORMAT = 1
FILE = "probe.json"
PROMPTS = 24
DIGITS = 6


def write(base: Path, adapter: Path, conversations: list[list[dict[str, str]]]) -> None:
    """Score the first conversations (messages with the answer) and write the record. Raises OSError."""
    import torch

    model, tokenizer = checkpoints.base(base, torch.float32)
    scored = checkpoints.with_adapter(model, adapter).eval()
    prompts = []
    for messages in conversations[:PROMPTS]:
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        ids = tokenizer.encode(text)
        prompts.append({"text": text, "token_ids": ids, "logprobs": score(scored, ids)})
    record = {"format": FORMAT, "prompts": prompts}
    (adapter / FILE).write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")


def score(model: Any, token_ids: list[int]) -> list[float | None]:
    """Return the natural log-probability of every token after those before it; None for the first."""
    import torch

    tokens = torch.tensor([token_ids], device=model.device)
    with torch.inference_mode():
        logits: torch.Tensor = model(input_ids=tokens).logits[0, :-1]
    chosen = logits.float().log_softmax(-1).gather(1, tokens[0, 1:, None])[:, 0]
    return [None, *(round(float(value), DIGITS) for value in chosen)]
