"""`loop train RECIPE`: the next version, from a parent and a data set, by a recipe of policies/training.yaml.

It finds what a run starts from, starts it in a process of its own, follows it, and registers what it made. The rest is
elsewhere: the inputs in `train_inputs`, guards and recipes in `runner.training`.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.repository import environment_option, find_root, json_option, read_spec

if TYPE_CHECKING:
    from runner.cli.train_inputs import Ready
    from runner.errors import Unknown
    from runner.spec.load import Spec
    from runner.training.job import Job, LogProbs
    from runner.training.register import Origin

ADD_SECONDS = 3600.0
PAUSE_SECONDS = 3.0
EXAMPLES = """\b
Examples:
  loop train dpo                           the next version, from the baseline of production
  loop train dpo --parent chat-v1.1        from another version
  loop train sft --dataset corrections     by the same recipe, on other data
  loop train dpo --fresh                   throw away what an interrupted run left

An interrupted run, or one that was killed, goes on with the same command from its last checkpoint and ends with the
same bytes. What it made is registered as models/NAME.yaml with models/NAME.dvc and models/reports/NAME/; commit these.
Exit codes: 0 trained, or nothing to do; 1 error, also where a guard stopped the run: then nothing is registered.
"""


@click.command(epilog=EXAMPLES)
@click.argument("recipe")
@click.option("--name", help="Name of the new version; the next minor version where absent.")
@click.option("--parent", help="Version to start from; what the recipe says where absent.")
@click.option("--dataset", help="Data set to train on; the recipe's where absent.")
@environment_option
@click.option("--fresh", is_flag=True, help="Begin anew, also where an interrupted run could go on.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    recipe: str,
    name: str | None,
    parent: str | None,
    dataset: str | None,
    environment: str,
    fresh: bool,
    as_json: bool,
) -> None:
    """Train a version by a recipe; goes on where an interrupted run stopped."""
    from runner.cli.alone import alone
    from runner.cli.deployment import stopwatch
    from runner.cli.train_inputs import Choice, ready, same
    from runner.report import training as report
    from runner.training.job import FOLDER

    root, tell = find_root(ctx), stopwatch()
    with alone(root / FOLDER / "lock", "training in this repository"):
        spec = read_spec(root)
        found = ready(root, spec, Choice(recipe, name, parent, dataset, environment), tell)
        if (
            there := _there(spec, found, same(root, spec, found), named=name is not None, fresh=fresh)
        ) is None:
            about = _train(root, spec, found, environment, fresh, tell)
            shown = report.to_text(about)
        else:
            about = {"version": there, "trained": False}
            shown = f"nothing to do: '{there}' was trained from exactly this; `--fresh` trains it again"
    if as_json:
        click.echo(json.dumps({"trained": True, **about}, indent=2, ensure_ascii=False))
        return
    click.echo(shown)
    if there is None:
        files = (
            f"models/{found.name}.yaml models/{found.name}.dvc models/reports/{found.name} models/.gitignore"
        )
        click.echo(f"  next: `dvc push`, `git add {files}`, commit, then `loop evaluate {found.name}`")


def _there(spec: Spec, found: Ready, same: str | None, *, named: bool, fresh: bool) -> str | None:
    """Return the version that is this one already, None where it is to be trained. Raises TerminalError."""
    from runner.errors import terminal

    if found.name in spec.models and same != found.name:
        fix = "leave --name out, or name one that does not exist"
        raise terminal(f"version '{found.name}' exists already, trained from something else", fix=fix)
    if found.name in spec.models and fresh:
        raise terminal(
            f"version '{found.name}' exists already", fix="leave --name out: `--fresh` makes the next"
        )
    if same is None or fresh or (named and same != found.name):
        return None
    return same


def _train(
    root: Path, spec: Spec, found: Ready, environment: str, fresh: bool, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Train and register; return the manifest. Raises LoopError, OSError."""
    from runner.cli.train_served import served
    from runner.errors import Unknown
    from runner.training import launch
    from runner.training.register import manifest

    asked: tuple[LogProbs, ...] | Unknown = Unknown("it starts from the base model")
    if found.parent is not None:
        asked = served(root, spec.loop.environments[environment], found.parent)
        if isinstance(asked, Unknown):
            tell(f"note: the served parent is not compared: {asked.reason}")
    job = _job(root, spec, found, asked)
    _demand_free(root / spec.loop.models, job)
    origin = _origin(root, found, asked, tell)
    if fresh:
        shutil.rmtree(job.folder, ignore_errors=True)
    job.folder.mkdir(parents=True, exist_ok=True)
    tell(f"{found.name}: {found.recipe.type} on {found.rows} rows of '{found.dataset.name}'")
    try:
        result = launch.finished(job) or launch.train(job, _steps_now_and_then(tell))
        tell(f"registering {found.name}")
        _register(root, root / spec.loop.models, job, result, origin)
    except KeyboardInterrupt:
        click.echo("the same command goes on from the last checkpoint", err=True)
        raise
    shutil.rmtree(job.folder)
    return manifest(job, result, origin)


def _demand_free(models: Path, job: Job) -> None:
    """Raise TerminalError where something lies in the places of the version that this run did not leave there."""
    from runner.errors import terminal
    from runner.training import launch
    from runner.training.register import in_the_way

    result = launch.finished(job)
    if found := in_the_way(models, job.name, None if result is None else str(result["digest"])):
        raise terminal(
            f"version '{job.name}' cannot be registered: something else is in the way",
            *found,
            fix="remove it, or name the version otherwise: `--name ARTIFACT-vMAJOR.MINOR`",
        )


def _register(root: Path, models: Path, job: Job, result: Mapping[str, Any], origin: Origin) -> None:
    """Register what was trained. Raises LoopError that says what is kept, also where the disk is full."""
    from runner.cli.repository import in_words
    from runner.errors import LoopError, terminal
    from runner.training import room
    from runner.training.register import register

    place = job.folder.relative_to(root.absolute())
    kept = f"nothing was registered; the trained adapter is kept in {place}, and the same command goes on from there"
    try:
        register(models, job, result, origin, lambda path: _track(root, path))
    except (LoopError, OSError) as error:
        full = room.full(str(error))
        if isinstance(error, LoopError) and full is None:
            raise type(error)(*error.diagnostics, changed=kept) from error
        said = error.diagnostics[0].summary if isinstance(error, LoopError) else in_words(error)
        raise terminal(
            f"'{job.name}' cannot be registered: {full or said}",
            str(getattr(error, "filename", None) or said),
            fix=room.fix(job) if full else "put right what it says, then run the same command again",
            changed=kept,
        ) from error


def _steps_now_and_then(tell: Callable[[str], None]) -> Callable[[Mapping[str, Any]], None]:
    """Return what tells of a run's events; of its steps the first, the last, and one every few seconds."""
    from runner.report import training as report

    told = -PAUSE_SECONDS

    def hear(event: Mapping[str, Any]) -> None:
        nonlocal told
        is_step = event["event"] == "step"
        if is_step and event["step"] < event["steps"] and time.monotonic() - told < PAUSE_SECONDS:
            return
        told = time.monotonic() if is_step else told
        tell(report.progress(event))

    return hear


def _job(root: Path, spec: Spec, found: Ready, asked: tuple[LogProbs, ...] | Unknown) -> Job:
    from runner.errors import Unknown
    from runner.training.job import FOLDER, Job
    from runner.training.launch import gpus

    return Job(
        name=found.name,
        folder=(root / FOLDER / found.inputs.run(found.name)).absolute(),
        base=(root / spec.loop.base_model.path).absolute(),
        base_name=spec.loop.base_model.name,
        parent=None if found.parent is None else (root / found.parent.adapter.path).absolute(),
        data=(root / found.dataset.path).absolute(),
        recipe=found.recipe,
        served=None if isinstance(asked, Unknown) else asked,
        processes=max(gpus(), 1),
    )


def _origin(
    root: Path, found: Ready, asked: tuple[LogProbs, ...] | Unknown, tell: Callable[[str], None]
) -> Origin:
    """Return where the version comes from: the commit that is checked out. Raises TerminalError outside of Git."""
    from runner.errors import Unknown
    from runner.git.repository import Repository
    from runner.training.register import Origin

    repository = Repository(root)
    revision = repository.head().sha
    if changed := [path for path in repository.dirty() if path.startswith(("runner/", "policies/"))]:
        tell(f"note: not committed, so not in the revision that the version names: {', '.join(changed[:3])}")
    return Origin(
        recipe=found.recipe_name,
        dataset=found.dataset,
        rows=found.rows,
        parent=None if found.parent is None else found.parent.name,
        inputs=found.inputs,
        revision=revision,
        day=datetime.now(UTC).date(),
        unasked=asked.reason if isinstance(asked, Unknown) else "",
    )


def _track(root: Path, path: str) -> None:
    """Put a directory under DVC. Raises TransientError where DVC refuses, with its words."""
    from runner.data.command import dvc
    from runner.errors import transient

    ended = dvc(root, ["add", "--", path], lambda _: None, ADD_SECONDS)
    if ended.status or ended.expired:
        raise transient(
            f"`dvc add {path}` failed",
            *ended.said[-3:],
            fix="put right what it says; the same command registers what was trained",
        )
