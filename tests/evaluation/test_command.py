"""`loop signals sample` on logged events, against a stub engine."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from runner import digest as digests
from runner.cli.alone import alone
from runner.cli.signals_sample import command
from runner.errors import TerminalError, TransientError
from runner.events.schema import Kind
from tests.cli.measured import of_all
from tests.cli.workbench import CHECKOUT, PRODUCTION, Bench
from tests.doubles import stub_model
from tests.doubles.event_files import line, request, segment
from tests.doubles.stub_engine import RunningStub, stub_engine
from tests.evaluation.scripted import events_in

SIGNALS = "policies/signals.yaml"
DETECTOR = ("signals", "consistency", "detector")


@pytest.fixture
def engine() -> Iterator[RunningStub]:
    with stub_engine(base_model="bookshop-base") as running:
        yield running


@pytest.fixture
def bench(tmp_path: Path, engine: RunningStub) -> Bench:
    made = Bench(tmp_path / "repo", engine.url, "127.0.0.1:1", "127.0.0.1:2")
    made.files.set(SIGNALS, *DETECTOR, "sample", to="100%")
    made.files.set(SIGNALS, "signals", "factuality", "detector", "sample", to="100%")
    made.write()
    folder = made.root / "datasets" / "bookshop"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(CHECKOUT / "datasets" / "bookshop" / "statements.jsonl", folder)
    engine.load(made.served())
    log(made, [("When do you open on Sunday?", "11 am."), ("When do you open on Saturday?", "3 am.")])
    return made


def log(bench: Bench, conversations: list[tuple[str, str]]) -> None:
    """Write what a gateway would have logged a minute ago."""
    served, _, _ = bench.served().rpartition("--")
    begin = time.time_ns() // 1000 - 60_000_000
    digest = digests.of_directory(bench.root / "adapters" / "chat-v1.0")
    requests, contents = [], []
    for number, (question, answer) in enumerate(conversations):
        event = request(
            number, loop__version=served, loop__adapter__digest=digest, event__time=begin + number
        )
        requests.append(line({**event, "loop.environment": "production"}))
        contents.append(line(content(event, question, answer)))
    segment(bench.state("events"), requests, opened_us=begin)
    segment(bench.state("events"), contents, opened_us=begin, kind=Kind.CONTENT)


def content(event: dict[str, Any], question: str, answer: str) -> dict[str, Any]:
    return {
        "event.id": f"{event['event.id']}-content",
        "event.time": event["event.time"],
        "loop.environment": "production",
        "loop.request.id": event["loop.request.id"],
        "gen_ai.input.messages": json.dumps([{"role": "user", "content": question}]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": answer}]),
    }


def sample(bench: Bench, *options: str) -> Result:
    return CliRunner().invoke(command, list(options), obj=bench.root)


def told(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def test_answers_are_checked_and_asked_again_and_the_second_run_finds_nothing_to_do(
    bench: Bench, engine: RunningStub
) -> None:
    result = sample(bench, "--json")
    value = told(result)
    assert value["facts"]["answers"] == 2 and value["facts"]["factuality"] == 0.5
    assert value["facts"]["contradicted"] == ["request-1"]
    assert value["consistency"]["answers"] == 2 and value["consistency"]["consistency"] == 1.0
    assert engine.generations() == [bench.served()] * 10
    assert "checked against facts: 2 of 2" in result.stderr and "asked again: 2 of 2" in result.stderr
    assert len(events_in(bench.state("events"))) == 4
    again = told(sample(bench, "--json"))
    assert again["facts"] is None and again["consistency"] is None
    assert len(engine.generations()) == 10 and len(events_in(bench.state("events"))) == 4
    assert "no answer was left" in sample(bench).stdout


def test_a_dry_run_asks_nobody_and_says_the_most_it_could_take(bench: Bench, engine: RunningStub) -> None:
    value = told(sample(bench, "--dry-run", "--json"))
    assert (value["to_ask"], value["to_check"], value["tokens_spent_today"]) == (2, 2, 0)
    assert engine.generations() == [] and events_in(bench.state("events")) == []
    foreseen = value["tokens_at_most"]
    assert 0 < told(sample(bench, "--json"))["consistency"]["tokens_spent_today"] <= foreseen
    assert "would ask again about 0 answers" in sample(bench, "--dry-run").stdout


def test_the_days_tokens_end_it_cleanly_and_what_is_left_is_told(bench: Bench) -> None:
    most = told(sample(bench, "--dry-run", "--json"))["tokens_at_most"]
    bench.files.set(SIGNALS, *DETECTOR, "tokens_per_day", to=most // 2 + 20)
    bench.write()
    result = sample(bench)
    assert result.exit_code == 0 and "1 left: the tokens of the day are spent" in result.stdout
    assert "facts: 1 of 2 statements supported (50.0%)" in result.stdout


def test_a_limit_and_a_window_bound_what_is_looked_at(bench: Bench) -> None:
    assert told(sample(bench, "--window", "10s", "--dry-run", "--json"))["to_ask"] == 0
    assert told(sample(bench, "--limit", "1", "--json"))["consistency"]["answers"] == 1
    assert sample(bench, "--window", "soon").exit_code == 2


def test_an_engine_that_is_not_there_is_told_and_the_facts_are_checked_all_the_same(
    bench: Bench, engine: RunningStub
) -> None:
    engine.control(health="500")
    result = sample(bench)
    assert isinstance(result.exception, TransientError)
    assert "no engine of 'production' answers" in str(result.exception)
    assert result.exception.changed == "2 examinations are recorded; the next run goes on after them"
    assert {event["loop.detector"] for event in events_in(bench.state("events"))} == {"factual"}


def test_while_another_process_samples_nothing_is_spent(bench: Bench, engine: RunningStub) -> None:
    with alone(bench.state("sampling.lock"), "sampling this environment"):
        result = sample(bench)
        assert isinstance(result.exception, TransientError)
        assert "another process is sampling" in str(result.exception)
        assert engine.generations() == [] and events_in(bench.state("events")) == []
        assert told(sample(bench, "--dry-run", "--json"))["to_ask"] == 2, (
            "who only asks what would be done may"
        )
    assert told(sample(bench, "--json"))["consistency"]["answers"] == 2


def test_a_judge_that_no_policy_names_is_told(bench: Bench) -> None:
    bench.files.set(SIGNALS, *DETECTOR, "similarity", to="judge")
    bench.write()
    result = sample(bench)
    assert isinstance(result.exception, TerminalError)
    assert "there is no judge to ask" in str(result.exception)


QUESTIONS = [
    {"id": f"q{day}", "question": f"When do you open on day {day}?", "answer": "11 am."} for day in range(5)
]


@pytest.fixture
def tried(bench: Bench, engine: RunningStub, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A candidate that has forgotten when day 3 begins."""

    def by_heart(_state: object, model: str, prompt: str) -> list[str]:
        forgotten = "chat-v1.1" in model and "day 3" in prompt
        return ["10", "am."] if forgotten else ["11", "am."]

    monkeypatch.setattr(stub_model, "answer_words", by_heart)
    bench.roll_out()
    bench.write()
    rows = bench.root / "datasets" / "bookshop" / "regression.jsonl"
    rows.write_text("".join(json.dumps(each) + "\n" for each in QUESTIONS))
    engine.load(bench.served("chat-v1.1"))
    return bench


def marks(bench: Bench) -> list[dict[str, Any]]:
    return events_in(bench.state("events"), "evaluation")


def test_candidate_and_baseline_are_asked_the_suite_by_which_the_policy_compares_them(tried: Bench) -> None:
    foreseen = told(sample(tried, "--dry-run", "--json"))["suite"]
    assert foreseen["suite"] == "forgetting" and foreseen["to_ask"] == 10 and marks(tried) == []
    assert "would ask for 10 answers to suite forgetting" in sample(tried, "--dry-run").stdout
    result = sample(tried)
    assert result.exit_code == 0
    assert "suite forgetting: " in result.stdout
    assert "chat-v1.0 5 of 5 right" in result.stdout and "chat-v1.1 4 of 5 right" in result.stdout
    assert "asked of suite forgetting: 10 of 10" in result.stderr
    assert len(marks(tried)) == 10
    assert "suite forgetting: no question was left to ask" in sample(tried).stdout
    assert len(marks(tried)) == 10
    measured = tried.loop("signals", "--json")
    assert measured.code == 0, measured.err
    forgotten = of_all(json.loads(measured.out), "forgetting")
    assert (forgotten["value"], forgotten["n"]) == (0.2, 5)


def test_a_limit_bounds_the_questions_and_both_versions_get_the_same_ones(tried: Bench) -> None:
    value = told(sample(tried, "--limit", "2", "--json"))["suite"]
    assert value["answers"] == 4 and value["left"] == 0
    asked = [(each["loop.question"], each["loop.version"]) for each in marks(tried)]
    first, second = {question for question, _ in asked}
    assert set(asked) == {(q, v) for q in (first, second) for v in ("chat-v1.0", "chat-v1.1")}


def test_a_suite_that_is_named_is_asked_also_without_a_candidate(tried: Bench) -> None:
    tried.files.remove(*PRODUCTION, "rollout")
    tried.write()
    assert told(sample(tried, "--json"))["suite"] is None
    assert told(sample(tried, "--suite", "regression", "--json"))["suite"]["right"] == {
        "chat-v1.0": {"right": 5, "of": 5}
    }
    assert {each["loop.suite"] for each in marks(tried)} == {"regression"}


def test_a_version_that_is_not_served_is_named(tried: Bench, engine: RunningStub) -> None:
    engine.restart()
    engine.load(tried.served())
    assert "5 not asked: chat-v1.1 is not served" in sample(tried).stdout


def test_a_suite_that_does_not_exist_has_no_answers_or_is_not_here_is_told(tried: Bench) -> None:
    for name, words in (("nothing", "there is no suite 'nothing'"), ("load", "hold no right answer")):
        result = sample(tried, "--suite", name)
        assert isinstance(result.exception, TerminalError) and words in str(result.exception)
    assert events_in(tried.state("events")) == []
    (tried.root / "datasets" / "bookshop" / "regression.jsonl").unlink()
    result = sample(tried)
    assert isinstance(result.exception, TerminalError) and "are not here" in str(result.exception)
    assert result.exception.changed == "4 examinations are recorded; the next run goes on after them"
