"""`loop up` for real: vLLM, gateway, reconciler and Git together, and the accidents that they must survive.

One deployment serves all tests of this file, in order; each leaves it in sync.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system import scratch
from tests.system.scratch import Scratch, get, post
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.engine
QUESTION = "What time do you open on Sunday?"
VOTES = 30


class Up:
    """A running `loop up` that a test may kill and start again."""

    def __init__(self, place: Scratch) -> None:
        self.place = place
        self.process: subprocess.Popen[str] = place.start("up", "--ask", QUESTION)

    def again(self) -> None:
        self.process = self.place.start("up")

    def in_sync(self) -> None:
        until(lambda: self.verdict() == "in sync", "agreement of live and Git")

    def verdict(self) -> str:
        status = self.place.status()
        return str(status["pass"]["verdict"]) if status["pass"] and status["runner"] else "nothing"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    place = scratch.make(tmp_path_factory.mktemp("up"))
    running = Up(place)
    try:
        until(
            lambda: "answer:" in place.output("up") or running.process.poll() is not None,
            "the first answer",
        )
        assert running.process.poll() is None, place.output("up")
        yield running
    finally:
        if running.process.poll() is None:
            scratch.end(running.process)
        left = scratch.processes_of(place.root)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left, "processes were left behind"


def pid_of(up: Up, name: str) -> int:
    return int(json.loads((up.place.root / f".loop/production/run/{name}.json").read_text())["pid"])


def in_order(up: Up) -> str:
    """Return the one served name that the gateway routes to."""
    (route,) = get(f"{up.place.admin}/state")["table"]["routes"]
    return f"{route['baseline']['name']}--{route['baseline']['digest'][:12]}"


def test_it_brings_the_deployment_to_what_loop_yaml_says_and_answers_right(up):
    from runner.simulation.bookshop import oracle  # noqa: F401 - the judge of the small world lives there

    said = up.place.output("up")
    assert "ready: production serves 'chat' (chat-v1.0)" in said
    answer = up.place.ask(QUESTION)
    assert answer["model"] == "chat-v1.0"
    assert answer["choices"][0]["message"]["content"].strip()
    assert up.verdict() == "in sync"


def test_the_official_client_works_unchanged_streaming_and_not(up):
    import openai

    with openai.OpenAI(base_url=f"{up.place.gateway}/v1", api_key="none") as client:
        asked = {
            "model": "chat",
            "messages": [{"role": "user", "content": QUESTION}],
            "temperature": 0,
            "max_tokens": 48,
        }
        whole = client.chat.completions.create(**asked)
        parts = list(client.chat.completions.create(**asked, stream=True))
        names = {model.id for model in client.models.list()}
    assert whole.choices[0].message.content
    assert "".join(part.choices[0].delta.content or "" for part in parts) == whole.choices[0].message.content
    assert whole.usage is not None and whole.usage.completion_tokens > 0
    assert names == {"chat"}, "a version by its name is for those who may pin"


def test_plan_says_in_sync_and_exits_0_beside_the_runner(up):
    done = up.place.loop("plan")
    assert "in sync" in done.stdout
    assert json.loads(up.place.loop("plan", "--json").stdout)["actions"] == []


def test_a_second_runner_is_refused_and_says_who_holds_the_place(up):
    done = up.place.loop("apply", check=False)
    assert done.returncode == 1
    assert "another runner works on this environment" in done.stderr
    assert str(up.process.pid) in done.stderr


def test_a_replay_is_answered_and_logged_one_to_one(up):
    options = (
        "--questions",
        "bookshop",
        "--trace",
        str(trace(up.place)),
        "--speed",
        "4",
        "--users",
        "10",
        "--json",
    )
    result = json.loads(up.place.loop("replay", *options).stdout)
    assert result["answered"] == result["sent"] == result["log"]["found"] == 60
    arms = up.place.status()["arms"]
    (baseline,) = [arm for arm in arms if arm["arm"] == "baseline"]
    assert baseline["requests"] >= 60 and baseline["errors"] == 0
    assert baseline["output_tokens"] > 0


def test_the_monitor_has_measured_what_the_replay_logged(up):
    def measured() -> bool:
        snapshot = get(f"{up.place.monitor}/api/snapshot")["snapshot"]
        return bool(snapshot) and min(of_all(snapshot, "error_rate")["n"], counted(snapshot)) >= 60

    def counted(snapshot: dict[str, Any]) -> int:
        return int(of_all(snapshot, "refusal_rate")["n"])

    until(measured, "the measuring of the replay")
    with urllib.request.urlopen(f"{up.place.monitor}/", timeout=PATIENCE_S) as page:
        assert "<html" in page.read().decode()
    with urllib.request.urlopen(f"{up.place.monitor}/metrics", timeout=PATIENCE_S) as metrics:
        assert "loop_refusal_ratio" in metrics.read().decode()
    assert f"monitor: {up.place.monitor}/" in up.place.output("up")


def of_all(snapshot: dict[str, Any], metric: str) -> dict[str, Any]:
    """Return the reading of a metric over all arms and segments."""
    found = [one for one in snapshot["readings"] if one["metric"] == metric]
    return next(one for one in found if not one["arm"] and not one["segment"])


def test_loop_signals_says_the_same_as_the_monitor(up):
    done = up.place.loop("signals", "--json", check=False)
    assert done.returncode in (0, 2), done.stderr
    said = json.loads(done.stdout)
    shown = get(f"{up.place.monitor}/api/snapshot")["snapshot"]
    for metric in ("error_rate", "refusal_rate", "reask_rate", "answer_tokens"):
        ours, theirs = of_all(said, metric), of_all(shown, metric)
        assert (ours["n"], ours["value"]) == (theirs["n"], pytest.approx(theirs["value"])), metric


def test_a_killed_monitor_comes_back_with_its_figures(up):
    pid = pid_of(up, "monitor")
    os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        snapshot = get(f"{up.place.monitor}/api/snapshot")["snapshot"]
        return pid_of(up, "monitor") != pid and bool(snapshot) and of_all(snapshot, "refusal_rate")["n"] >= 60

    until(back, "the new monitor's figures")
    up.in_sync()


def test_answers_are_examined_by_the_engine_that_gave_them(up):
    policy = up.place.root / "policies" / "signals.yaml"
    policy.write_text(
        policy.read_text().replace("sample: 1%", "sample: 100%").replace("sample: 5%", "sample: 100%")
    )
    up.place.commit("every answer is examined")
    up.in_sync()
    found = json.loads(up.place.loop("signals", "sample", "--limit", "5", "--json").stdout)
    assert (found["facts"]["answers"], found["consistency"]["answers"]) == (5, 5)
    assert 0 <= found["consistency"]["consistency"] <= 1
    assert found["consistency"]["tokens_spent_today"] > 0

    def counted() -> bool:
        """Say whether all are in the figures; while the monitor measures they are those of the pass before."""
        said = json.loads(up.place.loop("signals", "--json", check=False).stdout)
        return bool(of_all(said, "consistency")["n"] == 5)

    until(counted, "all five are counted")


@pytest.mark.skipif(
    not Path("/usr/bin/chromium").exists(),
    reason="there is no /usr/bin/chromium; on Debian: apt-get install chromium",
)
def test_thirty_votes_in_a_browser_are_found_in_the_snapshot_and_every_pair_leads_back_to_its_vote(up):
    pytest.importorskip("playwright", reason="playwright is not installed")
    from tests.system import browsing

    with browsing.signed_in(up.place.console, "Mina") as tab:
        seen = list(browsing.votes(tab, "Mina", VOTES))
    done = up.place.loop("data", "curate", check=False)
    assert done.returncode == 2, f"one person's votes alone are nothing to train on\n{done.stderr}"

    votes = sorted(lines(up.place, "collected/votes"), key=lambda vote: vote["at_us"])
    assert len({vote["id"] for vote in votes}) == len(votes) == len(seen) == VOTES
    for vote, one in zip(votes, seen, strict=True):
        assert vote["choice"] == one.choice
        stored = (vote["prompt"][-1]["content"], vote["left"]["text"], vote["right"]["text"])
        for text, read in zip(stored, (one.question, one.left, one.right), strict=True):
            assert browsing.reads_as(text, read), (text, read)

    said = {vote["id"]: one for vote, one in zip(votes, seen, strict=True)}
    pairs = [row for row in lines(up.place, "snapshot/preferences") if row["origin"] == "vote"]
    rejected = [row for row in lines(up.place, "snapshot/rejected") if row["use"] == "preference"]
    ends = Counter([source for pair in pairs for source in pair["sources"]] + [row["id"] for row in rejected])
    assert ends == dict.fromkeys(said, 1), "every vote ends in one pair, or is rejected, once"
    assert all(row["reasons"] for row in rejected)
    assert pairs, "thirty votes made no pair"
    for pair in pairs:
        (source,) = pair["sources"]
        assert browsing.reads_as(pair["chosen"][-1]["content"], said[source].chosen)
    up.place.commit("what people said")
    leads_back(up.place, pairs[0])
    up.in_sync()


def test_simulated_people_vote_and_judge_through_the_gateway(up):
    before = json.loads(up.place.loop("data", "progress", "--json").stdout)
    cast = json.loads(up.place.loop("arena", "simulate", "--votes", "20", "--json").stdout)
    after = json.loads(up.place.loop("data", "progress", "--json").stdout)
    assert cast["votes"] == 20
    clear = cast.get("left", 0) + cast.get("right", 0)
    assert after["pairs"] - before["pairs"] == clear
    up.place.loop("data", "collect")
    judged = json.loads(up.place.loop("arena", "simulate", "--review", "--json").stdout)["labels"]
    up.place.loop("data", "collect")
    assert judged == len(lines(up.place, "collected/labels")) > 0


def lines(place: Scratch, name: str) -> list[dict[str, Any]]:
    """Return the rows of a file below `datasets/`."""
    text = (place.root / "datasets" / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def leads_back(place: Scratch, pair: dict[str, Any]) -> None:
    """Check the way of a pair from its vote to the commit; no version was trained on it yet."""
    told = place.loop("data", "lineage", pair["id"], check=False).stdout
    way = json.loads(place.loop("data", "lineage", pair["id"], "--json", check=False).stdout)
    steps = ["event", "request", "collected", "checks", "row", "file", "commit", "version"]
    assert list(dict.fromkeys(link["step"] for link in way)) == steps
    assert [link["step"] for link in way if link["broken"]] == ["version"]
    by_step = {link["step"]: link for link in way}
    assert by_step["event"]["id"] in pair["sources"]
    assert by_step["request"]["facts"]["loop.version"] == pair["chosen_version"] == "chat-v1.0"
    file = place.root / by_step["file"]["id"]
    assert by_step["file"]["facts"]["md5"] == hashlib.md5(file.read_bytes()).hexdigest()
    assert by_step["commit"]["id"] == scratch.git(place.root, "rev-parse", "HEAD").strip()
    assert all(link["id"] in told for link in way)


def trace(place: Scratch) -> object:
    path = place.root.parent / "trace.csv"
    rows = [f"2026-11-16 10:00:{at // 2:02d}.{5 * (at % 2)}000000,20,16" for at in range(60)]
    path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "\n".join(rows) + "\n")
    return path


def test_a_route_table_changed_by_hand_is_put_right(up):
    state = get(f"{up.place.admin}/state")
    broken = {**state["table"], "generation": state["generation"] + 7, "routes": []}
    post(f"{up.place.admin}/routes", broken, "PUT")
    until(lambda: get(f"{up.place.admin}/state")["table"]["routes"], "the way back to the declared routes")
    up.in_sync()
    assert up.place.ask(QUESTION)["model"] == "chat-v1.0"


def test_an_adapter_unloaded_by_hand_is_loaded_and_proven_again(up):
    served = in_order(up)
    post(f"{up.place.engine}/v1/unload_lora_adapter", {"lora_name": served})
    journal = up.place.root / ".loop/production/journal.jsonl"
    before = journal.read_text().count('"action":"probe_adapter"')

    def healed() -> bool:
        names = {card["id"] for card in get(f"{up.place.engine}/v1/models")["data"]}
        return served in names and journal.read_text().count('"action":"probe_adapter"') > before

    until(healed, "the adapter's return")
    up.in_sync()
    assert up.place.ask(QUESTION)["model"] == "chat-v1.0"


def test_a_killed_gateway_comes_back_with_its_routes(up):
    os.kill(pid_of(up, "gateway"), signal.SIGKILL)
    until(lambda: up.place.ask(QUESTION)["model"] == "chat-v1.0", "an answer from the new gateway")
    up.in_sync()


def test_a_killed_runner_leaves_users_served_and_the_next_one_takes_the_processes_over(up):
    engine, gateway = pid_of(up, "engine"), pid_of(up, "gateway")
    os.kill(up.process.pid, signal.SIGKILL)
    up.process.wait()
    assert up.place.ask(QUESTION)["model"] == "chat-v1.0"
    up.again()
    up.in_sync()
    assert (pid_of(up, "engine"), pid_of(up, "gateway")) == (engine, gateway)


def test_a_killed_engine_is_started_again_and_serves_the_verified_adapter(up):
    os.kill(pid_of(up, "engine"), signal.SIGKILL)
    until(lambda: up.verdict() != "in sync", "the loss to be seen")
    until(lambda: up.place.ask(QUESTION)["model"] == "chat-v1.0", "an answer from the new engine")
    up.in_sync()


def test_a_commit_that_is_wrong_is_refused_and_the_last_good_one_stays(up):
    spec = up.place.root / "loop.yaml"
    good = spec.read_text()
    spec.write_text(good.replace("baseline: chat-v1.0", "baseline: chat-v9.9"))
    up.place.commit("a version that nobody trained")
    until(lambda: up.place.status()["pass"]["refused"], "the refusal")
    assert "chat-v9.9" in up.place.status()["pass"]["refused"]["message"]
    assert up.place.ask(QUESTION)["model"] == "chat-v1.0"
    scratch.git(up.place.root, "revert", "--no-edit", "HEAD")
    until(lambda: not up.place.status()["pass"]["refused"], "the revert to be seen")
    up.in_sync()


def test_interrupted_it_stops_everything_it_started(up):
    code = scratch.end(up.process)
    assert code == 0, up.place.output("up")
    assert scratch.processes_of(up.place.root) == []
    assert up.place.loop("status", check=False).returncode == 2
