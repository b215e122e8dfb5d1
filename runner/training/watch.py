"""What happens between a trainer's steps: progress is told, guards are asked, checkpoints are sealed.

A callback of the trainer, made by `run`. It measures the length of greedy answers whenever a checkpoint is due, and
puts it into the trainer's own history, so that a run which goes on knows it too.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from transformers import TrainerCallback

from runner.spec.training import Recipe
from runner.training import guards, whole
from runner.training.answer import replies
from runner.training.rows import Messages

LONGEST = 128
"""Tokens of the longest answer that is measured."""
Emit = Callable[[dict[str, Any]], None]


class Lengths:
    """The mean length of a model's greedy answers to some prompts, in characters."""

    def __init__(self, tokenizer: Any, prompts: Sequence[Messages]) -> None:
        self._tokenizer = copy.deepcopy(
            tokenizer
        )  # it is told to pad on the left, which trainers do not expect
        self._prompts = prompts

    def mean(self, model: Any) -> float:
        """Return it; 1 at least, so that it can be divided by."""
        training = model.training
        model.eval()
        answers = list(replies(model, self._tokenizer, self._prompts, LONGEST))
        model.train(training)
        return max(fmean(map(len, answers)), 1.0)


class Watch(TrainerCallback):
    """Watches one run. `growth` measures how long answers are over the parent's; None where that is not watched.

    `before` are the seconds that the run took before it was interrupted. Raises guards.Tripped out of the trainer.
    """

    def __init__(
        self,
        recipe: Recipe,
        growth: Callable[[], float] | None,
        emit: Emit,
        weights: Path | None,
        before: float,
    ) -> None:
        self._recipe, self._growth, self._emit = recipe, growth, emit
        self._weights, self._before = weights, before
        self._begin, self._first = time.monotonic(), 0

    @property
    def seconds(self) -> float:
        """How long the run took, with what it took before it was interrupted."""
        return self._before + time.monotonic() - self._begin

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Put the checkpoint's weights into the policy: beside a second adapter the trainer restores only that one."""
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        self._first = state.global_step
        if self._weights is not None:
            set_peft_model_state_dict(kwargs["model"], load_file(self._weights), adapter_name="default")

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Measure the length of answers where a checkpoint is due."""
        if control.should_save and self._growth is not None:
            state.log_history.append({"step": state.global_step, guards.LENGTH_RATIO: self._growth()})
            guards.hold(guards.look(state.log_history, self._recipe))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:  # noqa: ARG002
        """Tell how far the run is, and ask the guards."""
        if "loss" not in (logs or {}):
            return
        pace = (time.monotonic() - self._begin) / max(state.global_step - self._first, 1)
        if state.is_world_process_zero:
            self._emit(
                {
                    "event": "step",
                    "step": state.global_step,
                    "steps": state.max_steps,
                    "loss": logs["loss"],
                    "accuracy": logs.get("rewards/accuracies"),
                    "margin": logs.get("rewards/margins"),
                    "seconds_left": pace * (state.max_steps - state.global_step),
                }
            )
        guards.hold(guards.look(state.log_history, self._recipe))

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Seal the checkpoint that was written."""
        if state.is_world_process_zero:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            whole.seal(folder, {"seconds": self.seconds})
