"""`loop up`: engine, gateway, pages and reconciler of one environment together on this machine."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from runner.cli.repository import environment_option, find_root, pick_environment, working_tree_option
from runner.errors import LoopError

if TYPE_CHECKING:
    import aiohttp

    from runner.cli.deployment import Deployment
    from runner.reconcile.loop import Outcome, Reconciler
    from runner.serving.stack import Stack
    from runner.spec.environment import Environment
    from runner.spec.load import Spec

EXAMPLES = """\b
Examples:
  loop up                                  production, until Ctrl-C, which stops all that was started
  loop up -e staging                       another environment beside it, on its own addresses
  loop up --ask "When do you open?"        ask this once everything agrees, and print the answer
"""


@click.command(epilog=EXAMPLES)
@environment_option
@click.option("--ask", metavar="QUESTION", help="Ask it through the gateway as soon as all agrees.")
@click.option(
    "--until-ready", is_flag=True, help="Stop again as soon as all agrees and the question was answered."
)
@working_tree_option
@click.pass_context
def command(
    ctx: click.Context, environment: str, ask: str | None, until_ready: bool, working_tree: bool
) -> int:
    """Start what is missing, bring it to what Git says, and keep it so. Ctrl-C stops all that runs here.

    A runner that is killed leaves engine and gateway serving; the next `loop up` takes them over.
    """
    from runner.cli.deployment import deployment, stopwatch, warn_uncommitted

    root = find_root(ctx)
    work = deployment(root, environment, working_tree=working_tree, follow=True)
    if not working_tree:
        warn_uncommitted(root)
    spec = work.spec()
    declared = pick_environment(spec, environment)
    wish = Wish(work, spec, declared, ask, until_ready, stopwatch())
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # until asyncio has its own: ends as Ctrl-C does
    _fetch(wish)
    return asyncio.run(_up(wish))


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for; `ask` is a question, `until_ready` ends it all once that is answered."""

    work: Deployment
    spec: Spec
    environment: Environment
    ask: str | None
    until_ready: bool
    tell: Callable[[str], None]


async def _up(wish: Wish) -> int:
    """Serve until stopped. Returns the exit code: 1 where the question got no answer."""
    import aiohttp

    from runner.cli.narrate import Narrator
    from runner.cli.upkeep import compact_forever, expire_forever

    stop, wake, agreed = asyncio.Event(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    hurry = asyncio.Event()

    def asked_to_stop() -> None:
        if stop.is_set():
            hurry.set()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked_to_stop)
    loop.add_signal_handler(signal.SIGHUP, wake.set)
    narrate, settings = Narrator(wish.tell), Settings(wish)

    def told(outcome: Outcome) -> None:
        narrate(outcome)
        settings.compare(reconciler)
        if outcome.plan.in_sync:
            agreed.set()

    async with aiohttp.ClientSession() as session, wish.work.reconciler(wish.tell, told) as reconciler:
        processes = _processes(wish, session)
        duties = [
            asyncio.create_task(processes.keep(wish.tell, wake.set)),
            asyncio.create_task(reconciler.run(stop, wake)),
            asyncio.create_task(compact_forever(wish.work.paths, wish.tell)),
            asyncio.create_task(
                expire_forever(wish.work.paths, wish.tell, working_tree=_of_working_tree(wish))
            ),
            asyncio.create_task(_greet(wish, session, agreed, stop)),
        ]
        try:
            return await _until(stop, duties)
        finally:
            await _stop(wish, duties, processes, hurry)


@dataclass(slots=True)
class Settings:
    """What engine, gateway and console were started with; says once when Git says something else by now."""

    wish: Wish
    told: bool = False

    def compare(self, reconciler: Reconciler) -> None:
        """Compare with the declaration that was just applied."""
        if reconciler.declared is None:
            return
        now, started = reconciler.declared.environment, self.wish.environment
        differs = (now.engine, now.gateway, now.console) != (started.engine, started.gateway, started.console)
        if differs and not self.told:
            self.wish.tell(
                "loop.yaml says other things of engine, gateway or console now: restart `loop up` to take them"
            )
        self.told = differs


async def _until(stop: asyncio.Event, duties: list[asyncio.Task[Any]]) -> int:
    """Wait for a signal, or for a duty that fails; a greeting that failed decides the exit code."""
    stopped = asyncio.create_task(stop.wait())
    pending = {stopped, *duties}
    while not stop.is_set():
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    greeting = duties[-1]
    return int(greeting.result()) if greeting.done() else 0


async def _stop(wish: Wish, duties: list[asyncio.Task[Any]], processes: Stack, hurry: asyncio.Event) -> None:
    wish.tell("stopping; Ctrl-C again does not wait for requests under way")
    for duty in duties:
        duty.cancel()
    await asyncio.gather(*duties, return_exceptions=True)
    await processes.stop(hurry)
    wish.tell("stopped; nothing that was started is left")


def _fetch(wish: Wish) -> None:
    """Fetch from the DVC store what starting needs and is not here yet; adapters the reconciler fetches.

    What the monitor compares with is fetched, too; without it, some signals say why they have no value.
    """
    from runner.data.pull import pull
    from runner.watch.references import paths

    root = wish.work.root
    base = str(wish.spec.loop.base_model.path)
    if wish.environment.engine.managed and base.startswith("models/") and not (root / base).exists():
        wish.tell(f"fetching {base} from the DVC store")
        pull(root, [base], wish.tell)
    wanted = [path for path in paths(wish.spec) if not (root / path).exists()]
    if wish.environment.monitor is not None and wanted:
        wish.tell(f"fetching {', '.join(wanted)} from the DVC store")
        try:
            pull(root, wanted, wish.tell)
        except LoopError as error:
            wish.tell(f"not fetched: {error.diagnostics[0].summary}")


def _processes(wish: Wish, session: aiohttp.ClientSession) -> Stack:
    from runner.serving.gateway.config import Content
    from runner.serving.stack import Local, stack

    privacy = wish.spec.policies.privacy
    if wish.environment.console is not None and not _has_gradio():
        wish.tell("the console is not started: run `bash requirements/install.sh .venv console` first")
    local = Local(
        working_tree=_of_working_tree(wish),
        name=wish.work.environment,
        environment=wish.environment,
        base=wish.spec.loop.base_model,
        content=Content(privacy.content.value),
        exclude_groups=privacy.exclude_groups,
        has_gradio=_has_gradio(),
        root=wish.work.root,
        state=wish.work.paths.directory,
        environ=os.environ,
    )
    return stack(local, session)


def _of_working_tree(wish: Wish) -> bool:
    from runner.reconcile.source import WorkingTreeSource

    return isinstance(wish.work.source, WorkingTreeSource)


def _has_gradio() -> bool:
    """Return whether the console's pages can be served by this Python."""
    return importlib.util.find_spec("gradio") is not None


async def _greet(
    wish: Wish, session: aiohttp.ClientSession, agreed: asyncio.Event, stop: asyncio.Event
) -> int:
    """Once all agrees, say where it serves and put the question. Returns 1 where it got no answer."""
    await agreed.wait()
    gateway = wish.environment.gateway
    url = f"http://{gateway.listen}/v1"
    click.echo(
        f"ready: {wish.work.environment} serves '{gateway.alias}' ({wish.environment.baseline}) at {url}"
    )
    if wish.environment.monitor is not None:
        click.echo(f"monitor: http://{wish.environment.monitor.listen}/")
    if wish.environment.console is not None and _has_gradio():
        click.echo(f"console: http://{wish.environment.console.listen}/")
    answered = wish.ask is None or await _ask(session, url, gateway.alias, wish.ask)
    if wish.until_ready:
        stop.set()
    else:
        click.echo("Ctrl-C stops it; `loop status` in another terminal shows how it does")
    return 0 if answered else 1


async def _ask(session: aiohttp.ClientSession, url: str, model: str, question: str) -> bool:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "max_tokens": 64,
    }
    click.echo(f"question: {question}")
    try:
        async with session.post(f"{url}/chat/completions", json=body) as answer:
            text, about = await answer.text(), answer.headers.get("x-loop-arm")
            answer.raise_for_status()
        value = json.loads(text)
        said = value["choices"][0]["message"]["content"].strip()
    except (OSError, ValueError, LookupError, TypeError, AttributeError, _client_error()) as error:
        click.echo(f"no answer: {type(error).__name__}: {error}", err=True)
        return False
    click.echo(f"answer:   {said}   ({value.get('model')}, {about})")
    return True


def _client_error() -> type[Exception]:
    import aiohttp

    return aiohttp.ClientError
