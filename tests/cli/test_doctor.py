"""`loop doctor` on real repositories, remotes, processes and servers: it tells what is wrong, and changes nothing."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from runner.doctor import data as of_data
from runner.doctor import engine as of_engine
from runner.errors import Unknown
from runner.serving import procfs
from tests.cli.workbench import Said, call, refused
from tests.conftest import RealEngine
from tests.doubles.stub_engine import stub_engine
from tests.waiting import until

TOKEN = "ghp_a-very-secret-token"
BASE = "acme/small-chat"
Found = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(autouse=True)
def surroundings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No hub, no token, patience; and DVC, whose start takes most of a second, only where it is what is tested."""
    if "asks_dvc" not in request.fixturenames:
        monkeypatch.setattr(of_data, "lacking", lambda *_: Unknown("DVC was not asked"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.setattr(of_engine, "CALL_SECONDS", 20.0)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return made(tmp_path / "shop")


def made(root: Path, *options: str) -> Path:
    port = random.Random(os.urandom(8)).randrange(
        20000, 30000
    )  # below those that the system gives to clients
    listen = ("--gateway", f"127.0.0.1:{port}")
    said = call("init", str(root), "--name", "shop", "--base-model", BASE, *listen, *options)
    assert said.code == 0, said.err
    return root


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def examined(root: Path) -> tuple[int, Found]:
    said = call("--root", str(root), "doctor", "--json")
    assert said.err == ""
    value = json.loads(said.out)
    return said.code, {(each["area"], each["what"]): each for each in value["findings"]}


def everything(*folders: Path) -> dict[Path, bytes]:
    """Every file but what DVC notes for itself while it looks."""
    files = (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file())
    return {path: path.read_bytes() for path in files if ".dvc/tmp" not in path.as_posix()}


@pytest.fixture
def asks_dvc() -> None:
    """Let DVC be asked in earnest."""


@pytest.mark.usefixtures("asks_dvc")
def test_a_new_repository_lacks_a_store_and_nothing_else(shop: Path) -> None:
    before = everything(shop)
    code, found = examined(shop)
    assert [key for key, each in found.items() if each["verdict"] == "failed"] == []
    warned = {
        key
        for key, each in found.items()
        if each["verdict"] == "warning" and key[0] not in ("machine", "packages")
    }
    assert (code, warned) == (0, {("data", "DVC remote")})
    assert found["repository", "desired state"]["evidence"] == "valid"
    assert everything(shop) == before


def test_text_tells_the_same_as_json_with_a_fix_below_what_is_not_well(shop: Path) -> None:
    said = call("--root", str(shop), "doctor")
    _, found = examined(shop)
    lines = said.out.splitlines()
    for (area, what), each in found.items():
        assert f"{area}:" in lines
        assert any(what in line for line in lines)
        assert (
            each["fix"] is None
            or each["verdict"] == "ok"
            or any(f"fix: {each['fix']}" in line for line in lines)
        )
    assert lines[-1].startswith("production: ") and lines[-1].endswith("nothing was changed")


def test_outside_of_a_repository_the_machine_is_looked_at_all_the_same(tmp_path: Path) -> None:
    code, found = examined(tmp_path)
    assert code == 1
    assert found["machine", "Python"]["verdict"] == "ok"
    assert "`loop init NAME`" in found["repository", "desired state"]["fix"]
    assert found["deployment", "engine, gateway, pages, Git host"]["verdict"] == "not checked"


def test_a_state_that_is_not_valid_is_a_failure_and_nothing_is_guessed_from_it(shop: Path) -> None:
    (shop / "loop.yaml").write_text(
        (shop / "loop.yaml").read_text().replace("baseline: chat-v0.0", "baseline: x")
    )
    code, found = examined(shop)
    assert (code, found["repository", "desired state"]["verdict"]) == (1, "failed")
    assert "loop.yaml:" in found["repository", "desired state"]["evidence"]
    assert found["repository", "changes"]["evidence"] == "not committed: loop.yaml"
    assert not [key for key in found if key[0] in ("engine", "gateway")]


def test_an_environment_that_is_not_there_is_an_error_that_names_those_that_are(shop: Path) -> None:
    refused(call("--root", str(shop), "doctor", "-e", "moon"), "no environment 'moon'", "staging, production")


def test_a_remote_is_tried_and_nothing_is_sent(tmp_path: Path) -> None:
    bare = tmp_path / "a bare one.git"
    git(tmp_path, "init", "--quiet", "--bare", str(bare))
    shop = made(tmp_path / "shop", "--remote", str(bare))
    code, found = examined(shop)
    assert (code, found["repository", "remote"]["verdict"]) == (1, "failed")
    assert "`git push -u origin HEAD:main`" in found["repository", "remote"]["fix"]

    git(shop, "push", "--quiet", "-u", "origin", "HEAD:main")
    before = everything(shop, bare)
    _, found = examined(shop)
    assert found["repository", "remote"]["verdict"] == found["repository", "push"]["verdict"] == "ok"
    assert everything(shop, bare) == before

    git(shop, "remote", "set-url", "--push", "origin", f"{tmp_path}/nowhere")
    code, found = examined(shop)
    assert (code, found["repository", "push"]["verdict"]) == (1, "failed")
    git(shop, "remote", "remove", "origin")
    _, found = examined(shop)
    assert "there is no such remote" in found["repository", "remote"]["evidence"]


def test_a_remote_with_a_password_in_its_address_is_told_without_it(tmp_path: Path) -> None:
    shop = made(tmp_path / "shop", "--remote", f"{tmp_path}/x.git")
    git(shop, "remote", "set-url", "origin", f"http://ada:{TOKEN}@127.0.0.1:9/x.git")
    said = call("--root", str(shop), "doctor")
    assert "http://127.0.0.1:9/x.git cannot be read" in said.out
    assert TOKEN not in said.out + said.err
    git(shop, "remote", "set-url", "origin", f"http://127.0.0.1:9/x.git?token={TOKEN}")
    said = call("--root", str(shop), "doctor")
    assert "http://127.0.0.1:9/x.git cannot be read" in said.out
    assert TOKEN not in said.out + said.err


def test_replicas_are_asked_and_left_as_they_are(tmp_path: Path) -> None:
    with stub_engine(base_model=BASE) as stub, stub_engine(base_model="other", runtime_lora=False) as wrong:
        shop = made(
            tmp_path / "shop", "--engine", stub.url, "--engine", wrong.url, "--engine", "http://127.0.0.1:9"
        )
        code, found = examined(shop)
        assert code == 1
        assert found["engine", stub.url]["evidence"] == "vLLM 0.32.0"
        assert found["engine", f"{stub.url} loading"]["verdict"] == "ok"
        assert found["engine", f"{wrong.url} loading"]["verdict"] == "failed"
        assert (
            found["engine", f"{wrong.url} base model"]["evidence"]
            == f"it serves other, and loop.yaml says {BASE}"
        )
        assert found["engine", "http://127.0.0.1:9"]["verdict"] == "failed"
        assert stub.state.adapters == {}


def test_a_server_that_takes_connections_and_says_nothing_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr(of_engine, "CALL_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        _, found = examined(made(tmp_path / "shop", "--engine", url))
    assert found["engine", url]["verdict"] == "failed"


@pytest.mark.engine
def test_the_real_engine_says_that_it_takes_adapters_and_keeps_what_it_has(
    engine: RealEngine, tmp_path: Path
) -> None:
    engine.wait()
    shop = made(tmp_path / "shop", "--engine", engine.url, "--served-as", engine.base)
    _, found = examined(shop)
    assert found["engine", engine.url]["verdict"] == "ok"
    assert found["engine", f"{engine.url} loading"]["verdict"] == "ok"


class Answering(BaseHTTPRequestHandler):
    """Says what it was told to say to whoever asks."""

    answer: tuple[int, bytes] = (200, b"")
    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["Authorization"]))
        self.send_response(self.answer[0])
        self.end_headers()
        self.wfile.write(self.answer[1])

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering(status: int, body: bytes, port: int = 0) -> Iterator[tuple[int, list[tuple[str, str | None]]]]:
    asked: list[tuple[str, str | None]] = []
    kind = type("Told", (Answering,), {"answer": (status, body), "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", port), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, {"permissions": {"push": True}}, "ok"),
        (200, {"permissions": {"push": False}}, "failed"),
        (401, {"message": TOKEN}, "failed"),
    ],
)
def test_the_git_host_is_asked_what_the_token_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, body: Any, verdict: str
) -> None:
    shop = made(tmp_path / "shop", "--repository", "acme/shop", "--remote", f"{tmp_path}/x.git")
    _, found = examined(shop)
    assert found["Git host", "token"]["evidence"] == "GITHUB_TOKEN is not set"
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    with answering(status, json.dumps(body).encode()) as (port, asked):
        text = (shop / "loop.yaml").read_text()
        forge = f'repository: "acme/shop", api: "http://127.0.0.1:{port}"'
        (shop / "loop.yaml").write_text(text.replace('repository: "acme/shop"', forge))
        said: Said = call("--root", str(shop), "doctor", "--json")
    assert asked == [("/repos/acme/shop", f"Bearer {TOKEN}")]
    (found_token,) = [each for each in json.loads(said.out)["findings"] if each["area"] == "Git host"]
    assert found_token["verdict"] == verdict
    assert TOKEN not in said.out + said.err


def test_a_port_that_somebody_else_has_is_told_with_who_that_is(shop: Path) -> None:
    _, found = examined(shop)
    port = int(found["gateway", "gateway for users"]["evidence"].split(":")[1])

    def told() -> bool:
        code, found = examined(shop)
        finding = found["gateway", "gateway for users"]
        assert (code, finding["verdict"]) == (1, "failed")
        return f"pid {os.getpid()}:" in finding["evidence"]

    # The doctor's own commands are forked from this process and hold its socket for an instant: it is looked again.
    with answering(404, b"a shop of another kind", port):
        until(told, "the process that has the port is told")


def test_what_loop_started_is_its_own_and_asked_whether_it_is_ready(shop: Path) -> None:
    _, found = examined(shop)
    port = int(found["gateway", "gateway for users"]["evidence"].split(":")[1])
    life = procfs.life(os.getpid())
    assert life is not None
    record = shop / ".loop" / "production" / "run" / "gateway.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"pid": life.pid, "started": life.started, "port": port}))

    def told() -> tuple[str, str]:
        finding = examined(shop)[1]["gateway", "gateway for users"]
        return finding["verdict"], finding["evidence"]

    with answering(200, b"ok", port):
        until(
            lambda: told()[0] == "ok" and "started by Loop" in told()[1], "the process of the record is known"
        )
    with answering(503, b"there are no routes yet\n", port):
        verdict, evidence = told()
    assert verdict == "warning" and "no routes yet" in evidence


@pytest.mark.usefixtures("asks_dvc")
def test_bytes_that_are_not_here_and_a_store_that_lacks_them_are_told(tmp_path: Path) -> None:
    base = tmp_path / "small chat"
    base.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (base / name).write_text("{}")
    store = tmp_path / "store"
    store.mkdir()
    port = ("--gateway", f"127.0.0.1:{random.Random(os.urandom(8)).randrange(20000, 30000)}")
    said = call(
        "init",
        str(tmp_path / "shop"),
        "--name",
        "shop",
        "--base-model",
        str(base),
        "--dvc-remote",
        str(store),
        *port,
    )
    assert said.code == 0, said.err
    _, found = examined(tmp_path / "shop")
    assert found["data", "tracked bytes"]["evidence"] == "1 of 1 paths are here"
    assert (found["data", "DVC remote"]["verdict"], found["data", "DVC remote"]["fix"]) == (
        "warning",
        "`dvc push`",
    )
    assert "models/base" in found["data", "DVC remote"]["evidence"]
    shutil.rmtree(tmp_path / "shop" / "models" / "base")
    _, found = examined(tmp_path / "shop")
    assert found["data", "tracked bytes"]["evidence"] == "not here: models/base"
