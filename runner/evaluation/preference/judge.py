"""A model as the judge of which of two answers is better: both orders, several times, one word each.

Called by the calibration and by the suites of kind `win_rate`; `runner.evaluation.judge` asks whether answers say the
same, which is another question. Judges favour places, so a pair counts as won only where more of its verdicts say so
than say the contrary: a judge that always says FIRST decides nothing. An answer that is no verdict is an error, never
a tie.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from runner.errors import TerminalError, TransientError, terminal
from runner.evaluation.chat import ChatClient, RequestRefused, UnknownModel
from runner.evaluation.preference.prompt import ASKING, Word, told
from runner.evaluation.price import Meter
from runner.signals.text import plain

AT_ONCE = 4
"""Pairs that are judged at the same time."""
TOLD_EVERY = 25 * AT_ONCE
"""Pairs between two tellings of progress."""
PATIENCE = 12
"""Pairs in a row that the judge does not answer, or that come to nothing before any verdict; then it is given up."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to one question."""

    question: str
    one: str
    other: str

    @property
    def is_equal(self) -> bool:
        """Whether there is nothing to choose between."""
        return plain(self.one).strip() == plain(self.other).strip()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a judge said of a pair: the verdicts of each turn, with `one` first and with `other` first.

    Without turns and error the two texts are the same, and nobody was asked. With an `error` nothing was decided;
    `unanswered` where the judge did not answer at all, however often it was asked.
    """

    turns: tuple[tuple[Word, Word], ...] = ()
    error: str | None = None
    unanswered: bool = False

    @property
    def score(self) -> float | None:
        """1 where `one` won, 0 where `other` did, a half for a tie; None with an error."""
        if self.error is not None:
            return None
        balance = sum(straight.value - swapped.value for straight, swapped in self.turns)
        return 0.5 if not balance else float(balance > 0.0)

    @property
    def steady(self) -> tuple[bool, ...]:
        """Of each turn, whether both orders said the same of the two answers."""
        return tuple(straight.value + swapped.value == 1.0 for straight, swapped in self.turns)


@dataclass(frozen=True, slots=True)
class PreferenceJudge:
    """Asks a model at temperature 0, each pair `repeats` times in both orders."""

    client: ChatClient
    repeats: int = 1
    meter: Meter = field(default_factory=Meter)

    async def compare(self, pair: Pair) -> Comparison:
        """Judge one pair; equal texts are not asked about. Raises TerminalError where asking is in vain."""
        if pair.is_equal:
            return Comparison()
        turns: list[tuple[Word, Word]] = []
        try:
            for _ in range(self.repeats):
                straight = await self._said(told(pair.question, pair.one, pair.other))
                swapped = await self._said(told(pair.question, pair.other, pair.one))
                turns.append((straight, swapped))
        except UnknownModel as error:  # of the judge, which is nothing that an examined version lacks
            raise TerminalError(*error.diagnostics) from error
        except (TransientError, RequestRefused) as error:
            gone = isinstance(error, TransientError)
            return Comparison(error=error.diagnostics[0].summary, unanswered=gone)
        except _NoVerdict as error:
            return Comparison(error=str(error))
        return Comparison(tuple(turns))

    async def compare_all(
        self, pairs: Sequence[Pair], progress: Callable[[int, int], None] = lambda _done, _of: None
    ) -> list[Comparison]:
        """Judge pairs, a few at a time, in order. Raises TerminalError where asking is in vain.

        It is in vain, too, where the first pairs come to nothing but errors, or the judge stops answering: nobody waits
        for two hundred of them.
        """
        found: list[Comparison] = []
        for start in range(0, len(pairs), AT_ONCE):
            async with asyncio.TaskGroup() as group:
                asking = [group.create_task(self._kept(each)) for each in pairs[start : start + AT_ONCE]]
            for each in asking:
                result = each.result()
                if isinstance(result, TerminalError):
                    raise result
                found.append(result)
            _hold_out([each for each in found if each.turns or each.error])
            if len(found) % TOLD_EVERY == 0 or len(found) == len(pairs):
                progress(len(found), len(pairs))
        return found

    async def _kept(self, pair: Pair) -> Comparison | TerminalError:
        """Return an error that ends everything as a value: the others of its group then end in order."""
        try:
            return await self.compare(pair)
        except TerminalError as error:
            return error

    async def _said(self, said: str) -> Word:
        reply = await ASKING.ask(self.client, said, self.meter)
        word = ASKING.read(reply)
        if word is None:
            raise _NoVerdict(ASKING.confusion(reply))
        return Word[word]


def _hold_out(asked: Sequence[Comparison]) -> None:
    """Return where it is worth going on. Raises TerminalError."""
    if len(asked) < PATIENCE:
        return
    last = asked[-PATIENCE:]
    if all(each.unanswered for each in last) or all(each.error for each in asked):
        reasons = dict.fromkeys(each.error or "" for each in last)
        raise terminal(f"the judge gave no verdict on {len(last)} pairs in a row", *list(reasons)[:2])


class _NoVerdict(Exception):
    """What a judge said is no verdict."""
