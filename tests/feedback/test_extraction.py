"""From a log to records: each answer once, with every reason that speaks for looking at it."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from runner.events.schema import Kind
from runner.feedback.ballots import ballots
from runner.feedback.extraction import Found, Window
from runner.feedback.labels.items import preference_id
from runner.feedback.records import Reason, Record, Task, record_id
from tests.feedback.shop_log import HOUR_US, START_US, WINDOW, Log, collected

BOOKS = "The Lantern Ledger", "Salt on the Staircase", "Kettle Weather", "Turnip Royal", "Violet Engine"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Log, dict[str, str], Found]:
    """A log with one of everything, and what is collected from it."""
    log, names = Log(), {}
    names["liked"] = log.ask("Who wrote Kettle Weather?", "Elspa Vondrey.")
    log.feedback(names["liked"], thumbs=1)
    names["changed"] = log.ask("When was Turnip Royal published?", "2018.")
    log.feedback(names["changed"], thumbs=1, after_s=1)
    log.feedback(names["changed"], thumbs=-1, rating=2, after_s=2)
    log.feedback(names["changed"], rating=5, after_s=3)
    names["corrected"] = log.ask("Where is Violet Engine?", "In shelf A.")
    log.feedback(names["corrected"], correction="In shelf B.", after_s=2)
    log.feedback(names["corrected"], correction="In shelf C.", after_s=9)
    names["unchanged"] = log.ask("What does it cost?", "Nine dollars.")
    log.feedback(names["unchanged"], correction=" nine  dollars. ")
    names["stuffed"] = log.ask("Is there a cafe?", "Yes, upstairs.", user="ben")
    for _ in range(5):
        log.feedback(names["stuffed"], user="eve", thumbs=-1)
    names["refused"] = log.ask("Do you sell maps?", "Sorry, I do not know.")
    names["rightly"] = log.ask("How do I file my taxes?", "Sorry, only books.")
    names["again"] = log.ask("When do you close on Sunday?", "We have many books.", user="cem", at_s=50_000)
    names["second"] = log.ask("when do you close on sunday", "At six.", user="cem", at_s=50_020)
    names["later"] = log.ask("When do you close on Sunday?", "At six o'clock.", user="cem", at_s=50_500)
    names["shadowed"] = log.ask("How many pages has it?", "It has 212 pages.")
    log.shadow(names["shadowed"], "It has 210 pages.")
    names["reworded"] = log.ask("How much is the blue one?", "It costs 12.50 dollars.")
    log.shadow(names["reworded"], "The blue one costs 12.50 dollars.")
    names["pinned"] = log.ask("Do you wrap gifts?", "No.", user="dee", **{"loop.arm": "pinned"})
    log.feedback(names["pinned"], user="dee", rating=1)
    names["failed"] = log.ask("Are you there?", "Sorry, no.", **{"loop.outcome": "error"})
    log.feedback("never answered", thumbs=-1)
    home = log.write(tmp_path_factory.mktemp("shop"))

    def answerable(questions):
        return [False if "taxes" in question else None for question in questions]

    return log, names, collected(home, ports={"answerable": answerable}, tails=0.0)


def reasons(shop: tuple[Log, dict[str, str], Found], name: str) -> set[Reason]:
    record = one(shop, name)
    return set(record.reasons) if record else set()


def one(shop: tuple[Log, dict[str, str], Found], name: str) -> Record | None:
    _, names, found = shop
    return next((each for each in found.records if each.id == record_id(names[name])), None)


def test_each_answer_has_every_reason_that_speaks_for_it_and_no_other(shop) -> None:
    expected = {
        "liked": {Reason.THUMBS_UP},
        "changed": {Reason.THUMBS_DOWN, Reason.HIGH_RATING},
        "corrected": {Reason.CORRECTION},
        "unchanged": set(),
        "stuffed": set(),
        "refused": {Reason.REFUSAL},
        "rightly": set(),
        "again": {Reason.REASK},
        "second": set(),
        "later": set(),
        "shadowed": {Reason.SHADOW},
        "reworded": set(),
        "pinned": {Reason.LOW_RATING},
        "failed": set(),
    }
    assert {name: reasons(shop, name) for name in expected} == expected


def test_of_several_opinions_of_one_user_the_latest_of_each_kind_counts(shop) -> None:
    changed, corrected = one(shop, "changed"), one(shop, "corrected")
    assert changed is not None and corrected is not None
    assert (changed.thumbs, changed.rating) == (-1, 5)
    assert corrected.correction == "In shelf C."


def test_a_record_names_the_events_it_was_made_from_the_request_first(shop) -> None:
    log, names, found = shop
    known = {event["event.id"] for _, event in log.events}
    for record in found.records:
        assert record.id == record_id(record.sources[0])
        assert set(record.sources) <= known
    again, shadowed = one(shop, "again"), one(shop, "shadowed")
    assert again is not None and names["second"] in again.sources
    assert shadowed is not None and f"{names['shadowed']}-shadow" in shadowed.sources
    assert shadowed.other == "It has 210 pages."


def test_what_is_left_out_is_told(shop) -> None:
    found = shop[2]
    assert found.left_out == {
        "feedback_of_others": 5,
        "feedback_on_no_answer": 1,
        "rightly_refused": 1,
        "unchanged_corrections": 1,
    }
    counts = {kind: kept.events for kind, kept in found.census.kinds.items()}
    assert counts == {"request": 14, "content": 14, "feedback": 14, "shadow": 2, "vote": 0, "label": 0}


def test_what_forgotten_users_did_until_they_asked_for_it_is_not_there(tmp_path) -> None:
    log = Log()
    before = log.ask("Where is the exit?", "Sorry, no.", user="eve", at_s=10)
    after = log.ask("Is it raining?", "Sorry, no!", user="eve", at_s=500)
    other = log.ask("Who wrote this?", "Sorry, what?", user="ann", at_s=10)
    log.feedback(before, user="eve", thumbs=-1)
    log.vote("Which?", "a", "b", **{"loop.user": "eve", "event.time": START_US})
    log.label("rec-1", "good", user="eve", **{"event.time": START_US})
    forgotten = {"forgotten": {"eve": START_US + 100_000_000}}
    found = collected(log.write(tmp_path), ports=forgotten, tails=0.0)
    assert {each.id for each in found.records} == {record_id(after), record_id(other)}
    assert (found.ballots, found.labels) == ((), ())
    assert found.left_out["forgotten"] == 3


def test_the_same_said_twice_is_one_record_with_the_strongest_reasons(tmp_path) -> None:
    log = Log()
    alike = [log.ask(" Do you sell MAPS? ", "Sorry, I do not know.", user=f"u{n}") for n in range(4)]
    log.feedback(alike[2], user="u2", thumbs=-1)
    log.ask("Do you sell maps, please?", "Sorry, I don't know.", user="else")
    found = collected(log.write(tmp_path), tails=0.0, near_duplicate=0.6)
    assert [(each.id, set(each.reasons)) for each in found.records] == [
        (record_id(alike[2]), {Reason.REFUSAL, Reason.THUMBS_DOWN})
    ]
    assert found.left_out == {"repeated": 3, "near_duplicates": 1}


def test_of_each_reason_at_most_so_many_are_taken_and_every_question_once_before_any_twice(tmp_path) -> None:
    log = Log()
    for number in range(24):
        log.ask(f"Tell me of {BOOKS[number % 4]}!", f"Sorry, {number * 7919}.", user=f"u{number}")
    found = collected(log.write(tmp_path), per_reason=4, tails=0.0, near_duplicate=1.0)
    assert len(found.records) == 4
    assert {each.prompt[-1]["content"] for each in found.records} == {
        f"Tell me of {book}!" for book in BOOKS[:4]
    }
    assert found.left_out["beyond_per_reason"] == 20


def test_tails_are_exact_ranks_of_a_versions_tokens_and_empty_where_all_are_alike(tmp_path) -> None:
    log, names = Log(), []
    for number in range(40):
        tokens = {"gen_ai.usage.output_tokens": number + 1}
        names.append(log.ask(f"Question {number * 7919}?", f"Answer {number * 104729}.", **tokens))
    for number in range(40):
        same = {"gen_ai.usage.output_tokens": 9, "loop.version": "chat-v1.1"}
        log.ask(f"Other {number * 7919}?", f"Reply {number * 104729}.", **same)
    found = collected(log.write(tmp_path), tails=0.05, near_duplicate=1.0)
    tails = {reason: {each.id for each in found.records if reason in each.reasons} for reason in Reason}
    assert tails[Reason.SHORT] == {record_id(name) for name in names[:2]}
    assert tails[Reason.LONG] == {record_id(name) for name in names[-2:]}
    assert len(found.records) == 4


def test_a_conversation_with_what_the_policy_forbids_is_left_out_whole_and_counted(tmp_path) -> None:
    log = Log()
    log.ask("My card is 4111!", "Sorry, no.")
    kept = log.ask("My name is Ann.", "Sorry, Ann.")
    log.feedback(kept, correction="Hello Ann!")
    log.vote("I am Ann.", "Hi Ann.", "Hi.", **{"loop.vote.reason": "Ann likes it"})
    log.label(record_id(kept), "good", **{"loop.label.comment": "Ann said so"})

    class Strict:
        def scrub(self, texts, language):
            masked = tuple(text.replace("Ann", "<NAME_1>") for text in texts)
            count = sum(text.count("Ann") for text in texts)
            excluded = ("card",) if any("4111" in text for text in texts) else ()
            return SimpleNamespace(texts=masked, counts={"name": count}, excluded=excluded)

    found = collected(log.write(tmp_path), ports={"scrubber": Strict()}, tails=0.0)
    assert found.excluded == {"card": 1}
    (record,), (ballot,), (label,) = found.records, found.ballots, found.labels
    assert "Ann" not in json.dumps([str(record), str(ballot), str(label)])
    assert record.correction == "Hello <NAME_1>!" and record.masked == {"name": 3}
    assert ballot.reason == "<NAME_1> likes it" and label.comment == "<NAME_1> said so"


def test_of_several_labels_of_one_person_on_one_item_the_latest_counts_and_broken_ones_are_told(
    tmp_path,
) -> None:
    log = Log()
    item = record_id(log.ask("Do you sell maps?", "Sorry, no."))
    log.label(item, "good")
    latest = log.label(item, "bad")
    other = log.label(item, "good", user="tom")
    task = log.label(item, "left", **{"loop.label.task": "preference"})
    log.label(item, "left")
    log.label(item, "good", **{"loop.label.task": "taste"})
    found = collected(log.write(tmp_path))
    assert [each.id for each in found.labels] == [latest, other, task]
    assert found.labels[2].task is Task.PREFERENCE
    assert found.left_out == {"broken_labels": 2, "replaced_labels": 1}


def test_labels_about_what_is_not_taken_are_left_out_and_counted(tmp_path) -> None:
    log = Log()
    item = record_id(log.ask("Do you sell maps?", "Sorry, no."))
    vote = log.vote("Which?", "This.", "That.", **{"loop.vote.question": "cmp-1", "loop.vote.shown": 2})
    sides = {f"loop.{side}.response": f"chatcmpl-{side}" for side in ("left", "right")}
    log.vote("Which?", "A.", "B.", **{"loop.vote.shown": 3, "loop.vote.question": "cmp-3", **sides})
    pair = preference_id(ballots([dict(log.events)[Kind.VOTE]])[0])
    kept = [log.label(name, "good") for name in (item, vote, "cmp-1", pair)]
    for name in ("rec-none", "cmp-3", "cmp-none", "v9999"):
        log.label(name, "good", **{"loop.label.comment": "about nothing"})
    found = collected(log.write(tmp_path))
    assert [each.id for each in found.labels] == kept
    assert found.left_out["labels_about_nothing"] == 4


def test_a_vote_that_names_another_version_than_the_log_is_no_vote_and_is_counted(tmp_path) -> None:
    log = Log()
    asked = [log.ask("Which?", answer) for answer in ("This.", "That.")]
    sides = dict(
        zip(("loop.left.response", "loop.right.response"), (f"chatcmpl-{q}" for q in asked), strict=True)
    )
    true = log.vote("Which?", "This.", "That.", **sides, **{"loop.right.version": "chat-v1.0"})
    log.vote("Which?", "This.", "That.", **sides, **{"loop.right.version": "chat-v1.1"})
    log.vote(
        "Which?",
        "This.",
        "That.",
        **sides,
        **{"loop.right.version": "chat-v1.0", "loop.right.digest": "b" * 64},
    )
    unknown = log.vote("Which?", "This.", "That.", **{"loop.left.response": "of-another-log"})
    found = collected(log.write(tmp_path))
    assert [each.id for each in found.ballots] == [true, unknown]
    assert found.left_out["votes_that_contradict_the_log"] == 2


def test_events_outside_the_window_are_not_read_and_those_from_the_future_are_told(tmp_path) -> None:
    log = Log()
    log.ask("Before?", "Sorry, no.", at_s=-5000)
    inside = log.ask("Inside?", "Sorry, no!", at_s=0)
    log.ask("In future?", "Sorry, never.", at_s=200 * 3600)
    window = Window(START_US - HOUR_US, START_US + HOUR_US)
    found = collected(log.write(tmp_path), window, tails=0.0)
    assert [each.id for each in found.records] == [record_id(inside)]
    assert found.census.ahead == 2


def test_nothing_logged_is_nothing_collected(tmp_path) -> None:
    found = collected(tmp_path, WINDOW)
    assert (found.records, found.ballots, found.labels, dict(found.left_out)) == ((), (), (), {})


def test_what_people_try_on_the_consoles_pages_is_taken_only_for_what_they_say_of_it(tmp_path) -> None:
    log = Log()
    for at in range(5):
        log.ask("Do you sell maps?", "Sorry, no.", user="eva", at_s=at, **{"loop.console": True})
    judged = log.ask("Do you sell pens?", "Sorry, no.", user="eva", at_s=90, **{"loop.console": True})
    log.feedback(judged, user="eva", thumbs=-1)
    found = collected(log.write(tmp_path))
    assert [(record.sources[0], record.reasons) for record in found.records] == [
        (judged, (Reason.THUMBS_DOWN,))
    ]
