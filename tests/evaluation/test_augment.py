"""Making synthetic pairs, against servers that say what a script says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runner.errors import TransientError
from runner.evaluation.augment import (
    Augmenter,
    ByFacts,
    ByJudge,
    ByModel,
    ByRules,
    Evaluator,
    Outcome,
    Paraphraser,
    Source,
    Tally,
)
from runner.evaluation.chat import ChatClient
from runner.feedback.augmentation.made import Made
from runner.feedback.augmentation.novelty import Known, known
from runner.feedback.preferences.pairs import Pair
from runner.feedback.records import question
from runner.signals.facts.reference import Reference, fact
from runner.spec.collection import Detail, PairQuality
from tests.evaluation.scripted import RAW, client_of, run, scripted
from tests.feedback.augmentation.made_up import pair, screen

FACTS = Reference([fact("The shop opens at 11 am on Sunday."), fact("The shop opens at 9 am on Saturday.")])
BY_FACTS = ByFacts(FACTS, "facts-of-the-shop", "f" * 64)
QUALITY = PairQuality(more_detailed=Detail.REPORTED)
PARENTS = {
    "factual_qa": [
        pair(1, "When does the shop open on Sunday?"),
        pair(2, "When does the shop open on Saturday?"),
    ]
}
RIGHT, WRONG = "It opens at 11 am on Sunday.", "It opens at 3 am on Sunday."


def by_temperature(body: dict[str, Any]) -> str:
    """Say the truth to who asks calmly."""
    asked = body["messages"][-1]["content"]
    day, hour = ("Sunday", 11) if "Sunday" in asked else ("Saturday", 9)
    return f"It opens at {hour if body['temperature'] < 0.5 else 3} am on {day}."


def asked_before(*parents: Pair, suites: tuple[str, ...] = ()) -> Known:
    return known([each.prompt for each in parents], screen(*suites), 0.9)


async def augment(
    client: ChatClient,
    evaluators: list[Evaluator],
    room: int = 2,
    paraphraser: Paraphraser | None = None,
    before: tuple[Made, ...] = (),
    known_: Known | None = None,
    keep: Callable[[Made], None] | None = None,
    tally: Tally | None = None,
) -> tuple[list[Made], Tally]:
    found: list[Made] = []
    tally = tally or Tally()
    every = known_ or asked_before(*PARENTS["factual_qa"])
    maker = Augmenter(
        Source(client, "chat-v1.0", "a" * 64), paraphraser or ByRules(), evaluators, every, QUALITY
    )
    await maker.run(PARENTS, {"factual_qa": room}, before, tally, keep or found.append)
    assert tally.tokens.both <= maker.most(PARENTS, {"factual_qa": room})
    return found, tally


def made(*script: Any, **options: Any) -> tuple[list[Made], Tally]:
    """Run against a server with this script."""

    async def go() -> tuple[list[Made], Tally]:
        async with scripted(*script) as server, client_of(server.url) as client:
            return await augment(client, options.pop("evaluators", [BY_FACTS]), **options)

    found: tuple[list[Made], Tally] = run(go())
    return found


def test_what_facts_support_is_chosen_and_what_they_contradict_is_rejected() -> None:
    found, tally = made(by_temperature)

    assert tally.outcomes[Outcome.MADE] == len(found) == 2
    for each in found:
        assert "at 3 am" in each.pair.rejected
        assert "at 3 am" not in each.pair.chosen
        assert each.pair.synthetic
        assert (each.how.paraphraser, each.how.evaluator, each.how.evaluated_by) == (
            "rewrite",
            "facts",
            "facts-of-the-shop",
        )
        assert each.how.temperatures == (0.2, 1.0)


def test_the_paraphrase_is_what_was_asked() -> None:
    async def go() -> tuple[list[Made], list[dict[str, Any]]]:
        async with scripted(by_temperature) as server, client_of(server.url) as client:
            found, _ = await augment(client, [BY_FACTS])
            return found, server.asked

    found, asked = run(go())
    assert {question(tuple(body["messages"])) for body in asked} == {
        question(each.pair.prompt) for each in found
    }


def test_where_all_answers_are_right_no_pair_is_made_up() -> None:
    found, tally = made(lambda body: f"It opens at 11 am on Sunday, {body['temperature']} times.")

    assert found == []
    assert tally.outcomes[Outcome.UNDECIDED] == 2


def test_answers_that_the_engine_cut_off_are_no_examples() -> None:
    cut = RAW + '{"choices": [{"message": {"content": "It opens at 3 am"}, "finish_reason": "length"}]}'

    assert made(cut)[1].outcomes[Outcome.UNDECIDED] == 2


def test_answers_with_a_broken_character_are_no_examples() -> None:
    assert made(lambda body: by_temperature(body) + " \ufffd")[1].outcomes[Outcome.UNDECIDED] == 2


def test_there_is_never_more_than_there_is_room_for() -> None:
    assert len(made(by_temperature, room=1)[0]) == 1
    assert made(by_temperature, room=0)[0] == []


def test_a_parent_has_one_child_also_over_several_runs() -> None:
    first, _ = made(by_temperature, room=1)
    rest, _ = made(by_temperature, before=tuple(first))

    assert {source for each in (*first, *rest) for source in each.pair.sources} == {"vote-1", "vote-2"}
    assert len(rest) == 1


def test_a_pair_that_the_policy_would_reject_is_not_kept() -> None:
    def wordy(body: dict[str, Any]) -> str:
        return by_temperature(body) + (" Really." * 20 if body["temperature"] > 0.5 else "")

    assert made(wordy)[1].outcomes[Outcome.UNFIT] == 2


def test_a_wording_that_a_suite_asks_is_left_out() -> None:
    async def go() -> Tally:
        async with scripted("When is the shop open on Sunday?") as server, client_of(server.url) as client:
            leaked = asked_before(suites=("When is the shop open on Sunday",))
            return (await augment(client, [BY_FACTS], paraphraser=ByModel(client), known_=leaked))[1]

    assert run(go()).outcomes[Outcome.MADE] == 0
    assert run(go()).outcomes[Outcome.NOT_NEW] > 0


def test_a_models_paraphrase_with_other_figures_is_left_out() -> None:
    async def go() -> Tally:
        async with scripted("Is the shop open on Sunday at 5 pm?") as server, client_of(server.url) as client:
            return (await augment(client, [BY_FACTS], paraphraser=ByModel(client)))[1]

    assert run(go()).outcomes == {Outcome.CHANGED: 6}


def test_a_failure_keeps_what_was_made_before_it() -> None:
    kept: list[Made] = []

    with pytest.raises(TransientError):
        made(by_temperature, by_temperature, (503, "{}"), keep=kept.append)

    assert len(kept) == 1


def judging(*verdicts: str) -> list[Made]:
    """Return what is made where a judge says this, in turn."""

    async def go() -> list[Made]:
        answers = (lambda body: f"an answer of some length at {body['temperature']}",)
        async with (
            scripted(*answers) as engine,
            scripted(*verdicts) as judge,
            client_of(engine.url) as client,
            client_of(judge.url) as judges,
        ):
            return (await augment(client, [BY_FACTS, ByJudge(judges)], room=1))[0]

    found: list[Made] = run(go())
    return found


def test_a_judge_decides_where_no_fact_speaks_if_it_says_the_same_in_both_orders() -> None:
    (found,) = judging("FIRST", "SECOND", "TIE")

    assert (found.how.evaluator, found.how.temperatures) == ("judge", (0.2, 1.0))
    assert "at 0.2" in found.pair.chosen


def test_a_judge_that_prefers_the_second_is_believed_as_well() -> None:
    (found,) = judging("second.", "'First'", "TIE")

    assert "at 1.0" in found.pair.chosen


@pytest.mark.parametrize("verdicts", [("FIRST", "FIRST", "TIE"), ("TIE",), ("I like the FIRST one",)])
def test_a_judge_that_favours_a_place_or_says_anything_else_decides_nothing(
    verdicts: tuple[str, ...],
) -> None:
    assert judging(*verdicts) == []
