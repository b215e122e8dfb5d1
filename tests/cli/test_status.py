"""`loop status`: what it shows of every state a deployment can be in, and what it makes of damaged files."""

from __future__ import annotations

import copy
import json
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from runner.cli.status import REQUIRED
from runner.report.status import to_text
from runner.rollout.verdict import Assessment, Because, Step
from tests.cli import remote, workbench
from tests.cli.test_explain import HELD, ROLLBACK
from tests.cli.workbench import Bench, Live, refused
from tests.waiting import PATIENCE_S

SHA = "3f2a1b4c5d6e7f8091a2b3c4d5e6f708192a3b4c"
BASELINE, CANDIDATE = "chat-v1.0--aaaaaaaaaaaa", "chat-v1.1--bbbbbbbbbbbb"
NOW = 1_790_000_000.0


def adapter(served: str, role: str, *verified: str) -> dict[str, Any]:
    version = served.partition("--")[0]
    return {
        "version": version,
        "served": served,
        "role": role,
        "rank": 16,
        "verified": verified,
        "replicas": 2,
    }


def last(**changes: Any) -> dict[str, Any]:
    """Return a pass in which all was well, with changes."""
    value: dict[str, Any] = {
        "format": 1,
        "at": NOW - 3,
        "environment": "production",
        "revision": SHA,
        "verdict": "in sync",
        "in_sync_since": 1_789_999_000.0,
        "applied": None,
        "refused": None,
        "arms": {
            "alias": "chat",
            "generation": 7,
            "baseline": BASELINE,
            "candidate": None,
            "weight": 0.0,
            "shadow": None,
        },
        "adapters": [adapter(BASELINE, "baseline", "http://r0", "http://r1")],
        "replicas": {"http://r0": {"instance": "1", "version": "0.32.0", "adapters": [BASELINE]}},
        "gateways": {"http://g0": {"generation": 7, "in_flight": 2}},
        "actions": [],
        "failed": [],
        "holds": [],
        "rollout": None,
        "rollbacks": [],
    }
    assert changes.keys() <= value.keys()
    return {**value, **changes}


def row(arm: str, version: str, **changes: Any) -> dict[str, Any]:
    value = {
        "alias": "chat",
        "arm": arm,
        "version": version,
        "requests": 812,
        "errors": 12,
        "error_rate": 0.0148,
    }
    times = {f"latency_p{n}_ms": float(n) for n in (50, 95, 99)}
    return {**value, **times, "input_tokens": 1000, "output_tokens": 2000, "fell_back": 3, **changes}


def shown(
    value: dict[str, Any] | None, runner: int | None = 4242, arms: Any = (), window: float | None = 3600.0
) -> str:
    status = {
        "environment": "production",
        "runner": runner,
        "pass": value,
        "window_seconds": window,
        "arms": arms,
    }
    return to_text(status, NOW, colour=False)


def test_all_well_is_told_in_the_first_line_with_revision_runner_and_age() -> None:
    text = shown(last())
    assert text.splitlines()[0] == "production: in sync at 3f2a1b4c5d6e (runner 4242, looked 3 s ago)"
    assert f"chat -> {BASELINE} (route table 7)" in text
    assert "verified on 2 of 2" in text
    assert "vLLM 0.32.0, 1 adapter\n" in text
    assert "agrees since 2026-09-21 " in text
    assert not any(title in text for title in ("held:", "failed:", "refused:"))


def test_a_candidate_is_shown_with_its_share_of_users() -> None:
    arms = {**last()["arms"], "candidate": CANDIDATE, "weight": 0.05, "shadow": CANDIDATE}
    text = shown(last(arms=arms, adapters=[adapter(CANDIDATE, "candidate", "http://r0")]))
    assert f"candidate {CANDIDATE}: 5% of users" in text
    assert f"shadow {CANDIDATE}" in text
    assert "verified on 1 of 2" in text


def test_a_system_that_does_not_answer_is_never_shown_as_empty() -> None:
    text = shown(
        last(
            verdict="held",
            replicas={"http://r0": {"unknown": "no answer in 2 s"}},
            gateways={"http://g0": {"unknown": "connection refused"}},
        )
    )
    assert "replica http://r0: does not answer: no answer in 2 s" in text
    assert "gateway http://g0: does not answer: connection refused" in text
    assert "adapters\n" not in text and "in flight" not in text


def test_a_hold_tells_what_why_and_what_is_next_and_later_lines_are_set_in() -> None:
    hold = {
        "subject": "rollout chat-v1.1",
        "why": "suspended",
        "text": "first\nsecond",
        "next": "advances later",
    }
    assert shown(last(verdict="held", holds=[hold])).endswith(
        "held:\n  rollout chat-v1.1: suspended: first\n    second\n    next: advances later"
    )


def rollout(assessment: Assessment = HELD, **changes: Any) -> str:
    """Return the section about a rollout, and whatever is held besides."""
    text = shown(last(rollout=asdict(assessment), **changes))
    return text.partition("rollout:\n")[2].partition("\n\nrequests")[0]


def test_a_rollout_that_waits_says_why_how_much_is_proven_and_what_is_missing() -> None:
    hold = {"subject": "rollout chat-v1.1", "reason": "evidence", "why": "the rollout waits for evidence"}
    assert rollout(holds=[{**hold, "text": "the same in other words"}]).splitlines() == [
        f"  held: {CANDIDATE} at 5% (stage 'canary'): 3 h of the stage have passed, 21 h are left",
        "    evidence against it: 3 of 100; `loop explain` has every figure",
        "    next: keeps 5%; needs about 80 more sessions of the candidate to decide, about 3 h at this pace",
    ]
    assert "held:\n" not in shown(last(rollout=asdict(HELD), holds=[{**hold, "text": "x"}])), "told once"


def test_a_step_that_waits_for_a_person_says_which() -> None:
    asked = replace(HELD, step=Step.ADVANCE, because=Because.PULL_REQUEST, needed=None)
    hold = {
        "subject": "rollout chat-v1.1",
        "reason": "proposed",
        "why": "a pull request waits for a person",
        "text": "certified for 'small'",
        "next": "a person merges https://forge/7",
    }
    assert "advances: " in rollout(asked) and "a person takes the step" in rollout(asked)
    assert shown(last(rollout=asdict(asked), holds=[hold])).endswith(
        "held:\n  rollout chat-v1.1: a pull request waits for a person: certified for 'small'\n"
        "    next: a person merges https://forge/7"
    )


def test_far_more_evidence_than_needed_is_no_figure_to_wonder_at() -> None:
    text = rollout(replace(HELD, step=Step.ROLL_BACK, because=Because.PROVEN, evidence=2.6e17))
    assert "evidence against it: >1000 of 100" in text and "e+" not in text


PENDING = {**ROLLBACK, "written": ""}


def test_a_rollback_is_pending_until_git_has_it_and_replaces_what_the_evidence_said() -> None:
    text = rollout(rollbacks=[PENDING])
    assert text.splitlines() == [
        f"  rolled back (pending git): {CANDIDATE} at 2026-09-21 14:13:20 UTC: errors",
        "    users are on the baseline, Git does not say so",
    ]
    asked = rollout(rollbacks=[{**PENDING, "written": "https://forge/8"}])
    assert asked.endswith("    waits for https://forge/8")


def test_once_git_has_it_the_newest_rollback_is_told_and_no_older_one() -> None:
    landed = {**PENDING, "git": "landed", "written": SHA}
    text = shown(last(rollbacks=[{**landed, "served": "chat-v0--000000000000"}, landed]))
    assert f"rollout:\n  rolled back: {CANDIDATE} at 2026-09-21 14:13:20 UTC: errors\n\n" in text
    assert "chat-v0" not in text and "pending" not in text


def test_a_quarantined_candidate_that_is_still_declared_is_told_with_the_way_out() -> None:
    hold = {
        "subject": "rollout chat-v1.1",
        "reason": "quarantined",
        "why": "rolled back before",
        "text": f"{CANDIDATE} is quarantined",
        "next": "a commit that deletes its entry lifts it",
    }
    text = shown(last(verdict="held", holds=[hold]))
    assert f"rollout chat-v1.1: rolled back before: {CANDIDATE} is quarantined\n    next: a commit" in text


def test_evidence_that_cannot_be_read_is_no_rollout_without_evidence() -> None:
    text = shown(last(rollout={"unknown": "the lake is damaged"}))
    assert "rollout:\n  the evidence cannot be read: the lake is damaged" in text


def test_a_refused_revision_and_a_failed_action_are_told_with_their_errors() -> None:
    message = "error: loop.yaml:14: unknown model 'chat-v9'\n  fix: did you mean 'chat-v1'?"
    failed = {"action": "load_adapter x http://r0", "kind": "terminal", "message": "status 500"}
    text = shown(last(refused={"revision": "f" * 40, "message": message}, failed=[failed]))
    assert "refused:\n  ffffffffffff; the last good one stays\n  error: loop.yaml:14:" in text
    assert "failed:\n  load_adapter x http://r0 (terminal): status 500" in text
    assert "the newest revision; the" in shown(
        last(refused={"revision": "the newest revision", "message": "x"})
    )


def test_figures_stand_under_their_names_and_what_is_not_known_is_a_dash() -> None:
    empty = {f"latency_p{n}_ms": None for n in (50, 95, 99)}
    rows = [row("baseline", "chat-v1.0"), row("", "", requests=1, errors=0, error_rate=None, **empty)]
    table = shown(last(), arms=rows).partition("requests, last 60 min:\n")[2].splitlines()
    head, first, second = table[:3]
    for name, value in (("requests", "812"), ("errors", "12"), ("rate", "1.48%"), ("p99 ms", "99")):
        end = head.index(name) + len(name)
        assert first[:end].endswith(value), (name, first)
    assert second.split()[:2] == ["(none)", "-"] and second.count(" -") >= 4


def test_no_data_is_said_and_is_not_zero_errors() -> None:
    assert "requests, last 60 min:\n  none" in shown(last())
    assert "requests, all:\n  none" in shown(last(), window=None)


def test_before_the_first_pass_it_says_who_begins() -> None:
    assert shown(None, runner=None) == "production: no runner has looked at it yet; `loop up` begins"
    assert shown(None) == "production: runner 4242 has begun and not looked yet"


def test_a_runner_that_is_gone_or_late_is_told() -> None:
    gone = shown(last(), runner=None)
    assert gone.startswith("production: no runner at work; the last one, 3 s ago, found it in sync at ")
    assert "serving then:" in gone
    assert "(runner 4242, looked 2 min ago, late)" in shown(last(at=NOW - 130))


def test_nothing_is_served_yet_where_no_gateway_has_routes() -> None:
    assert "serving:\n  nothing yet" in shown(last(arms=None, adapters=[], verdict="changing"))


def test_everything_shown_is_asked_for_when_the_file_is_read() -> None:
    for name in sorted(REQUIRED):
        value = copy.deepcopy(last())
        del value[name]
        with pytest.raises(KeyError):
            shown(value)
    assert shown({name: value for name, value in last().items() if name in REQUIRED})


# from the command line


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "repo")


def test_on_a_fresh_clone_it_says_how_to_begin(bench: Bench) -> None:
    said = bench.loop("status")
    assert (said.code, said.err) == (2, "")
    assert "`loop up` begins" in said.out
    assert json.loads(bench.loop("status", "--json").out) == {
        "environment": "production",
        "runner": None,
        "pass": None,
        "window_seconds": 3600.0,
        "arms": [],
    }


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "{}", '{"format": 2}', '{"format": 1}', "[" * 100_000]
    + [json.dumps(last(rollout=value)) for value in (3, [], {}, {**asdict(HELD), "findings": 3})],
)
def test_a_damaged_status_file_is_an_error_that_names_it_and_its_cure(bench: Bench, content: str) -> None:
    file = bench.state("status.json")
    file.write_text(content)
    for form in ((), ("--json",)):
        refused(bench.loop("status", *form), str(file), "fix: delete it; the next pass writes it")


def test_while_loop_yaml_is_being_edited_the_live_system_can_still_be_looked_at(bench: Bench) -> None:
    bench.state("status.json").write_text(json.dumps(last(at=time.time())))
    (bench.root / "loop.yaml").write_text("name: [")
    said = bench.loop("status")
    assert said.code == 2 and said.out.startswith("production: no runner at work; ")
    assert bench.loop("log").code == 0


@pytest.mark.parametrize("name", ["nosuch", "..", "../.."])
def test_an_unknown_environment_names_the_known_ones(bench: Bench, name: str) -> None:
    for command in ("status", "log"):
        refused(bench.loop(command, "-e", name), f"'{name}'", "staging, production")


@pytest.mark.parametrize("window", ["", "soon", "5", "-1h", "99999999999d"])
def test_a_window_that_is_none_is_refused_with_examples(bench: Bench, window: str) -> None:
    refused(bench.loop("status", "--window", window), "say 10m, 24h, 7d or all")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with workbench.live(tmp_path_factory.mktemp("status") / "repo") as live:
        assert live.bench.loop("apply").code == 0
        yield live


def test_json_is_what_the_runner_wrote_and_the_lake_counted(live: Live) -> None:
    ask = {"model": "chat", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
    for _ in range(3):
        workbench.post(f"http://{live.bench.listen}/v1/chat/completions", ask)
    value = json.loads(live.bench.loop("status", "--json", "--window", "all").out)
    assert value.keys() == {"environment", "runner", "pass", "window_seconds", "arms"}
    assert value["window_seconds"] is None
    assert value["pass"] == json.loads(live.bench.state("status.json").read_text())
    assert value["pass"].keys() >= REQUIRED
    (arm,) = value["arms"]
    assert (arm["arm"], arm["version"], arm["requests"], arm["errors"]) == ("baseline", "chat-v1.0", 3, 0)


def test_it_is_exit_code_0_only_where_a_runner_keeps_all_in_sync(live: Live) -> None:
    assert live.bench.loop("status").code == 2
    process = subprocess.Popen(
        live.bench.argv("run"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while (said := live.bench.loop("status")).code != 0:
            assert time.monotonic() < deadline and process.poll() is None, said
            time.sleep(0.05)
        assert f"(runner {process.pid}, looked " in said.out
        refused(live.bench.loop("apply"), "another runner works on this environment", str(process.pid))
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, out
    assert "in sync" in out and "stopped; engine and gateway go on as they are" in out
    assert live.engine.state.adapters, "what serves is left as it is"


def test_a_rollout_is_told_from_its_first_user_to_the_step_that_waits_for_a_person(tmp_path: Path) -> None:
    stage = {"duration": "3s", "advance": "pull_request", "rollback_if": "error_rate > 60%"}
    with remote.on_trial(tmp_path / "repo", **stage) as (live, bare), remote.running(live.bench) as runner:
        bench = live.bench
        runner.agrees_with(bench.git("rev-parse", "HEAD").strip())
        remote.until(lambda: "of the stage have passed" in bench.loop("status").out, "held for its time")
        remote.asks(live, *(f"user-{number}" for number in range(400)))
        remote.until(lambda: "a person merges loop/advance-" in bench.loop("status").out, "asked for")
        text = bench.loop("status").out
        assert (
            f"advances: {bench.served('chat-v1.1')} at 50% (stage 'half'): every limit is certainly" in text
        )
        assert "rollout chat-v1.1: a pull request waits for a person: certified for 'full'" in text
        assert "a person takes the step" in bench.loop("explain").out
        assert bench.loop("status").code == 0, "all is as Git says"
        branch = f"loop/advance-{bench.served('chat-v1.1')}-full"
        assert "stage: full" in workbench.git(bare, "show", f"{branch}:loop.yaml")
        assert "stage: half" in workbench.git(bare, "show", "main:loop.yaml")
    said = runner.said.read_text()
    assert said.count("the rollout waits for evidence") <= 2, "told when it changes, not at every look"


def on_terminal(bench: Bench, *arguments: str, until: bytes = b"", **environment: str) -> bytes:
    """Return what a command writes to a terminal; with `until`, it gets Ctrl-C once that has come twice."""
    main, other = pty.openpty()
    kept = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    process = subprocess.Popen(
        bench.argv(*arguments),
        stdin=other,
        stdout=other,
        stderr=other,
        env={**kept, "TERM": "xterm", **environment},
    )
    os.close(other)
    written = b""
    try:
        while select.select([main], [], [], PATIENCE_S)[0]:
            try:
                piece = os.read(main, 65536)
            except OSError:  # the terminal has no writer any more
                break
            written += piece
            if until and written.count(until) >= 2:
                process.send_signal(signal.SIGINT)
                until = b""
        process.wait(PATIENCE_S)
    finally:
        process.kill()
        process.wait()
        os.close(main)
    return written


@pytest.fixture
def looked_at(bench: Bench) -> Bench:
    """A repository whose last pass was just now, and which has no events to count."""
    bench.state("status.json").write_text(json.dumps(last(at=time.time())))
    return bench


def test_colour_is_for_terminals_and_never_where_no_color_is_set(looked_at: Bench) -> None:
    assert b"\x1b[32min sync\x1b[0m" in on_terminal(looked_at, "status")
    assert b"\x1b" not in on_terminal(looked_at, "status", NO_COLOR="1")
    done = subprocess.run(looked_at.argv("status"), capture_output=True, timeout=PATIENCE_S, check=False)
    assert b"in sync" in done.stdout and b"\x1b" not in done.stdout


def test_watching_shows_it_again_and_ends_with_ctrl_c_in_one_word(looked_at: Bench) -> None:
    written = on_terminal(looked_at, "status", "--watch", until=b"production: ", NO_COLOR="1")
    assert written.count(b"production: ") >= 2
    assert written.rstrip().endswith(b"interrupted")
    assert b"Traceback" not in written
