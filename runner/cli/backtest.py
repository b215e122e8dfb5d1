"""`loop backtest`: what a rollout policy would have done with the rollouts that are in the event log."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.repository import (
    environment_option,
    find_root,
    in_words,
    json_option,
    known_environment,
    read_spec,
)
from runner.errors import TerminalError, terminal

if TYPE_CHECKING:
    from runner.report.backtest import Replayed, Told
    from runner.rollout.backtest import Progress, Rules
    from runner.rollout.trials import Trial
    from runner.spec.load import Spec
    from runner.spec.rollout import RolloutPolicy

EXAMPLES = """\b
Examples:
  loop backtest                          the policy as it is in the working tree, beside HEAD's where they differ
  loop backtest --against main           beside the policy of another revision
  loop backtest --policy stricter.yaml   beside a policy that is in no revision
  loop backtest --rollout chat-v1.1 --replicates 200

Exit codes: 0 told, 1 error (also where no rollout is logged).
"""
STEPS = 20
"""So often progress is told of one pass."""


@click.command(epilog=EXAMPLES)
@environment_option
@click.option("--rollout", metavar="ID", help="Only this rollout: its id, or the candidate's name.")
@click.option("--against", metavar="REVISION", help="Beside the policy of this revision.")
@click.option(
    "--policy",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Beside the policy in this file.",
)
@click.option(
    "--replicates",
    default=50,
    show_default=True,
    type=click.IntRange(min=0),
    help="How many rollouts are simulated to count false alarms; 0 for none.",
)
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same simulation.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    environment: str,
    rollout: str | None,
    against: str | None,
    file: Path | None,
    replicates: int,
    seed: int,
    as_json: bool,
) -> None:
    """Replay logged rollouts under one or two policies: when each stops, and how often it would stop in vain."""
    from runner.report import backtest as report

    if against is not None and file is not None:
        raise click.UsageError("say --against or --policy, not both", ctx)
    root = find_root(ctx)
    known_environment(root, environment)
    policies = _policies(root, against, file)
    trials = _trials(root, environment, rollout)
    found = [_replayed(trial, policies, replicates, seed) for trial in trials]
    click.echo(
        json.dumps(report.to_json(found), indent=2, ensure_ascii=False) if as_json else report.to_text(found)
    )


def _policies(root: Path, against: str | None, file: Path | None) -> dict[str, Rules]:
    from runner.rollout.backtest import rules_of

    spec = read_spec(root)
    now = rules_of(spec, root)
    if file is not None:
        beside = rules_of(_with_policy(spec, _from_file(file)), root)
        return {"the working tree's policy": now, f"the policy in {file}": beside}
    from runner.git.repository import Repository
    from runner.reconcile.source import CommitSource

    try:
        repository = Repository(root)
        revision = repository.head() if against is None else repository.resolve(against)
    except TerminalError:
        if against is not None:
            raise
        return {"the working tree's policy": now}  # not in Git (yet): there is nothing beside it
    try:
        then = rules_of(CommitSource(repository, "").spec(revision.sha), root)
    except TerminalError as error:
        if against is not None:
            raise
        click.echo(
            f"warning: HEAD holds no valid desired state, so its policy is left out: {error}", err=True
        )
        return {"the working tree's policy": now}
    if then == now:
        same = "HEAD" if against is None else against
        return {f"the working tree's policy, the same as {same}'s": now}
    return {f"the policy of {against or 'HEAD'}": then, "the working tree's policy": now}


def _with_policy(spec: Spec, policy: RolloutPolicy) -> Spec:
    return replace(spec, policies=replace(spec.policies, rollout=policy))


def _from_file(path: Path) -> RolloutPolicy:
    """Return a policy of a file of its own. Raises TerminalError with everything that is wrong in it."""
    from pydantic import ValidationError

    from runner.spec.explain import explain
    from runner.spec.rollout import RolloutPolicy
    from runner.spec.source import read

    try:
        document, found = read(str(path), path.read_bytes())
    except OSError as error:
        raise terminal(f"the policy cannot be read: {path}: {in_words(error)}") from error
    if document is None or found:
        raise TerminalError(*found)
    try:
        return RolloutPolicy.model_validate_json(json.dumps(document.value), strict=True)
    except ValidationError as error:
        raise TerminalError(*explain(error, document, RolloutPolicy)) from error


def _trials(root: Path, environment: str, wanted: str | None) -> list[Trial]:
    """Return the logged rollouts that are asked for. Raises TerminalError where there is none."""
    from runner.cli.logged import read_events
    from runner.rollout.trials import KINDS, trials

    events = read_events(root, environment, *KINDS)
    found = trials(events)
    if not found:
        raise terminal(
            f"no rollout is in the event log of '{environment}', so nothing can be replayed",
            f"{len(events[KINDS[0]])} requests are logged; of a rollout are those that both arms got",
            fix="put a candidate on trial (`rollout:` in loop.yaml), and let it get traffic",
        )
    chosen = [trial for trial in found if wanted in (None, trial.rollout_id, *_names(trial))]
    if not chosen:
        known = ", ".join(dict.fromkeys(f"{trial.rollout_id} ({trial.candidate})" for trial in found))
        raise terminal(f"no rollout '{wanted}' is in the event log of '{environment}'", f"known: {known}")
    click.echo(f"read {sum(map(len, events.values()))} events; rollouts: {len(found)}", err=True)
    return chosen


def _names(trial: Trial) -> tuple[str, str]:
    return trial.candidate, trial.candidate.partition("--")[0]


def _replayed(trial: Trial, policies: dict[str, Rules], replicates: int, seed: int) -> Replayed:
    from runner.report.backtest import Replayed

    told = tuple(_told(label, rules, trial, replicates, seed) for label, rules in policies.items())
    return Replayed(trial, told)


def _told(label: str, rules: Rules, trial: Trial, replicates: int, seed: int) -> Told:
    from runner.report.backtest import Told
    from runner.rollout.alarms import Simulation, false_alarms
    from runner.rollout.backtest import replay

    policy, detection = rules
    progress = _progress(f"{trial.candidate}, {label}: replayed")
    course = replay(policy, trial, progress, detection=detection)
    if not replicates:
        return Told(label, course, None)
    told = _progress(f"{trial.candidate}, {label}: simulated")
    return Told(label, course, false_alarms(policy, trial, Simulation(replicates, seed), told, detection))


def _progress(text: str) -> Progress:
    """Return what tells how far a pass is, in one line that is rewritten; where nobody watches, at its end."""
    watched = sys.stderr.isatty()
    begin = "\r" if watched else ""

    def tell(done: int, total: int) -> None:
        if done == total:
            click.echo(f"{begin}{text} {done} of {total}", err=True)
        elif watched and done % max(1, total // STEPS) == 0:
            click.echo(f"{begin}{text} {done} of {total}", err=True, nl=False)

    return tell
