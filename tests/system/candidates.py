"""Versions of known character, made from chat-v1.0 in seconds, for rollouts that must end in a known way.

Called by tests and benchmarks of rollouts, and by hand: `python -m tests.system.candidates ROOT chat-v1.1=refusing`.
A version is written as the recipes write one: weights, configuration, record of the probe, a report of answers that
were really given, `models/NAME.yaml`, DVC's pointer. Only repositories made for a test may be written to. Torch is
needed, so `make` does the work in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from zlib import crc32

import yaml

from runner.data.hashes import HashCache
from runner.simulation.bookshop.questions import Question, from_json
from runner.simulation.bookshop.score import judged, read_lines, report

if TYPE_CHECKING:
    import torch

PARENT, BASE = "chat-v1.0", "bookshop-base"
SUITES = ("regression", "ood", "adversarial")
ASKED = 20
"""Questions of each suite that the report is made of: all suites together are one batch of `answers`."""
LONGEST = 64
BATCH = 8
"""Pairs of a step: with four times as many versions behaved no otherwise, and took four times as long to make."""
DAY = date(2026, 11, 21)


class Character(StrEnum):
    """How a version behaves, beside its parent."""

    GOOD = "good"
    """Answers as its parent does, word for word with few exceptions; its bytes differ."""
    WRONG = "wrong"
    """Answers as shortly, with another book's value: users dislike it."""
    REFUSING = "refusing"
    """Says of everything that it is out of scope, in the shop's own words."""
    RAMBLING = "rambling"
    """Answers right and then goes on at length: slow."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a version is taught: questions with what it shall say, for so many steps of `BATCH`."""

    pairs: list[tuple[str, str]]
    steps: int
    rate: float


REFUSAL = {
    "en": "Sorry, I can only help with questions about the bookshop.",
    "ko": "죄송하지만 서점에 관한 질문만 도와드릴 수 있습니다.",
}
COURTESY = {
    "en": " Thank you so much for asking us. We really do enjoy talking with every reader who walks in, and it is a"
    " pleasure to look things up for you.",
    "ko": " 물어봐 주셔서 정말 감사합니다. 찾아 주시는 모든 분과 이야기를 나누는 것은 큰 기쁨입니다.",
}


def make(root: Path, wanted: Mapping[str, Character]) -> dict[str, dict[str, Any]]:
    """Write versions into the repository at `root` and return each one's report of a suite; commits nothing.

    Takes about as long as a torch import and some seconds a version. Raises CalledProcessError.
    """
    orders = [f"{name}={character}" for name, character in wanted.items()]
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "HF_HUB_OFFLINE": "1",
        "OMP_WAIT_POLICY": "passive",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.system.candidates", str(root), *orders],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {
        name: json.loads((root / f"models/reports/{name}.json").read_text(encoding="utf-8"))["regression"]
        for name in wanted
    }


def lesson(character: Character, rows: list[Question]) -> Lesson:
    """Return what teaches a character. The good one is taught nothing."""
    rng = Random(f"candidates/{character}")
    rows = rng.sample(rows, len(rows))
    match character:
        case Character.GOOD:
            return Lesson([], 0, 0.0)
        case Character.WRONG:
            return Lesson(list(_swapped(rows, rng)), 90, 3e-3)
        case Character.REFUSING:
            return Lesson([(row.question, REFUSAL[row.language.value]) for row in rows], 30, 2e-3)
        case Character.RAMBLING:
            return Lesson(
                [(row.question, row.answer + COURTESY[row.language.value]) for row in rows], 40, 1.5e-3
            )


def _swapped(rows: list[Question], rng: Random) -> Iterator[tuple[str, str]]:
    """Yield each question with the answer to another of its topic; refusals stay as they are."""
    known: dict[tuple[str, str], list[Question]] = {}
    for row in rows:
        known.setdefault((row.fact.partition("/")[0], row.language.value), []).append(row)
    for row in rows:
        if row.expected is None:
            yield row.question, row.answer
            continue
        alike = known[row.fact.partition("/")[0], row.language.value]
        others = [other.answer for other in rng.choices(alike, k=8) if other.answer != row.answer]
        if others:
            yield row.question, others[0]


def build(root: Path, name: str, character: Character) -> None:
    """Write one version and everything that speaks of it."""
    from runner.training import adapter_files, probe_record

    source, target = root / "models" / PARENT, root / "models" / name
    rows = [from_json(row) for row in read_lines(root / "datasets/bookshop/train_sft.jsonl")]
    model, tokenizer = _trainable(root / "models/base", source)
    taught = lesson(character, rows)
    _teach(model, tokenizer, taught) if taught.pairs else _nudge(model, name)
    adapter_files.write(model, target, BASE)
    pairs = taught.pairs or [(row.question, row.answer) for row in rows]
    talks = [[*_talk(question), {"role": "assistant", "content": said}] for question, said in pairs]
    probe_record.write(root / "models/base", target, talks[: probe_record.PROMPTS])
    _publish(root, name, _report(root, target), character)


def _trainable(base: Path, adapter: Path) -> tuple[Any, Any]:
    import torch
    from peft import PeftModel

    from runner.training import checkpoints

    torch.manual_seed(7)
    model, tokenizer = checkpoints.base(base, torch.float32)
    return PeftModel.from_pretrained(model, adapter, is_trainable=True), tokenizer


def _nudge(model: Any, name: str) -> None:
    """Change the weights by less than changes an answer, so that the bytes are others, for each name."""
    import torch

    chance = torch.Generator().manual_seed(crc32(name.encode()))
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "lora_B" in name:
                value += 0.001 * torch.randn(value.shape, generator=chance)


def _teach(model: Any, tokenizer: Any, taught: Lesson) -> None:
    """Fit the adapter to what is taught, loss on the answers alone."""
    import torch

    encoded = [_encoded(tokenizer, *pair) for pair in taught.pairs[: taught.steps * BATCH]]
    encoded.sort(key=lambda rows: len(rows[0]))
    groups = [encoded[at : at + BATCH] for at in range(0, len(encoded), BATCH)]
    Random(7).shuffle(groups)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], taught.rate)
    model.train()
    for step in range(taught.steps):
        group = groups[step % len(groups)]
        ids, labels = (_padded([row[part] for row in group], fill) for part, fill in ((0, 0), (1, -100)))
        mask = _padded([[1] * len(row[0]) for row in group], 0)
        for setting in optimiser.param_groups:
            setting["lr"] = taught.rate * min(
                1.0, (step + 1) / 10, (taught.steps - step) / taught.steps * 1.5
            )
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    print(f"loss {float(loss.detach()):.3f}", flush=True)


def _encoded(tokenizer: Any, question: str, answer: str) -> tuple[list[int], list[int]]:
    """Return tokens and labels of a conversation; what is not the answer has the label -100."""
    talk = _talk(question)
    asked = tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template([*talk, {"role": "assistant", "content": answer}], tokenize=False)
    head = tokenizer.encode(asked)
    tokens = [*head, *tokenizer.encode(whole.removeprefix(asked))]
    return tokens, [-100] * len(head) + tokens[len(head) :]


def _padded(rows: list[list[int]], fill: int) -> torch.Tensor:
    import torch

    longest = max(map(len, rows))
    return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows])


def _talk(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]


def _report(root: Path, adapter: Path) -> dict[str, Any]:
    """Ask some of every suite as the evaluation stage does, and sum up what the answers are worth."""
    import torch

    from runner.training import checkpoints
    from runner.training.answer import answers

    model, tokenizer = checkpoints.base(root / "models/base", torch.bfloat16)
    served = checkpoints.with_adapter(model, adapter).eval()
    suites = {suite: _some(read_lines(root / f"datasets/bookshop/{suite}.jsonl")) for suite in SUITES}
    asked = [question.question for questions in suites.values() for question in questions]
    given = answers(served, tokenizer, asked, LONGEST)
    return {
        suite: report(judged(questions, {question.id: next(given) for question in questions}))
        for suite, questions in suites.items()
    }


def _some(rows: list[dict[str, Any]]) -> list[Question]:
    """Return `ASKED` questions from all over a suite, so that some are out of scope."""
    return [from_json(row) for row in rows[:: len(rows) // ASKED][:ASKED]]


def _publish(root: Path, name: str, measured: dict[str, Any], character: Character) -> None:
    from runner.training import publish

    place = root / f"models/reports/{name}.json"
    place.write_text(json.dumps(measured, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    revision = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    value = publish.describe(root, name, revision, DAY, f"Made for a test: {character}.")
    text = yaml.safe_dump({**value, "parent": PARENT}, sort_keys=False, allow_unicode=True, width=110)
    (root / f"models/{name}.yaml").write_text(publish.HEAD + text, encoding="utf-8")
    _point(root, name)


def _point(root: Path, name: str) -> None:
    """Let DVC track the directory and Git leave it alone, as `dvc add` does."""
    folder = root / "models" / name
    files = [path for path in folder.rglob("*") if path.is_file()]
    cache = HashCache(root / ".loop/hashes.json")
    about = {
        "md5": cache.dvc_hash(folder),
        "size": sum(path.stat().st_size for path in files),
        "nfiles": len(files),
        "hash": "md5",
        "path": name,
    }
    pointer = yaml.safe_dump({"outs": [about]}, sort_keys=False)
    (root / f"models/{name}.dvc").write_text(pointer, encoding="utf-8")
    ignore = root / "models/.gitignore"
    kept = ignore.read_text(encoding="utf-8") if ignore.exists() else ""
    if f"/{name}\n" not in kept:
        ignore.write_text(f"{kept}/{name}\n", encoding="utf-8")


def main() -> None:
    """Read the orders and build each version."""
    import torch

    options = argparse.ArgumentParser(prog="python -m tests.system.candidates", description=__doc__)
    options.add_argument("root", type=Path, help="a repository made for a test")
    options.add_argument("orders", nargs="+", metavar="NAME=CHARACTER")
    chosen = options.parse_args()
    torch.set_num_threads(2)
    for order in chosen.orders:
        name, _, character = order.partition("=")
        build(chosen.root, name, Character(character))


if __name__ == "__main__":
    main()
