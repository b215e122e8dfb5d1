"""`loop data augment`: synthetic pairs beside real ones, within the policy's share."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.repository import environment_option, find_root, json_option, pick_environment, read_spec
from runner.errors import LoopError, terminal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

    from runner.evaluation.augment import Augmenter, Evaluator, Paraphraser, Tally
    from runner.evaluation.chat import ChatClient
    from runner.feedback.augmentation.made import Made
    from runner.feedback.augmentation.novelty import Known
    from runner.feedback.preferences.pairs import Pair
    from runner.spec.load import Spec

CALL_SECONDS = 60.0
EXAMPLES = """\b
Examples:
  loop data augment                  as many as the policy's share allows
  loop data augment --limit 10       ten at most
  loop data augment --dry-run        how many there may be, and at most how many tokens; asks nobody
  loop data augment --paraphraser http://127.0.0.1:8000 --model NAME

A real pair's question is asked in other words (by --paraphraser, else by small rules of our own), the baseline answers
it several times, and reference facts or the judge of policies/evaluation.yaml say which answer is better; where nothing
says so, no pair is made. Ctrl-C keeps what is done, and the next run goes on.
Exit codes: 0 done, 1 error, 130 interrupted.
"""


@dataclass(frozen=True)
class _Plan:
    """What a run may make, and of what."""

    root: Path
    name: str
    spec: Spec
    real: Mapping[str, Sequence[Pair]]
    known: Known
    before: tuple[Made, ...]
    room: Mapping[str, int]
    paraphraser: str | None
    model: str | None


@click.command(epilog=EXAMPLES)
@environment_option
@click.option("--limit", type=click.IntRange(min=0), help="Make so many pairs at most.")
@click.option(
    "--paraphraser", metavar="URL", help="An OpenAI-compatible address that says questions in other words."
)
@click.option("--model", metavar="NAME", help="The paraphraser's model.")
@click.option("--dry-run", is_flag=True, help="Say what may be made, and ask nobody.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    environment: str,
    limit: int | None,
    paraphraser: str | None,
    model: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make synthetic pairs: ask in other words, answer, evaluate. They are marked as such for ever."""
    from runner.cli.alone import alone
    from runner.reconcile.state import StatePaths

    if (paraphraser is None) != (model is None):
        raise click.UsageError("--paraphraser URL and --model NAME belong together", ctx)
    root = find_root(ctx)
    spec = read_spec(root)
    pick_environment(spec, environment)
    with alone(StatePaths(root, environment).directory / "augment.lock", "making synthetic pairs here"):
        plan = _plan(root, spec, environment, limit, (paraphraser, model))
        value = asyncio.run(_foreseen(plan) if dry_run else _made(plan))
    click.echo(json.dumps(value, indent=2, ensure_ascii=False) if as_json else _to_text(value))


def _plan(
    root: Path, spec: Spec, name: str, limit: int | None, paraphraser: tuple[str | None, str | None]
) -> _Plan:
    from runner.cli.data_snapshot import guarding, suite
    from runner.feedback import collected
    from runner.feedback.augmentation.budget import limited, room
    from runner.feedback.augmentation.novelty import fit, known
    from runner.feedback.labels import resolve
    from runner.feedback.preferences.leakage import Guarded, HeldOut
    from runner.feedback.preferences.reviews import Reviews
    from runner.feedback.preferences.screen import Screen
    from runner.feedback.preferences.votes import judged

    policy = spec.policies.collection
    floor = policy.sets.near_duplicate
    found = collected.read(root / collected.FOLDER)
    prompts = [*(each.prompt for each in found.records), *(each.prompt for each in found.ballots)]
    guarded = Guarded([suite(root, each) for each in guarding(spec)], floor, str)
    screen = Screen(guarded, HeldOut(prompts, policy.cases.share, floor), frozenset(policy.categories))
    reviews = Reviews(resolve(found.labels, policy.agreement), found.records, found.ballots)
    real = fit(judged(found.ballots, policy, reviews).pairs, screen, policy.pairs)
    before = _earlier(found.synthetic or ())
    counts = Counter(each.pair.category for each in before)
    free = room({name: len(own) for name, own in real.items()}, counts, policy.augmentation.max_share)
    return _Plan(
        root=root,
        name=name,
        spec=spec,
        real=real,
        known=known(prompts, screen, floor),
        before=before,
        room=free if limit is None else limited(free, limit),
        paraphraser=paraphraser[0],
        model=paraphraser[1],
    )


def _earlier(lines: Iterable[Mapping[str, Any]]) -> tuple[Made, ...]:
    from runner.feedback.augmentation.made import from_json
    from runner.feedback.collected import FOLDER, SYNTHETIC

    try:
        return tuple(map(from_json, lines))
    except (KeyError, TypeError, ValueError) as error:
        place = f"{FOLDER}/{SYNTHETIC}"
        fix = f"delete {place} and make the pairs again"
        raise terminal(f"a line of {place} is no synthetic pair", str(error), fix=fix) from error


async def _foreseen(plan: _Plan) -> dict[str, Any]:
    """Return what a run would do; the tokens are more than it can take."""
    import aiohttp

    async with aiohttp.ClientSession() as session:
        most = _augmenter(plan, session, "http://nobody").most(plan.real, plan.room)
    return _summary(plan, plan.before) | {"tokens_at_most": most}


async def _made(plan: _Plan) -> dict[str, Any]:
    from runner.evaluation.augment import Tally

    every, tally = list(plan.before), Tally()
    wanted = sum(plan.room.values())

    def keep(made: Made) -> None:
        every.append(made)
        _write(plan.root, every)
        click.echo(f"made {len(every) - len(plan.before)} of at most {wanted}", err=True)

    if wanted:
        async with _ready(plan) as augmenter:
            most = augmenter.most(plan.real, plan.room)
            click.echo(f"at most {wanted} pairs, at most {most:,} tokens", err=True)
            try:
                await augmenter.run(plan.real, plan.room, plan.before, tally, keep)
            except LoopError as error:
                if made := len(every) - len(plan.before):
                    error.changed = f"what was made is kept ({made}); the next run goes on after it"
                raise
    return _summary(plan, every) | _outcome(tally)


@asynccontextmanager
async def _ready(plan: _Plan) -> AsyncIterator[Augmenter]:
    import aiohttp

    from runner.cli.signals_sample import serving

    environment = pick_environment(plan.spec, plan.name)
    async with aiohttp.ClientSession() as session:
        yield _augmenter(plan, session, await serving(environment, plan.name, session))


def _augmenter(plan: _Plan, session: aiohttp.ClientSession, url: str) -> Augmenter:
    from runner import digest
    from runner.evaluation.augment import Augmenter, Source

    environment = pick_environment(plan.spec, plan.name)
    version = plan.spec.version(environment.baseline)
    served = digest.served_name(version.name, version.digest)
    client = _client(session, url, served, environment.engine.api_key_env)
    return Augmenter(
        Source(client, version.name, version.digest),
        _paraphraser(plan, session),
        _evaluators(plan, session),
        plan.known,
        plan.spec.policies.collection.pairs,
    )


def _paraphraser(plan: _Plan, session: aiohttp.ClientSession) -> Paraphraser:
    from runner.evaluation.augment import ByModel, ByRules

    if plan.paraphraser is None or plan.model is None:
        return ByRules()
    return ByModel(_client(session, plan.paraphraser, plan.model, None))


def _evaluators(plan: _Plan, session: aiohttp.ClientSession) -> list[Evaluator]:
    """Return what decides: the facts that the policy of signals names first, then the judge of evaluation."""
    from runner import digest
    from runner.evaluation.augment import ByFacts, ByJudge
    from runner.evaluation.factual import load
    from runner.spec.evaluation import Judge
    from runner.spec.signals import Factual

    found: list[Evaluator] = []
    detectors = (signal.detector for signal in plan.spec.policies.signals.signals.values())
    factual = next((each for each in detectors if isinstance(each, Factual)), None)
    if factual is not None:
        path = plan.root / plan.spec.datasets[factual.reference].path
        found.append(ByFacts(load(path), factual.reference, digest.of_file(path)))
    judge = plan.spec.policies.evaluation.judge
    if isinstance(judge, Judge):
        found.append(ByJudge(_client(session, judge.base_url, judge.model, judge.api_key_env)))
    if not found:
        raise terminal(
            "nothing can say which of two answers is better",
            "neither a `factual` detector in policies/signals.yaml nor a judge in policies/evaluation.yaml is declared",
            fix="declare one of them",
        )
    return found


def _client(session: aiohttp.ClientSession, url: str, model: str, key: str | None) -> ChatClient:
    from runner.evaluation.chat import ChatClient, Endpoint

    return ChatClient(Endpoint(url, model, key, CALL_SECONDS), session)


def _write(root: Path, made: Sequence[Made]) -> None:
    """Replace the file of synthetic pairs at once. Raises OSError."""
    from runner.feedback.augmentation.made import to_json
    from runner.feedback.collected import FOLDER, SYNTHETIC

    path = root / FOLDER / SYNTHETIC
    fresh = path.parent.with_name(f".{SYNTHETIC}.fresh")  # outside, for hidden files inside are carried over
    lines = (json.dumps(to_json(each), ensure_ascii=False) + "\n" for each in made)
    with fresh.open("wb") as file:
        file.writelines(line.encode("utf-8", "replace") for line in lines)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _summary(plan: _Plan, synthetic: Iterable[Made]) -> dict[str, Any]:
    made = Counter(each.pair.category for each in synthetic)
    return {
        "environment": plan.name,
        "max_share": plan.spec.policies.collection.augmentation.max_share,
        "categories": {
            category: {"real": len(own), "synthetic": made[category], "room": plan.room.get(category, 0)}
            for category, own in sorted(plan.real.items())
        },
    }


def _outcome(tally: Tally) -> dict[str, Any]:
    from runner.evaluation.augment import Outcome

    return {
        "outcomes": {each.value: tally.outcomes[each] for each in Outcome},
        "tokens": {"input": tally.tokens.input, "output": tally.tokens.output},
    }


def _to_text(value: Mapping[str, Any]) -> str:
    from runner.report import figures

    rows = [("category", "real", "synthetic", "room")]
    rows += [(name, *map(str, each.values())) for name, each in value["categories"].items()]
    lines = [
        f"synthetic pairs: at most {figures.share(value['max_share'])}, in the whole and in each category"
    ]
    lines += figures.table(rows) if value["categories"] else ["  there is no real pair to start from yet"]
    if "tokens_at_most" in value:
        lines.append(f"  a run would take at most {value['tokens_at_most']:,} tokens; nobody was asked")
    else:
        told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in value["outcomes"].items())
        lines.append(
            f"  {told}; {value['tokens']['input']:,} tokens read, {value['tokens']['output']:,} written"
        )
    return "\n".join(lines)
