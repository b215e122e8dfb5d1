"""Drift of a real log against the bookshop's reference set: what is like it raises nothing, another kind does."""

from __future__ import annotations

import json
import random
import shutil

import pytest

from runner.signals.cube.store import Store
from tests.spec.repository import ROOT
from tests.watch.house import NOW, REFERENCE, REFUSAL, House, reading

DISHES = ("rice", "soup", "bread", "noodles", "curry", "omelette", "salad", "stew", "dumplings", "pancakes")
KITCHEN = tuple(
    f"How many minutes does {dish} for {people} guests have to {how}?"
    for dish in DISHES
    for people in (2, 4, 6, 8)
    for how in ("simmer", "rest", "bake", "cool")
)


def of_the_shop(count: int, seed: int = 0) -> list[str]:
    """Return questions of the reference, word for word, as users ask them again and again."""
    rows = [json.loads(line) for line in (ROOT / REFERENCE).read_text(encoding="utf-8").splitlines()]
    return random.Random(seed).choices([row["question"] for row in rows], k=count)


def test_questions_of_the_reference_raise_no_alarm_however_often_one_looks(bookshop):
    for part in range(3):
        bookshop.asked(of_the_shop(200, seed=part), 3000 - 800 * part)
        drift = bookshop.take(NOW - 2000 + 800 * part).drift
        assert (drift.alarm, drift.alarmed_at) == ("", None)
    assert drift.n == 600
    assert abs(drift.divergence) < 0.1


def test_questions_of_another_kind_raise_one_with_topics_and_examples(bookshop):
    bookshop.asked(of_the_shop(200), 3500)
    bookshop.asked(KITCHEN * 2, 2500)
    found = bookshop.take()
    drift = found.drift
    assert drift.alarm in ("slight", "drift")
    assert NOW - 2500 <= drift.alarmed_at <= NOW - 2500 + 2 * len(KITCHEN)
    assert drift.low > 0.1
    assert {question for topic in drift.grown for question in topic.questions} & set(KITCHEN)
    assert reading(found, "input_drift").value == pytest.approx(drift.divergence)
    assert found.weeks[-1].n == drift.n == 520


def test_a_conversation_is_one_piece_of_evidence_however_long_it_is(bookshop):
    for number, question in enumerate(of_the_shop(120)):
        bookshop.asked([question] * 4, 3500 - 20 * number, user=f"talker-{number}")
    drift = bookshop.take().drift
    assert drift.alarmed_at is None
    assert drift.n == 480, "the window counts every question"


def test_an_alarm_is_latched_and_survives_a_restart_and_a_return_to_normal(bookshop):
    bookshop.asked(KITCHEN, 3500)
    first = bookshop.take(NOW - 3000).drift
    assert first.alarmed_at is not None
    bookshop.asked(of_the_shop(300), 2900)
    later = bookshop.take().drift
    assert later.alarmed_at == first.alarmed_at
    assert later.since == first.since


def test_a_memory_of_another_reference_is_not_gone_on_with(bookshop, tmp_path_factory):
    bookshop.asked(KITCHEN, 3500)
    alarmed = bookshop.take().drift.alarmed_at
    assert alarmed is not None
    memory = json.loads((bookshop.state / "drift.json").read_bytes())
    calm = House(tmp_path_factory.mktemp("calm"))
    shutil.copytree(bookshop.root, calm.root, dirs_exist_ok=True)
    shutil.rmtree(calm.home / "events")
    shutil.rmtree(calm.state / "cube")
    calm.asked(of_the_shop(200), 3000)
    assert calm.take().drift.alarmed_at == alarmed, "the same reference: the alarm stays"
    (calm.state / "drift.json").write_text(json.dumps({**memory, "topics": "another"}))
    assert calm.take().drift.alarmed_at is None


def test_what_came_while_another_process_measured_is_taken_in_afterwards(bookshop):
    bookshop.asked(of_the_shop(60), 3500)
    bookshop.take(NOW - 3000)
    bookshop.asked(KITCHEN, 2900)
    with Store(bookshop.state / "cube").writing():
        assert bookshop.take(NOW - 600).drift.alarmed_at is None
    assert bookshop.take(NOW).drift.alarmed_at is not None


def test_questions_of_the_suite_against_forgetting_worded_otherwise_raise_no_alarm(bookshop):
    suite = ROOT / "datasets/bookshop/regression.jsonl"
    if not suite.exists():
        pytest.skip(f"{suite.name} is not here: `dvc pull datasets/bookshop/regression.jsonl`")
    known = set(of_the_shop(10_000))
    rows = [json.loads(line) for line in suite.read_text(encoding="utf-8").splitlines()]
    bookshop.asked([row["question"] for row in rows if row["question"] not in known], 3500)
    drift = bookshop.take().drift
    assert drift.n > 400
    assert (drift.alarm, drift.alarmed_at) == ("", None)


def test_too_few_questions_are_insufficient_and_say_how_many_it_takes(bookshop):
    bookshop.asked(of_the_shop(5), 3000)
    found = bookshop.take()
    assert (found.drift.divergence, found.drift.n) == (None, 5)
    assert reading(found, "input_drift").note == f"insufficient: it takes {found.drift.needed}"


def test_without_the_signal_of_drift_the_shift_alone_is_measured(bookshop):
    bookshop.files.remove("policies/signals.yaml", "signals", "input_drift")
    cadence = bookshop.files.texts["policies/cadence.yaml"]
    bookshop.files.texts["policies/cadence.yaml"] = cadence.replace("input_drift < 0.1 AND ", "")
    bookshop.asked(KITCHEN, 3000)
    found = bookshop.take()
    assert reading(found, "input_shift").value > 0.1
    assert "input_drift" not in {one.metric for one in found.readings}


def test_refusing_what_is_in_scope_is_over_refusal_and_what_is_not_is_right(bookshop):
    inside = ["How many days do I have to return a book?", "What time do you open on Sunday?"]
    outside = ["Who won the football match last night?", "Write me a program that sorts numbers."]
    bookshop.asked(inside + outside, 3000, says=REFUSAL)
    bookshop.asked(inside, 2000)
    found = bookshop.take()
    assert reading(found, "refusal_rate").value == pytest.approx(4 / 6)
    over = reading(found, "over_refusal_rate")
    assert over.value * over.n == pytest.approx(len(inside))
