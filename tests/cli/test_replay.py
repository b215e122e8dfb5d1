"""`loop replay`: wrong requests told at once, every failure counted, and Ctrl-C with what was measured so far."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.simulation.replay.traces import AZURE_HEADER
from tests.cli import workbench
from tests.cli.workbench import Bench, Live, refused
from tests.reconcile.real_parts import free_addresses
from tests.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with workbench.live(tmp_path_factory.mktemp("replay") / "repo") as live:
        assert live.bench.loop("apply").code == 0
        yield live


@pytest.fixture
def material(tmp_path: Path) -> tuple[str, ...]:
    """Options that play 40 recorded arrivals, 20 seconds long, with questions of our own."""
    rows = [f"2023-11-16 18:15:{n // 2:02d}.{5 * (n % 2)}000000,{100 + n},{n % 9 + 1}" for n in range(40)]
    (tmp_path / "trace.csv").write_text("\n".join([AZURE_HEADER, *rows]) + "\n")
    (tmp_path / "asked.csv").write_text(
        "text,category\n" + "".join(f"where is shelf {n}?,x\n" for n in range(9))
    )
    return "--trace", str(tmp_path / "trace.csv"), "--questions", str(tmp_path / "asked.csv")


def test_a_small_trace_is_answered_and_found_in_the_log(live: Live, material: tuple[str, ...]) -> None:
    said = live.bench.loop("replay", *material, "--speed", "40", "--users", "5", "--json")
    assert said.code == 0, said
    result = json.loads(said.out)
    assert result["answered"] == result["sent"] == result["log"]["found"] == 40
    assert "api_key" not in said.out
    said = live.bench.loop("replay", *material, "--rate", "100", "--limit", "10")
    assert said.code == 0
    assert "10 of 10: each request exactly once" in said.out


def test_users_judge_answers_for_as_long_as_said(live: Live, material: tuple[str, ...]) -> None:
    options = ("--questions", "bookshop", "--rate", "100", "--duration", "0.6", "--feedback", "0.5", "--json")
    said = live.bench.loop("replay", *material[:2], *options)
    assert said.code == 0, said
    result = json.loads(said.out)
    assert result["answered"] == 60
    assert 10 < result["feedback"]["given"] < 50


def test_failures_are_counted_by_kind_and_are_exit_code_1(live: Live, material: tuple[str, ...]) -> None:
    live.engine.control(fault="500")
    try:
        said = live.bench.loop("replay", *material, "--rate", "200", "--limit", "5", "--stream-share", "0")
    finally:
        live.engine.control(fault="none")
    assert said.code == 1
    assert "5 x " in said.out and "Traceback" not in said.err


def test_ctrl_c_prints_what_was_measured(live: Live, material: tuple[str, ...]) -> None:
    process = subprocess.Popen(
        live.bench.argv("replay", *material), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    before = len(live.engine.state.bodies)
    deadline = time.monotonic() + PATIENCE_S
    while len(live.engine.state.bodies) < before + 2:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "stopped by hand: " in out and "answered" in out and "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--speed", "2", "--rate", "3"), "say --speed or --rate, not both"),
        (("--speed", "0"), "the speed or rate must be above 0, not 0"),
        (("--rate", "nan"), "the speed or rate must be above 0"),
        (("--rate", "fast"), "is not a valid float"),
        (("--limit", "0"), "the limit must be above 0"),
        (("--users", "-1"), "the number of users must be above 0"),
        (("--max-tokens", "0"), "the limit of tokens must be above 0"),
        (("--in-flight", "0"), "the number in flight must be above 0"),
        (("--stream-share", "2"), "the share of streams must be from 0 to 1"),
        (("--feedback", "2"), "the share of feedback must be from 0 to 1"),
        (("--feedback", "0.2"), "users cannot judge them"),
        (("--duration", "0"), "the duration must be above 0"),
        (("--url", "localhost:8080"), "is no address of a gateway"),
        (("--trace", "azure-con"), "there is no trace named 'azure-con'"),
        (("--questions", "banking"), "'banking'"),
        (("--data", "/nonexistent"), "looked for /nonexistent"),
        (("-e", "prod"), "there is no environment 'prod'"),
        (("--key-env", "NO_SUCH_VARIABLE"), "NO_SUCH_VARIABLE is not set"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_sent(
    live: Live, material: tuple[str, ...], arguments: tuple[str, ...], part: str
) -> None:
    before = len(live.engine.state.bodies)
    rest = () if arguments[0] in ("--trace", "--data") else material
    refused(live.bench.loop("replay", *rest, *arguments), part)
    assert len(live.engine.state.bodies) == before


def test_all_values_that_make_no_sense_are_told_at_once(live: Live) -> None:
    said = live.bench.loop("replay", "--limit", "0", "--users", "0", "--max-tokens", "-5")
    refused(said, "limit must", "users must", "tokens must")


def test_where_no_gateway_answers_nothing_is_played(tmp_path: Path, material: tuple[str, ...]) -> None:
    (admin, listen) = free_addresses(2)
    bench = Bench(tmp_path / "repo", "http://127.0.0.1:9", admin, listen)
    refused(bench.loop("replay", *material), f"no gateway answers at http://{listen}", "`loop up`")


def test_a_wrong_key_is_refused_by_the_gateway_and_told(
    tmp_path: Path, material: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = hashlib.sha256(b"good").hexdigest()
    (entry,) = [{"name": "ada", "group": "internal", "sha256": good}]
    with workbench.live(tmp_path / "repo", keys=[entry], anonymous_group=None) as live:
        assert live.bench.loop("apply").code == 0
        options = ("replay", *material, "--rate", "200", "--limit", "4", "--key-env", "A_KEY")
        monkeypatch.setenv("A_KEY", "wrong")
        said = live.bench.loop(*options)
        assert said.code == 1
        assert "(401)" in said.out and "4 x " in said.out
        monkeypatch.setenv("A_KEY", "good")
        said = live.bench.loop(*options)
        assert said.code == 0, said
        assert os.environ["A_KEY"] not in said.out
