"""The processes of one environment on this machine: the embedded engine, the gateways, the pages for people.

Called by `loop up`. It turns what loop.yaml says of them into programs, keeps them serving, and ends them; it decides
nothing about adapters or routes. All outlive a runner that was killed and are adopted by the next one. The gateways
share the event log and the secret of the user hashes, and each keeps a route table of its own.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from runner import digest
from runner.errors import Diagnostic, Location, LoopError, TerminalError, terminal
from runner.serving import launcher
from runner.serving.engine import EngineClient
from runner.serving.gateway.callers import CONSOLE_KEY, console_secret
from runner.serving.gateway.config import Content, GatewayConfig, from_json, to_json
from runner.serving.gateway_client import GatewayClient
from runner.serving.processes import ManagedProcess, Program, Progress, Ready, keep
from runner.spec.environment import BaseModelRef, Environment, Gateway, GatewayAddress

HEALTH_SECONDS = 2.0
GATEWAY_START_SECONDS = 30.0
PAGES_START_SECONDS = 60.0
GATEWAY, ENGINE, MONITOR, CONSOLE = "gateway", "engine", "monitor", "console"
GATEWAY_GRACE_S, ENGINE_GRACE_S = 10.0, 3.0
"""A gateway ends what it has under way; vLLM has nothing left to end then, and is deaf while it starts."""
_GATEWAY_NAME = re.compile(rf"{GATEWAY}(-[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Member:
    """One program with the question that tells whether it serves, and how long its start may take, in seconds."""

    process: ManagedProcess
    ready: Ready
    timeout: float


class Stack:
    """The members of one environment; the gateways come first, so that users get an answer that says `not yet`.

    `left` is what a killed runner started and loop.yaml does not name any more.
    """

    def __init__(self, members: tuple[Member, ...], left: tuple[ManagedProcess, ...] = ()) -> None:
        self.members, self.left = members, left

    async def keep(self, progress: Progress, served: Callable[[], None]) -> None:
        """Keep every member serving until cancelled; `served` is told whenever one begins to. Never returns.

        What is left is ended first: nobody would give it routes any more. Raises OSError where a process cannot have
        its log or its record on the disk, TransientError where something left cannot be ended.
        """
        for process in self.left:
            progress(f"stopping {process.program.name}, which loop.yaml does not name any more")
            await process.stop(GATEWAY_GRACE_S)

        def tell(text: str) -> None:
            progress(text)
            if text.endswith(": serving"):
                served()

        try:
            async with asyncio.TaskGroup() as group:
                for one in self.members:
                    group.create_task(keep(one.process, one.ready, tell, timeout_s=one.timeout))
        except ExceptionGroup as failed:  # callers tell one error to a user, the others would say the same
            raise failed.exceptions[0] from failed

    async def stop(self, hurry: asyncio.Event) -> None:
        """End every member, the gateways first so that they can finish what is under way; at once with `hurry`."""
        gently = asyncio.create_task(self._stop(_grace_s))
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait({gently, hurried}, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not gently.done():
            gently.cancel()
            gently = asyncio.create_task(self._stop(lambda _: 0.0))
        await gently

    async def _stop(self, grace_s: Callable[[str], float]) -> None:
        processes = [one.process for one in self.members]
        for together in (
            [one for one in processes if _is_gateway(one.program.name)],
            [one for one in processes if not _is_gateway(one.program.name)],
        ):
            await asyncio.gather(*(one.stop(grace_s(one.program.name)) for one in together))


@dataclass(frozen=True, slots=True)
class Local:
    """What stands behind a stack: the environment `name` as declared, and where it lives on this machine.

    `root` is the checkout, `state` the environment's state directory, `environ` what its processes inherit. With
    `working_tree` the files as they are count, not the commit. Of callers in `exclude_groups` no text is kept.
    `has_gradio` says whether the console can be started by this Python.
    """

    name: str
    environment: Environment
    base: BaseModelRef
    content: Content
    root: Path
    state: Path
    environ: Mapping[str, str]
    working_tree: bool = False
    exclude_groups: tuple[str, ...] = ()
    has_gradio: bool = True


def stack(local: Local, session: aiohttp.ClientSession) -> Stack:
    """Return the processes that an environment needs on this machine.

    Raises TerminalError where they cannot be run as declared: no vLLM, no base model, a keys file that cannot be
    read, an unsafe environment.
    """
    members = [_gateway(local, session, number) for number in range(1, len(addresses(local)) + 1)]
    engine, monitor, console = (
        local.environment.engine,
        local.environment.monitor,
        local.environment.console,
    )
    if monitor is not None:
        options = ("--working-tree",) if local.working_tree else ()
        members.append(_pages(local, session, _Pages(MONITOR, monitor.listen, options)))
    if console is not None and local.has_gradio:
        members.append(_pages(local, session, _console(local, console.listen)))
    kept = {one.process.program.name for one in members}
    names = (*_recorded_gateways(local.state), MONITOR, CONSOLE)
    left = tuple(
        one
        for name in names
        if name not in kept and (one := _recorded(local.state, name)).record_path.exists()
    )
    if engine.managed:
        program = launcher.vllm(engine, local.base, local.root, launcher.installed(), local.environ)
        client = EngineClient(f"http://{engine.listen}", session, HEALTH_SECONDS)
        process = ManagedProcess(program, local.state, local.environ)
        members.append(Member(process, launcher.serves(client), launcher.START_TIMEOUT_S))
    return Stack(tuple(members), left)


async def stop_left(state: Path, progress: Progress) -> tuple[str, ...]:
    """End what a killed runner left, by the records in the state directory; return the names of what was there.

    Raises TransientError where something cannot be ended.
    """
    stopped = []
    for name in (*_recorded_gateways(state), CONSOLE, MONITOR, ENGINE):
        process = _recorded(state, name)
        if process.record_path.exists():
            progress(f"stopping {name}")
            await process.stop(_grace_s(name))
            stopped.append(name)
    return tuple(stopped)


def _recorded_gateways(state: Path) -> tuple[str, ...]:
    """Return the names of the gateways that have a record, in order."""
    names = (path.stem for path in (state.absolute() / "run").glob(f"{GATEWAY}*.json"))
    return tuple(sorted((name for name in names if _is_gateway(name)), key=lambda name: (len(name), name)))


def _recorded(state: Path, name: str) -> ManagedProcess:
    """Return a process to be ended, whatever program it runs."""
    return ManagedProcess(Program(name, (), "", 0), state, {})


def _is_gateway(name: str) -> bool:
    return _GATEWAY_NAME.fullmatch(name) is not None


def _grace_s(name: str) -> float:
    return GATEWAY_GRACE_S if _is_gateway(name) else ENGINE_GRACE_S


def addresses(local: Local) -> tuple[GatewayAddress, ...]:
    """Return where the gateways of an environment listen, the first one first."""
    gateway = local.environment.gateway
    return (GatewayAddress(listen=gateway.listen, admin=gateway.admin), *gateway.more)


def gateway_config(local: Local, number: int = 1) -> GatewayConfig:
    """Return what the gateway process with a number, counted from 1, is told.

    Raises TerminalError for a keys file that cannot be used.
    """
    environment, at = local.environment, addresses(local)[number - 1]
    gateway = environment.gateway
    limits = gateway.limits
    value: dict[str, Any] = {
        "environment": local.name,
        "state_dir": str(local.state.absolute()),
        "listen": at.listen,
        "admin": at.admin,
        "routes_name": f"{_numbered('routes', number)}.json",
        "aliases": (gateway.alias,),
        "limits": {
            "body_bytes": limits.body_bytes,
            "requests_per_minute": limits.requests_per_minute,
            "in_flight": limits.in_flight,
            "first_byte_timeout_s": limits.first_byte_timeout,
            "total_timeout_s": limits.total_timeout,
        },
        "keys": _keys(gateway, local.root),
        "anonymous_group": gateway.anonymous,
        "pinning_groups": gateway.pinning_groups,
        "console_sha256": _console_sha256(local),
        "exclude_groups": local.exclude_groups,
        "upstream_key_env": environment.engine.api_key_env,
        "content": local.content.value,
    }
    return from_json(value, gateway.keys_file or "loop.yaml")


def _console_sha256(local: Local) -> str | None:
    """Return the digest of the secret by which a declared console proves itself."""
    if local.environment.console is None:
        return None
    try:
        return digest.of_bytes(console_secret(local.state.absolute()).encode())
    except (OSError, ValueError) as error:
        raise terminal(
            "the console's secret cannot be used",
            str(error),
            fix=f"remove {local.state / CONSOLE_KEY}; the next start makes another one",
        ) from error


def _keys(gateway: Gateway, root: Path) -> list[Any]:
    if gateway.keys_file is None:
        return []
    place = Location(gateway.keys_file)
    try:
        value = yaml.safe_load((root / gateway.keys_file).read_bytes())
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        fix = "write a list of {name, group, sha256}, or take `keys_file` out of loop.yaml"
        raise TerminalError(
            Diagnostic("the file of API keys cannot be read", place, (str(error),), fix)
        ) from error
    if not isinstance(value, list):
        found = f"found: {type(value).__name__}"
        fix = "write one entry for each key: `- {name: ada, group: internal, sha256: ...}`"
        raise TerminalError(
            Diagnostic("a list of {name, group, sha256} is expected here", place, (found,), fix)
        )
    return value


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def _gateway(local: Local, session: aiohttp.ClientSession, number: int) -> Member:
    at, value = addresses(local)[number - 1], to_json(gateway_config(local, number))
    name = _numbered(GATEWAY, number)
    path = local.state.absolute() / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps(value, indent=1) + "\n")
    temporary.replace(path)
    host, _, port = at.listen.rpartition(":")
    program = Program(
        name=name,
        argv=(sys.executable, "-m", "runner.serving.gateway", "--config", str(path)),
        host=host.strip("[]"),
        port=int(port),
        # A gateway that was told something else is another program: it is replaced, not adopted.
        settings={"LOOP_GATEWAY_CONFIG": digest.short(digest.of_value(value))},
    )
    client = GatewayClient(f"http://{at.admin}", session, HEALTH_SECONDS)
    return Member(
        ManagedProcess(program, local.state, local.environ), _answers(client), GATEWAY_START_SECONDS
    )


@dataclass(frozen=True, slots=True)
class _Pages:
    """A command that serves pages for people, where, and what makes it another program."""

    name: str
    listen: str
    options: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


def _console(local: Local, listen: str) -> _Pages:
    """Return the console; one that was told something else is another program: it is replaced, not adopted."""
    environment = local.environment
    told = [each.model_dump(mode="json") for each in (environment.gateway, environment.console) if each]
    value = digest.short(digest.of_value([told, _console_sha256(local)]))
    return _Pages(CONSOLE, listen, settings={"LOOP_CONSOLE_CONFIG": value})


def _pages(local: Local, session: aiohttp.ClientSession, pages: _Pages) -> Member:
    """Return a process that serves pages: of its own, so that measuring and judging never hold up a rollback."""
    host, _, port = pages.listen.rpartition(":")
    program = Program(
        name=pages.name,
        argv=(
            *(sys.executable, "-m", "runner.cli.main", "--root", str(local.root.absolute())),
            *(pages.name, "--environment", local.name, *pages.options),
        ),
        host=host.strip("[]"),
        port=int(port),
        settings={"OMP_NUM_THREADS": "1", **pages.settings},
    )

    async def ready() -> bool:
        try:
            async with session.get(
                f"http://{pages.listen}/healthz", timeout=aiohttp.ClientTimeout(HEALTH_SECONDS)
            ) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    return Member(ManagedProcess(program, local.state, local.environ), ready, PAGES_START_SECONDS)


def _answers(client: GatewayClient) -> Ready:
    async def ready() -> bool:
        try:
            await client.state()
        except LoopError:
            return False
        return True

    return ready
