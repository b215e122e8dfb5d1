"""`loop evaluate`: what it asks, what it writes and in which order, what it leaves alone, and how it ends."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.cli.evaluate_record import edited
from runner.errors import TerminalError
from tests.cli.workbench import PRODUCTION, Bench, Said, refused
from tests.doubles.stub_engine import RunningStub, stub_engine
from tests.waiting import PATIENCE_S, until

HERE = ("--environment", "production")
POLICY = "policies/evaluation.yaml"
ROWS = [
    {"id": f"{number}", "question": f"How many pages has book {number}?", "answer": f"{number} pages."}
    for number in range(11, 31)
]
SUITES = {
    "facts": {"kind": "regression", "dataset": "bookshop-regression"},
    "forgetting": {"kind": "forgetting", "dataset": "bookshop-regression"},
    "traffic": {"kind": "load", "dataset": "bookshop-regression", "load": {"rate": 20, "duration": "1s"}},
}
GATES = {
    "right": {"suite": "facts", "require": "accuracy >= 90%"},
    "answers": {"suite": "traffic", "require": "error_rate < 50%"},
}


@pytest.fixture(scope="module")
def running() -> Iterator[RunningStub]:
    with stub_engine(base_model="bookshop-base", max_model_len=4096) as engine:
        yield engine


@pytest.fixture
def engine(running: RunningStub) -> RunningStub:
    running.restart()
    return running


@pytest.fixture
def bench(tmp_path: Path, engine: RunningStub) -> Bench:
    """A repository whose production engine is the stub, with three small suites."""
    made = Bench(tmp_path, engine.url, "127.0.0.1:1", "127.0.0.1:2")
    made.files.set(*PRODUCTION, "engine", "max_loras", to=4)
    made.files.set(POLICY, "suites", to=SUITES)
    made.files.set(POLICY, "gates", to=GATES)
    made.files.remove(POLICY, "judge")
    made.files.remove("datasets/bookshop-regression.yaml", "hash")
    data = tmp_path / "datasets/bookshop/regression.jsonl"
    data.parent.mkdir(parents=True)
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    made.commit("small suites")
    return made


def evaluate(bench: Bench, *options: str, name: str = "chat-v1.1") -> Said:
    return bench.loop("evaluate", name, *HERE, *options)


def report(bench: Bench, name: str = "chat-v1.1") -> Any:
    return json.loads((bench.root / f"models/reports/{name}/evaluation.json").read_text())


def test_a_version_is_evaluated_and_its_file_says_how_it_ended(bench: Bench, engine: RunningStub) -> None:
    before = yaml.safe_load((bench.root / "models/chat-v1.1.yaml").read_text())
    said = evaluate(bench)
    assert said.code == 2, said
    found = report(bench)
    assert {gate["gate"]: gate["verdict"] for gate in found["gates"]} == {"right": "FAIL", "answers": "PASS"}
    assert found["against"]["name"] == "chat-v1.0" and found["verdict"] == "FAIL"
    assert found["revision"] == bench.git("rev-parse", "HEAD").strip()
    written = yaml.safe_load((bench.root / "models/chat-v1.1.yaml").read_text())
    evaluation = written.pop("evaluation")
    assert written == before
    assert evaluation["report"] == "models/reports/chat-v1.1/evaluation.json"
    assert evaluation["gates"] == {"right": "FAIL", "answers": "PASS"}
    assert evaluation["metrics"]["facts_accuracy"] == 0.0
    assert bench.loop("validate").code == 0
    for name in ("evaluation.md", "evaluation.xml", "card.md"):
        assert (bench.root / "models/reports/chat-v1.1" / name).stat().st_size > 200


def test_what_it_loaded_is_unloaded_and_what_was_there_stays(bench: Bench, engine: RunningStub) -> None:
    engine.load("another-v1.0--0123456789ab", "/somewhere")
    engine.load(bench.served("chat-v1.0"), "/already/there")
    evaluate(bench)
    assert set(engine.state.adapters) == {"another-v1.0--0123456789ab", bench.served("chat-v1.0")}


def test_a_second_evaluation_asks_nothing_again_but_fresh_does(bench: Bench, engine: RunningStub) -> None:
    evaluate(bench, "--suite", "facts")
    asked = len(engine.state.bodies)
    evaluate(bench, "--suite", "facts")
    assert len(engine.state.bodies) - asked < len(ROWS)
    evaluate(bench, "--suite", "facts", "--fresh")
    assert len(engine.state.bodies) - asked >= 2 * len(ROWS)


def test_without_record_the_report_is_written_and_the_version_left_alone(bench: Bench) -> None:
    before = (bench.root / "models/chat-v1.1.yaml").read_bytes()
    evaluate(bench, "--no-record")
    assert report(bench)["version"] == "chat-v1.1"
    assert (bench.root / "models/chat-v1.1.yaml").read_bytes() == before


def test_some_suites_alone_are_kept_apart(bench: Bench) -> None:
    before = (bench.root / "models/chat-v1.1.yaml").read_bytes()
    said = evaluate(bench, "--suite", "traffic", "--json")
    assert said.code == 0, said
    assert [suite["suite"] for suite in json.loads(said.out)["suites"]] == ["traffic"]
    assert not (bench.root / "models/reports").exists()
    assert (bench.root / "models/chat-v1.1.yaml").read_bytes() == before


def test_a_version_without_a_parent_that_is_the_baseline_itself_is_compared_with_the_base(
    bench: Bench,
) -> None:
    evaluate(bench, "--suite", "facts", "--suite", "forgetting", "--suite", "traffic", name="chat-v1.0")
    assert report(bench, "chat-v1.0")["against"] == {"name": "bookshop-base", "digest": ""}


def test_a_suite_whose_data_is_missing_is_an_error_and_the_others_are_still_run(bench: Bench) -> None:
    bench.files.set(POLICY, "suites", "facts", "dataset", to="bookshop-cases")
    bench.files.set(POLICY, "suites", "facts", "kind", to="forgetting")
    bench.files.set(POLICY, "gates", "right", "require", to="forgetting < 5%")
    bench.commit("a suite without data")
    said = evaluate(bench)
    assert said.code == 1
    found = report(bench)
    assert [gate["verdict"] for gate in found["gates"]] == ["ERROR", "PASS"]
    assert "dvc pull" in found["gates"][0]["evidence"]


def test_data_with_another_hash_than_declared_is_an_error(bench: Bench) -> None:
    bench.files.set("datasets/bookshop-regression.yaml", "hash", to="0" * 32)
    bench.commit("another hash")
    assert evaluate(bench, "--suite", "facts").code == 1


def test_an_adapter_that_answers_as_the_base_does_is_not_evaluated(bench: Bench, engine: RunningStub) -> None:
    engine.control(no_op_adapters=[bench.served("chat-v1.1")])
    said = evaluate(bench)
    assert said.code == 1 and "is not proven to be served\n  mean difference" in said.err
    assert not engine.state.adapters
    assert not (bench.root / "models/reports").exists()


def test_weights_that_are_not_here_are_missed_before_anybody_is_asked(
    bench: Bench, engine: RunningStub
) -> None:
    shutil.rmtree(bench.root / "adapters/chat-v1.1")
    before = len(engine.state.bodies)
    refused(evaluate(bench), "adapters/chat-v1.1 is not a directory", "dvc pull")
    assert len(engine.state.bodies) == before


def test_without_the_engines_key_nothing_is_asked_and_nothing_started(
    bench: Bench, engine: RunningStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENGINE_KEY", raising=False)
    bench.files.set(*PRODUCTION, "engine", "api_key_env", to="ENGINE_KEY")
    bench.commit("a key")
    before = len(engine.state.bodies)
    refused(evaluate(bench), "ENGINE_KEY is not set", "export ENGINE_KEY")
    assert len(engine.state.bodies) == before


def test_adapters_that_do_not_fit_beside_what_is_there_are_refused(bench: Bench, engine: RunningStub) -> None:
    bench.files.set(*PRODUCTION, "engine", "max_loras", to=2)
    bench.commit("less room")
    engine.load("another-v1.0--0123456789ab", "/somewhere")
    said = evaluate(bench)
    assert said.code == 1 and "no room" in said.err and "max_loras is 2, and it holds 1" in said.err
    assert set(engine.state.adapters) == {"another-v1.0--0123456789ab"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_stops_it_leaves_no_adapter_behind(
    bench: Bench, engine: RunningStub, number: signal.Signals
) -> None:
    bench.files.set(POLICY, "suites", "traffic", "load", "duration", to="10m")
    bench.commit("traffic for long")
    before = len(engine.state.bodies)
    with subprocess.Popen(
        bench.argv("evaluate", "chat-v1.1", *HERE, "--suite", "traffic"), stderr=subprocess.PIPE, text=True
    ) as process:
        until(lambda: len(engine.state.bodies) > before + 30 or process.poll() is not None, "traffic")
        assert process.poll() is None and len(engine.state.adapters) == 2
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130 and "Traceback" not in err
    assert not engine.state.adapters


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("chat-v9.9",), ("there is no version 'chat-v9.9'", "chat-v1.0")),
        (("chat-v1.1", "--against", "nobody"), ("there is no version 'nobody'",)),
        (("chat-v1.1", "--suite", "nothing"), ("there is no suite 'nothing'", "facts")),
        (("chat-v1.1", "--environment", "moon"), ("there is no environment 'moon'",)),
    ],
)
def test_names_that_are_not_known_are_refused_with_those_that_are(
    bench: Bench, arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    refused(bench.loop("evaluate", *HERE, *arguments), *parts)


COMMENTED = """\
# the first line
name: chat-v1.1   # its name
training:
  recipe: dpo
  # inside
# above the evaluation
evaluation:
  report: old.json   # goes
  metrics: {a: 1.0}
# above the notes
notes: 'kept: as it is'
"""
VALUE = {
    "report": "models/reports/chat-v1.1/evaluation.json",
    "metrics": {"b": 0.5},
    "gates": {"right": "PASS"},
}


def test_the_versions_file_keeps_every_comment_and_every_other_key() -> None:
    after = edited(COMMENTED, VALUE)
    assert yaml.safe_load(after) == {**yaml.safe_load(COMMENTED), "evaluation": VALUE}
    for line in COMMENTED.splitlines():
        if not line.startswith(("evaluation", "  report", "  metrics")):
            assert line in after.splitlines()
    assert (
        after.index("# above the evaluation") < after.index("evaluation:") < after.index("# above the notes")
    )


@pytest.mark.parametrize("text", ["name: a\ntraining:\n  recipe: dpo", "name: a\n", "name: a"])
def test_a_file_without_an_evaluation_gets_one(text: str) -> None:
    assert yaml.safe_load(edited(text, VALUE))["evaluation"] == VALUE


def test_writing_the_same_again_changes_nothing() -> None:
    once = edited(COMMENTED, VALUE)
    assert edited(once, VALUE) == once


def test_a_file_that_cannot_be_edited_cleanly_is_refused() -> None:
    with pytest.raises(TerminalError):
        edited("{name: a, evaluation: {report: x}}", VALUE)
