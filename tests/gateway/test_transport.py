"""What a client may send and hold before anybody knows what it asks: bounds, and an answer that says which."""

from __future__ import annotations

import contextlib
import hashlib
import json
import resource
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.serving.gateway import config
from runner.serving.gateway.connections import budget
from tests.doubles.stub_engine import RunningStub
from tests.gateway.running import RunningGateway, gateway, gateway_process, table
from tests.waiting import PATIENCE_S, until

ALIVE = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
CHUNKED = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
CHUNKED += b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
QUICK = {"header_timeout_s": 0.3}


def reach(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE_S)


def rest(line: socket.socket) -> bytes:
    """Return what comes until the gateway closes the connection."""
    return b"".join(iter(lambda: line.recv(65536), b""))


def talk(url: str, said: bytes) -> bytes:
    with reach(url) as line:
        line.sendall(said)
        return rest(line)


def answer(line: socket.socket) -> bytes:
    """Return one answer of a connection that stays open."""
    head, _, body = line.recv(65536).partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += line.recv(65536)
    return head


def assert_error(answered: bytes, status: int, code: str) -> None:
    head, _, body = answered.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), head
    assert b"connection: close" in head
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code


def count(running: RunningGateway, line: str) -> float:
    """Return a value of the metrics; 0 where it is not there."""
    lines = httpx.get(f"{running.admin}/metrics").text.splitlines()
    return next((float(found.rpartition(" ")[2]) for found in lines if found.startswith(line + " ")), 0.0)


@pytest.fixture
def quick(engine: RunningStub, tmp_path: Path) -> Iterator[RunningGateway]:
    with gateway(tmp_path, transport=QUICK) as running:
        running.put(table(engine.url))
        yield running


def test_headers_that_do_not_end_in_time_get_a_408(quick: RunningGateway) -> None:
    assert_error(talk(quick.url, ALIVE[:-2]), 408, "headers_late")
    assert count(quick, 'loop_gateway_faults_total{fault="headers_late"}') == 1


def test_headers_that_come_drop_by_drop_get_no_more_time(quick: RunningGateway) -> None:
    with reach(quick.url) as line:
        line.sendall(ALIVE[:-2])
        line.settimeout(0.02)
        answered = b""
        while not answered:
            line.sendall(b"x: y\r\n")
            with contextlib.suppress(TimeoutError):
                answered = line.recv(65536)
    assert_error(answered, 408, "headers_late")


def test_the_next_request_of_a_connection_has_no_more_time_than_the_first(quick: RunningGateway) -> None:
    with reach(quick.url) as line:
        line.sendall(ALIVE)
        assert answer(line).startswith(b"HTTP/1.1 200")
        line.sendall(ALIVE[:-2])
        assert_error(rest(line), 408, "headers_late")


@pytest.mark.parametrize("said", [b"", b"\r\n"])
def test_a_connection_that_asks_nothing_is_closed_and_one_that_asked_is_kept(
    quick: RunningGateway, said: bytes
) -> None:
    with reach(quick.url) as kept, reach(quick.url) as silent:
        kept.sendall(ALIVE)
        answer(kept)
        silent.sendall(said)
        assert rest(silent) == b""
        kept.sendall(ALIVE)
        assert answer(kept).startswith(b"HTTP/1.1 200")
    assert count(quick, 'loop_gateway_faults_total{fault="never_asked"}') == 1


def test_headers_that_are_late_wait_for_the_answer_before_them(
    quick: RunningGateway, engine: RunningStub
) -> None:
    engine.control(delay_s=1.0)
    body = b'{"model":"chat","messages":[{"role":"user","content":"x"}]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    head += b"content-length: %d\r\n\r\n" % len(body)
    with reach(quick.url) as line:
        line.sendall(head + body + ALIVE[:-2])
        assert answer(line).startswith(b"HTTP/1.1 200")
        assert_error(rest(line), 408, "headers_late")


def headers(count: int, size: int = 1) -> bytes:
    return ALIVE[:-2] + b"".join(b"x-%d: %s\r\n" % (number, b"y" * size) for number in range(count))


def test_headers_within_the_bounds_are_taken(served: RunningGateway) -> None:
    with reach(served.url) as line:
        for said in (headers(99), headers(1, 60_000), headers(60, 1000)):
            line.sendall(said + b"\r\n")
            assert answer(line).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "said",
    [
        headers(100) + b"\r\n",
        headers(1, 66_000) + b"\r\n",
        headers(70, 1000) + b"\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
    ids=["many", "one that is large", "large together", "the path"],
)
def test_headers_over_the_bounds_get_a_431(served: RunningGateway, said: bytes) -> None:
    assert_error(talk(served.url, said), 431, "headers_too_large")


@pytest.mark.parametrize(
    ("begun", "more"),
    [
        (ALIVE[:-2] + b"x: ", b"y" * 65536),
        (ALIVE[:-2], b"x: y\r\n" * 10_000),
        (b"GET /", b"a" * 65536),
        (CHUNKED + b"x: ", b"y" * 65536),
    ],
    ids=["a value", "headers", "a path", "a trailer"],
)
def test_what_never_ends_is_refused_while_it_comes(served: RunningGateway, begun: bytes, more: bytes) -> None:
    with reach(served.url) as line:
        line.sendall(begun)
        for _ in range(12):
            line.sendall(more)
        assert_error(rest(line), 431, "headers_too_large")


def test_after_a_request_with_faults_the_next_connection_is_served(served: RunningGateway) -> None:
    for said in (headers(200) + b"\r\n", b"\x00\r\n\r\n", CHUNKED[:-3] + b"zz\r\n"):
        talk(served.url, said)
        assert httpx.get(f"{served.url}/healthz").status_code == 200


def test_who_sends_a_body_that_is_too_large_gets_to_read_that(tmp_path: Path) -> None:
    head = CHUNKED.removesuffix(b"2\r\n{}\r\n0\r\n")
    with gateway(tmp_path, limits={"body_bytes": 1000}) as running:
        for _ in range(20):
            with reach(running.url) as line:
                line.sendall(head + b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
                for _ in range(20):
                    line.sendall(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
                assert_error(rest(line), 413, "body_too_large")


def test_what_comes_behind_a_body_is_no_header(tmp_path: Path) -> None:
    known = {"name": "ann", "group": "beta", "sha256": hashlib.sha256(b"sk-ann").hexdigest()}
    with gateway(tmp_path, keys=[known], anonymous_group=None) as running, reach(running.url) as line:
        line.sendall(CHUNKED + b"authorization: Bearer sk-ann\r\n\r\n")
        assert answer(line).startswith(b"HTTP/1.1 401")


def test_a_full_gateway_says_so_and_serves_again_when_others_have_gone(tmp_path: Path) -> None:
    with gateway(tmp_path, transport={"connections": 3}) as running:
        held = [reach(running.url) for _ in range(3)]
        try:
            until(lambda: count(running, "loop_gateway_connections") == 3, "all three are there")
            refused = talk(running.url, ALIVE)
            assert_error(refused, 503, "too_many_connections")
            assert b"retry-after: 1\r\n" in refused
        finally:
            for line in held:
                line.close()
        until(lambda: talk_once(running.url).startswith(b"HTTP/1.1 200"), "serves again")


def talk_once(url: str) -> bytes:
    with reach(url) as line:
        line.sendall(ALIVE)
        return line.recv(65536)


def test_invariant_6_idle_users_never_shut_the_runner_out(engine: RunningStub, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(gateway_process(tmp_path, descriptors=256))
        with ThreadPoolExecutor(32) as crowd:
            held = list(crowd.map(reach, [running.url] * 400))
        assert running.put(table(engine.url)).status_code == 200
        assert running.state()["generation"] == 1
        assert_error(rest(held[-1]), 503, "too_many_connections")
        for line in held:
            line.close()
        until(lambda: talk_once(running.url).startswith(b"HTTP/1.1 200"), "serves again")
        until(lambda: running.state()["not_ready"] is None, "the replica is reached")
        assert running.ask().status_code == 200


def test_the_process_may_open_as_many_files_as_the_system_lets_it(tmp_path: Path) -> None:
    with gateway_process(tmp_path, soft_descriptors=100) as running:
        assert running.process
        soft, hard = resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE)
        assert soft == hard > 100


@given(
    descriptors=st.integers(256, 2**20), in_flight=st.integers(1, 10_000), connections=st.integers(1, 10_000)
)
def test_users_and_replicas_together_never_take_the_last_descriptors(
    descriptors: int, in_flight: int, connections: int
) -> None:
    limits, transport = config.Limits(in_flight=in_flight), config.Transport(connections=connections)
    share = budget(config.GatewayConfig("e", "d", limits=limits, transport=transport), descriptors)
    assert 1 <= share.public <= connections
    taken = share.public + 2 * min(share.public, in_flight) + 2 * share.backlog
    assert taken <= descriptors - 128


def test_noise_is_counted_and_not_logged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with gateway_process(tmp_path) as running, reach(running.url) as line:
        talk(running.url, b"\x00\x01\r\n\r\n")
        line.sendall(ALIVE[:-2] + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n")
        assert answer(line).startswith(b"HTTP/1.1 200")
        assert count(running, 'loop_gateway_faults_total{fault="malformed_http"}') == 1
        assert count(running, 'loop_gateway_faults_total{fault="upgrade_ignored"}') == 1
    assert capfd.readouterr().err == ""
