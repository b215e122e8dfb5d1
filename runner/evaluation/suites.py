"""Asks served versions the questions of a suite and records which they answer right.

Called by `loop signals sample`. Like the sampler it asks the engine past the gateway by the pinned name of the adapter,
two requests at a time. A question is asked once of the same bytes: what is recorded is not asked again, so that a suite
costs what its rows cost and no more. Recorded is the mark, not the answer.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from runner import digest
from runner.errors import terminal
from runner.evaluation.chat import ChatClient, RequestRefused, UnknownModel
from runner.evaluation.marking import Declines, Row, mark
from runner.evaluation.price import upper_bound
from runner.evaluation.sampler import IN_FLIGHT
from runner.events.schema import Kind
from runner.events.writer import SegmentWriter
from runner.spec.evaluation import Suite, SuiteKind
from runner.spec.load import VersionDigest

ANSWERED = frozenset({SuiteKind.REGRESSION, SuiteKind.OOD, SuiteKind.ADVERSARIAL, SuiteKind.FORGETTING})
"""Kinds of suite whose rows hold the right answer."""


@dataclass(frozen=True, slots=True)
class Asking:
    """One question to one version."""

    suite: str
    row: Row
    version: VersionDigest

    @property
    def served(self) -> str:
        """The engine's name for the bytes that are asked."""
        return digest.served_name(*self.version)

    @property
    def event_id(self) -> str:
        """The same for every run; another where the row or the bytes are others."""
        row = self.row
        return digest.of_value([self.suite, row.id, row.question, row.answer, *self.version])[:32]


@dataclass(slots=True)
class Score:
    """How a version did: answers that could be judged, and those among them that are right."""

    judged: int = 0
    right: int = 0


@dataclass(slots=True)
class Outcome:
    """What a run came to; `gone` are versions that no engine serves, whose questions were left."""

    left: int
    scores: dict[str, Score] = field(default_factory=lambda: defaultdict(Score))
    unclear: int = 0
    gone: set[str] = field(default_factory=set)

    @property
    def asked(self) -> int:
        """Answers that were recorded."""
        return self.unclear + sum(score.judged for score in self.scores.values())

    def add(self, version: str, right: bool | None) -> None:
        """Count an answer."""
        self.left -= 1
        if right is None:
            self.unclear += 1
        else:
            self.scores[version].judged += 1
            self.scores[version].right += right


def hold_to_answers(name: str, suite: Suite) -> None:
    """Return where the rows of a suite hold right answers. Raises TerminalError naming the kinds that do."""
    if suite.kind not in ANSWERED or suite.dataset is None:
        raise terminal(
            f"suite '{name}' is of kind {suite.kind}, whose rows hold no right answer",
            f"these do: {', '.join(sorted(ANSWERED))}",
        )


def load(path: Path, name: str, suite: Suite) -> list[Row]:
    """Read the questions of a suite in the order they are asked: by hash, so that the first ones are a fair sample.

    Raises TerminalError where its data set cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            rows = [_row(json.loads(line)) for line in lines]
    except FileNotFoundError:
        raise terminal(
            f"the questions of suite '{name}' are not here: {path}", fix="fetch them: `dvc pull`"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise terminal(
            f"the questions of suite '{name}' cannot be read: {path}",
            problem,
            fix="give each line the texts `question` and `answer`",
        ) from error
    return sorted(rows, key=lambda row: digest.of_value([name, row.id]))[: suite.questions]


def _row(line: Any) -> Row:
    question, answer = line["question"], line["answer"]
    if not (isinstance(question, str) and isinstance(answer, str) and question.strip() and answer.strip()):
        raise ValueError("a question or its answer is no text")
    return Row(str(line.get("id") or digest.of_value(question)[:16]), question, answer)


def to_ask(
    name: str,
    rows: Iterable[Row],
    versions: Sequence[VersionDigest],
    done: Collection[str],
    limit: int | None,
) -> list[Asking]:
    """Return what was not asked before, both versions next to each other; `done` are ids of events.

    `limit` bounds the questions, not the answers: a question that only one version answered compares nothing.
    """
    open_ = (
        [
            asking
            for asking in (Asking(name, row, version) for version in versions)
            if asking.event_id not in done
        ]
        for row in rows
    )
    return [asking for each in islice(filter(None, open_), limit) for asking in each]


def most(askings: Iterable[Asking], max_tokens: int) -> int:
    """Return more tokens than asking can take."""
    return sum(upper_bound(each.row.question) + max_tokens for each in askings)


@dataclass
class EvaluationLog:
    """Writes to the events of one environment; use it in a `with` statement. `clock`: microseconds since 1970 UTC."""

    events: Path
    environment: str
    clock: Callable[[], int]
    written: int = 0
    _writer: SegmentWriter | None = field(default=None, repr=False)

    def __enter__(self) -> EvaluationLog:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def record(self, asking: Asking, right: bool | None, output_tokens: int | None) -> None:
        """Write one mark, durable when this returns. Raises LogUnwritable."""
        if self._writer is None:
            self.events.mkdir(parents=True, exist_ok=True)
            self._writer = SegmentWriter(self.events, Kind.EVALUATION, self.clock)
        event = {
            "event.id": asking.event_id,
            "event.time": self.clock(),
            "loop.environment": self.environment,
            "loop.suite": asking.suite,
            "loop.question": asking.row.id,
            "loop.version": asking.version.name,
            "loop.adapter.digest": asking.version.digest,
            "loop.right": right,
            "gen_ai.usage.output_tokens": output_tokens,
        }
        self._writer.append({name: value for name, value in event.items() if value is not None})
        self._writer.sync()
        self.written += 1


@dataclass
class Examiner:
    """Asks at temperature 0. `client` returns a client for a served name, `max_tokens` bounds an answer."""

    client: Callable[[str], ChatClient]
    max_tokens: int
    declines: Declines
    log: EvaluationLog
    told: Callable[[int, int], None] = lambda _done, _of: None

    async def run(self, askings: Sequence[Asking]) -> Outcome:
        """Ask and record. Raises LoopError where the engine does not answer; what was answered stays recorded."""
        outcome = Outcome(len(askings))
        for start in range(0, len(askings), IN_FLIGHT):
            asking = [
                asyncio.ensure_future(self._ask(each, outcome))
                for each in askings[start : start + IN_FLIGHT]
                if each.version.name not in outcome.gone
            ]
            try:
                await asyncio.gather(*asking)
            finally:
                for each in asking:
                    each.cancel()
                await asyncio.gather(*asking, return_exceptions=True)
            self.told(min(start + IN_FLIGHT, len(askings)), len(askings))
        return outcome

    async def _ask(self, asking: Asking, outcome: Outcome) -> None:
        messages = [{"role": "user", "content": asking.row.question}]
        right, output_tokens = None, None
        try:
            reply = await self.client(asking.served).ask(messages, 0.0, self.max_tokens)
        except UnknownModel:
            outcome.gone.add(asking.version.name)
            return
        except (
            RequestRefused
        ):  # it would be refused every time: recorded without a mark, it is not asked again
            pass
        else:
            right, output_tokens = mark(asking.row, reply.text, self.declines), reply.output_tokens
        self.log.record(asking, right, output_tokens)
        outcome.add(asking.version.name, right)
