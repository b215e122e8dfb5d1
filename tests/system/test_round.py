"""A whole round, without a hand: votes become data by one workflow, a version by another, and its merge a canary.

Real: vLLM, gateway, runner, people's votes over the gateway, curation, DVC, DPO, every suite and gate, the workflows
under act, Git over HTTP with a token. GitHub's API is a stand-in that passes each call about pull requests through
the mock which refuses what GitHub's own description does not allow. A person only merges.
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.git import mock_github
from tests.system import scratch
from tests.system.scratch import Scratch, free_ports, get, git
from tests.waiting import PATIENCE_S, until
from tests.workflows.acting import CONTENT
from tests.workflows.acting import Shop as Checkout
from tests.workflows.github import REPOSITORY, TOKEN, Github, served

pytestmark = [pytest.mark.engine, pytest.mark.round]

VOTES = 300
ENVIRONMENT = "staging"
LOOP = """\
name: bookshop
base_model: {base}
environments:
  staging:
    engine: {{replicas: ['{engine}'], max_loras: 4, max_cpu_loras: 4, max_lora_rank: 16}}
    gateway: {{listen: '127.0.0.1:{ports[0]}', admin: '127.0.0.1:{ports[1]}', alias: chat}}
    console: {{listen: '127.0.0.1:{ports[2]}'}}
    baseline: chat-v1.0    # the first version
git: {{remote: origin, branch: main, forge: {{kind: github, repository: {repository}, api: '{api}'}}}}
poll: 1s
"""


class Described(Github):
    """GitHub as the workflows see it; what is asked about pull requests, the mock has to allow as well."""

    def __init__(self, mock: str | None) -> None:
        super().__init__()
        self.mock = mock
        self.allowed: list[str] = []

    def call(self, method: str, path: str, body: Any) -> Any:
        """Answer, once the mock has found nothing wrong with the request."""
        if self.mock is not None and path.startswith(("pulls", "statuses")):
            self._ask(self.mock, method, path, body)
        return super().call(method, path, body)

    def _ask(self, mock: str, method: str, path: str, body: Any) -> None:
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        url = f"{mock}/repos/{REPOSITORY}/{path}"
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method)) as answer:
            assert answer.status < 300
        self.allowed.append(method)


@dataclass
class Round:
    """The deployment, the repository that workflows check out, and the bare remote between them."""

    live: Scratch
    checkout: Checkout
    bare: Path
    github: Described
    address: str
    merged: list[str] = field(default_factory=list)

    def act(self, event: str, workflow: str) -> str:
        """Run a workflow on the remote's newest commit; it has to succeed. Returns what its page shows."""
        git(self.checkout.root, "fetch", "--quiet", str(self.bare), "main")
        git(self.checkout.root, "reset", "--quiet", "--hard", "FETCH_HEAD")
        ran = self.checkout.act(event, workflow, {}, self.address, LOOP_STATE=str(self.live.root / ".loop"))
        assert ran.code == 0, ran.said
        return ran.summary

    def merge(self, branch: str) -> None:
        """Merge the one open pull request of a branch, as a reviewer does."""
        (pull,) = [each for each in self.github.pulls if each["state"] == "open"]
        assert pull["head"]["ref"].startswith(branch)
        desk = self.bare.parent / f"desk-{len(self.merged)}"
        git(self.bare.parent, "clone", "--quiet", str(self.bare), str(desk))
        git(desk, "merge", "--quiet", "--no-ff", "-m", pull["title"], f"origin/{pull['head']['ref']}")
        git(desk, "push", "--quiet", "origin", "HEAD:main")
        pull["state"] = "closed"
        self.merged.append(pull["title"])


@pytest.fixture(scope="module")
def round_(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Round]:
    home = tmp_path_factory.mktemp("round")
    bare = home / "remote.git"
    git(home, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    reason = mock_github.reason_to_skip()
    with ExitStack() as stack:
        mock = None if reason else stack.enter_context(mock_github.running(home / "mock.log"))
        github = Described(mock)
        address = stack.enter_context(served(github, bare))
        checkout = _checkout(home, engine.url, address, bare)
        live = _deployment(home, bare, checkout)
        running = live.start("up", "--environment", ENVIRONMENT)
        stack.callback(_end, live, running)
        until(lambda: running.poll() is not None or _routes(live), "the deployment to serve")
        assert running.poll() is None, live.output("up")
        yield Round(live, checkout, bare, github, address)


def _checkout(home: Path, engine: str, api: str, bare: Path) -> Checkout:
    made = Checkout(home / "checkout", *CONTENT, "runner")  # the code that DVC's stages depend on
    made.job_environ |= {"LOOP_ENVIRONMENT": ENVIRONMENT}
    made.patience_s = 6 * PATIENCE_S
    base = yaml.safe_load((made.root / "loop.yaml").read_text())["base_model"]
    text = LOOP.format(
        base=json.dumps(base), engine=engine, ports=free_ports(3), repository=REPOSITORY, api=api
    )
    (made.root / "loop.yaml").write_text(text)
    policy = "policies/evaluation.yaml"
    made.edit(policy, "{rate: 8, duration: 60s}", "{rate: 20, duration: 25s}")
    made.edit(
        policy, "latency_p99 < 2000ms", "latency_p99 < 60s"
    )  # how fast this machine is, is not the question
    made.commit("One environment on a shared engine")
    made.git("push", "--quiet", str(bare), "main")
    made.git("remote", "add", "origin", f"{api}/{REPOSITORY}.git")
    return made


def _deployment(home: Path, bare: Path, checkout: Checkout) -> Scratch:
    """Clone the remote as the machine that serves does, with the bytes of its versions."""
    root = home / "live"
    git(home, "clone", "--quiet", str(bare), str(root))
    (root / ".git/info/exclude").write_text(".loop-*\n.venv\n")
    subprocess.run([checkout.root / ".venv/bin/dvc", "pull", "--quiet"], cwd=root, check=True)
    here = yaml.safe_load((root / "loop.yaml").read_text())["environments"][ENVIRONMENT]
    gateway, admin = (f"http://{here['gateway'][key]}" for key in ("listen", "admin"))
    return Scratch(root, gateway, admin, here["engine"]["replicas"][0], "", "")


def _end(live: Scratch, running: subprocess.Popen[str]) -> None:
    if running.poll() is None:
        scratch.end(running)
    for pid in scratch.processes_of(live.root):
        os.kill(pid, 9)


def _routes(live: Scratch) -> list[Any]:
    try:
        found: list[Any] = get(f"{live.admin}/state")["table"]["routes"]
    except OSError:
        return []
    return found


def _on_trial(live: Scratch) -> str | None:
    splits = [route["split"] for route in _routes(live) if route["split"]]
    return splits[0]["candidate"]["name"] if splits else None


def test_votes_become_a_version_that_people_prefer_and_the_merge_of_its_pull_request_starts_the_canary(
    round_: Round,
) -> None:
    live, github = round_.live, round_.github
    cast = live.loop(
        "arena", "simulate", "--environment", ENVIRONMENT, "--votes", str(VOTES), "--json"
    ).stdout
    assert json.loads(cast)["votes"] == VOTES

    round_.act("schedule", "collect.yml")
    round_.merge("loop/data")
    round_.act("schedule", "retrain.yml")
    (pull,) = [each for each in github.pulls if each["state"] == "open"]
    for part in ("chat-v1.1", "win_rate", "bookshop-preferences", "git revert"):
        assert part in pull["body"], part
    assert _on_trial(live) is None, "nothing is served before a person has merged"
    assert round_.github.mock is None or "POST" in github.allowed

    round_.merge("loop/promote")
    until(lambda: _on_trial(live) == "chat-v1.1", "the canary")
    report = json.loads(git(round_.bare, "show", "main:models/reports/chat-v1.1/evaluation.json"))
    measured = {each["metric"]: each for suite in report["suites"] for each in suite["measured"]}
    assert report["verdict"] == "PASS"
    assert measured["win_rate"]["low"] > 0.5
    assert live.ask("What time do you open on Sunday?")["choices"][0]["message"]["content"].strip()
