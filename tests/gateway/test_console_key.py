"""The console proves itself by a secret: what it may do with it, and that nobody else may."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from runner.events.arms import summaries
from runner.events.lake import Lake
from runner.events.schema import Kind
from runner.serving.gateway.callers import KeyedHash, console_secret, read_secret
from tests.doubles.stub_engine import RunningStub, stub_engine
from tests.gateway.consoles import HEADERS, SECRET, SHA256, label, vote
from tests.gateway.running import BASELINE, CANDIDATE, SERVED, RunningGateway, gateway, table

KEYS = [
    {"name": name, "group": group, "sha256": hashlib.sha256(f"sk-{name}".encode()).hexdigest()}
    for name, group in (("ann", "internal"), ("bob", "beta"))
]
CONSOLE = {"x-loop-console": SECRET}
WRONG = {"x-loop-console": "0" * 64}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def replica() -> Iterator[RunningStub]:
    with stub_engine(adapters=SERVED) as running:
        yield running


@pytest.fixture
def keyed(replica: RunningStub, tmp_path: Path) -> Iterator[RunningGateway]:
    """A gateway for keys alone, in which nobody may pin; both versions serve, half the users each."""
    more: dict[str, Any] = {"keys": KEYS, "anonymous_group": None, "pinning_groups": []}
    with gateway(tmp_path, console_sha256=SHA256, **more) as running:
        offered = table(replica.url, weight=0.5)
        assert running.put(replace(offered, pinned=(BASELINE, CANDIDATE))).status_code == 200
        yield running


def call(gateway: RunningGateway, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    body = {"/votes": vote(), "/labels": label()}.get(path)
    return httpx.request(method, f"{gateway.url}{path}", headers=headers, json=body)


@pytest.mark.parametrize(("method", "path"), [("POST", "/votes"), ("POST", "/labels"), ("GET", "/whoami")])
def test_only_the_console_may_and_only_for_people_who_are_known(
    keyed: RunningGateway, method: str, path: str
) -> None:
    answers = {
        (200, None): CONSOLE | bearer("sk-ann"),
        (403, "console_only"): bearer("sk-ann"),
        (403, "invalid_console_secret"): WRONG | bearer("sk-ann"),
        (401, "invalid_api_key"): CONSOLE,
    }
    for (status, code), headers in answers.items():
        answer = call(keyed, method, path, headers)
        assert answer.status_code == status, answer.text
        assert code is None or answer.json()["error"]["code"] == code
    assert call(keyed, method, path, CONSOLE | bearer("sk-nobody")).status_code == 401
    assert SECRET not in call(keyed, method, path, WRONG | bearer("sk-ann")).text


def test_a_gateway_without_a_console_takes_no_secret_for_one(replica: RunningStub, tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        running.put(table(replica.url))
        assert call(running, "POST", "/votes", HEADERS).json()["error"]["code"] == "invalid_console_secret"
        assert running.ask(headers=CONSOLE).status_code == 403


def test_whoami_says_who_is_signed_in_as_the_log_knows_him(keyed: RunningGateway) -> None:
    hashed = KeyedHash(read_secret(keyed.state_dir / "user-hash.key"))
    found = call(keyed, "GET", "/whoami", CONSOLE | bearer("sk-bob")).json()
    assert found == {"user": hashed("key\0bob"), "group": "beta", "key": "bob", "keys": True}


def test_whoami_without_keys_is_whoever_the_person_says(tmp_path: Path) -> None:
    with gateway(tmp_path, console_sha256=SHA256) as running:
        hashed = KeyedHash(read_secret(tmp_path / "user-hash.key"))
        found = call(running, "GET", "/whoami", HEADERS).json()
    assert found == {"user": hashed("anonymous\0ann"), "group": "public", "key": None, "keys": False}


def test_the_console_may_pin_every_version_whatever_its_persons_group(keyed: RunningGateway) -> None:
    for version in (BASELINE, CANDIDATE):
        alone = keyed.ask(model=version.name, headers=bearer("sk-bob"))
        assert alone.json()["error"]["code"] == "pinning_not_allowed"
        for stream in (False, True):
            answer = keyed.ask(model=version.name, stream=stream, headers=CONSOLE | bearer("sk-bob"))
            assert answer.status_code == 200
            assert answer.headers["x-loop-version"] == version.name
            assert answer.headers["x-loop-digest"] == version.digest


def test_only_the_console_is_told_the_digest(keyed: RunningGateway) -> None:
    answer = keyed.ask(headers=bearer("sk-bob"))
    assert "x-loop-digest" not in answer.headers and "x-loop-version" in answer.headers


def test_the_console_sees_the_versions_that_it_may_pin(keyed: RunningGateway) -> None:
    def names(headers: dict[str, str]) -> list[str]:
        found = httpx.get(f"{keyed.url}/v1/models", headers=headers).json()
        return [card["id"] for card in found["data"]]

    assert names(bearer("sk-bob")) == ["chat"]
    assert names(CONSOLE | bearer("sk-bob")) == ["chat", BASELINE.name, CANDIDATE.name]
    one = f"{keyed.url}/v1/models/{CANDIDATE.name}"
    assert httpx.get(one, headers=bearer("sk-bob")).status_code == 404
    assert httpx.get(one, headers=CONSOLE | bearer("sk-bob")).status_code == 200


def test_what_the_console_asks_counts_for_no_arm_also_by_an_alias(keyed: RunningGateway) -> None:
    for model in ("chat", BASELINE.name, CANDIDATE.name):
        for user in range(8):
            headers = CONSOLE | bearer("sk-ann") | {"x-loop-user": str(user)}
            assert keyed.ask(model=model, headers=headers).headers["x-loop-arm"] == "pinned"
    for event in keyed.events():
        assert event["loop.arm"] == event["loop.arm.assigned"] == "pinned"
        assert event["loop.console"] is True
        assert event["loop.rollout"] == event["loop.experiment"] == "" and event["loop.weight"] == 0
    assert {event["loop.version"] for event in keyed.events()} == {BASELINE.name, CANDIDATE.name}
    keyed.ask(headers=bearer("sk-ann"))
    with Lake(keyed.state_dir / "lake", keyed.state_dir / "events") as lake:
        found = summaries(lake.requests())
    assert sum(each.requests for each in found if each.arm == "pinned") == 24
    assert sum(each.requests for each in found if each.arm != "pinned") == 1


def test_people_of_the_console_do_not_share_a_rate(tmp_path: Path) -> None:
    limits = {"requests_per_minute": 1}
    with gateway(tmp_path, console_sha256=SHA256, limits=limits) as running:
        codes = [call(running, "POST", "/labels", HEADERS | {"x-loop-user": who}) for who in ("a", "b", "a")]
    assert [answer.status_code for answer in codes] == [200, 200, 429]


def test_the_secret_is_made_once_and_is_private(tmp_path: Path) -> None:
    first = console_secret(tmp_path)
    assert len(first) == 64 and console_secret(tmp_path) == first
    assert (tmp_path / "console.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "console.key").read_text() == first


def test_labels_and_votes_are_in_the_lake_under_the_persons_hash(keyed: RunningGateway) -> None:
    for path in ("/votes", "/labels"):
        assert call(keyed, "POST", path, CONSOLE | bearer("sk-ann")).status_code == 200
    me = call(keyed, "GET", "/whoami", CONSOLE | bearer("sk-ann")).json()["user"]
    with Lake(keyed.state_dir / "lake", keyed.state_dir / "events") as lake:
        for kind in (Kind.VOTE, Kind.LABEL):
            assert lake.live(kind)["loop.user"].to_pylist() == [me]
