"""`loop plan`: what would change, why, and what is held; nothing is touched."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.repository import (
    DEFAULT_ENVIRONMENT,
    find_root,
    json_option,
    pick_environment,
    working_tree_option,
)
from runner.errors import terminal

if TYPE_CHECKING:
    from runner.reconcile.plan import Plan
    from runner.reconcile.review import Section
    from runner.spec.load import Spec

CHANGED = "changed values"
EXAMPLES = """\b
Examples:
  loop plan                                exit codes: 0 in sync, 1 error, 2 changes pending
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
    "--against", metavar="REVISION", help="Compare with what this revision declares; no system is asked."
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
    if against and out:
        raise click.UsageError("a plan made with --against cannot be applied; leave --out away", ctx)
    root = find_root(ctx)
    made = (
        _compared(root, environment, against, working_tree)
        if against
        else [_live(root, environment or DEFAULT_ENVIRONMENT, working_tree)]
    )
    if out is not None:
        out.write_text(json.dumps(staleness.to_json(made[0][0]), indent=1) + "\n", encoding="utf-8")
    values = [(staleness.to_json(planned), sections) for planned, sections in made]
    if as_json:
        shown = [
            {**value, "review": {title: list(lines) for title, lines in review}} for value, review in values
        ]
        click.echo(json.dumps(shown if against else shown[0], indent=2, ensure_ascii=False))
    else:
        form = report.to_markdown if markdown else report.to_text
        texts = [form(value, review) for value, review in values]
        click.echo(("\n" if markdown else "\n\n").join(texts).replace(f"\n{report.MARKER}\n", "\n"))
    return 0 if all(_unchanged(planned, sections) for planned, sections in made) else 2


def _unchanged(planned: Plan, sections: tuple[Section, ...]) -> bool:
    """Return whether nothing differs: neither the live system nor, where two revisions are compared, any value."""
    return planned.in_sync and all(title != CHANGED for title, _ in sections)


def _live(root: Path, environment: str, working_tree: bool) -> tuple[Plan, tuple[Section, ...]]:
    from runner.cli.deployment import deployment, warn_uncommitted
    from runner.errors import Unknown
    from runner.reconcile.review import review

    work = deployment(root, environment, working_tree=working_tree)
    if not working_tree:
        warn_uncommitted(root)
    spec = work.spec()
    declared = pick_environment(spec, environment)
    observed, planned = asyncio.run(work.look(lambda text: click.echo(text, err=True)))
    systems = [*observed.replicas.values(), *observed.gateways.values()]
    if systems and all(isinstance(system, Unknown) for system in systems):
        raise terminal(
            f"nothing of '{environment}' answers, so nothing can be planned",
            *(f"{name}: {unknown.reason}" for name, unknown in observed.unknowns()),
            fix="start it: `loop up`; or plan without a live system: `loop plan --against REVISION`",
        )
    return planned, review(spec, declared)


def _compared(
    root: Path, environment: str | None, against: str, working_tree: bool
) -> list[tuple[Plan, tuple[Section, ...]]]:
    """Return, for each environment, what would be done to a deployment that agrees with `against`."""
    from runner.cli.deployment import deployment
    from runner.git.repository import Repository
    from runner.reconcile.source import CommitSource

    repository = Repository(root)
    base = repository.resolve(against)
    common = repository.merge_base(base, repository.head()) or base
    before = CommitSource(repository, "").spec(common.sha)
    work = deployment(root, environment or DEFAULT_ENVIRONMENT, working_tree=working_tree)
    revision, after = work.source.revision(), work.spec()
    if environment is not None:
        pick_environment(after, environment)
    names = [environment] if environment else list(after.loop.environments)
    return [_difference(name, (common.sha, before), (revision, after)) for name in names]


def _difference(
    name: str, base: tuple[str, Spec], head: tuple[str, Spec]
) -> tuple[Plan, tuple[Section, ...]]:
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
    return plan(declared.desired, observed, now), review(head[1], declared.environment, base[1])
