"""`loop evaluate`: a version, served, through the suites of policies/evaluation.yaml, and held to its gates."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner import digest
from runner.cli.repository import find_root, json_option, pick_environment, read_spec
from runner.errors import LoopError, terminal

if TYPE_CHECKING:
    import aiohttp

    from runner.cli.evaluate_engine import Place, Serving
    from runner.evaluation.asking import Answers
    from runner.evaluation.bench import Bench, Opinions
    from runner.evaluation.results import Against, Report
    from runner.spec.load import Spec, VersionDigest
    from runner.spec.model import GateVerdict

CALL_SECONDS = 120.0
PROGRESS_EVERY = 100
"""Answers between two lines of progress."""
EXAMPLES = """\b
Examples:
  loop evaluate chat-v1.1                       every suite, against its parent, in staging
  loop evaluate chat-v1.1 --against chat-v1.0   against another version, or the base model by its name
  loop evaluate chat-v1.1 --suite regression    one suite alone; nothing is recorded
  loop evaluate chat-v1.1 --no-record           write the report, leave models/chat-v1.1.yaml as it is

The environment's engine is used where it answers; otherwise one is started for the time. Answers are kept below
.loop/evaluation/, so an evaluation that was interrupted goes on. The report is models/reports/NAME/evaluation.json, .md
for people and .xml (JUnit) for continuous integration.
Exit codes: 0 every gate passed, 2 a gate failed or is not proven, 1 error, 130 interrupted.
"""
_EXITS = {"PASS": 0, "FAIL": 2, "INCONCLUSIVE": 2, "ERROR": 1}


@dataclass(frozen=True)
class _Wish:
    """What is to be evaluated, against what, and where."""

    spec: Spec
    place: Place
    version: VersionDigest
    against: Against
    suites: tuple[str, ...]
    tell: Callable[[str], None]

    @property
    def whole(self) -> bool:
        """Whether all suites are to be carried through."""
        return set(self.suites) == set(self.spec.policies.evaluation.suites)

    @property
    def candidate(self) -> str:
        """The engine's name for the version."""
        return digest.served_name(*self.version)

    @property
    def parent(self) -> str:
        """The engine's name for what it is compared with."""
        against = self.against
        return digest.served_name(against.name, against.digest) if against.digest else against.name

    @property
    def answers(self) -> Path:
        """Where answers are kept."""
        return self.place.state / "answers"


@click.command(epilog=EXAMPLES)
@click.argument("name")
@click.option(
    "-e",
    "--environment",
    default="staging",
    show_default=True,
    envvar="LOOP_ENVIRONMENT",
    help="Environment of loop.yaml whose engine is asked.",
)
@click.option("--against", metavar="VERSION", help="Compare with it; by default with the version's parent.")
@click.option("--suite", "suites", multiple=True, metavar="NAME", help="Only this suite; may be repeated.")
@click.option("--no-record", is_flag=True, help="Leave models/NAME.yaml and the model card as they are.")
@click.option("--fresh", is_flag=True, help="Forget answers that are kept, and ask again.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    environment: str,
    against: str | None,
    suites: tuple[str, ...],
    no_record: bool,
    fresh: bool,
    as_json: bool,
) -> None:
    """Put a served version through the suites, and hold it to the gates; only PASS promotes."""
    from runner.cli.alone import alone
    from runner.report import evaluation

    root = find_root(ctx)
    wish = _wish(root, environment, name, against, suites)
    with alone(wish.place.state / "lock", f"evaluating in {environment}"):
        if fresh:
            shutil.rmtree(wish.answers, ignore_errors=True)
        report = _to_the_end(wish)
        written = _written(wish, report, no_record)
    value = report.to_json()
    click.echo(json.dumps(value, ensure_ascii=False, indent=2) if as_json else evaluation.to_text(value))
    click.echo(f"report: {written}", err=as_json)
    if not (as_json or no_record or suites):
        click.echo(f"  next: {_next(name, report.verdict)}")
    ctx.exit(_EXITS[report.verdict.value])


def _wish(root: Path, environment: str, name: str, against: str | None, suites: tuple[str, ...]) -> _Wish:
    from runner.cli.deployment import stopwatch
    from runner.cli.evaluate_engine import Place
    from runner.reconcile.state import StatePaths

    spec = read_spec(root)
    declared = pick_environment(spec, environment)
    known = spec.policies.evaluation.suites
    _hold(name, spec.models, "version", "models/")
    for each in suites:
        _hold(each, known, "suite", "policies/evaluation.yaml")
    place = Place(
        root=root,
        name=environment,
        environment=declared,
        base=spec.loop.base_model,
        store=StatePaths(root, environment).adapters.resolve(),
        state=root.absolute() / ".loop" / "evaluation" / environment,
    )
    chosen = tuple(each for each in known if not suites or each in suites)
    return _Wish(
        spec, place, spec.version(name), _against(spec, environment, name, against), chosen, stopwatch()
    )


def _next(name: str, verdict: GateVerdict) -> str:
    """Return what is done with a version after a verdict."""
    from runner.spec.model import GateVerdict

    if verdict is GateVerdict.PASS:
        files = f"models/{name}.yaml and models/reports/{name}"
        return f"commit {files}, `dvc push`, then `loop promote {name} --to staging`"
    return f"`loop diagnose {name}` says what may be wrong"


def _hold(name: str, known: object, what: str, where: str) -> None:
    names = list(known)  # type: ignore[call-overload]
    if name not in names:
        raise terminal(f"there is no {what} '{name}' in {where}", f"known: {', '.join(names) or 'none'}")


def _against(spec: Spec, environment: str, name: str, wanted: str | None) -> Against:
    """Return what to compare with: what was named, else the parent, else the baseline, else the base model."""
    from runner.evaluation.results import Against

    base, baseline = spec.loop.base_model.name, spec.loop.environments[environment].baseline
    chosen = wanted or spec.models[name].parent or (baseline if baseline != name else base)
    if chosen == base:
        return Against(base, "")
    _hold(chosen, spec.models, "version", "models/")
    return Against(*spec.version(chosen))


def _to_the_end(wish: _Wish) -> Report:
    """Run, and end what was started also where the process is asked to end."""

    async def until_asked() -> Report:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await _evaluated(wish)

    try:
        return asyncio.run(until_asked())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _evaluated(wish: _Wish) -> Report:
    import aiohttp

    from runner.cli.evaluate_engine import loaded, placed, serving

    models = wish.spec.models
    served = {wish.candidate: models[wish.version.name]}
    if wish.against.digest:
        served[wish.parent] = models[wish.against.name]
    paths = await asyncio.to_thread(placed, wish.place, served)
    connector = aiohttp.TCPConnector(limit=0)  # a load test opens as many connections as it needs
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        serving(wish.place, len(paths), session, wish.tell) as engine,
        loaded(wish.place, engine, paths, wish.tell),
        _bench(wish, engine, session) as bench,
    ):
        return await _report(wish, engine, bench)


async def _report(wish: _Wish, engine: Serving, bench: Bench) -> Report:
    from runner.evaluation import evaluate, gates
    from runner.evaluation.results import Report, worst

    spec, policy, started = wish.spec, wish.spec.policies.evaluation, time.monotonic()
    asked = [name for each in wish.suites if (name := policy.suites[each].dataset) is not None]
    hashes = {name: spec.datasets[name].hash or "" for name in asked}
    files = {name: wish.place.root / spec.datasets[name].path for name in asked}
    declared = {name: value for name, value in hashes.items() if value}
    order = evaluate.Order(policy, wish.suites, files, declared)
    try:
        results = await evaluate.run(order, bench, engine.client.health, wish.tell)
    except LoopError as error:
        error.changed = f"what was answered is kept ({bench.answers.asked} answers); the same command goes on"
        raise
    decided = gates.decide(policy, results)
    return Report(
        version=wish.version.name,
        digest=wish.version.digest,
        against=wish.against,
        base=wish.place.base.name,
        environment=wish.place.name,
        engine=await engine.client.version(),
        dataset_hashes=hashes,
        revision=_revision(wish.place.root),
        at=time.strftime("%Y-%m-%d", time.gmtime()),
        seconds=round(time.monotonic() - started, 3),
        suites=results,
        gates=decided,
        verdict=worst(each.verdict for each in decided),
    )


def _revision(root: Path) -> str:
    """Return the commit that is checked out, empty outside a Git repository."""
    from runner.git.repository import Repository

    try:
        return str(Repository(root).head())
    except LoopError:
        return ""


@asynccontextmanager
async def _bench(wish: _Wish, engine: Serving, session: aiohttp.ClientSession) -> AsyncIterator[Bench]:
    from runner.cli.evaluate_engine import BothStacks
    from runner.cli.signals_suite import declines
    from runner.evaluation.bench import Bench
    from runner.evaluation.harness import LmEval
    from runner.evaluation.load import LIMIT_S
    from runner.evaluation.streaming import LoopClock, Streaming
    from runner.serving.probe import read_record

    place, clock = wish.place, LoopClock()
    adapter = place.root / wish.spec.models[wish.version.name].adapter.path
    recorded = read_record(adapter)
    async with AsyncExitStack() as stack:
        yield Bench(
            candidate=wish.candidate,
            parent=wish.parent,
            base=place.base.name,
            answers=await _answers(wish, engine, session),
            declines=declines(place.root, wish.spec),
            scores=BothStacks(place, engine, wish.candidate, adapter),
            probe=tuple(each.token_ids for each in recorded.prompts) if recorded else (),
            stream=Streaming(engine.url, session, clock, LIMIT_S, engine.key),
            clock=clock,
            harness=LmEval(engine.url, str(place.root / place.base.path), os.environ, engine.key),
            opinions=await _opinions(wish, session, stack),
        )


async def _answers(wish: _Wish, engine: Serving, session: aiohttp.ClientSession) -> Answers:
    from runner.evaluation.asking import Answers
    from runner.evaluation.chat import ChatClient, Endpoint

    place = wish.place
    variable = place.environment.engine.api_key_env if engine.key else None

    def client(served: str) -> ChatClient:
        return ChatClient(Endpoint(engine.url, served, variable, CALL_SECONDS), session)

    def told(served: str, done: int, of: int) -> None:
        if done % PROGRESS_EVERY == 0 or done == of:
            wish.tell(f"{served}: {done} of {of} answers")

    key = digest.of_value([await engine.client.version(), place.base.name, place.base.digest])
    return Answers(wish.answers, key, place.base.name, client, told)


async def _opinions(wish: _Wish, session: aiohttp.ClientSession, stack: AsyncExitStack) -> Opinions:
    """Return who compares answers; a judge's client is open until the stack ends."""
    from runner.evaluation.bench import Opinions
    from runner.evaluation.preference.connect import judge_client
    from runner.feedback import collected
    from runner.spec.evaluation import Arbiter, SuiteKind

    root, spec = wish.place.root, wish.spec
    policy = spec.policies.evaluation
    chosen = [policy.suites[name] for name in wish.suites]
    judged = ((each.kind, each.arbiter) == (SuiteKind.WIN_RATE, Arbiter.JUDGE) for each in chosen)
    judge = policy.judge if any(judged) else None
    return Opinions(
        judge=judge,
        judge_client=await stack.enter_async_context(judge_client(judge, session)) if judge else None,
        calibration=root / spec.datasets[judge.calibration].path if judge else None,
        calibrations=wish.place.state / "judges",
        ballots=lambda: collected.read(root / collected.FOLDER).ballots,
    )


def _written(wish: _Wish, report: Report, no_record: bool) -> str:
    """Write the report, and the version's file where all was measured; return where the report is."""
    from runner.cli.evaluate_record import record, write_card, write_report
    from runner.cli.models_known import Registry

    root, name = wish.place.root, report.version
    if not wish.whole:
        folder = wish.place.state / "reports" / name
        write_report(folder, report)
        wish.tell("some suites alone decide nothing: the report is kept apart, and nothing is recorded")
        return str(folder.relative_to(root.absolute()) / "evaluation.json")
    models = wish.spec.loop.models
    where = f"{models}/reports/{name}/evaluation.json"
    write_report(root / models / "reports" / name, report)
    if not no_record:
        write_card(root / models / "reports" / name, Registry(root).record(name), report)
        record(root / models / f"{name}.yaml", report, where)
    return where
