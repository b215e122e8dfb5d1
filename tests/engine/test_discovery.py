"""Discovery: which replicas there are, and that a failing resolver is never taken for none."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import TerminalError, TransientError
from runner.serving.discovery import Resolve, replicas, resolve
from runner.spec.environment import Engine


def found(engine: Engine, *addresses: str, error: OSError | None = None) -> tuple[str, ...]:
    async def answer(host: str, port: int) -> tuple[str, ...]:
        assert (host, port) == ("vllm.internal", 8000)
        if error:
            raise error
        return addresses

    names: Resolve = answer
    return asyncio.run(replicas(engine, names))


def test_a_managed_engine_is_one_replica_at_its_own_address() -> None:
    assert found(Engine(managed=True, listen="127.0.0.1:8101")) == ("http://127.0.0.1:8101",)


def test_listed_replicas_are_themselves() -> None:
    engine = Engine(replicas=("http://10.0.0.2:8000/", "http://10.0.0.1:8000", "http://10.0.0.2:8000"))
    assert found(engine) == ("http://10.0.0.1:8000", "http://10.0.0.2:8000")


NAMED = Engine(replicas=("dns+http://vllm.internal:8000",))


@given(st.lists(st.ip_addresses().map(str), min_size=1, max_size=8), st.randoms())
def test_a_name_is_all_of_its_addresses_in_an_order_of_their_own(
    addresses: list[str], random: object
) -> None:
    shuffled = sorted(addresses, key=lambda _: random.random())  # type: ignore[attr-defined]
    urls = found(NAMED, *shuffled)
    assert urls == found(NAMED, *addresses)
    assert len(urls) == len(set(addresses))
    assert all(url.startswith("http://") and url.endswith(":8000") for url in urls)


def test_version_6_addresses_stand_in_brackets() -> None:
    assert found(NAMED, "fd00::1") == ("http://[fd00::1]:8000",)


def test_invariant_3_a_resolver_that_fails_is_unknown_and_never_no_replicas() -> None:
    with pytest.raises(TransientError, match="does not resolve"):
        found(NAMED, error=OSError("temporary failure"))
    with pytest.raises(TransientError, match="no address"):
        found(NAMED)


@pytest.mark.parametrize(
    "entry", ["dns+http://name", "dns+name:1", "dns+http://:80", "dns+http://a:b", "dns+"]
)
def test_a_name_without_scheme_host_or_port_is_terminal(entry: str) -> None:
    with pytest.raises(TerminalError, match=r"dns\+http://name:port"):
        found(Engine(replicas=(entry,)))


def test_the_systems_resolver_knows_the_loopback() -> None:
    assert "127.0.0.1" in asyncio.run(resolve("localhost", 80))
