"""`loop monitor` as a process: the page, the metrics, how it ends, and what a wrong command line gets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.cli import measured
from tests.cli.measured import of_all
from tests.cli.workbench import Bench, refused
from tests.system.scratch import processes_of
from tests.waiting import PATIENCE_S, until


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made = measured.bench(tmp_path_factory.mktemp("monitor"))
    measured.log(made)
    return made


@dataclass(frozen=True)
class Running:
    """A monitor, and where it is."""

    bench: Bench
    process: subprocess.Popen[str]
    url: str

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE_S) as answer:
            body: bytes = answer.read()
        return body.decode()

    def read(self, path: str) -> dict[str, object]:
        value: dict[str, object] = json.loads(self.get(path))
        return value


def start(bench: Bench, port: int, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        bench.argv("monitor", "--listen", f"127.0.0.1:{port}", "--every", "1s", *options),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def running(bench: Bench) -> Iterator[Running]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = start(bench, port)
    found = Running(bench, process, f"http://127.0.0.1:{port}")
    try:
        until(lambda: found.read("/api/snapshot")["snapshot"] or process.poll() is not None, "a measuring")
        assert process.poll() is None
        yield found
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_the_page_the_snapshot_and_the_metrics_tell_of_the_log(running):
    assert "<html" in running.get("/")
    snapshot = running.read("/api/snapshot")["snapshot"]
    assert of_all(snapshot, "refusal_rate")["n"] == 10
    assert "loop_refusal_ratio" in running.get("/metrics")
    assert running.read("/healthz") == {"status": "ok"}


def test_what_is_logged_meanwhile_is_measured_without_being_asked(running):
    from tests.watch.house import House

    House(running.bench.root, written=5000).asked(measured.QUESTIONS, measured.ago(120))
    until(
        lambda: of_all(running.read("/api/snapshot")["snapshot"], "refusal_rate")["n"] == 15,
        "the measuring of what is new",
    )


def test_loop_signals_beside_it_says_the_same(running):
    said = running.bench.loop("signals", "--json")
    ours = of_all(json.loads(said.out), "refusal_rate")
    theirs = of_all(running.read("/api/snapshot")["snapshot"], "refusal_rate")
    assert (ours["value"], ours["n"]) == (theirs["value"], theirs["n"])


def test_an_address_that_is_taken_is_an_error_in_words(running):
    port = int(running.url.rpartition(":")[2])
    second = start(running.bench, port)
    _, said = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 1
    assert f"error: cannot listen on '127.0.0.1:{port}'" in said
    assert "Traceback" not in said


def test_a_policy_that_becomes_wrong_leaves_the_one_of_before_in_force(running):
    running.bench.files.set("policies/signals.yaml", "signals", "error_rate", "window", to="often")
    running.bench.commit("nonsense")
    before = running.read("/api/snapshot")["snapshot"]["at"]
    until(lambda: running.read("/api/snapshot")["snapshot"]["at"] > before + 1.5, "two more passes")
    assert running.read("/api/snapshot")["stale"] == ""


def test_asked_to_end_it_ends_with_code_0_and_leaves_no_process(running):
    running.process.send_signal(signal.SIGTERM)
    _, said = running.process.communicate(timeout=PATIENCE_S)
    assert running.process.returncode == 0, said
    assert "monitor at http://127.0.0.1" in said and "stopped measuring" in said
    assert "Traceback" not in said
    assert processes_of(running.bench.root) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--listen", "nowhere"), "--listen nowhere: "),
        (("--listen", "127.0.0.1:99999999"), "--listen 127.0.0.1:99999999: "),
        (("--every", "often"), "is no length of time"),
        (("--every", "0s"), "is no time at all"),
        (("--every", "100ms"), "--every 0.1: "),
        (("--otlp", "not an address"), "--otlp not an address: "),
    ],
)
def test_options_that_are_wrong_are_told_before_anything_runs(tmp_path, options, words):
    refused(measured.bench(tmp_path).loop("monitor", *options), words)
