"""Parity: the largest mean difference of one text, from tokens that both stacks scored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from runner.errors import TerminalError
from runner.evaluation.bench import Conversation, LogProbs, Scored, Tokens
from runner.evaluation.marking import Row
from runner.evaluation.parity import differences, parity
from runner.spec.evaluation import SuiteKind
from tests.evaluation.benches import CANDIDATE, Said, bench, job


class Stacks:
    """The engine says -1 of every token; PEFT says what it is given, text by text."""

    def __init__(self, *trained: LogProbs) -> None:
        self.by_peft, self.talks = trained, list[Conversation]()

    async def trained(
        self, recorded: Sequence[Tokens], conversations: Sequence[Conversation]
    ) -> list[Scored]:
        self.talks += conversations
        assert len(recorded) + len(conversations) == len(self.by_peft)
        return [Scored(tuple(range(len(each))), each) for each in self.by_peft]

    async def served(self, texts: Sequence[Tokens]) -> list[LogProbs]:
        return [(None, *[-1.0] * (len(text) - 1)) for text in texts]


def test_it_is_the_worst_text_that_counts_and_answers_are_the_candidates_own() -> None:
    stacks = Stacks((None, -1.0, -1.5), (None, -1.0, -1.0), (None, -1.1, -1.3))
    rows = [Row("1", "When?", "11 am."), Row("2", "Who?", "Mirel.")]
    answers = Said({CANDIDATE: {"When?": "11 am.", "Who?": "Nobody."}})
    given = bench(answers=answers, scores=stacks, probe=((0, 1, 2),))
    found = asyncio.run(parity(job(SuiteKind.PARITY, rows), given))
    values = {each.metric: each.value for each in found.measured}
    assert values["parity"] == pytest.approx(0.25)
    assert values["parity_mean"] == pytest.approx(0.9 / 6)
    assert values["parity_max_abs_diff"] == pytest.approx(0.5)
    assert all(each.low == each.value == each.high for each in found.measured)
    assert stacks.talks == [("When?", "11 am."), ("Who?", "Nobody.")]
    assert [row.question for row in found.rows] == ["probe prompt", "When?", "Who?"]


@pytest.mark.parametrize(
    ("trained", "served"), [((None, -1.0), (None,)), ((None,), (None,)), ((None, float("nan")), (None, -1.0))]
)
def test_texts_that_cannot_be_compared_are_refused(trained: LogProbs, served: LogProbs) -> None:
    with pytest.raises(TerminalError):
        differences(trained, served)
