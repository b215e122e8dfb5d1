"""The reconciler against real processes: what befalls engine and gateway is put right, and users are not misled."""

from __future__ import annotations

import asyncio
import json
import signal
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runner.reconcile.distil import Declared
from runner.reconcile.journal import Journal
from runner.reconcile.lookout import NoEvidence
from runner.reconcile.loop import Outcome, Reconciler
from runner.reconcile.state import StatePaths
from runner.reconcile.wiring import Wiring
from tests.conftest import RealEngine
from tests.doubles.stub_engine import stub_engine
from tests.engine.models import MODELS
from tests.reconcile.crash_server import ListedSource
from tests.reconcile.real_parts import Addresses, declare, free_addresses, gateway_process, make_adapter
from tests.waiting import PATIENCE_S

SHIPPED = (MODELS / "chat-v1.0").absolute()


def settled(root: Path, declared: Declared, replica_seconds: float = 2.0) -> Outcome:
    """Return the last of the passes that a runner started now makes."""

    async def go() -> Outcome:
        with Journal(StatePaths(root, "production").journal, time.time) as journal:
            async with aiohttp.ClientSession() as session:
                wiring = Wiring(root, session, {}, lambda _line: None)
                source = ListedSource([declared])
                at_work = Reconciler(
                    source,
                    wiring.connect,
                    journal,
                    time.time,
                    lambda _: None,
                    lambda _: None,
                    NoEvidence(),
                    observe_seconds=replica_seconds,
                )
                return await at_work.settle()

    return asyncio.run(go())


def ask(listen: str) -> tuple[int, str]:
    """Return the status of a user's question and the version that answered."""
    body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4})
    request = urllib.request.Request(
        f"http://{listen}/v1/chat/completions", body.encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, json.loads(answer.read())["model"]
    except urllib.error.HTTPError as error:
        return error.code, ""


def live(admin: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://{admin}/state", timeout=PATIENCE_S) as answer:
        table: dict[str, Any] = json.loads(answer.read())["table"]
        return table


def test_real_processes_are_healed_of_everything_that_befalls_them(tmp_path: Path) -> None:
    root, (admin, listen) = tmp_path / "checkout", free_addresses(2)
    for name in ("v0", "v1"):
        make_adapter(root, name)
    with stub_engine() as one, stub_engine() as other:
        declared = declare(root, Addresses((one.url, other.url), admin), "r1", "v1", "v0")
        served = declared.desired.baseline.served
        with gateway_process(tmp_path / "gateway", admin, listen) as gateway:
            assert settled(root, declared).plan.in_sync
            assert ask(listen) == (200, "v1")
            table = live(admin)

            one.restart()
            assert settled(root, declared).plan.in_sync, "a replica restarted"
            del other.state.adapters[served]
            assert settled(root, declared).plan.in_sync, "an adapter was unloaded by hand"
            assert set(one.state.adapters) == set(other.state.adapters)
            _write_by_hand(admin, {**live(admin), "routes": [], "pinned": []})
            assert ask(listen)[0] != 200
            assert settled(root, declared).plan.in_sync, "the routes were changed by hand"
            assert ask(listen) == (200, "v1")
            gateway.send_signal(signal.SIGKILL)
            gateway.wait()
            assert not settled(root, declared).plan.in_sync, "the gateway is down"
        with gateway_process(tmp_path / "gateway", admin, listen):
            assert ask(listen) == (200, "v1"), "it serves its last table before any runner looks"
            assert settled(root, declared).plan.in_sync
        (tmp_path / "gateway" / "routes.json").unlink()
        with gateway_process(tmp_path / "gateway", admin, listen):
            assert settled(root, declared).plan.in_sync, "the gateway lost its table"
            assert ask(listen) == (200, "v1")
            assert {k: live(admin)[k] for k in ("routes", "replicas")} == {
                k: table[k] for k in ("routes", "replicas")
            }


def _write_by_hand(admin: str, table: dict[str, Any]) -> None:
    value = json.dumps({**table, "generation": table["generation"] + 1}).encode()
    request = urllib.request.Request(
        f"http://{admin}/routes", value, {"content-type": "application/json"}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S):
        pass


def test_a_replica_that_hangs_is_unknown_and_the_other_serves(tmp_path: Path) -> None:
    root, (admin, listen) = tmp_path / "checkout", free_addresses(2)
    make_adapter(root, "v1")
    with stub_engine() as one, stub_engine() as other, gateway_process(tmp_path / "gateway", admin, listen):
        one.control(models="hang")
        declared = declare(root, Addresses((one.url, other.url), admin), "r1", "v1")
        outcome = settled(root, declared, replica_seconds=0.3)
        assert [hold.subject for hold in outcome.plan.holds] == [f"replica {one.url}"]
        assert ask(listen) == (200, "v1")


def test_an_adapter_that_the_engine_serves_as_the_base_gets_no_traffic(tmp_path: Path) -> None:
    root, (admin, listen) = tmp_path / "checkout", free_addresses(2)
    for name in ("v1", "v2"):
        make_adapter(root, name)
    with stub_engine() as engine, gateway_process(tmp_path / "gateway", admin, listen):
        at = Addresses((engine.url,), admin)
        settled(root, declare(root, at, "r1", "v1"))
        promoted = declare(root, at, "r2", "v2", "v1")
        engine.control(no_op_adapters=[promoted.desired.baseline.served])
        outcome = settled(root, promoted)
        assert ask(listen) == (200, "v1")
        assert any("is not proven" in hold.text for hold in outcome.plan.holds)


def test_a_rank_that_the_engine_refuses_is_told_once_and_blocks_nothing(tmp_path: Path) -> None:
    root, (admin, listen) = tmp_path / "checkout", free_addresses(2)
    make_adapter(root, "v1")
    make_adapter(root, "v2", rank=64)
    with stub_engine() as engine, gateway_process(tmp_path / "gateway", admin, listen):
        at = Addresses((engine.url,), admin)
        declared = declare(root, at, "r1", "v1", None, "v2")
        for _ in range(3):
            outcome = settled(root, declared)
        loads = [call for call, _ in engine.state.calls if call.endswith("/v1/load_lora_adapter")]
        assert len(loads) == 2, "v1 once and v2 once, whatever the number of runners"
        assert any("LoRA rank 64 is greater" in hold.text for hold in outcome.plan.holds)
        assert ask(listen) == (200, "v1")


@pytest.mark.engine
def test_the_shipped_adapter_is_served_by_the_real_engine_and_healed_there(
    engine: RealEngine, tmp_path: Path
) -> None:
    root, (admin, listen) = tmp_path / "checkout", free_addresses(2)
    (root / "adapters").mkdir(parents=True)
    (root / "adapters" / "chat-v1.0").symlink_to(SHIPPED)
    at = Addresses((engine.url,), admin)
    declared = _of_the_real_base(declare(root, at, "r1", "chat-v1.0"), engine.base)
    with gateway_process(tmp_path / "gateway", admin, listen):
        assert settled(root, declared, 10.0).plan.in_sync
        assert ask(listen) == (200, "chat-v1.0")
        served = declared.desired.baseline.served
        asyncio.run(_unload(engine, served))
        assert settled(root, declared, 10.0).plan.in_sync
        assert ask(listen) == (200, "chat-v1.0")
        asyncio.run(_unload(engine, served))


def _of_the_real_base(declared: Declared, base: str) -> Declared:
    source = str(SHIPPED)
    adapters = tuple(replace(a, source=source) for a in declared.desired.adapters)
    desired = replace(declared.desired, adapters=adapters, library={a.served: a for a in adapters})
    return replace(declared, desired=desired, base_model=base)


async def _unload(engine: RealEngine, served: str) -> None:
    async with engine.client() as client:
        await client.unload(served)
