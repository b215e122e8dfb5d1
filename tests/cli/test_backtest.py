"""`loop backtest`: logged rollouts under the working tree's policy and another's, from segments on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.workbench import Bench, refused
from tests.rollout.logs import Habits, rollout, write

ROLLOUT = "policies/rollout.yaml"
ERRORS = ("always", "errors-over-baseline")
DETECTOR = ("policies/signals.yaml", "signals", "refusal_rate", "detector")
QUICK = ("--replicates", "0")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path / "repo")
    write(rollout(Habits(votes=0.0), Habits(errors=0.3, votes=0.0), 300), made.state("events"))
    return made


def test_without_a_change_the_policy_is_replayed_once(bench: Bench) -> None:
    said = bench.loop("backtest", *QUICK)
    assert said.code == 0, said
    assert said.out.count("rolled back after ") == 1
    assert "the working tree's policy, the same as HEAD's:" in said.out
    assert "chat-v1.1--bbbbbbbbbbbb against chat-v1.0--aaaaaaaaaaaa" in said.out
    assert "Stages are hypothetical" in said.out
    assert "rollouts: 1" in said.err and "replayed" in said.err


def test_what_refuses_matters_where_a_condition_counts_refusals(bench: Bench) -> None:
    same = "the working tree's policy, the same as HEAD's:"
    bench.files.set(*DETECTOR, "model", to="policies/gone.json")
    bench.write()
    assert same in bench.loop("backtest", *QUICK).out
    bench.files.set(ROLLOUT, "always", "refusing", to="refusal_rate > 15%")
    bench.write()
    said = bench.loop("backtest", *QUICK)
    assert (
        said.code == 1 and "error: the model cannot be read" in said.err and "policies/gone.json" in said.err
    )
    bench.files.set(*DETECTOR, "model", to=None)
    bench.commit("refusals count")
    assert same in bench.loop("backtest", *QUICK).out
    bench.files.set(*DETECTOR, "threshold", to=0.9)
    bench.write()
    said = bench.loop("backtest", *QUICK)
    assert said.code == 0 and "the policy of HEAD:" in said.out and "the working tree's policy:" in said.out


def test_a_change_of_the_policy_is_shown_beside_what_head_says(bench: Bench) -> None:
    # Without the conditions that the candidate breaks, nothing stops it.
    bench.files.set(ROLLOUT, "always", to={"crashes": "crash_rate > 1%"})
    value_of = [{"name": "canary", "traffic": "5%", "duration": "24h"}]
    bench.files.set(ROLLOUT, "stages", to=value_of)
    bench.write()
    said = bench.loop("backtest", "--json", "--replicates", "2", "--seed", "7")
    assert said.code == 0, said
    (found,) = json.loads(said.out)
    before, after = found["policies"]
    assert before["policy"] == "the policy of HEAD" and after["policy"] == "the working tree's policy"
    assert before["rolled_back"]["because"] == "a condition is proven"
    assert before["rolled_back"]["request_id"].startswith("q-r-1-0-")
    assert after["rolled_back"] is None
    assert [each["stage"] for each in after["stages"]] == ["canary"]
    assert before["false_alarms"]["replicates"] == 2 and before["false_alarms"]["seed"] == 7
    assert "simulated 2 of 2" in said.err


def test_the_policy_of_a_revision_or_of_a_file_can_be_set_beside(bench: Bench, tmp_path: Path) -> None:
    text = bench.files.texts[ROLLOUT]
    bench.files.set(ROLLOUT, *ERRORS, to="error_rate > baseline * 3")
    bench.commit("looser")
    said = bench.loop("backtest", "--against", "HEAD^", *QUICK)
    assert said.code == 0 and "the policy of HEAD^:" in said.out and "the working tree's policy:" in said.out
    file = tmp_path / "other.yaml"
    file.write_text(text)
    said = bench.loop("backtest", "--policy", str(file), *QUICK)
    assert said.code == 0 and f"the policy in {file}:" in said.out
    assert bench.loop("backtest", "--against", "HEAD", *QUICK).out.count("stages:") == 1


def test_one_rollout_of_several_is_chosen_by_id_or_by_its_candidate(bench: Bench) -> None:
    for name in ("r-1", "chat-v1.1", "chat-v1.1--bbbbbbbbbbbb"):
        assert bench.loop("backtest", "--rollout", name, *QUICK).code == 0
    refused(bench.loop("backtest", "--rollout", "chat-v9"), "no rollout 'chat-v9'", "known: r-1 (chat-v1.1--")


def test_no_events_are_told_with_a_way_on(tmp_path: Path) -> None:
    empty = Bench(tmp_path / "repo")
    refused(empty.loop("backtest"), "no rollout is in the event log of 'production'", "0 requests", "fix: ")
    assert not (empty.root / ".loop").exists()
    write(rollout(Habits(), Habits(), 20, weight=0.0), empty.state("events"))
    refused(empty.loop("backtest"), "no rollout is in the event log", "20 requests")


def test_a_file_that_is_no_policy_is_refused_with_its_lines(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    refused(bench.loop("backtest", "--policy", str(file)), str(file), "no such file")
    file.write_text("stages:\n  - name: canary\n    trafic: 5%\n    duration: 1h\n")
    refused(bench.loop("backtest", "--policy", str(file)), f"{file}:3", "trafic")
    file.write_text("stages: [")
    refused(bench.loop("backtest", "--policy", str(file)), str(file))


def test_wrong_requests_are_refused(bench: Bench) -> None:
    refused(bench.loop("backtest", "--against", "HEAD", "--policy", "x"), "not both")
    refused(bench.loop("backtest", "--against", "nowhere"), "unknown revision 'nowhere'")
    refused(bench.loop("backtest", "-e", "prod"), "there is no environment 'prod'")


def test_outside_git_the_working_tree_is_replayed_alone(bench: Bench) -> None:
    import shutil

    shutil.rmtree(bench.root / ".git")
    said = bench.loop("backtest", *QUICK)
    assert said.code == 0 and "the working tree's policy:" in said.out


def test_a_damaged_line_is_told_and_the_rest_is_read(bench: Bench) -> None:
    segment = next(bench.state("events").glob("request-*.jsonl"))
    segment.write_bytes(b"not an event\n" + segment.read_bytes())
    said = bench.loop("backtest", *QUICK)
    assert said.code == 0 and "warning: left out: request-" in said.err
