"""`loop signals sample`: ask the served versions again what they were asked, and check answers against facts."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.repository import (
    environment_option,
    find_root,
    json_option,
    pick_environment,
    read_spec,
)
from runner.errors import LoopError, TransientError, terminal, transient

if TYPE_CHECKING:
    import aiohttp

    from runner.evaluation.chat import ChatClient
    from runner.evaluation.choice import Answered
    from runner.evaluation.compare import Comparison
    from runner.evaluation.factual import Verified
    from runner.evaluation.price import Budget
    from runner.evaluation.sample_log import SampleLog
    from runner.evaluation.sampler import Sampled, Sampler
    from runner.evaluation.suites import EvaluationLog, Outcome
    from runner.spec.environment import Environment
    from runner.spec.load import Spec
    from runner.spec.signals import Factual, SelfConsistency

EXAMPLES = """\b
Examples:
  loop signals sample                     what the policy's share draws from the last 24 hours
  loop signals sample --window 7d --limit 50
  loop signals sample --dry-run           how many answers, and at most how many tokens; asks nobody
  loop signals sample --suite regression  the questions of a suite as well, also without a candidate

While there is a candidate, it and the baseline are asked the suite that the policy compares them by. What was examined
or asked before is skipped; Ctrl-C keeps what is done. Exit codes: 0 done (also where the day's tokens ended it), 1
error, 130 interrupted.
"""
DAY_US = 86_400_000_000
CALL_SECONDS = 60.0


@dataclass(frozen=True)
class _Plan:
    """What a run is to examine."""

    root: Path
    name: str
    spec: Spec
    environment: Environment
    consistency: SelfConsistency | None
    factual: Factual | None
    to_ask: list[Answered]
    to_check: list[Answered]
    budget: Budget
    suite: str | None
    limit: int | None


@click.command(epilog=EXAMPLES)
@environment_option
@click.option("--window", default="24h", show_default=True, help="Answers of so long ago at most: 24h, 7d.")
@click.option(
    "--limit", type=click.IntRange(min=0), help="Examine so many answers at most, of each detector and suite."
)
@click.option(
    "--suite", metavar="NAME", help="Ask the questions of this suite of policies/evaluation.yaml too."
)
@click.option("--dry-run", is_flag=True, help="Say what would be examined, and ask nobody.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    environment: str,
    window: str,
    limit: int | None,
    suite: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Examine a share of the answers: would the version say it again, and do reference facts agree?"""
    from runner.cli.alone import alone
    from runner.cli.watching import seconds
    from runner.reconcile.state import StatePaths

    root, since = find_root(ctx), seconds(ctx, window) or DAY_US / 1e6
    spec = read_spec(root)
    pick_environment(spec, environment)
    if dry_run:
        value = asyncio.run(_foreseen(_plan(root, spec, environment, since, limit, suite)))
    else:
        with alone(StatePaths(root, environment).directory / "sampling.lock", "sampling this environment"):
            value = asyncio.run(_examine(_plan(root, spec, environment, since, limit, suite)))
    click.echo(json.dumps(value, indent=2, ensure_ascii=False) if as_json else _to_text(value))


def _plan(root: Path, spec: Spec, name: str, window: float, limit: int | None, named: str | None) -> _Plan:
    from runner.cli.logged import read_events
    from runner.cli.signals_suite import suite_of
    from runner.evaluation.choice import Detector, answered, spent, to_examine
    from runner.evaluation.price import Budget
    from runner.events.schema import Kind
    from runner.spec.signals import Factual, SelfConsistency

    environment = pick_environment(spec, name)
    detectors = [signal.detector for signal in spec.policies.signals.signals.values()]
    consistency = next((each for each in detectors if isinstance(each, SelfConsistency)), None)
    factual = next((each for each in detectors if isinstance(each, Factual)), None)
    suite = suite_of(spec, environment, named)
    if consistency is None and factual is None and suite is None:
        fix = "add a signal with `detector: {kind: self_consistency}` or `{kind: factual, reference: ...}`"
        raise terminal("policies/signals.yaml declares nothing that needs sampling", fix=fix)
    now = _now()
    since, today = now - int(window * 1e6), now - now % DAY_US
    events = read_events(root, name, Kind.REQUEST, Kind.CONTENT, since_us=since)
    samples = read_events(root, name, Kind.SAMPLE, since_us=min(since, today))[Kind.SAMPLE]
    answers = answered(events[Kind.REQUEST], events[Kind.CONTENT])
    to_ask = to_check = []
    if consistency is not None:
        to_ask = to_examine(answers, samples, Detector.SELF_CONSISTENCY, consistency.sample)
    if factual is not None:
        to_check = to_examine(answers, samples, Detector.FACTUAL, factual.sample)
    limit_ = consistency.tokens_per_day if consistency else 0
    budget = Budget(limit_, spent(samples, today))
    return _Plan(
        root=root,
        name=name,
        spec=spec,
        environment=environment,
        consistency=consistency,
        factual=factual,
        to_ask=to_ask[:limit],
        to_check=to_check[:limit],
        budget=budget,
        suite=suite,
        limit=limit,
    )


async def _foreseen(plan: _Plan) -> dict[str, Any]:
    """Return what a run would do; the tokens are more than it can take."""
    most = 0
    if plan.consistency is not None and plan.to_ask:
        import aiohttp

        async with aiohttp.ClientSession() as session:
            sampler = _sampler(plan, plan.consistency, session, "http://nobody", _log(plan))
            most = sum(map(sampler.most, plan.to_ask))
    return {
        "environment": plan.name,
        "to_ask": len(plan.to_ask),
        "to_check": len(plan.to_check),
        "tokens_at_most": most,
        "tokens_spent_today": plan.budget.spent,
        "tokens_per_day": plan.budget.limit,
        "suite": _foreseen_suite(plan),
    }


def _foreseen_suite(plan: _Plan) -> dict[str, Any] | None:
    from runner.cli.signals_suite import questions

    if plan.suite is None:
        return None
    found = questions(plan.root, plan.spec, plan.name, plan.suite, plan.limit)
    return {"suite": plan.suite, "to_ask": len(found.askings), "tokens_at_most": found.most}


async def _examine(plan: _Plan) -> dict[str, Any]:
    from runner.cli.signals_suite import of_outcome

    with _log(plan) as log, _evaluation_log(plan) as marks:
        try:
            verified = _verified(plan, log)
            sampled = await _sampled(plan, log)
            asked = await _asked(plan, marks)
        except LoopError as error:
            if written := log.written + marks.written:
                error.changed = f"{written} examinations are recorded; the next run goes on after them"
            raise
    return {
        "environment": plan.name,
        "facts": _of_facts(verified),
        "consistency": _of_samples(sampled),
        "suite": of_outcome(plan.suite, asked) if plan.suite else None,
    }


def _evaluation_log(plan: _Plan) -> EvaluationLog:
    from runner.evaluation.suites import EvaluationLog
    from runner.reconcile.state import StatePaths

    return EvaluationLog(StatePaths(plan.root, plan.name).events, plan.name, _now)


async def _asked(plan: _Plan, log: EvaluationLog) -> Outcome | None:
    """Ask the questions of the suite that were not asked yet; None where none is left, or no suite is asked for."""
    import aiohttp

    from runner.cli.signals_suite import ask, declines, questions

    found = questions(plan.root, plan.spec, plan.name, plan.suite, plan.limit) if plan.suite else None
    if found is None or not found.askings:
        return None
    async with aiohttp.ClientSession() as session:
        client = _clients(plan, session, await serving(plan.environment, plan.name, session))
        told = progress(f"asked of suite {found.name}:")
        return await ask(found, client, declines(plan.root, plan.spec), log, told)


def _log(plan: _Plan) -> SampleLog:
    from runner.evaluation.sample_log import SampleLog
    from runner.reconcile.state import StatePaths
    from runner.spec.privacy import Content

    keep = plan.spec.policies.privacy.content is not Content.OFF
    return SampleLog(StatePaths(plan.root, plan.name).events, plan.name, _now, keep)


def _verified(plan: _Plan, log: SampleLog) -> Verified | None:
    from runner.evaluation.factual import load, verify

    if plan.factual is None or not plan.to_check:
        return None
    path = plan.root / plan.spec.datasets[plan.factual.reference].path
    return verify(plan.to_check, load(path), log, progress("checked against facts:"))


async def _sampled(plan: _Plan, log: SampleLog) -> Sampled | None:
    import aiohttp

    if plan.consistency is None or not plan.to_ask:
        return None
    async with aiohttp.ClientSession() as session:
        url = await serving(plan.environment, plan.name, session)
        sampler = _sampler(plan, plan.consistency, session, url, log)
        return await sampler.run(plan.to_ask, plan.budget)


async def serving(environment: Environment, name: str, session: aiohttp.ClientSession) -> str:
    """Return the first replica of an environment that answers. Raises TransientError where none does."""
    from runner.serving.discovery import replicas
    from runner.serving.engine import EngineClient

    said: list[str] = []
    for url in await replicas(environment.engine):
        try:
            await EngineClient(url, session, 5.0).health()
        except TransientError as error:
            said.append(error.diagnostics[0].summary)
        else:
            return url
    raise transient(f"no engine of '{name}' answers", *said, fix="start it: `loop up`")


def _sampler(
    plan: _Plan, policy: SelfConsistency, session: aiohttp.ClientSession, url: str, log: SampleLog
) -> Sampler:
    from runner.evaluation.sampler import Sampler, Sampling

    return Sampler(
        _clients(plan, session, url),
        Sampling(policy.k, policy.temperature),
        _comparison(plan, policy, session),
        log,
        progress("asked again:"),
        CALL_SECONDS * policy.k,
    )


def _clients(plan: _Plan, session: aiohttp.ClientSession, url: str) -> Callable[[str], ChatClient]:
    """Return what makes a client for a served name."""
    from runner.evaluation.chat import ChatClient, Endpoint

    key = plan.environment.engine.api_key_env
    return lambda served: ChatClient(Endpoint(url, served, key, CALL_SECONDS), session)


def _comparison(plan: _Plan, policy: SelfConsistency, session: aiohttp.ClientSession) -> Comparison:
    """Return what compares answers, as the policy says."""
    from runner.evaluation.compare import ByJudge, ByTexts
    from runner.signals.consistency.agreement import embedded, lexical
    from runner.spec.signals import Similarity

    match policy.similarity:
        case Similarity.LEXICAL:
            return ByTexts(lexical)
        case Similarity.EMBEDDING:
            from runner.embedding import chosen

            return ByTexts(embedded(chosen(plan.spec.policies.signals.embedder)))
        case Similarity.JUDGE:
            return ByJudge(_judge(plan, session))


def _judge(plan: _Plan, session: aiohttp.ClientSession) -> Any:
    from runner.evaluation.chat import ChatClient, Endpoint
    from runner.evaluation.judge import Judge
    from runner.spec.evaluation import Judge as Declared

    declared = plan.spec.policies.evaluation.judge
    if not isinstance(declared, Declared):  # the spec's own check says so first, with the line
        raise terminal("similarity `judge` needs a judge, and policies/evaluation.yaml names none")
    endpoint = Endpoint(declared.base_url, declared.model, declared.api_key_env, CALL_SECONDS)
    return Judge(ChatClient(endpoint, session), declared.repeats)


def _of_facts(found: Verified | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "answers": found.examined,
        "statements_covered": found.covered,
        "statements_supported": found.supported,
        "factuality": found.value,
        "contradicted": list(found.contradicted),
    }


def _of_samples(found: Sampled | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "answers": found.examined,
        "consistency": sum(found.values) / len(found.values) if found.values else None,
        "unclear": found.unclear,
        "not_served_any_more": found.gone,
        "left": found.left,
        "stopped": found.stopped.value,
        "tokens_spent_today": found.budget.spent,
        "tokens_per_day": found.budget.limit,
    }


def _to_text(value: dict[str, Any]) -> str:
    from runner.cli.signals_suite import foreseen_line, line

    suite = value["suite"]
    if "to_ask" in value:
        return (
            f"would ask again about {value['to_ask']} answers, for at most {value['tokens_at_most']:,} tokens"
            f" ({value['tokens_spent_today']:,} of {value['tokens_per_day']:,} are spent today)\n"
            f"would check {value['to_check']} answers against facts" + (foreseen_line(suite) if suite else "")
        )
    lines = [_facts_line(value["facts"]), _samples_line(value["consistency"])]
    return "\n".join([*lines, line(suite)] if suite else lines)


def _facts_line(found: dict[str, Any] | None) -> str:
    if found is None:
        return "facts: no answer was left to check"
    if found["factuality"] is None:
        return f"facts: {found['answers']} answers checked; no fact speaks of them"
    contradicted = ", ".join(found["contradicted"]) or "none"
    return (
        f"facts: {found['statements_supported']} of {found['statements_covered']} statements supported"
        f" ({found['factuality']:.1%}) in {found['answers']} answers; contradicted: {contradicted}"
    )


def _samples_line(found: dict[str, Any] | None) -> str:
    if found is None:
        return "consistency: no answer was left to ask again about"
    mean = "no value" if found["consistency"] is None else f"{found['consistency']:.1%}"
    parts = [
        f"consistency: {mean} over {found['answers']} answers",
        f"tokens today: {found['tokens_spent_today']:,} of {found['tokens_per_day']:,}",
    ]
    if found["not_served_any_more"]:
        parts.append(f"{found['not_served_any_more']} by versions that are not served any more")
    if found["unclear"]:
        parts.append(f"{found['unclear']} without a value")
    if found["left"]:
        parts.append(f"{found['left']} left: {found['stopped']}")
    return "; ".join(parts)


def progress(text: str) -> Callable[[int, int], None]:
    """Return what tells how far a pass is, in one line that is rewritten; where nobody watches, at its end."""
    watched = sys.stderr.isatty()

    def tell(done: int, total: int) -> None:
        if watched or done == total:
            begin = "\r" if watched else ""
            click.echo(f"{begin}{text} {done} of {total}", err=True, nl=done == total)

    return tell


def _now() -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1000
