"""Replays through the real gateway: counted on both sides, and honest about what went wrong."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.errors import TerminalError
from runner.events.arms import summaries
from runner.events.compact import Compactor
from runner.events.lake import Lake
from runner.report import replay as report
from runner.serving.routes import Split
from runner.simulation.replay.plan import Crowd, Rate, ReplayPlan, Target
from runner.simulation.replay.play import Traffic, replay, traffic
from runner.simulation.replay.result import Progress, ReplayResult
from tests.simulation.replay.conftest import CANDIDATE, ROOT, Stage, material

Silent = Callable[[Any], None]


def now_us() -> int:
    return time.time_ns() // 1000


def played(plan: ReplayPlan, on_progress: Silent) -> ReplayResult:
    return asyncio.run(replay(plan, on_progress))


def test_every_request_is_answered_and_has_exactly_one_event(stage: Stage, silent: Silent) -> None:
    result = played(stage.plan(120, rate=200, crowd=Crowd(users=10)), silent)
    assert (result.planned, result.sent, result.answered, result.failed) == (120, 120, 120, 0)
    assert result.log is not None
    assert (result.log.found, result.log.missing, result.log.duplicate, result.log.others) == (120, (), (), 0)
    assert result.as_planned
    assert [(each.arm, each.version, each.answers) for each in result.arms] == [
        ("baseline", "chat-v1.0", 120)
    ]
    assert result.latency is not None
    assert result.overhead is not None
    assert result.first_token is not None
    assert (result.latency.n, result.overhead.n, result.first_token.n) == (120, 120, result.streams)
    assert 0 < result.streams < 120
    with Lake(stage.home / "lake", stage.events) as lake:
        (summary,) = summaries(lake.requests())
        users = lake.requests()["loop.user"].nunique().to_pyarrow().as_py()
        sessions = lake.requests()["loop.session"].nunique().to_pyarrow().as_py()
    assert (summary.requests, summary.errors, summary.arm) == (120, 0, "baseline")
    assert (summary.input_tokens, summary.output_tokens) == (result.input_tokens, result.output_tokens)
    assert (users, sessions) == (result.users, result.sessions)


def test_compaction_beside_a_running_gateway_loses_and_repeats_nothing(stage: Stage) -> None:
    moved = []

    def compact(_: Any, grace_us: int = 60_000_000) -> None:
        moved.append(Compactor(stage.events, stage.home / "lake", now_us, grace_us).run())

    result = played(stage.plan(250, rate=100), compact)
    assert result.as_planned
    assert len(moved) >= 2
    stage.process.terminate()
    stage.process.wait()
    for _ in range(2):
        with Lake(stage.home / "lake", stage.events) as lake:
            ids = lake.requests()["loop.request.id"].to_pyarrow().to_pylist()
            contents = lake.contents().count().to_pyarrow().as_py()
        assert sorted(ids) == sorted(f"{result.run}-{number}" for number in range(250))
        assert contents == 250
        compact(None, grace_us=0)
    assert sum(each.events for each in moved) == 500
    assert list(stage.events.glob("*.jsonl")) == []


def judging(stage: Stage, number: int, share: float, **crowd: Any) -> ReplayPlan:
    """Return a plan in which the bookshop's customers say what they think; the stub knows no right answer."""
    plan = stage.plan(number, rate=200, crowd=Crowd(feedback_share=share, **crowd))
    return replace(plan, material=replace(plan.material, questions="bookshop"))


def test_users_who_judge_are_those_who_asked_and_each_judgement_is_in_the_log(
    stage: Stage, silent: Silent
) -> None:
    result = played(judging(stage, 120, 0.5, users=12), silent)
    assert result.as_planned
    said = result.feedback
    assert said is not None
    assert 30 < said.given < 90
    assert said.pleased < said.given / 2
    with Lake(stage.home / "lake", stage.events) as lake:
        asked = lake.requests().to_pyarrow().to_pylist()
        judged = lake.feedback().to_pyarrow().to_pylist()
    users = {each["gen_ai.response.id"]: each["loop.user"] for each in asked}
    assert len(judged) == said.given
    assert all(users[each["gen_ai.response.id"]] == each["loop.user"] for each in judged)
    assert {each["loop.feedback.known"] for each in judged} == {"own"}
    assert {each["loop.thumbs"] for each in judged} >= {-1, None}
    assert {each["loop.rating"] for each in judged} >= {1, 2, None}
    assert f"{said.given} answers judged" in report.to_text(result)
    assert report.to_json(result)["feedback"]["given"] == said.given


def test_streams_are_judged_by_their_whole_text(stage: Stage, silent: Silent) -> None:
    whole, streamed = (
        played(judging(stage, 40, 1.0, stream_share=share), silent).feedback for share in (0.0, 1.0)
    )
    assert whole == streamed
    assert whole is not None
    assert whole.given == 40


def beside(plan: ReplayPlan, watch: Callable[[Traffic], Awaitable[None]]) -> ReplayResult:
    """Play a plan in the background while `watch` runs, then stop it."""

    async def both() -> ReplayResult:
        async with traffic(plan) as going:
            await watch(going)
            return await going.stop()

    return asyncio.run(both())


async def answered(going: Traffic, number: int) -> None:
    async with asyncio.timeout(20):
        while going.progress().answered < number:  # noqa: ASYNC110 - the counters are what is tested
            await asyncio.sleep(0.01)


def test_traffic_goes_on_for_its_time_and_ends_when_told_with_every_answer(stage: Stage) -> None:
    plan = stage.plan(10, rate=100)
    plan = replace(plan, material=replace(plan.material, duration_s=600.0))
    stage.engine.control(delay_s=0.05)

    async def watch(going: Traffic) -> None:
        await answered(going, 50)
        now = going.progress()
        assert now.planned == 60_000
        assert now.failed == 0
        assert len(going.sent()) >= now.sent

    result = beside(plan, watch)
    assert 50 <= result.sent == result.answered < 5_000
    assert (result.stopped, result.abandoned, result.failed) == (True, 0, 0)
    assert result.log is not None
    assert result.log.found == result.sent


def test_traffic_that_ended_by_itself_is_stopped_without_loss(stage: Stage) -> None:
    async def watch(going: Traffic) -> None:
        await answered(going, 20)

    assert beside(stage.plan(20), watch).as_planned


def test_earlier_events_and_those_of_others_are_not_counted(stage: Stage, silent: Silent) -> None:
    first = played(stage.plan(10), silent)
    second = played(stage.plan(10), silent)
    assert first.run != second.run
    assert second.log is not None
    assert (second.log.found, second.log.others) == (10, 0)


def test_failures_are_told_by_kind_and_status_and_are_in_the_log_too(stage: Stage, silent: Silent) -> None:
    stage.engine.control(fault="500")
    result = played(stage.plan(20), silent)
    assert (result.answered, result.failed) == (0, 20)
    assert sum(each.count for each in result.failures) == 20
    assert all(each.status in (502, 503) and each.kind and each.example for each in result.failures)
    assert result.latency is None
    assert result.log is not None
    assert result.log.found == 20
    assert not result.as_planned


def test_an_answer_that_breaks_in_the_middle_is_a_failure(stage: Stage, silent: Silent) -> None:
    stage.engine.control(fault="mid_stream")
    result = played(stage.plan(10, crowd=Crowd(stream_share=1.0)), silent)
    assert result.failed > 0
    assert result.answered + result.failed == 10, "the shortest answers end before they can break"
    assert {each.status for each in result.failures} == {200}
    assert result.log is not None
    assert result.log.found == 10


def test_a_candidate_that_fails_is_seen_as_fallback_and_fails_nobody(stage: Stage, silent: Silent) -> None:
    stage.route(Split("rollout-1", CANDIDATE, 1.0), generation=2)
    stage.engine.control(fault="disconnect", only_model=CANDIDATE.served)
    result = played(stage.plan(30), silent)
    assert (result.answered, result.failed) == (30, 0)
    assert result.log is not None
    assert result.log.fell_back > 0
    assert {each.version for each in result.arms} == {"chat-v1.0"}


def stopped_when(stage: Stage, plan: ReplayPlan, reached: Callable[[Progress], bool]) -> ReplayResult:
    """Play while the engine never answers, until progress has come as far as said."""
    stage.engine.control(fault="hang")

    async def until_reached() -> ReplayResult:
        stop = asyncio.Event()
        return await replay(plan, lambda progress: stop.set() if reached(progress) else None, stop)

    return asyncio.run(until_reached())


def test_answers_that_never_come_delay_no_arrival(stage: Stage) -> None:
    result = stopped_when(stage, stage.plan(24, rate=100), lambda progress: progress.in_flight == 24)
    assert (result.sent, result.peak_in_flight, result.abandoned) == (24, 24, 24)
    assert result.waiting is None


def test_a_cap_on_requests_in_flight_holds(stage: Stage) -> None:
    plan = stage.plan(12, rate=100, in_flight=3)
    result = stopped_when(stage, plan, lambda progress: (progress.in_flight, progress.waiting) == (3, 9))
    assert (result.sent, result.unsent, result.peak_in_flight) == (3, 9, 3)


def test_how_long_calls_waited_for_the_cap_is_told_apart_from_their_latency(
    stage: Stage, silent: Silent
) -> None:
    stage.engine.control(delay_s=0.2)
    result = played(stage.plan(6, rate=1000, in_flight=1), silent)
    assert (result.answered, result.peak_in_flight) == (6, 1)
    assert result.waiting is not None
    assert result.latency is not None
    assert result.waiting.max > result.latency.p50
    assert f"1 in flight; {result.waiting.n} waited" in report.to_text(result)


def test_a_gateway_that_is_not_there_is_a_failure_without_a_status(tmp_path: Path, silent: Silent) -> None:
    events = tmp_path / "events"
    events.mkdir()
    target = Target("http://127.0.0.1:1", events=events)
    result = played(ReplayPlan(material(tmp_path, 5), Rate(100), target=target), silent)
    assert [(each.kind, each.status, each.count) for each in result.failures] == [("cannot_connect", 0, 5)]
    assert result.log is not None
    assert (result.log.found, result.log.missing, result.log.unacknowledged) == (0, (), 5)


def test_an_event_log_that_is_not_there_is_said_before_anything_is_sent(stage: Stage, silent: Silent) -> None:
    plan = stage.plan(5)
    plan = replace(plan, target=replace(plan.target, events=stage.home / "evnets"))
    with pytest.raises(TerminalError, match="no event log at"):
        played(plan, silent)
    assert stage.engine.generations() == []


def test_invariant_10_no_answered_request_is_missing_after_the_gateway_was_killed_under_load(
    stage: Stage,
) -> None:
    def kill(progress: Any) -> None:
        if progress.elapsed_s < 1.9 and stage.process.poll() is None:
            stage.process.kill()

    result = played(stage.plan(200, rate=100), kill)
    assert 0 < result.answered < 200
    assert result.failed == 200 - result.answered
    assert result.log is not None
    assert result.log.missing == ()
    assert result.log.duplicate == ()
    assert result.log.found >= result.answered


def test_stopped_by_hand_it_tells_what_was_measured_so_far(stage: Stage) -> None:
    stage.engine.control(delay_s=0.05)

    async def stopped() -> ReplayResult:
        stop = asyncio.Event()
        return await replay(stage.plan(500, rate=50), lambda _: stop.set(), stop)

    result = asyncio.run(stopped())
    assert result.stopped
    assert result.unsent > 0
    assert result.sent == result.answered + result.failed + result.abandoned
    assert result.planned == result.sent + result.unsent
    assert result.log is not None
    assert result.log.missing == ()
    assert "stopped by hand" in report.to_text(result)


def test_ctrl_c_prints_the_table_and_ends_well(stage: Stage) -> None:
    script = """
        import sys
import time
        from pathlib import Path
        from runner.report.replay import to_text
        from runner.simulation.replay.plan import *
        from runner.simulation.replay.play import run
        home, url = Path(sys.argv[1]), sys.argv[2]
        material = Material(str(home / "trace.csv"), str(home / "asked.csv"), home)
        plan = ReplayPlan(material, Rate(10), target=Target(url))
        print(to_text(run(plan, lambda progress: print("going", flush=True))))
    """
    material(stage.home, 400)
    command = [
        sys.executable,
        "-c",
        "\n".join(each.strip() for each in script.splitlines()),
        str(stage.home),
        stage.url,
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "going\n"
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait() == 0
    assert "stopped by hand" in rest
    assert "latency" in rest


def test_progress_is_told_while_it_plays_and_at_the_end(stage: Stage) -> None:
    lines: list[str] = []
    played(stage.plan(150, rate=100), lambda progress: lines.append(report.progress_line(progress)))
    assert len(lines) >= 2
    assert "150/150 sent (100%), 150 answered, 0 failed, 0 in flight" in lines[-1]


def test_the_table_and_the_json_tell_the_same_and_keep_the_key_to_themselves(
    stage: Stage, silent: Silent
) -> None:
    plan = stage.plan(8)
    plan = replace(plan, target=replace(plan.target, api_key="secret-key"))
    result = played(plan, silent)
    text, value = report.to_text(result), json.loads(json.dumps(report.to_json(result)))
    assert value["answered"] == 8
    assert value["log"]["found"] == 8
    assert value["as_planned"] is True
    assert "8 of 8: each request exactly once" in text
    assert "secret-key" not in text + json.dumps(value)
    for name in (
        "sent",
        "answered",
        "failed",
        "fell back",
        "latency",
        "first token",
        "gateway overhead",
        "tokens",
    ):
        assert any(line.startswith(name) for line in text.splitlines()), name
