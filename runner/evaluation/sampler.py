"""Asks a served version the same question several times more, and records whether it says the same (active sampling).

Called by `loop signals sample`, with answers that `choice` has drawn. The engine is asked past the gateway, by the
pinned name of the adapter, so that no user's route or statistics are touched; never more than two requests at a time,
for users come first. A question is begun only if the day's tokens suffice for the most that it can take.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from runner.evaluation.chat import ChatClient, RequestRefused, UnknownModel
from runner.evaluation.choice import Answered, Detector
from runner.evaluation.compare import Comparison
from runner.evaluation.price import Budget, Meter, upper_bound
from runner.evaluation.sample_log import Examined, SampleLog, quoted
from runner.signals.consistency.agreement import agreement
from runner.signals.consistency.support import examine

IN_FLIGHT = 2
"""Requests that the engine is given at a time."""
LONGEST = 512
"""Tokens of a sampled answer at most."""
SHORTEST = 48
"""Tokens that a sampled answer may have at least: one that was short may come out longer the next time."""
COMPARED = 4
"""Characters of an answer that are compared, for each token it might have: what a judge reads has to have an end."""
BYTES = 4
"""Of a character at most, in UTF-8."""
SUSPECT = 0.5
"""Inconsistency from which a sentence is named in the evidence."""
NAMED = 5
"""Sentences that evidence names at most."""
PATIENCE_S = 300.0
"""Seconds that one examination may take, whatever its requests are doing."""


class Stopped(StrEnum):
    """Why sampling ended."""

    DONE = "all were examined"
    BUDGET = "the tokens of the day are spent"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How often and how freely a question is asked, by policy."""

    k: int
    temperature: float


@dataclass(frozen=True, slots=True)
class Sampled:
    """What a run came to: examined answers, those nobody serves any more, those without a value, and what is left."""

    examined: int
    gone: int
    unclear: int
    left: int
    values: tuple[float, ...]
    budget: Budget
    stopped: Stopped


@dataclass
class _Tally:
    """What a run has come to so far."""

    left: int
    gone: int = 0
    unclear: int = 0
    values: list[float] = field(default_factory=list)

    def add(self, found: Examined) -> None:
        """Count a finished examination."""
        if found.value is None:
            self.unclear += 1
        else:
            self.values.append(found.value)

    def closed(self, budget: Budget, stopped: Stopped) -> Sampled:
        """Return what the run came to."""
        examined = len(self.values) + self.unclear
        return Sampled(examined, self.gone, self.unclear, self.left, tuple(self.values), budget, stopped)


@dataclass
class Sampler:
    """Examines answers one after the other. `client` returns a client for a served name."""

    client: Callable[[str], ChatClient]
    sampling: Sampling
    comparison: Comparison
    log: SampleLog
    told: Callable[[int, int], None] = lambda _done, _of: None
    patience: float = PATIENCE_S
    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(IN_FLIGHT), repr=False)

    async def run(self, answers: Sequence[Answered], budget: Budget) -> Sampled:
        """Examine what the budget allows. Raises LoopError where the engine does not answer.

        What was paid for is recorded however this ends, and so is an attempt in vain, for `choice` counts them. An
        answer that did not arrive is not counted: an engine stops writing when the connection is closed.
        """
        tally = _Tally(len(answers))
        for each in answers:
            if not budget.affords(self.most(each)):
                return tally.closed(budget, Stopped.BUDGET)
            meter = Meter()
            found = await self._examine(each, meter)
            if found is None:
                tally.gone += 1
            else:
                tally.add(found)
            budget = budget.less(meter.tokens)
            tally.left -= 1
            self.told(len(answers) - tally.left, len(answers))
        return tally.closed(budget, Stopped.DONE)

    def most(self, answered: Answered) -> int:
        """Return more tokens than examining an answer can take."""
        limit = _limit(answered)
        asked = self.sampling.k * (_most_input(answered) + limit)
        longest = BYTES * COMPARED * limit
        return asked + self.comparison.most(answered.question, self.sampling.k, longest)

    async def _examine(self, answered: Answered, meter: Meter) -> Examined | None:
        """Sample, compare and record; None where the version is not served any more.

        One question that cannot be asked, or not in time, must not keep the others waiting: it comes to no value.
        """
        gone = False
        try:
            async with asyncio.timeout(self.patience):
                found = await self._compared(answered, meter)
        except (UnknownModel, RequestRefused) as error:
            gone = isinstance(error, UnknownModel)
            found = Examined(None, None, {"error": error.diagnostics[0].summary}, meter.tokens)
        except TimeoutError:
            reason = f"not done within {self.patience:g} s"
            found = Examined(None, None, {"error": reason}, meter.tokens)
        except BaseException:
            if meter.replies:
                broken = Examined(None, None, {"broken off after": meter.replies}, meter.tokens)
                self.log.record(answered, Detector.SELF_CONSISTENCY, broken)
            raise
        self.log.record(answered, Detector.SELF_CONSISTENCY, found)
        return None if gone else found

    async def _compared(self, answered: Answered, meter: Meter) -> Examined:
        """Return what the samples of an answer say of it. Raises LoopError where they do not come."""
        longest = COMPARED * _limit(answered)
        answers = [answer[:longest] for answer in await self._sample(answered, meter)]
        compared = await self.comparison.compare(answered.question, answers, meter)
        if compared.matrix is None:
            return Examined(None, None, {"error": compared.reason}, meter.tokens)
        value = agreement(answers, lambda _answers: compared.matrix or ())
        return Examined(value, len(answers), _evidence(answered, answers), meter.tokens)

    async def _sample(self, answered: Answered, meter: Meter) -> list[str]:
        """Return k answers. Raises LoopError where one of them does not come; the others are then given up."""
        client = self.client(answered.served)
        asking = [asyncio.ensure_future(self._ask(client, answered, meter)) for _ in range(self.sampling.k)]
        try:
            return list(await asyncio.gather(*asking))
        finally:
            for each in asking:
                each.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self, client: ChatClient, answered: Answered, meter: Meter) -> str:
        async with self._gate:
            reply = await client.ask(answered.messages, self.sampling.temperature, _limit(answered))
        meter.count(reply, _most_input(answered), _limit(answered))
        return reply.text


def _limit(answered: Answered) -> int:
    """Return how long a sampled answer may be: twice the logged one, within bounds."""
    if answered.output_tokens is None:
        return LONGEST
    return min(LONGEST, max(SHORTEST, 2 * answered.output_tokens))


def _most_input(answered: Answered) -> int:
    """Return more tokens than the prompt has: what it had, and its bytes for what masking put into it."""
    told = json.dumps([dict(message) for message in answered.messages], ensure_ascii=False)
    if answered.input_tokens is None:
        return upper_bound(told)
    return upper_bound(told, template=answered.input_tokens)


def _evidence(answered: Answered, answers: Sequence[str]) -> dict[str, Any]:
    """Return the sentences of the answer that its samples do not bear out, the worst first, and what they lack."""
    found = examine(answered.answer, answers)
    suspect = sorted(
        (each for each in found.sentences if each.inconsistency >= SUSPECT),
        key=lambda each: -each.inconsistency,
    )
    if not suspect:
        return {}
    named: list[Mapping[str, Any]] = [
        {
            "sentence": quoted(each.text),
            "inconsistency": round(each.inconsistency, 3),
            "in no sample": list(each.missing),
        }
        for each in suspect[:NAMED]
    ]
    return {"unsupported": named, "samples": [quoted(answer) for answer in answers[:NAMED]]}
