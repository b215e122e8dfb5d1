"""`loop plan`: what would change, why, and what is held; nothing is touched."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.repository import (
    DEFAULT_ENVIRONMENT,
    find_root,
    in_words,
    json_option,
    pick_environment,
    working_tree_option,
)
from runner.errors import Diagnostic, LoopError, TerminalError, terminal

if TYPE_CHECKING:
    from runner.data.tracking import State
    from runner.reconcile.plan import Plan
    from runner.reconcile.review import Section
    from runner.reconcile.source import CommitSource
    from runner.reconcile.state import StatePaths
    from runner.spec.environment import Environment
    from runner.spec.load import Spec

EXAMPLES = """\b
Examples:
  loop plan                                exit codes: 0 in sync, 2 changes pending, 1 error
  loop plan --out plan.json                save it; `loop apply plan.json` carries out this plan or none
  loop plan --against origin/main          what a branch changes, without a live system, in every environment
  loop plan --against HEAD^ --markdown     the same as the comment on a pull request
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "-e",
    "--environment",
    envvar="LOOP_ENVIRONMENT",
    help="Environment; default: production, with --against all.",
)
@click.option(
    "--against",
    metavar="REVISION",
    help="Compare with the commit at which HEAD parted from this revision; no system is asked.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Save the plan for `loop apply`."
)
@click.option("--markdown", is_flag=True, help="Print Markdown for a pull request.")
@json_option
@working_tree_option
@click.pass_context
def command(
    ctx: click.Context,
    environment: str | None,
    against: str | None,
    out: Path | None,
    markdown: bool,
    as_json: bool,
    working_tree: bool,
) -> int:
    """Show what would change. Looks at the live system beside any runner that is at work on it."""
    from runner.reconcile import staleness
    from runner.report import plan as report

    if markdown and as_json:
        raise click.UsageError("say --markdown or --json, not both", ctx)
    if against is not None and out is not None:
        raise click.UsageError("a plan made with --against cannot be applied; leave --out away", ctx)
    root = find_root(ctx)
    made = (
        _compared(root, environment, against, working_tree)
        if against is not None
        else [_live(root, environment or DEFAULT_ENVIRONMENT, working_tree)]
    )
    if out is not None:
        _save(out, json.dumps(staleness.to_json(made[0][0]), indent=2, ensure_ascii=False))
    values = [(staleness.to_json(planned), sections) for planned, sections in made]
    if as_json:
        shown = [
            {**value, "review": {title: list(lines) for title, lines in review}} for value, review in values
        ]
        click.echo(json.dumps(shown if against is not None else shown[0], indent=2, ensure_ascii=False))
    else:
        form = report.to_markdown if markdown else report.to_text
        texts = [form(value, review) for value, review in values]
        # One comment on a pull request has one mark, whatever the number of environments.
        text = ("\n" if markdown else "\n\n").join(texts).replace(f"\n{report.MARKER}\n", "\n")
        click.echo(text.removesuffix("\n"))
    return 0 if all(_unchanged(planned, sections) for planned, sections in made) else 2


def _unchanged(planned: Plan, sections: tuple[Section, ...]) -> bool:
    """Return whether nothing differs: neither the live system nor, where two revisions are compared, any value."""
    from runner.report.plan import CHANGED

    return planned.in_sync and all(title != CHANGED for title, _ in sections)


def _save(path: Path, text: str) -> None:
    try:
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise terminal(
            f"the plan cannot be saved: {path}: {in_words(error)}",
            fix="name a file in a folder that exists and can be written",
        ) from error


def _live(root: Path, environment: str, working_tree: bool) -> tuple[Plan, tuple[Section, ...]]:
    from runner.cli.deployment import deployment, warn_uncommitted
    from runner.errors import Unknown
    from runner.reconcile.review import review

    work = deployment(root, environment, working_tree=working_tree)
    spec = work.spec()
    declared = pick_environment(spec, environment)
    if not working_tree:
        warn_uncommitted(root)
    observed, planned = asyncio.run(work.look(lambda text: click.echo(text, err=True)))
    systems = [*observed.replicas.values(), *observed.gateways.values()]
    if systems and all(isinstance(system, Unknown) for system in systems):
        raise terminal(
            f"nothing of '{environment}' answers, so nothing can be planned",
            *(f"{name}: {unknown.reason}" for name, unknown in observed.unknowns()),
            fix=_start(environment, declared),
        )
    return planned, (*review(spec, environment), *_data(root, work.paths, spec))


def _data(root: Path, paths: StatePaths, spec: Spec) -> tuple[Section, ...]:
    """Return how data differs: what DVC tracks from the working tree, what Git declares from both."""
    from runner.data.declared import compare, look
    from runner.data.hashes import HashCache
    from runner.data.tracking import AsTheyStand, State, read_tracking, survey
    from runner.feedback.expectations.checked import unmet
    from runner.git.repository import Repository

    repository, cache = Repository(root), HashCache(paths.hashes)
    committed = repository.files_at(repository.head())
    tracking = read_tracking(committed)
    states = survey(tracking, root, cache)
    here = survey(read_tracking(AsTheyStand(committed, root)), root, cache)
    lines = [
        f"{path}: {state.value}; {_mending(state, here.get(path))}"
        for path, state in sorted(states.items())
        if state is not State.PRESENT
    ]
    declared = compare(spec.datasets, look(root, spec.datasets, cache, partial(unmet, root)))
    lines += [f"{each.name}: {each.state.value}: {each.evidence}; {each.fix}" for each in declared]
    lines += map(str, tracking.diagnostics)
    return (("data", lines),) if lines else ()


def _mending(state: State, here: State | None) -> str:
    """Return what to do about bytes that are not as the last commit has them; `here` is by the working tree's lock."""
    from runner.data.tracking import State

    if state is State.MISSING:
        return "fetch it: `dvc pull`"
    if here is State.PRESENT:
        return "dvc.lock has it already: `git commit`, or undo: `git restore dvc.lock` and `dvc checkout`"
    return "keep it: `dvc commit`, or undo: `dvc checkout`"


def _start(name: str, declared: Environment) -> str:
    option = "" if name == DEFAULT_ENVIRONMENT else f" -e {name}"
    engine = "" if declared.engine.managed else "start its replicas, and the gateway: "
    offline = "loop plan --against REVISION"
    return f"{engine or 'start it: '}`loop up{option}`; or plan without a live system: `{offline}`"


def _compared(
    root: Path, environment: str | None, against: str, working_tree: bool
) -> list[tuple[Plan, tuple[Section, ...]]]:
    """Return, for each environment, what would be done to a deployment that agrees with `against`."""
    from runner.cli.deployment import deployment
    from runner.git.repository import Repository
    from runner.reconcile.source import CommitSource

    repository = Repository(root)
    head, base = repository.head(), repository.resolve(against)
    common = repository.merge_base(base, head) or base
    before = spec_of_commit(CommitSource(repository, ""), common.sha)
    work = deployment(root, environment or DEFAULT_ENVIRONMENT, working_tree=working_tree)
    revision, after = work.source.revision(), work.spec()
    if environment is not None:
        pick_environment(after, environment)
    names = [environment] if environment else list(after.loop.environments)
    changes = [difference(name, (common.sha, before), (revision, after)) for name in names]
    sections = [_backtest(root, name, before, after) for name in names]
    return [(made, (*review, *more)) for (made, review), more in zip(changes, sections, strict=True)]


def _backtest(root: Path, name: str, before: Spec, after: Spec) -> tuple[Section, ...]:
    """Return what a change of the rollout's policy, or of what it detects, would have made of what was logged here."""
    if (before.policies.rollout, before.policies.signals) == (after.policies.rollout, after.policies.signals):
        return ()
    from runner.rollout.backtest import rules_of

    (old, was), (new, now) = rules_of(before, root), rules_of(after, root)
    if (old, was) == (new, now):
        return ()
    from runner.cli.logged import read_events
    from runner.report.backtest import sections_for_plan
    from runner.rollout.trials import KINDS

    return (("backtest", sections_for_plan(old, new, read_events(root, name, *KINDS), (was, now))),)


def spec_of_commit(source: CommitSource, sha: str) -> Spec:
    """Return the spec of the commit that is compared with. Raises TerminalError whose places name that commit."""
    try:
        return source.spec(sha)
    except LoopError as error:
        short = sha[:12]
        found = [
            replace(d, location=replace(d.location, path=f"{short}:{d.location.path}")) if d.location else d
            for d in error.diagnostics
        ]
        why = Diagnostic(
            f"commit {short} cannot be compared with: it holds no valid desired state",
            fix="name a revision that parted from here later: `loop plan --against REVISION`",
        )
        raise TerminalError(*found, why) from error


def difference(name: str, base: tuple[str, Spec], head: tuple[str, Spec]) -> tuple[Plan, tuple[Section, ...]]:
    """Return what `head` does to an environment of a deployment that agrees with `base`; both are revision and spec."""
    from runner.reconcile.distil import distil
    from runner.reconcile.plan import plan
    from runner.reconcile.review import review
    from runner.reconcile.steady import steady

    now = time.time()
    declared = distil(head[1], name, head[0])
    engine, gateway = declared.environment.engine, f"http://{declared.environment.gateway.admin}"
    replicas = (f"http://{engine.listen}",) if engine.managed else engine.replicas
    known = name in base[1].loop.environments
    basis = distil(base[1], name, base[0]) if known else declared
    observed = steady(basis.desired, replicas, gateway, now)
    return plan(declared.desired, observed, now), review(head[1], name, base[1])
