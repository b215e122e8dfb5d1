"""What loop.yaml says of a gateway reaches the process: every field, by value; another value is another program."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runner import digest
from runner.errors import TerminalError
from runner.serving import stack
from runner.serving.gateway import config
from runner.serving.gateway.callers import console_secret
from runner.serving.gateway.config import Content
from runner.serving.processes import ManagedProcess
from runner.serving.stack import Local, Member, Stack, gateway_config
from runner.spec.environment import (
    BaseModelRef,
    Console,
    Engine,
    Environment,
    Gateway,
    GatewayAddress,
    Limits,
    Monitor,
)
from tests.reconcile.real_parts import free_addresses
from tests.waiting import PATIENCE_S

KEYS = "keys.yaml"
ADA = f"- {{name: ada, group: internal, sha256: '{'a' * 64}'}}\n"

# Every field of the spec: another value than the default, and where the process is told it.
GATEWAY: dict[str, tuple[Any, tuple[str, Any]]] = {
    "listen": ("127.0.0.1:7001", ("listen", "127.0.0.1:7001")),
    "admin": ("127.0.0.1:7002", ("admin", "127.0.0.1:7002")),
    "alias": ("talk", ("aliases", ["talk"])),
    "keys_file": (KEYS, ("keys", [{"name": "ada", "group": "internal", "sha256": "a" * 64}])),
    "anonymous": (None, ("anonymous_group", None)),
    "pinning_groups": (("beta",), ("pinning_groups", ["beta"])),
}
LIMITS: dict[str, tuple[Any, tuple[str, Any]]] = {
    "body_bytes": (2048, ("body_bytes", 2048)),
    "requests_per_minute": (7, ("requests_per_minute", 7)),
    "in_flight": (3, ("in_flight", 3)),
    "first_byte_timeout": (1.5, ("first_byte_timeout_s", 1.5)),
    "total_timeout": (9.0, ("total_timeout_s", 9.0)),
}


def local(root: Path, engine: Engine | None = None, **gateway: Any) -> Local:
    """Return an environment whose replicas run elsewhere, unless an engine is given."""
    (root / KEYS).write_text(ADA)
    away = Engine(replicas=("http://127.0.0.1:9",))
    environment = Environment(engine=engine or away, gateway=Gateway(**gateway), baseline="chat-v1.0")
    base = BaseModelRef(name="bookshop-base", path="models/base")
    return Local("production", environment, base, Content.MASKED, root, root / ".loop" / "production", {})


def told(place: Local) -> dict[str, Any]:
    return config.to_json(gateway_config(place))


def members(place: Local) -> tuple[Member, ...]:
    async def made() -> tuple[Member, ...]:
        async with aiohttp.ClientSession() as session:
            return stack.stack(place, session).members

    return asyncio.run(made())


def program(place: Local, at: int = 0) -> str:
    return members(place)[at].process.program.digest


def test_every_field_of_the_spec_is_here() -> None:
    assert Gateway.model_fields.keys() == GATEWAY.keys() | {"limits", "more"}
    assert Limits.model_fields.keys() == LIMITS.keys()


@pytest.mark.parametrize("name", GATEWAY)
def test_every_field_of_a_gateway_reaches_the_process_and_makes_another_program(
    tmp_path: Path, name: str
) -> None:
    value, (key, wanted) = GATEWAY[name]
    plain, changed = local(tmp_path), local(tmp_path, **{name: value})
    assert told(plain)[key] != wanted
    assert told(changed)[key] == wanted
    assert {k: v for k, v in told(plain).items() if k != key} == {
        k: v for k, v in told(changed).items() if k != key
    }
    assert program(plain) != program(changed)


@pytest.mark.parametrize("name", LIMITS)
def test_every_limit_reaches_the_process_and_makes_another_program(tmp_path: Path, name: str) -> None:
    value, (key, wanted) = LIMITS[name]
    plain, changed = local(tmp_path), local(tmp_path, limits=Limits(**{name: value}))
    assert told(plain)["limits"][key] != wanted
    assert told(changed)["limits"] == told(plain)["limits"] | {key: wanted}
    assert program(plain) != program(changed)


def test_defaults_of_the_spec_and_of_the_process_are_the_same(tmp_path: Path) -> None:
    assert gateway_config(local(tmp_path)).limits == config.Limits()
    assert {field.name for field in fields(config.Limits)} == {key for _, (key, _) in LIMITS.values()}


def test_the_rest_of_the_environment_reaches_it_too(tmp_path: Path) -> None:
    engine = Engine(replicas=("http://127.0.0.1:9",), api_key_env="ENGINE_KEY")
    place = replace(local(tmp_path, engine), content=Content.OFF, exclude_groups=("beta",))
    value = told(place)
    assert (value["environment"], value["content"]) == ("production", "off")
    assert value["exclude_groups"] == ["beta"] and told(local(tmp_path))["exclude_groups"] == []
    assert value["upstream_key_env"] == "ENGINE_KEY"
    assert value["state_dir"] == str(tmp_path / ".loop" / "production")


def test_the_same_settings_are_the_same_program_so_that_a_running_one_is_adopted(tmp_path: Path) -> None:
    assert program(local(tmp_path)) == program(local(tmp_path))


def test_another_key_in_the_file_is_another_program(tmp_path: Path) -> None:
    place = local(tmp_path, keys_file=KEYS)
    before = program(place)
    (tmp_path / KEYS).write_text(ADA.replace("a" * 64, "b" * 64))
    assert program(place) != before


def test_the_file_that_the_gateway_reads_is_for_its_owner_only_and_says_what_was_meant(
    tmp_path: Path,
) -> None:
    place = local(tmp_path, keys_file=KEYS)
    place.state.mkdir(parents=True)
    (place.state / "gateway.tmp").write_text("left by a runner that was killed")
    (place.state / "gateway.tmp").chmod(0o644)
    (gateway,) = members(place)
    path = place.state / "gateway.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert config.read(path) == gateway_config(place)
    assert str(path) in gateway.process.program.argv
    assert [entry.name for entry in place.state.iterdir()] == ["gateway.json"]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "cannot be read"),
        (b"- {name: ada", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"[" * 20_000, "cannot be read"),
        (b"ada: secret", "found: dict"),
        (b"", "found: NoneType"),
        (b"- ada", "keys.0"),
        (b"- {name: ada, group: internal}", "sha256"),
        (b"- {name: ada, group: internal, sha256: x, key: y}", "keys.0.key"),
    ],
)
def test_a_keys_file_that_cannot_be_used_is_an_error_in_its_name(
    tmp_path: Path, content: bytes | None, part: str
) -> None:
    place = local(tmp_path, keys_file=KEYS)
    (tmp_path / KEYS).unlink() if content is None else (tmp_path / KEYS).write_bytes(content)
    with pytest.raises(TerminalError) as raised:
        gateway_config(place)
    assert f"error: {KEYS}: " in str(raised.value)
    assert part in str(raised.value)


def test_a_managed_engine_is_a_second_member_and_its_settings_make_its_program(tmp_path: Path) -> None:
    (tmp_path / "models" / "base").mkdir(parents=True)
    one = local(tmp_path, Engine(managed=True))
    assert [member.process.program.name for member in members(one)] == ["gateway", "engine"]
    other = local(tmp_path, Engine(managed=True, max_loras=3))
    assert program(one, 1) != program(other, 1)
    assert program(one) == program(other), "the gateway goes on"


def test_it_keeps_a_gateway_that_is_killed_and_stop_leaves_none(tmp_path: Path) -> None:
    listen, admin = free_addresses(2)
    place = replace(local(tmp_path, listen=listen, admin=admin), environ=dict(os.environ))
    said: list[str] = []

    async def live() -> tuple[int, int, ManagedProcess]:
        served = asyncio.Queue[None]()
        async with aiohttp.ClientSession() as session:
            made = stack.stack(place, session)
            keeping = asyncio.create_task(made.keep(said.append, lambda: served.put_nowait(None)))
            process = made.members[0].process
            pids = []
            for _ in range(2):
                await asyncio.wait_for(served.get(), PATIENCE_S)
                record = process.living()
                assert record is not None
                pids.append(record.pid)
                if len(pids) == 1:
                    os.kill(record.pid, 9)
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            assert process.living() is not None, "cancelling leaves it alive"
            await made.stop(asyncio.Event())
            return pids[0], pids[1], process

    try:
        first, second, process = asyncio.run(live())
    finally:
        asyncio.run(stack.stop_left(place.state, said.append))  # also where the test fails
    assert first != second and process.living() is None
    assert "gateway: ended; starting it again" in said


# Several gateways

MORE = (
    GatewayAddress(listen="127.0.0.1:7011", admin="127.0.0.1:7012"),
    GatewayAddress(listen="127.0.0.1:7021", admin="127.0.0.1:7022"),
)


def test_each_further_address_is_a_gateway_of_its_own_with_the_same_settings(tmp_path: Path) -> None:
    place = local(tmp_path, keys_file=KEYS, more=MORE)
    made = members(place)
    assert [one.process.program.name for one in made] == ["gateway", "gateway-2", "gateway-3"]
    assert [one.process.program.port for one in made] == [8080, 7011, 7021]
    files = [place.state / f"{one.process.program.name}.json" for one in made]
    first, second, third = (config.to_json(config.read(file)) for file in files)
    own = {"listen", "admin", "routes_name"}
    assert [each["routes_name"] for each in (first, second, third)] == [
        "routes.json",
        "routes-2.json",
        "routes-3.json",
    ]
    assert (second["listen"], second["admin"]) == (MORE[0].listen, MORE[0].admin)
    assert (third["listen"], third["admin"]) == (MORE[1].listen, MORE[1].admin)
    for other in (second, third):
        assert {k: v for k, v in other.items() if k not in own} == {
            k: v for k, v in first.items() if k not in own
        }
    assert len({one.process.program.digest for one in made}) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_further_gateway_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    one, three = members(local(tmp_path)), members(local(tmp_path, more=MORE))
    assert one[0].process.program.digest == three[0].process.program.digest
    two = members(local(tmp_path, more=MORE[:1]))
    assert two[1].process.program.digest == three[1].process.program.digest


async def _serving(made: Stack, said: list[str]) -> list[int]:
    """Keep a stack until all its members serve, leave it as a killed runner does, and return their pids."""
    served = asyncio.Queue[None]()
    keeping = asyncio.create_task(made.keep(said.append, lambda: served.put_nowait(None)))
    for _ in made.members:
        await asyncio.wait_for(served.get(), PATIENCE_S)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    records = [one.process.living() for one in made.members]
    return [record.pid for record in records if record]


def test_gateways_that_a_killed_runner_left_are_adopted_ended_where_not_named_any_more_and_found_by_down(
    tmp_path: Path,
) -> None:
    at = free_addresses(6)
    more = tuple(GatewayAddress(listen=at[n], admin=at[n + 1]) for n in (2, 4))
    place = replace(local(tmp_path, listen=at[0], admin=at[1], more=more), environ=dict(os.environ))
    fewer = replace(local(tmp_path, listen=at[0], admin=at[1], more=more[:1]), environ=place.environ)
    said: list[str] = []

    async def live() -> tuple[list[int], list[int], list[int]]:
        async with aiohttp.ClientSession() as session:
            started = await _serving(stack.stack(place, session), said)
            adopted = await _serving(stack.stack(place, session), said)
            left = await _serving(stack.stack(fewer, session), said)
            return started, adopted, left

    try:
        started, adopted, left = asyncio.run(live())
    finally:
        stopped = asyncio.run(stack.stop_left(place.state, said.append))
    assert len(started) == 3 and adopted == started
    assert left == started[:2]
    assert "stopping gateway-3, which loop.yaml does not name any more" in said
    assert not Path(f"/proc/{started[2]}").exists()
    assert stopped == ("gateway", "gateway-2")
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []
    assert len(list(place.state.glob("user-hash.key"))) == 1


def test_nothing_that_only_looks_like_a_gateway_is_ended(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("gateway-x", "gateways", "gateway-2.old", "other"):
        (run / f"{name}.json").write_text("{}")
    assert asyncio.run(stack.stop_left(tmp_path, lambda _: None)) == ()
    assert len(list(run.iterdir())) == 4


def test_a_state_directory_that_cannot_be_written_is_one_plain_error(tmp_path: Path) -> None:
    listen, admin = free_addresses(2)
    place = local(tmp_path, listen=listen, admin=admin)

    async def kept() -> None:
        async with aiohttp.ClientSession() as session:
            made: Stack = stack.stack(place, session)
            (place.state / "logs").write_text("no folder")
            await asyncio.wait_for(made.keep(lambda _: None, lambda: None), PATIENCE_S)

    with pytest.raises(FileExistsError):
        asyncio.run(kept())


def test_what_is_written_is_plain_json(tmp_path: Path) -> None:
    members(local(tmp_path))
    assert json.loads((tmp_path / ".loop" / "production" / "gateway.json").read_text())["aliases"] == ["chat"]


# Pages for people


def with_pages(place: Local, **pages: Any) -> Local:
    return replace(place, environment=place.environment.model_copy(update=pages))


def test_a_declared_console_is_a_process_of_its_own_whose_secret_the_gateway_knows_by_its_digest(
    tmp_path: Path,
) -> None:
    place = with_pages(local(tmp_path), console=Console(listen="127.0.0.1:7089"), monitor=Monitor())
    assert [one.process.program.name for one in members(place)] == ["gateway", "monitor", "console"]
    console = members(place)[2].process.program
    assert (console.port, console.argv[-3:]) == (7089, ("console", "--environment", "production"))
    secret = console_secret(place.state)
    assert told(place)["console_sha256"] == digest.of_bytes(secret.encode())
    assert secret not in (place.state / "gateway.json").read_text()


def test_without_a_console_there_is_no_secret(tmp_path: Path) -> None:
    place = local(tmp_path)
    assert told(place)["console_sha256"] is None
    assert not (place.state / "console.key").exists()


def test_a_console_that_is_told_something_else_is_another_program(tmp_path: Path) -> None:
    plain = with_pages(local(tmp_path), console=Console())
    digests = {
        program(with_pages(place, console=console), 1)
        for place in (local(tmp_path), local(tmp_path, alias="talk"))
        for console in (Console(), Console(listen="127.0.0.1:7089"))
    }
    assert len(digests) == 4
    before = program(plain, 1)
    assert program(plain, 1) == before
    (plain.state / "console.key").unlink()
    assert program(plain, 1) != before, "a new secret"


def test_a_console_that_cannot_be_started_here_is_not_and_the_gateway_knows_it_all_the_same(
    tmp_path: Path,
) -> None:
    place = with_pages(replace(local(tmp_path), has_gradio=False), console=Console())
    assert [one.process.program.name for one in members(place)] == ["gateway"]
    assert told(place)["console_sha256"] is not None


def test_a_console_whose_secret_is_no_secret_is_an_error_with_its_file(tmp_path: Path) -> None:
    place = with_pages(local(tmp_path), console=Console())
    place.state.mkdir(parents=True)
    (place.state / "console.key").write_text("not hex")
    with pytest.raises(TerminalError, match="the console's secret cannot be used") as raised:
        gateway_config(place)
    assert str(place.state / "console.key") in str(raised.value)


def test_pages_that_loop_yaml_names_no_more_are_left_to_be_ended(tmp_path: Path) -> None:
    place = local(tmp_path)
    (place.state / "run").mkdir(parents=True)
    for name in ("monitor", "console"):
        (place.state / "run" / f"{name}.json").write_text("{}")

    async def left(place: Local) -> list[str]:
        async with aiohttp.ClientSession() as session:
            return [one.program.name for one in stack.stack(place, session).left]

    assert asyncio.run(left(place)) == ["monitor", "console"]
    assert asyncio.run(left(with_pages(place, console=Console()))) == ["monitor"]
