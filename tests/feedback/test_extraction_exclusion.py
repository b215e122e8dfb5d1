"""What `exclude_with` forbids is left out by the conversation, wherever in it the thing was said."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.events.masking import Masking
from runner.feedback.extraction import Found
from runner.feedback.records import record_id
from runner.spec.privacy import Entity
from tests.feedback.shop_log import Log, collected

CARD = "4111 1111 1111 1111"
FIRST = "Where is my parcel?"
Messages = list[dict[str, str]]


class Strict:
    """Masks nothing and excludes what has a card in it, as the gateway leaves it."""

    def scrub(self, texts: Any, language: str) -> Any:
        excluded = ("card",) if any("<CARD_" in text for text in texts) else ()
        return SimpleNamespace(texts=tuple(texts), counts={}, excluded=excluded)


def taken(log: Log, home: Path) -> Found:
    rules: dict[str, Any] = {"tails": 0.0, "near_duplicate": 1.0, "exclude_with": (Entity.CARD,)}
    return collected(log.write(home), ports={"scrubber": Strict()}, **rules)


def turns(*texts: str) -> Messages:
    """Return a prompt: what user and assistant said in turn."""
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]


def masked(text: str) -> str:
    return Masking().text(text)


class Talk(Log):
    """A log in which every turn gets its thumb down, unless it is said that nobody said anything of it."""

    def turn(self, *texts: str, user: str = "ann", thumbs: int | None = -1, **more: Any) -> str:
        prompt = turns(*map(masked, texts))
        name = self.ask(prompt, f"It is on its way ({len(self.events)}).", user=user, **more)
        if any(text != masked(text) for text in texts):
            self.events[-1][1]["loop.masked"] = '{"CARD":1}'
        if thumbs is not None:
            self.feedback(name, user=user, thumbs=thumbs)
        return name


def ids(*names: str) -> set[str]:
    return {record_id(name) for name in names}


def test_a_card_in_a_later_turn_leaves_out_the_turns_before_it_and_after_it(tmp_path: Path) -> None:
    log = Talk()
    log.turn(FIRST)
    log.turn(FIRST, "Soon.", f"I paid with {CARD}")
    log.turn(FIRST, "Soon.", "I paid in cash")
    other = log.turn("Do you sell maps?")
    somebody = log.turn(FIRST, user="ben")
    found = taken(log, tmp_path)
    assert {each.id for each in found.records} == ids(other, somebody)
    assert found.excluded == {"card": 3}


def test_a_card_in_a_turn_that_nobody_said_anything_of_leaves_out_the_others(tmp_path: Path) -> None:
    log = Talk()
    log.turn(FIRST)
    log.turn(FIRST, "Soon.", f"I paid with {CARD}", thumbs=None)
    other = log.turn("Do you sell maps?")
    found = taken(log, tmp_path)
    assert {each.id for each in found.records} == ids(other)
    assert found.excluded == {"card": 1}


@pytest.mark.parametrize("where", ["comment", "correction"])
@pytest.mark.parametrize("by", ["ann", "eve"])
def test_a_card_in_what_anybody_wrote_of_an_answer_leaves_out_its_conversation(
    tmp_path: Path, where: str, by: str
) -> None:
    log = Talk()
    log.turn(FIRST)
    second = log.turn(FIRST, "Soon.", "When is that?")
    log.feedback(second, user=by, after_s=1, **{where: masked(f"It took {CARD}!")})
    log.feedback(second, user=by, after_s=2, **{where: "Nothing."})
    other = log.turn("Do you sell maps?")
    found = taken(log, tmp_path)
    assert {each.id for each in found.records} == ids(other)


def test_a_session_is_one_conversation_however_it_begins_and_another_session_is_another(
    tmp_path: Path,
) -> None:
    log = Talk()
    log.turn("Hello", **{"loop.session": "one"})
    log.turn(f"I paid with {CARD}", **{"loop.session": "one"})
    other = log.turn("Hello", **{"loop.session": "two"})
    someone = log.turn("Hello", user="ben", **{"loop.session": "one"})
    assert {each.id for each in taken(log, tmp_path).records} == ids(other, someone)


def test_a_card_in_a_reviewers_words_leaves_out_the_item_and_every_label_of_it(tmp_path: Path) -> None:
    log = Talk()
    first, other = log.turn(FIRST), log.turn("Do you sell maps?")
    log.label(record_id(first), "good", **{"loop.label.comment": masked(f"paid by {CARD}")})
    log.label(record_id(first), "bad", user="tom")
    kept = log.label(record_id(other), "bad", user="tom")
    found = taken(log, tmp_path)
    assert {each.id for each in found.records} == ids(other)
    assert [each.id for each in found.labels] == [kept]


def test_a_card_in_one_persons_vote_leaves_out_all_votes_on_the_comparison_and_what_was_said_of_them(
    tmp_path: Path,
) -> None:
    log = Talk()
    same = {"loop.vote.question": "cmp-1"}
    log.vote(FIRST, "Soon.", "Never.", **same, **{"loop.vote.reason": masked(f"it has {CARD}")})
    log.vote(FIRST, "Soon.", "Never.", **same, **{"loop.user": "tom"})
    log.label("cmp-1", "left", **{"loop.label.task": "preference"})
    kept = log.vote("Which?", "This.", "That.", **{"loop.vote.question": "cmp-2"})
    found = taken(log, tmp_path)
    assert ([each.id for each in found.ballots], found.labels) == ([kept], ())
    assert found.excluded == {"card": 3}


def test_where_the_policy_excludes_nothing_nothing_is_looked_for_around_what_is_taken(tmp_path: Path) -> None:
    log = Talk()
    log.turn(FIRST)
    log.turn(FIRST, "Soon.", f"I paid with {CARD}", thumbs=None)
    found = collected(log.write(tmp_path), tails=0.0)
    assert (len(found.records), found.excluded) == (1, {})


@pytest.mark.parametrize("messages", ["{", "[1]", "3", '[{"role":"user","content":" "}]', '"Hi"'])
def test_turns_that_cannot_be_read_forbid_nothing(tmp_path: Path, messages: str) -> None:
    log = Talk()
    kept = log.turn(FIRST)
    log.turn(f"I paid with {CARD}", thumbs=None)
    log.events[-1][1]["gen_ai.input.messages"] = messages
    assert {each.id for each in taken(log, tmp_path).records} == ids(kept)
