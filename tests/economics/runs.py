"""Runs of training as their own code writes them: a manifest and curves, made from planted courses."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from runner.economics.records import Run, read_run
from runner.spec.training import Guards
from runner.training.job import Inputs, Job
from runner.training.register import FORMAT, Origin, manifest
from tests.economics.situations import SPEC

STEPS = 40


def course(margin: float = 0.5, accuracy: float = 0.8, chosen: float = -0.05) -> list[dict[str, Any]]:
    """Return a history as the trainer logs it, with these values from half of it on."""
    values = {"rewards/margins": margin, "rewards/accuracies": accuracy, "rewards/chosen": chosen}
    steps = [
        {
            "step": step,
            "loss": 0.5,
            **{name: value * min(1.0, 2 * step / STEPS) for name, value in values.items()},
        }
        for step in range(1, STEPS + 1)
    ]
    return [
        *steps[:20],
        {"step": 20, "length_ratio": 1.1},
        *steps[20:],
        {"step": STEPS, "train_runtime": 60.0},
    ]


def files(history: list[dict[str, Any]], told_apart: float | None = 0.75, **recipe: Any) -> tuple[Any, Any]:
    """Return what registering a run writes as training.json and curves.json, read back."""
    planned = {"beta": 0.1, "guards": Guards(), **recipe}
    used = SPEC.policies.training.recipes["dpo"].model_copy(update=planned)
    job = Job("chat-v1.1", Path("run"), Path("base"), "bookshop-base", None, Path("data"), used)
    held = {} if told_apart is None else {"rewards/accuracies": told_apart, "loss": 0.6}
    result = {
        "digest": "a" * 64,
        "steps": STEPS,
        "rows": {"train": 180, "held_out": 27},
        "seconds": 61.5,
        "peak_mib": {"memory": 900.0},
        "machine": {"device": "CPU"},
        "packages": {},
        "guards": [],
        "held_out": held,
        "history": history,
    }
    dataset = SPEC.datasets["bookshop-preferences"]
    inputs = Inputs("r", "d", "p", "b")
    origin = Origin("dpo", dataset, 207, "chat-v1.0", inputs, "0" * 40, date(2026, 11, 21), "")
    about = manifest(job, result, origin)
    return json.loads(json.dumps(about)), json.loads(json.dumps({"format": FORMAT, "steps": history}))


def run(told_apart: float | None = 0.75, recipe: dict[str, Any] | None = None, **planted: float) -> Run:
    """Return a run with a planted course."""
    return read_run(*files(course(**planted), told_apart, **(recipe or {})))
