"""Who may call, how often, and how many at once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.serving.gateway.callers import Caller, KeyedHash, RateLimit, read_secret
from runner.serving.gateway.replies import ApiError
from tests.doubles.stub_engine import RunningStub
from tests.gateway.running import RunningGateway, gateway, table
from tests.waiting import until

KEYS = [
    {"name": name, "group": group, "sha256": hashlib.sha256(key.encode()).hexdigest()}
    for name, group, key in (("ann", "internal", "sk-ann"), ("bob", "beta", "sk-bob"))
]


@pytest.fixture
def keyed(engine: RunningStub, tmp_path: Path) -> Iterator[RunningGateway]:
    with gateway(tmp_path, keys=KEYS, anonymous_group=None, pinning_groups=["internal"]) as running:
        running.put(table(engine.url, weight=0.0, groups=("internal",)))
        yield running


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    "headers", [{}, bearer("sk-nobody"), {"authorization": "sk-ann"}, {"authorization": "Bearer"}]
)
def test_without_a_known_key_nobody_gets_in(keyed: RunningGateway, headers: dict[str, str]) -> None:
    answer = keyed.ask(headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert keyed.events() == []


def test_the_group_of_a_key_decides_the_arm_and_stands_in_the_event(keyed: RunningGateway) -> None:
    assert keyed.ask(headers=bearer("sk-ann")).headers["x-loop-arm"] == "candidate"
    assert keyed.ask(headers=bearer("sk-bob")).headers["x-loop-arm"] == "baseline"
    assert [e["loop.group"] for e in keyed.events()] == ["internal", "beta"]


def test_only_pinning_groups_may_ask_for_a_version(keyed: RunningGateway) -> None:
    assert keyed.ask(model="chat-v1.0", headers=bearer("sk-ann")).status_code == 200
    assert keyed.ask(model="chat-v1.0", headers=bearer("sk-bob")).status_code == 403


def test_the_user_is_the_body_field_then_the_header_then_the_key(keyed: RunningGateway) -> None:
    ann = bearer("sk-ann")
    keyed.ask(user="u1", headers=ann | {"x-loop-user": "u2"})
    keyed.ask(headers=ann | {"x-loop-user": "u2", "x-loop-session": "s"})
    keyed.ask(headers=ann)
    keyed.ask(user="u1", headers=bearer("sk-bob"))
    hashed = KeyedHash(read_secret(keyed.state_dir / "user-hash.key"))
    users = [hashed(f"key\0{user}") for user in ("ann\0u1", "ann\0u2", "ann", "bob\0u1")]
    assert [e["loop.user"] for e in keyed.events()] == users
    assert [e.get("loop.session") for e in keyed.events()] == [None, hashed("session\0s"), None, None]


names = st.text(max_size=12)
keys = st.sampled_from(["ann", "bob", "addr", "anonymous"])
addresses = st.sampled_from(["127.0.0.1", "10.0.0.1"])
callers = st.builds(
    lambda key, address: Caller(f"key:{key}" if key else f"addr:{address}", key, "public", None, None),
    st.none() | keys,
    addresses,
)


@given(callers, names, callers, names)
@example(
    Caller("addr:127.0.0.1", None, "g", None, None),
    "addr:127.0.0.1",
    Caller("addr:127.0.0.1", None, "g", None, None),
    "",
)
@example(
    Caller("addr:127.0.0.1", None, "g", None, None), "key:ann", Caller("key:ann", "ann", "g", None, None), ""
)
@example(Caller("key:ann", "ann", "g", None, None), "u", Caller("key:bob", "bob", "g", None, None), "u")
def test_nobody_can_name_himself_into_anothers_identity(
    one: Caller, his: str, other: Caller, hers: str
) -> None:
    same_namespace = one.key == other.key and (one.key is not None or bool(his) or one.name == other.name)
    same = same_namespace and his == hers
    assert (one.identity(his) == other.identity(hers)) is same


def test_the_secret_of_the_hashes_is_private_and_lasts(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "user-hash.key"
    first = read_secret(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_secret(path) == first
    assert len(first) == 32


def test_a_caller_over_the_rate_is_told_when_to_come_back(engine: RunningStub, tmp_path: Path) -> None:
    with gateway(tmp_path, limits={"requests_per_minute": 2}) as running:
        running.put(table(engine.url))
        answers = [running.ask() for _ in range(3)]
        assert [a.status_code for a in answers] == [200, 200, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 30
        assert answers[-1].json()["error"]["type"] == "rate_limit_error"


def test_tokens_come_back_evenly_and_callers_do_not_share_them() -> None:
    now = [0.0]
    limit = RateLimit(60, lambda: now[0])
    for _ in range(60):
        limit.take("a")
    with pytest.raises(ApiError) as refused:
        limit.take("a")
    assert refused.value.retry_after_s == 1
    limit.take("b")
    now[0] = 2.0
    limit.take("a")
    limit.take("a")
    with pytest.raises(ApiError):
        limit.take("a")


def test_more_than_the_limit_in_flight_are_refused(engine: RunningStub, tmp_path: Path) -> None:
    with gateway(tmp_path, limits={"in_flight": 1}) as running:
        running.put(table(engine.url))
        engine.control(delay_s=1.0)
        waiting = threading.Thread(target=running.ask)
        waiting.start()
        until(lambda: engine.state.in_flight == 1, "the first is in flight")
        refused = running.ask()
        waiting.join()
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "overloaded")
        assert running.ask().status_code == 200
